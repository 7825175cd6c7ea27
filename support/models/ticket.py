"""A customer's case: what went wrong, for whom, and how far we are with it."""

from datetime import datetime, timedelta
from enum import Enum
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone

from redemption.models import Account, Code, Outage, Program, Retailer, User
from redemption.models.account import random_reference
from redemption.roles import Permission, Role


class TicketChannel(models.TextChoices):
    WEB = "web", "Web form"
    EMAIL = "email", "E-mail"
    CHAT = "chat", "Chat"
    PHONE = "phone", "Phone"
    RETAILER = "retailer", "Retailer"
    SOCIAL = "social", "Social media"


class StatusGroup(Enum):
    """Whose turn it is: label, icon (each of another shape) and tone."""

    OURS = "Needs us", "inbox", "waiting"
    THEIRS = "Waiting", "hourglass_empty", "spent"
    DONE = "Done", "task_alt", "good"

    def __init__(self, label: str, icon: str, tone: str) -> None:
        self.label, self.icon, self.tone = label, icon, tone


class TicketStatus(models.TextChoices):
    NEW = "new", "New"
    OPEN = "open", "Open"
    WAITING_FOR_CUSTOMER = "waiting_for_customer", "Waiting for customer"
    WAITING_FOR_RETAILER = "waiting_for_retailer", "Waiting for retailer"
    SOLVED = "solved", "Solved"
    CLOSED = "closed", "Closed"

    @property
    def group(self) -> StatusGroup:
        return _GROUPS[self]


_GROUPS = {
    TicketStatus.NEW: StatusGroup.OURS,
    TicketStatus.OPEN: StatusGroup.OURS,
    TicketStatus.WAITING_FOR_CUSTOMER: StatusGroup.THEIRS,
    TicketStatus.WAITING_FOR_RETAILER: StatusGroup.THEIRS,
    TicketStatus.SOLVED: StatusGroup.DONE,
    TicketStatus.CLOSED: StatusGroup.DONE,
}
OURS, THEIRS, DONE = (
    tuple(status for status in TicketStatus if status.group is group)
    for group in (StatusGroup.OURS, StatusGroup.THEIRS, StatusGroup.DONE)
)
UNFINISHED = (*OURS, *THEIRS)


class Priority(models.IntegerChoices):
    LOW = 1, "Low"
    NORMAL = 2, "Normal"
    HIGH = 3, "High"
    URGENT = 4, "Urgent"


class Surface(models.TextChoices):
    """Where the customer saw the error message."""

    WEB = "web", "Web browser"
    DESKTOP = "desktop", "Desktop app"
    MOBILE = "mobile", "Mobile app"


class StepTried(models.TextChoices):
    """What customers are asked to try before anything else."""

    RETYPED = "retyped", "Typed the code again, character by character"
    RIGHT_ACCOUNT = "right_account", "Checked that it is the right account"
    COUNTRY = "country", "Compared the card’s country with the account’s"
    VPN_OFF = "vpn_off", "Turned the VPN off"
    CLEARED_CACHE = "cleared_cache", "Cleared the browser’s cookies and cache"
    OTHER_BROWSER = "other_browser", "Tried another browser, or a private window"
    OTHER_DEVICE = "other_device", "Tried another device"
    SIGNED_OUT = "signed_out", "Signed out everywhere and in again"
    VERIFIED_EMAIL = "verified_email", "Checked that the e-mail address is verified"
    BILLING = "billing", "Checked who bills the subscription"
    ASKED_SELLER = "asked_seller", "Asked the seller"
    WAITED = "waited", "Waited and tried again"


def ticket_reference() -> str:
    return random_reference("TK")


class TicketQuerySet(models.QuerySet["Ticket"]):
    def visible_to(self, user: User) -> "TicketQuerySet":
        """What a role may see at all: the social media team answers in public, so it sees what was asked in public."""
        if not user.may(Permission.VIEW_TICKETS):
            return self.none()
        return self.filter(channel=TicketChannel.SOCIAL) if user.role == Role.SOCIAL_MEDIA else self

    def unfinished(self) -> "TicketQuerySet":
        return self.filter(status__in=UNFINISHED)

    def needing_us(self) -> "TicketQuerySet":
        return self.filter(status__in=OURS)

    def waiting(self) -> "TicketQuerySet":
        return self.filter(status__in=THEIRS)

    def finished(self) -> "TicketQuerySet":
        return self.filter(status__in=DONE)

    def in_group(self, group: StatusGroup) -> "TicketQuerySet":
        return self.filter(status__in=[status for status in TicketStatus if status.group is group])

    def unassigned(self) -> "TicketQuerySet":
        return self.filter(assignee=None)

    def unmerged(self) -> "TicketQuerySet":
        return self.filter(merged_into=None)

    def due(self, since: datetime, until: datetime) -> "TicketQuerySet":
        return self.filter(next_deadline__gte=since, next_deadline__lte=until)

    def overdue(self, now: datetime | None = None) -> "TicketQuerySet":
        return self.filter(next_deadline__lt=now or timezone.now())

    def asked_by(self, email: str) -> "TicketQuerySet":
        """Of a requester's address, in any case."""
        return self.alias(lower_email=Lower("requester_email")).filter(lower_email=email.lower())

    def with_people(self) -> "TicketQuerySet":
        """All that a row of the queue names, in one query."""
        return self.select_related("program", "retailer", "assignee", "account")


