"""The people's side of the records."""

from support.models.attachment import Attachment, AttachmentKind, AttachmentPage, ScanState
from support.models.audit_event import AuditAction, AuditEvent, AuditPersonal
from support.models.card_sign import CardSign, CardSignKind, CardSignState
from support.models.compromise_report import (
    OWN,
    TO_BE_JUDGED,
    TOO_LATE,
    Answer,
    CompromiseKind,
    CompromiseReport,
    CompromiseReportQuerySet,
    Outcome,
    Problem,
    ReportChannel,
    ReportedCard,
    Stage,
    is_undecided,
)
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
    "OWN",
    "THEIRS",
    "TOO_LATE",
    "TO_BE_JUDGED",
    "UNFINISHED",
    "Answer",
    "Attachment",
    "AttachmentKind",
    "AttachmentPage",
    "AuditAction",
    "AuditEvent",
    "AuditPersonal",
    "CardSign",
    "CardSignKind",
    "CardSignState",
    "Cause",
    "CompromiseKind",
    "CompromiseReport",
    "CompromiseReportQuerySet",
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
    "Outcome",
    "Presence",
    "Priority",
    "Problem",
    "Proof",
    "ReportChannel",
    "ReportedCard",
    "SavedView",
    "ScanState",
    "Seal",
    "SealMark",
    "SealedKind",
    "SealedRow",
    "Stage",
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
    "is_undecided",
]
