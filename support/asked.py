"""What a request asks for, in words: in one line, as the sentence of what would happen, and on the button that does it.

Whatever the requests name is read in one query for each kind of row.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from redemption.models import Account, ApprovalAction, ApprovalRequest, Redemption
from support.limits import FIELDS, Difference, Matrix, differences, matrix_from
from support.models import DAYS, CompromiseReport, CreditLimit, CreditReason, ManualCredit, Ticket, format_amount
from support.policy import Hit

_ICONS = {
    ApprovalAction.CREDIT: "add_card",
    ApprovalAction.REVERSAL: "undo",
    ApprovalAction.MOVE: "move_up",
    ApprovalAction.POLICY: "tune",
    ApprovalAction.VOID: "block",
    ApprovalAction.REPLACE: "swap_horiz",
}
# Which limit was passed, where there is room for a word only.
_SHORT = {
    Hit.REASON: "reason always needs two",
    Hit.SINGLE: "one credit",
    Hit.DAY_SUM: "sum of 24 hours",
    Hit.DAY_COUNT: "count of 24 hours",
    Hit.WEEK_SUM: "sum of 7 days",
    Hit.WEEK_COUNT: "count of 7 days",
    Hit.MONTH_SUM: "sum of 30 days",
    Hit.MONTH_COUNT: "count of 30 days",
    Hit.ACCOUNT_SUM: "account’s sum",
    Hit.ACCOUNT_COUNT: "account’s count",
}
_Row = TypeVar("_Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with what it names; what it does not name is None. `origin` is the account that what is moved or taken
    back comes from, `account` the one that gains, or else loses, by it."""

    request: ApprovalRequest
    icon: str
    title: str = ""
    # What approving does, as a sentence; and as a button says it.
    effect: str = ""
    button: str = ""
    unit: str = ""
    amount: int = 0
    account: Account | None = None
    origin: Account | None = None
    credit: ManualCredit | None = None
    redemption: Redemption | None = None
    reason: CreditReason | None = None
    ticket: Ticket | None = None
    # Whose cards it is for, and of how many of them.
    report: CompromiseReport | None = None
    cards: int = 0
    # Serial numbers.
    card: int | None = None
    last: int | None = None
    note: str = ""
    # The file that was chosen as the receipt.
    receipt: int | None = None
    hits: list[Hit] = field(default_factory=list)
    # As whoever asked has read them.
    sentences: list[str] = field(default_factory=list)
    changes: list[Difference] = field(default_factory=list)

    @property
    def shown(self) -> str:
        return format_amount(self.amount, self.unit) if self.unit else ""

    @property
    def hit_words(self) -> list[str]:
        return [_SHORT[hit] for hit in self.hits]


def read(requests: Sequence[ApprovalRequest]) -> list[Asked]:
    """In their order. Eight queries at most, for any number of them."""
    named = _Named(requests)
    return [_in_words(asked, named) for asked in requests]


def _in_words(asked: ApprovalRequest, named: "_Named") -> Asked:
    action = ApprovalAction(asked.action)
    try:
        return _WORDS[action](asked, named)
    except KeyError:
        # Asked for by other code, in a shape of its own: the list opens all the same.
        return Asked(asked, _ICONS[action], title=str(asked), effect=f"{asked}.", button=action.label)


class _Named:
    """The rows that payloads name, by their ids."""

    def __init__(self, requests: Sequence[ApprovalRequest]) -> None:
        self.credits = _found(ManualCredit.objects.select_related("account", "ticket", "reason"), requests, "credit")
        self.redemptions = _found(
            Redemption.objects.select_related("account", "batch__product"), requests, "redemption"
        )
        self.accounts = _found(Account.objects.all(), requests, "account", "to", "from")
        self.tickets = _found(Ticket.objects.all(), requests, "ticket")
        self.reports = _reports(requests)
        slugs = {asked.payload.get("reason") for asked in requests if asked.action == ApprovalAction.CREDIT} - {None}
        self.reasons = {row.slug: row for row in CreditReason.objects.filter(slug__in=slugs)} if slugs else {}
        bases = {asked.payload.get("base") for asked in requests if asked.action == ApprovalAction.POLICY} - {None}
        rows = CreditLimit.objects.filter(policy__in=bases).order_by("pk").values("policy_id", "unit", "role", *FIELDS)
        found = list(rows) if bases else []
        self.matrices: dict[int, Matrix] = {
            base: matrix_from(row for row in found if row["policy_id"] == base) for base in bases
        }