class Ticket(models.Model):
    """Changed by support.actions only, which writes the history and keeps the deadlines. `version` grows with every
    message and change: who answers says which one he has read."""

    reference = models.CharField(max_length=20, unique=True, default=ticket_reference, editable=False)
    channel = models.CharField(max_length=10, choices=TicketChannel)
    subject = models.CharField(max_length=200)
    requester_name = models.CharField(max_length=150, blank=True)
    requester_email = models.EmailField(blank=True)
    account = models.ForeignKey(Account, models.PROTECT, null=True, blank=True, related_name="tickets")
    code = models.ForeignKey(Code, models.PROTECT, null=True, blank=True, related_name="tickets")
    program = models.ForeignKey(Program, models.PROTECT, null=True, blank=True, related_name="tickets")
    retailer = models.ForeignKey(Retailer, models.PROTECT, null=True, blank=True, related_name="tickets")
    status = models.CharField(max_length=20, choices=TicketStatus, default=TicketStatus.NEW)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="assigned_tickets"
    )
    tags = ArrayField(models.CharField(max_length=30), default=list, blank=True)

    # As the customer saw it, verbatim but for codes.
    error_message = models.CharField(max_length=500, blank=True)
    known_error = models.ForeignKey(
        "support.KnownError", models.PROTECT, null=True, blank=True, related_name="tickets", db_index=False
    )
    # Of the answer that the customer got, where he wrote from it: an attempt's, or one that describes itself.
    answer_reference = models.CharField(max_length=50, blank=True, editable=False)
    surface = models.CharField(max_length=10, choices=Surface, blank=True)
    steps_tried = ArrayField(models.CharField(max_length=20, choices=StepTried), default=list, blank=True)

    # An outage gathers its tickets: they name the problem, and solving it answers them all.
    is_problem = models.BooleanField(default=False)
    outage = models.OneToOneField(
        Outage, models.PROTECT, null=True, blank=True, editable=False, related_name="problem_ticket"
    )
    problem = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="incidents")
    duplicate_of = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="duplicates")
    # A merged ticket's messages stay its own; the other's thread shows them too. So undoing it loses nothing.
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="merged")

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    first_responded_at = models.DateTimeField(null=True, editable=False)
    solved_at = models.DateTimeField(null=True, editable=False)
    # Kept by support.targets: the clock of the resolution stands still while others are awaited.
    first_response_due = models.DateTimeField(null=True, editable=False)
    resolution_due = models.DateTimeField(null=True, editable=False)
    next_deadline = models.DateTimeField(null=True, editable=False)
    # Since when its clock has stood still, waiting or finished; and for how long it did before, in opening hours.
    waiting_since = models.DateTimeField(null=True, editable=False)
    waited = models.DurationField(default=timedelta, editable=False)
    version = models.PositiveBigIntegerField(default=1, editable=False)
    search = models.GeneratedField(
        expression=SearchVector("subject", "error_message", "requester_name", config="simple"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    objects: ClassVar[TicketQuerySet] = TicketQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=TicketStatus.values), name="ticket_status_is_known"),
            models.CheckConstraint(condition=Q(channel__in=TicketChannel.values), name="ticket_channel_is_known"),
            models.CheckConstraint(
                condition=~Q(problem=F("pk")) & ~Q(duplicate_of=F("pk")) & ~Q(merged_into=F("pk")),
                name="ticket_is_not_linked_to_itself",
            ),
            models.CheckConstraint(condition=Q(problem=None) | Q(is_problem=False), name="problem_is_no_incident"),
            models.CheckConstraint(
                condition=Q(merged_into=None) | Q(status=TicketStatus.CLOSED), name="merged_ticket_is_closed"
            ),
        ]
        indexes = [
            # The queue: what needs us, the most urgent deadline first; one small index for all its views.
            models.Index(fields=["status", "next_deadline", "id"], name="ticket_queue", condition=Q(merged_into=None)),
            # “Mine”, and who is the least loaded.
            models.Index(
                fields=["assignee", "status", "next_deadline"], name="ticket_mine", condition=Q(merged_into=None)
            ),
            # Overdue and due soon, whoever's they are; and every view that has the next deadline first.
            models.Index(fields=["next_deadline", "id"], name="ticket_due", condition=Q(merged_into=None)),
            # Every view that has the most urgent first.
            models.Index(
                fields=["-priority", "next_deadline", "id"], name="ticket_urgent", condition=Q(merged_into=None)
            ),
            # A tag, which may be rare.
            GinIndex(fields=["tags"], name="ticket_tags"),
            # asked_by(): a stranger's earlier tickets, the omnibox, and the way of a reply by mail to its ticket.
            models.Index(Lower("requester_email"), F("id").desc(), name="ticket_requester"),
            # The omnibox's words.
            GinIndex(fields=["search"], name="ticket_words"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def state(self) -> StatusGroup:
        return TicketStatus(self.status).group

    @property
    def is_finished(self) -> bool:
        return self.status in DONE
