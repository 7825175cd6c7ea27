"""A report as its retailer reads it: how far it is, what was found, what came of each card, what was written.

Everything here is read within the wall, by the columns of its windows, and by the same number of queries whatever the
report's length.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone

from redemption.models import JobStatus
from support.letters import Letter, files_of
from support.models import (
    Answer,
    CompromiseReport,
    CompromiseReportQuerySet,
    Message,
    MessageKind,
    Outcome,
    Problem,
    ReportedCard,
    Stage,
)
from support.portal.access import Portal
from support.references import read_reference
from support.report_summary import summary
from support.stages import ANSWERS, OUTCOMES, StageMeta

PER_PAGE = 50
LETTERS = 50
_REPORT = (
    "reference", "channel", "kind", "reporter_name", "store", "till", "sold_at", "discovered_at", "receipt_number",
    "customer_present", "police_reference", "note", "status", "done", "total", "message", "created_at", "frozen_at",
    "undecided", "answered_at", "retailer__name", "retailer__slug", "ticket__status",
)  # fmt: skip
_CARD = ("line", "serial", "problem", "answer", "redeemed_at", "outcome", "decided_at")


def reports(portal: Portal) -> CompromiseReportQuerySet:
    """The retailers' own, whom the wall would show no others; with retailer and ticket, which the stage needs."""
    own = CompromiseReport.objects.filter(retailer__in=portal.retailers)
    return own.select_related("retailer", "ticket").only(*_REPORT)


def report_of(portal: Portal, reference: str) -> CompromiseReport:
    """By its reference, however it is spelled; 404 for a stranger's as for none."""
    found = reports(portal).filter(reference=read_reference(reference)).first()
    if not found:
        raise Http404
    return found


def is_under_way(report: CompromiseReport) -> bool:
    return report.frozen_at is None and report.status != JobStatus.FAILED


# --- How many


@dataclass(frozen=True, slots=True)
class Group:
    """Cards that are alike to whoever reads: all with one outcome, or all with one answer and none yet."""

    name: str
    meta: StageMeta
    count: int
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """A report's lines by what was found and by what came of them; only those that there are."""

    answers: list[Group]
    outcomes: list[Group]
    open: int

    @property
    def total(self) -> int:
        return sum(group.count for group in self.answers)

    @property
    def sentence(self) -> str:
        """What happened when it came in: “998 frozen, 2 redeemed before the sale.”"""
        parts = [f"{group.count:,} {_ANSWERED[Answer(group.name)]}" for group in self.answers]
        return ", ".join(parts) + "." if parts else ""

    def of(self, name: str) -> int:
        return next((group.count for group in (*self.answers, *self.outcomes) if group.name == name), 0)


_ANSWERED = {
    Answer.PENDING: "still being looked up",
    Answer.FROZEN: "frozen",
    Answer.BEFORE_SALE: "redeemed before the sale",
    Answer.AFTER_SALE: "redeemed after the sale",
    Answer.ENDED: "ended before",
    Answer.UNKNOWN: "not among your cards",
    Answer.BAD: "not read",
}


def counts_of(report: CompromiseReport) -> Counts:
    found = summary(report)
    return Counts(
        [Group(answer, ANSWERS[answer], count) for answer, count in found.answers],
        [Group(outcome, OUTCOMES[outcome], count, found.last[outcome]) for outcome, count in found.outcomes],
        found.open,
    )


# --- How far


@dataclass(frozen=True, slots=True)
class Step:
    """`state`: done, now, begun beside the one that is now, or ahead. `when`: since then, or the last of several."""

    name: str
    state: str
    when: datetime | None = None
    said: str = ""


_GIVEN = (Outcome.REPLACED, Outcome.CREDITED)


