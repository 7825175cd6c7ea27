"""A report of compromised cards, by their retailer or by us: what was reported, what was found at once, and what came
of each card. The cards themselves are frozen by it, not kept here."""

from collections.abc import Collection
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Count, Q

from redemption.models import ApiKey, ApprovalRequest, Job, JobStatus, Retailer
from redemption.models.account import random_reference
from support.models.ticket import Ticket, TicketStatus


class CompromiseKind(models.TextChoices):
    TAMPERED = "tampered", "Tampered packaging"
    DRAINED = "drained", "Drained at the sale"
    NOT_ACTIVATED = "not_activated", "Not activated"
    STOLEN = "stolen", "Stolen stock"
    SCAM = "scam", "Victim of a scam"
    OTHER = "other", "Something else"


class ReportChannel(models.TextChoices):
    PORTAL = "portal", "The retailers’ portal"
    TILL = "till", "A till’s system"
    DESK = "desk", "Support"


class Problem(models.TextChoices):
    """Why a line names no card. Never says what stood in it."""

    NOT_A_SERIAL = "not_a_serial", "No serial number: it has ten digits."
    A_CODE = "a_code", "That looks like a code. Report serial numbers, and keep codes to yourself."
    TWICE = "twice", "The same serial number stands further up."
    TOO_FEW_COLUMNS = "too_few_columns", "The line ends before the column of serial numbers."
    UNREADABLE = "unreadable", "The line cannot be read."


class Answer(models.TextChoices):
    """What was found when the report came in: label, and the sentence that a retailer reads."""

    PENDING = "pending", "Being looked up"
    FROZEN = "frozen", "Frozen"
    BEFORE_SALE = "before_sale", "Redeemed before the sale"
    AFTER_SALE = "after_sale", "Redeemed after the sale"
    ENDED = "ended", "Ended before"
    # What belongs to somebody else is told apart from what does not exist by nobody who reads this.
    UNKNOWN = "unknown", "Not one of your cards"
    BAD = "bad", "Not read"

    @property
    def is_too_late(self) -> bool:
        return self in TOO_LATE


TOO_LATE = (Answer.BEFORE_SALE, Answer.AFTER_SALE)
# What somebody has to judge.
TO_BE_JUDGED = (Answer.FROZEN, *TOO_LATE)
# Cards of the retailer's own.
OWN = (*TO_BE_JUDGED, Answer.ENDED)


class Outcome(models.TextChoices):
    """What came of a card in the end."""

    CONFIRMED = "confirmed", "Confirmed: ended for good"
    CLEARED = "cleared", "Cleared: works again"
    REPLACED = "replaced", "Replaced"
    CREDITED = "credited", "Credited"
    # Redeemed, and nothing is given for it.
    CLOSED = "closed", "Too late: nothing more is done"


class Stage(models.TextChoices):
    """How far a report is, as its retailer reads it."""

    RECEIVED = "received", "Received"
    FROZEN = "frozen", "Frozen, being looked into"
    NEEDS_INFORMATION = "needs_information", "We need to know more"
    ANSWERED = "answered", "Answered"


def report_reference() -> str:
    return random_reference("RP")


_ASKED = Q(ticket__status=TicketStatus.WAITING_FOR_RETAILER)
# As CompromiseReport.stage reads it from a report, in the database's words.
_IN_STAGE = {
    Stage.RECEIVED: Q(frozen_at=None),
    Stage.FROZEN: Q(frozen_at__isnull=False, answered_at=None) & ~_ASKED,
    Stage.NEEDS_INFORMATION: Q(frozen_at__isnull=False, answered_at=None) & _ASKED,
    Stage.ANSWERED: Q(frozen_at__isnull=False, answered_at__isnull=False),
}


class CompromiseReportQuerySet(models.QuerySet["CompromiseReport"]):
    def in_stage(self, stage: Stage) -> "CompromiseReportQuerySet":
        return self.filter(_IN_STAGE[stage])

    def count_by_stage(self) -> dict[Stage, int]:
        """Every stage, also one in which there is none. One query."""
        found = self.order_by().aggregate(**{stage.value: Count("pk", filter=of) for stage, of in _IN_STAGE.items()})
        return {stage: found[stage.value] for stage in Stage}


