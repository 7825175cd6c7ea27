"""The people's side in the admin: customers' accounts, those who work here, and the audit trail."""

from support.admin import accounts, credit_reasons, desk, known_errors, macros, people

__all__ = ["accounts", "credit_reasons", "desk", "known_errors", "macros", "people"]
