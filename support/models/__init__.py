"""The people's side of the records."""

from support.models.attachment import Attachment, AttachmentKind, AttachmentPage, ScanState
from support.models.audit_event import AuditAction, AuditEvent, AuditPersonal
from support.models.credit_policy import DAYS, CreditLimit, CreditPolicy, CreditReason, CreditStop, Proof
from support.models.export import Export, ExportFormat
from support.models.known_error import Cause, KnownError
from support.models.macro import Macro
from support.models.manual_credit import CreditReversal, ManualCredit, format_amount
from support.models.message import Draft, MailState, Message, MessageKind, Presence
from support.models.saved_view import SavedView
from support.models.seal import Seal, SealedKind, SealedRow, SealMark
from support.models.target import Holiday, OpeningHours, Target, Weekday
from support.models.ticket import (
    DONE,
    OURS,
    THEIRS,
    UNFINISHED,
    Priority,
    StatusGroup,
    StepTried,
    Surface,
    Ticket,
    TicketChannel,
    TicketStatus,
)
from support.models.ticket_event import TicketEvent, TicketEventKind
from support.models.weekly_report import WeeklyReport

__all__ = [
    "DAYS",
    "DONE",
    "OURS",
    "THEIRS",
    "UNFINISHED",
    "Attachment",
    "AttachmentKind",
    "AttachmentPage",
    "AuditAction",
    "AuditEvent",
    "AuditPersonal",
    "Cause",
    "CreditLimit",
    "CreditPolicy",
    "CreditReason",
    "CreditReversal",
    "CreditStop",
    "Draft",
    "Export",
    "ExportFormat",
    "Holiday",
    "KnownError",
    "Macro",
    "MailState",
    "ManualCredit",
    "Message",
    "MessageKind",
    "OpeningHours",
    "Presence",
    "Priority",
    "Proof",
    "SavedView",
    "ScanState",
    "Seal",
    "SealMark",
    "SealedKind",
    "SealedRow",
    "StatusGroup",
    "StepTried",
    "Surface",
    "Target",
    "Ticket",
    "TicketChannel",
    "TicketEvent",
    "TicketEventKind",
    "TicketStatus",
    "Weekday",
    "WeeklyReport",
    "format_amount",
]
