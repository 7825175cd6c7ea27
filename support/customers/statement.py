"""An account's credit as its owner reads it: every movement in his words, and what was left after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import BigIntegerField, Case, F, OuterRef, Q, Subquery, Sum, When
from django.db.models.functions import Coalesce

from redemption.models import Account, Book, Invoice, Transfer, TransferKind
from redemption.money import format_minor

# What a movement into or out of a customer's credit is called; a reversal by what it takes back.
WORDS = {
    TransferKind.REDEEM: "Code redeemed",
    TransferKind.MANUAL_CREDIT: "Credit from support",
    TransferKind.RENEWAL: "Month of your plan",
    TransferKind.REPLACE: "Taken back: the card was replaced",
    TransferKind.VOID: "Taken back: the card was ended",
}
TAKEN_BACK = {
    TransferKind.REDEEM: "Taken back: a redeemed code",
    TransferKind.MANUAL_CREDIT: "Taken back: credit from support",
    TransferKind.RENEWAL: "Given back: the month was not paid in full",
}
_OTHERWISE = "Correction"


@dataclass(frozen=True, slots=True)
class Movement:
    pk: int
    at: datetime
    what: str
    # The product that a code was of, or the month that was paid.
    detail: str
    serial: int | None
    amount: str
    came_in: bool
    left: str


@dataclass(frozen=True, slots=True)
class Statement:
    """Newest first. `older`: the movement before which there are more."""

    movements: list[Movement]
    older: int | None


def statement(account: Account, *, most: int, before: int | None = None) -> Statement:
    """Two queries. What was left is the balance without all that came later, reckoned in the query that reads both:
    between two a card could be redeemed."""
    signed = Case(
        When(credit=Book.CUSTOMER_CREDIT, then=F("amount")), default=-F("amount"), output_field=BigIntegerField()
    )
    newer = Transfer.objects.filter(wallet=OuterRef("wallet"), pk__gt=OuterRef("pk")).order_by()
    later = newer.values("wallet").annotate(moved=Sum(signed)).values("moved")
    found = Transfer.objects.filter(wallet__account=account)
    if before is not None:
        found = found.filter(pk__lt=before)
    rows = list(
        found.select_related("code__batch__product", "reverses")
        .annotate(left=F("wallet__balance") - Coalesce(Subquery(later), 0, output_field=BigIntegerField()))
        .order_by("-pk")[: most + 1]
    )
    shown = rows[:most]
    months = _months(account, shown)
    movements = [_movement(transfer, months.get(transfer.source, "")) for transfer in shown]
    return Statement(movements, shown[-1].pk if len(rows) > most else None)


def _movement(transfer: "Transfer", month: str) -> Movement:
    came_in = transfer.credit == Book.CUSTOMER_CREDIT
    of = transfer.reverses
    what = TAKEN_BACK.get(TransferKind(of.kind)) if of else WORDS.get(TransferKind(transfer.kind))
    code = transfer.code
    sign = "+" if came_in else "\N{MINUS SIGN}"
    return Movement(
        transfer.pk,
        transfer.effective_at,
        what or _OTHERWISE,
        month or (code.batch.product.name if code else ""),
        transfer.code_id,
        f"{sign}{format_minor(transfer.amount, transfer.currency)}",
        came_in,
        format_minor(transfer.left, transfer.currency),  # type: ignore[attr-defined]
    )


def _months(account: Account, shown: "Sequence[Transfer]") -> dict[str, str]:
    """By a renewal's source, “invoice:<account>:<first day>”, the month that it paid."""
    renewals = [transfer for transfer in shown if transfer.kind == TransferKind.RENEWAL]
    starts = {start for transfer in renewals if (start := _start_of(transfer.source))}
    if not starts:
        return {}
    invoices = Invoice.objects.filter(Q(account=account) & Q(starts_on__in=starts))
    told = {
        f"invoice:{account.pk}:{one.starts_on.isoformat()}": f"{one.get_plan_display()}, "
        f"{one.starts_on:%-d %B %Y} to {one.ends_on:%-d %B %Y}"
        for one in invoices
    }
    return {transfer.source: told[transfer.source] for transfer in renewals if transfer.source in told}


def _start_of(source: str) -> date | None:
    try:
        return date.fromisoformat(source.rpartition(":")[2])
    except ValueError:
        return None
