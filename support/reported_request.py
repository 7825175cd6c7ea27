"""A request about a report's cards, as whoever decides it needs to see it: what the cards are by now, what they are
worth, and what has changed since it was asked for."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from redemption.listed_cards import Listed
from redemption.models import ApprovalAction, ApprovalRequest
from support.actions.judging import not_replaceable
from support.models import ReportedCard
from support.report_cards import Worth, worth


@dataclass(frozen=True, slots=True)
class Reported:
    """`left`: of how many nothing would come, by the sentence that says why. `hindrance`: why approving it would be
    refused altogether, or ""."""

    worth: list[Worth]
    totals: list[Worth]
    left: list[tuple[str, int]]
    hindrance: str


def reported(asked: ApprovalRequest, *, now: datetime) -> Reported:
    """Four queries, however many cards it is about."""
    rows = ReportedCard.objects.filter(request=asked).order_by("serial").values_list("serial", "outcome")
    found = {serial: outcome for serial, outcome in rows if serial}
    serials = list(found)
    parts = worth(serials) if serials else []
    if Listed(asked.target, serials).payload()["cards"] != asked.payload.get("cards"):
        return Reported(parts, [], [], "Some of its cards were asked for anew since: it must be asked for again.")
    left: Counter[str] = Counter()
    if asked.action == ApprovalAction.REPLACE:
        why_not = not_replaceable(serials, now=now)
        left.update(why or "Judged since." for serial, why in why_not.items() if why or found[serial])
    else:
        left.update({"Redeemed or ended since.": sum(part.count for part in parts if not part.status.is_unspent)})
    left = +left
    gone = sum(left.values())
    would = [part for part in parts if asked.action == ApprovalAction.REPLACE or part.status.is_unspent]
    nothing = "None of its cards is left to be replaced." if asked.action == ApprovalAction.REPLACE else (
        "None of its cards is left to be voided."
    )  # fmt: skip
    return Reported(parts, _by_currency(would), sorted(left.items()), nothing if gone >= len(serials) else "")


def _by_currency(parts: list[Worth]) -> list[Worth]:
    """One for each currency; the status says nothing then."""
    made: dict[str, Worth] = {}
    for part in parts:
        before = made.get(part.currency)
        made[part.currency] = Worth(
            part.currency,
            part.status,
            part.count + (before.count if before else 0),
            part.value + (before.value if before else 0),
        )
    return list(made.values())