def _found(rows: "QuerySet[_Row]", requests: Iterable[ApprovalRequest], *names: str) -> dict[Any, _Row]:
    wanted = {asked.payload.get(name) for asked in requests for name in names}
    keys = {key for key in wanted if isinstance(key, int)}
    return rows.in_bulk(keys) if keys else {}


def _reports(requests: Iterable[ApprovalRequest]) -> dict[str, CompromiseReport]:
    """By the requests' targets."""
    keys = {int(asked.target.removeprefix("report:")) for asked in requests if asked.target.startswith("report:")}
    if not keys:
        return {}
    reports = CompromiseReport.objects.select_related("retailer", "ticket").filter(pk__in=keys).order_by("pk")
    return {f"report:{report.pk}": report for report in reports}


def _credit(asked: ApprovalRequest, named: _Named) -> Asked:
    payload = asked.payload
    account = named.accounts[payload["account"]]
    shown = format_amount(payload["amount"], payload["unit"])
    what = f"{shown} of premium" if payload["unit"] == DAYS else shown
    return Asked(
        asked,
        _ICONS[ApprovalAction.CREDIT],
        title=f"Credit {what} to {account.reference}",
        effect=(
            f"{shown} of premium time go to {account.reference} at once."
            if payload["unit"] == DAYS
            else f"{shown} goes to the credit of {account.reference} at once, out of goodwill."
        ),
        button=f"Credit {what}",
        unit=payload["unit"],
        amount=payload["amount"],
        account=account,
        reason=named.reasons.get(payload["reason"]),
        ticket=named.tickets.get(payload["ticket"]),
        card=payload["code"],
        note=payload["note"],
        receipt=payload["receipt"],
        hits=[Hit(hit) for hit in payload.get("hits", [])],
        sentences=payload.get("limits", []),
    )


def _reversal(asked: ApprovalRequest, named: _Named) -> Asked:
    credit = named.credits[asked.payload["credit"]]
    amount = asked.payload["amount"]
    left = format_amount(amount, credit.unit)
    of = "" if amount == credit.amount else f" of {credit.shown}"
    return Asked(
        asked,
        _ICONS[ApprovalAction.REVERSAL],
        title=f"Take {left}{of} back from {credit.account.reference}",
        effect=(
            f"What is left of credit {credit.reference} then, {left}{of} when it was asked for, is taken back from "
            f"{credit.account.reference}. It cannot be given again under this credit."
        ),
        button="Take it back",
        unit=credit.unit,
        amount=amount,
        account=credit.account,
        credit=credit,
        reason=credit.reason,
        ticket=credit.ticket,
        card=credit.code_id,
    )


def _move(asked: ApprovalRequest, named: _Named) -> Asked:
    payload = asked.payload
    redemption = named.redemptions[payload["redemption"]]
    to, origin = named.accounts[payload["to"]], redemption.account
    shown = format_amount(payload["amount"], payload["unit"])
    return Asked(
        asked,
        _ICONS[ApprovalAction.MOVE],
        title=f"Move {shown} of card {redemption.code_id} to {to.reference}",
        effect=(
            f"What is left of what card {redemption.code_id} gave, {shown} when it was asked for, is taken from "
            f"{origin.reference} and goes to {to.reference}, both at once."
        ),
        button=f"Move {shown}",
        unit=payload["unit"],
        amount=payload["amount"],
        account=to,
        origin=origin,
        redemption=redemption,
        ticket=named.tickets.get(payload["ticket"]),
        card=redemption.code_id,
    )