class CompromiseReport(Job):
    """`by` reported it, a member, an agent, or the system for a till. As a job it looks the cards up and freezes them:
    small reports within the request, large ones by the worker, in chunks."""

    reference = models.CharField(max_length=20, unique=True, default=report_reference, editable=False)
    retailer = models.ForeignKey(Retailer, models.PROTECT, related_name="reports", db_index=False)
    ticket = models.OneToOneField(Ticket, models.PROTECT, related_name="report")
    channel = models.CharField(max_length=10, choices=ReportChannel)
    api_key = models.ForeignKey(ApiKey, models.PROTECT, null=True, related_name="+", db_index=False)
    kind = models.CharField(max_length=20, choices=CompromiseKind)
    # As its name was then: whoever has left the retailer is still named.
    reporter_name = models.CharField(max_length=150, blank=True)
    # Texts are redacted before they come here.
    store = models.CharField(max_length=80, blank=True)
    till = models.CharField(max_length=40, blank=True)
    sold_at = models.DateTimeField(null=True, blank=True)
    discovered_at = models.DateTimeField(null=True, blank=True)
    receipt_number = models.CharField(max_length=60, blank=True)
    customer_present = models.BooleanField(default=False)
    police_reference = models.CharField(max_length=60, blank=True)
    note = models.TextField(blank=True)
    # The page's own key: sending a form twice makes one report.
    send_key = models.CharField(max_length=60, null=True, unique=True)
    # When every card was looked up, and what can be frozen was.
    frozen_at = models.DateTimeField(null=True, editable=False)
    # Cards that somebody still has to judge; and since when there is none left.
    undecided = models.PositiveIntegerField(default=0, editable=False)
    answered_at = models.DateTimeField(null=True, editable=False)
    # What the last mail about it said, as support.mail.reports words it: the same news goes out once.
    told = models.CharField(max_length=250, blank=True, editable=False)

    objects: ClassVar[CompromiseReportQuerySet] = CompromiseReportQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=JobStatus.values), name="report_status_is_known"),
            models.CheckConstraint(condition=Q(kind__in=CompromiseKind.values), name="report_kind_is_known"),
            models.CheckConstraint(condition=Q(channel__in=ReportChannel.values), name="report_channel_is_known"),
            models.CheckConstraint(
                condition=Q(answered_at=None) | Q(undecided=0), name="answered_reports_have_nothing_undecided"
            ),
        ]
        indexes = [
            # A retailer's reports, the newest first; and the judging page's “other reports”.
            models.Index(fields=["retailer", "-id"], name="report_retailer"),
            # What waits to be judged, the oldest first.
            models.Index(fields=["id"], name="report_open", condition=Q(answered_at=None)),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def stage(self) -> Stage:
        """Reads the ticket too: whoever shows many selects it with them. The queryset's in_stage() says the same."""
        if self.frozen_at is None:
            return Stage.RECEIVED
        if self.answered_at:
            return Stage.ANSWERED
        is_asked = self.ticket.status == TicketStatus.WAITING_FOR_RETAILER
        return Stage.NEEDS_INFORMATION if is_asked else Stage.FROZEN


def is_undecided(answer: str, outcome: str) -> bool:
    return not outcome and answer in TO_BE_JUDGED


class ReportedCardQuerySet(models.QuerySet["ReportedCard"]):
    def undecided(self, answers: Collection[Answer] = TO_BE_JUDGED) -> "ReportedCardQuerySet":
        """What somebody still has to judge; `answers`, of TO_BE_JUDGED, narrows it."""
        return self.filter(answer__in=answers, outcome="")


class ReportedCard(models.Model):
    """One line of a report. `serial` is null where the line named none; it need not be a card's."""

    report = models.ForeignKey(CompromiseReport, models.PROTECT, related_name="cards", db_index=False)
    line = models.PositiveIntegerField()
    serial = models.BigIntegerField(null=True)
    problem = models.CharField(max_length=20, choices=Problem, blank=True)
    answer = models.CharField(max_length=20, choices=Answer, default=Answer.PENDING)
    redeemed_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=20, choices=Outcome, blank=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False
    )
    # What waits for a second person, or was allowed by one: void it, or replace it.
    request = models.ForeignKey(ApprovalRequest, models.PROTECT, null=True, related_name="+", db_index=False)

    objects: ClassVar[ReportedCardQuerySet] = ReportedCardQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["report", "line", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["report", "serial"], name="a_card_stands_in_a_report_once", condition=Q(serial__isnull=False)
            ),
            models.CheckConstraint(
                condition=Q(serial__isnull=True, answer=Answer.BAD) & ~Q(problem="")
                | Q(serial__isnull=False, problem="") & ~Q(answer=Answer.BAD),
                name="bad_lines_say_why",
            ),
            models.CheckConstraint(condition=Q(answer__in=Answer.values), name="answer_is_known"),
            models.CheckConstraint(
                condition=Q(outcome="") | Q(answer__in=TO_BE_JUDGED) & Q(outcome__in=Outcome.values),
                name="only_found_cards_have_an_outcome",
            ),
            models.CheckConstraint(
                condition=Q(outcome="", decided_at=None) | ~Q(outcome="") & Q(decided_at__isnull=False),
                name="outcomes_have_a_time",
            ),
        ]
        indexes = [
            # A report's lines in their order.
            models.Index(fields=["report", "line"], name="reported_line"),
            # In which reports a card stands.
            models.Index(fields=["serial"], name="reported_serial", condition=Q(serial__isnull=False)),
            # What a request is about.
            models.Index(fields=["request"], name="reported_request", condition=Q(request__isnull=False)),
            # What the job has still to look up. Not of those alone: an answer that no index holds is written in place,
            # where the page has room, which is kept free for it.
            models.Index(fields=["report", "id"], name="reported_in_turn"),
        ]

    def __str__(self) -> str:
        return f"line {self.line}"

    @property
    def is_open(self) -> bool:
        """Somebody still has to judge it."""
        return is_undecided(self.answer, self.outcome)
