"""The people's side in the admin: customers' accounts, those who work here, and the audit trail."""

from support.admin import accounts, api_keys, credit_reasons, desk, known_errors, macros, people, retailers

__all__ = ["accounts", "api_keys", "credit_reasons", "desk", "known_errors", "macros", "people", "retailers"]