def _policy(asked: ApprovalRequest, named: _Named) -> Asked:
    changes = differences(named.matrices[asked.payload["base"]], matrix_from(asked.payload["limits"]))
    how_many = f"{len(changes)} limit{'' if len(changes) == 1 else 's'}"
    return Asked(
        asked,
        _ICONS[ApprovalAction.POLICY],
        title=f"Change {how_many} of credits",
        effect=f"{how_many} change{'s' if len(changes) == 1 else ''} at once, for everybody, as a new version.",
        button=f"Change {how_many}",
        changes=changes,
    )


def _void(asked: ApprovalRequest, named: _Named) -> Asked:
    if asked.target.startswith("report:"):
        return _void_reported(asked, named)
    first, last = asked.payload["first"], asked.payload["last"]
    count = last - first + 1
    cards = f"card {first}" if count == 1 else f"{count:,} cards, {first} to {last}"
    its = "its" if count == 1 else "their"
    return Asked(
        asked,
        _ICONS[ApprovalAction.VOID],
        title=f"Void {cards}",
        effect=(
            f"{cards.capitalize()}, as far as unspent, {'is' if count == 1 else 'are'} ended for good, and {its} value "
            f"goes back to {its} retailer’s account. It cannot be undone."
        ),
        button=f"Void {'the card' if count == 1 else f'{count:,} cards'}",
        card=first,
        last=last if count > 1 else None,
    )


_PAYS = {
    None: "It hands its value on to a new one.",
    "receivable": "What a stranger took of it is paid by its retailer.",
    "goodwill": "What a stranger took of it is paid out of goodwill.",
}


def _replace(asked: ApprovalRequest, named: _Named) -> Asked:
    if asked.target.startswith("report:"):
        return _replace_reported(asked, named)
    serial = asked.payload["serial"]
    return Asked(
        asked,
        _ICONS[ApprovalAction.REPLACE],
        title=f"Replace card {serial}",
        effect=(
            f"Card {serial} may then be replaced, once. {_PAYS.get(asked.payload.get('source'), '')} Nothing changes "
            "until the new card is handed over."
        ),
        button="Allow the replacement",
        card=serial,
    )


def _void_reported(asked: ApprovalRequest, named: _Named) -> Asked:
    report, count = named.reports[asked.target], asked.payload["count"]
    cards = _cards(count)
    return Asked(
        asked,
        _ICONS[ApprovalAction.VOID],
        title=f"Void {cards} of report {report}",
        effect=(
            f"{cards} that {report.retailer} reported, as far as unspent, {'is' if count == 1 else 'are'} ended for "
            f"good, and {'its' if count == 1 else 'their'} value goes back to the retailer’s account. It cannot be "
            "undone."
        ),
        button=f"Void {cards}",
        ticket=report.ticket,
        report=report,
        cards=count,
    )


def _replace_reported(asked: ApprovalRequest, named: _Named) -> Asked:
    report, count = named.reports[asked.target], asked.payload["count"]
    cards, source = _cards(count), asked.payload["source"]
    return Asked(
        asked,
        _ICONS[ApprovalAction.REPLACE],
        title=f"Replace {cards} of report {report}",
        effect=(
            f"{cards} that {report.retailer} reported may then be replaced, {'' if count == 1 else 'each '}once. "
            f"{_PAYS[source] if source or count == 1 else 'Each hands its value on to a new one.'} Nothing changes "
            "until a new card is handed over."
        ),
        button="Allow the replacement" if count == 1 else f"Allow {count:,} replacements",
        ticket=report.ticket,
        report=report,
        cards=count,
    )


def _cards(count: int) -> str:
    return f"{count:,} card{'' if count == 1 else 's'}"


_WORDS: dict[ApprovalAction, Callable[[ApprovalRequest, _Named], Asked]] = {
    ApprovalAction.CREDIT: _credit,
    ApprovalAction.REVERSAL: _reversal,
    ApprovalAction.MOVE: _move,
    ApprovalAction.POLICY: _policy,
    ApprovalAction.VOID: _void,
    ApprovalAction.REPLACE: _replace,
}
