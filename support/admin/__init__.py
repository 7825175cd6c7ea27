"""The people's side in the admin: customers' accounts, those who work here, and the audit trail."""

from support.admin import accounts, audit_events, credit_reasons, desk, known_errors, macros, people

__all__ = ["accounts", "audit_events", "credit_reasons", "desk", "known_errors", "macros", "people"]