def steps(report: CompromiseReport, counts: Counts) -> list[Step]:
    """Received → frozen → (a question) → confirmed, cleared, too late → replaced or credited. What will not come is
    not shown: nothing is replaced of what was cleared."""
    stage = report.stage
    is_done = stage == Stage.ANSWERED
    made = [
        Step("Received", "done", report.created_at),
        Step("Frozen", "now" if stage == Stage.RECEIVED else "done", report.frozen_at, counts.sentence),
    ]
    if stage == Stage.NEEDS_INFORMATION:
        made.append(Step(Stage.NEEDS_INFORMATION.label, "now", said="Read the messages below and answer there."))
    judged = [group for group in counts.outcomes if group.name not in _GIVEN]
    given = [group for group in counts.outcomes if group.name in _GIVEN]
    judged_state = "done" if is_done else "now" if stage == Stage.FROZEN else "ahead"
    if judged or not is_done:
        made.append(Step(_named(judged, "Confirmed, cleared or too late"), judged_state, _last(judged), _said(judged)))
    if given or not is_done:
        given_state = "done" if is_done else "begun" if given else "ahead"
        made.append(Step(_named(given, "Replaced or credited"), given_state, _last(given), _said(given)))
    return made


def _named(groups: list[Group], otherwise: str) -> str:
    return ", ".join(group.meta.word.partition(":")[0] for group in groups) or otherwise


def _last(groups: Iterable[Group]) -> datetime | None:
    return max((group.last for group in groups if group.last), default=None)


def _said(groups: Iterable[Group]) -> str:
    return ", ".join(f"{group.count:,} {group.meta.word.partition(':')[0].lower()}" for group in groups)


# --- Each card


@dataclass(frozen=True, slots=True)
class Row:
    """One line, as it is shown and as it is written to a file."""

    line: int
    serial: int | None
    answer: StageMeta
    said: str
    redeemed_at: datetime | None
    outcome: StageMeta | None
    decided_at: datetime | None


def rows_of(report: CompromiseReport, *, only: str = "", page: int = 1) -> list[Row]:
    """A page of the lines in their order. `only`: those of one answer, or of one outcome."""
    start = (page - 1) * PER_PAGE
    return list(_rows(_lines(report, only)[start : start + PER_PAGE]))


def every_row(report: CompromiseReport) -> Iterator[Row]:
    """All lines in their order, in little memory."""
    return _rows(_lines(report, "").iterator(chunk_size=2_000))


def _lines(report: CompromiseReport, only: str) -> QuerySet[ReportedCard]:
    lines = report.cards.order_by("line", "pk").only("report_id", *_CARD)
    if only in Answer.values:
        return lines.filter(answer=only)
    return lines.filter(outcome=only) if only else lines


def _rows(lines: Iterable[ReportedCard]) -> Iterator[Row]:
    for line in lines:
        yield Row(
            line.line,
            line.serial,
            ANSWERS[Answer(line.answer)],
            Problem(line.problem).label if line.problem else "",
            line.redeemed_at,
            OUTCOMES[Outcome(line.outcome)] if line.outcome else None,
            line.decided_at,
        )


# --- What was written


def letters_of(report: CompromiseReport, *, before: int | None = None) -> tuple[list[Letter], int | None]:
    """The newest messages, or those before one, oldest first; and the one before which there are more. No internal
    note, and no answer that can still be taken back: so the wall has it, and so it is asked here."""
    found = Message.objects.filter(ticket=report.ticket_id).exclude(kind=MessageKind.NOTE)
    found = found.exclude(undo_until__gt=timezone.now())
    if before:
        found = found.filter(pk__lt=before)
    newest = list(found.order_by("-pk").only("ticket_id", "kind", "author_name", "body", "at")[: LETTERS + 1])
    shown = newest[:LETTERS][::-1]
    files = files_of(shown)
    letters = [
        Letter(
            message.pk,
            message.kind == MessageKind.REPLY,
            "Redemption Desk" if message.kind == MessageKind.REPLY else message.author_name,
            message.body,
            message.at,
            files.get(message.pk, []),
        )
        for message in shown
    ]
    return letters, shown[0].pk if len(newest) > LETTERS else None
