"""Reports of compromised cards beside a card and beside a ticket."""

from dataclasses import dataclass
from typing import Any

from redemption.models import Code, User
from redemption.roles import Permission
from support.models import Answer, CompromiseReport, Outcome, ReportedCard, Ticket
from support.report_summary import Summary, summary
from support.stages import ANSWERS, OUTCOMES, STAGES, StageMeta

_LATEST = 10


@dataclass(frozen=True, slots=True)
class Standing:
    """What a report says of one card: what came of it, or else what was found. `is_open`: somebody has to judge it."""

    report: CompromiseReport
    state: StageMeta
    is_open: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """A ticket's own report."""

    report: CompromiseReport
    stage: StageMeta
    found: Summary


def about_card(card: Code, *, by: User) -> dict[str, Any]:
    """The reports in which its own retailer, or we, named the card, the newest first: one query. `open_report` is one
    that waits for a judgement; nothing for whoever sees no reports."""
    if not by.may(Permission.VIEW_COMPROMISED):
        return {"standings": [], "open_report": None, "reports_cards": False}
    rows = (
        ReportedCard.objects.filter(serial=card.pk)
        .exclude(answer=Answer.UNKNOWN)
        .select_related("report__retailer")
        .order_by("-report", "pk")[:_LATEST]
    )
    standings = [_standing(row) for row in rows]
    waiting = next((standing.report for standing in standings if standing.is_open), None)
    return {"standings": standings, "open_report": waiting, "reports_cards": reports_cards(by)}


def _standing(row: ReportedCard) -> Standing:
    state = OUTCOMES[Outcome(row.outcome)] if row.outcome else ANSWERS[Answer(row.answer)]
    return Standing(row.report, state, is_open=row.is_open or row.answer == Answer.PENDING)


def about_ticket(ticket: Ticket, *, by: User) -> dict[str, Any]:
    """One query more where the ticket is a report's."""
    if not by.may(Permission.VIEW_COMPROMISED):
        return {"reported": None, "reports_cards": False}
    report = getattr(ticket, "report", None)
    panel = Panel(report, STAGES[report.stage], summary(report)) if report else None
    return {"reported": panel, "reports_cards": reports_cards(by)}


def reports_cards(by: User) -> bool:
    return by.may(Permission.FREEZE) and by.may(Permission.VIEW_COMPROMISED)
