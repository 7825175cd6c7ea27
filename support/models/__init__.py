"""The people's side of the records."""

from support.models.audit_event import AuditAction, AuditEvent, AuditPersonal

__all__ = ["AuditAction", "AuditEvent", "AuditPersonal"]
