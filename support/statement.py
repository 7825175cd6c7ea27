"""An account's credit, as a bank would print it: every movement, and what was left after it."""

from dataclasses import dataclass
from datetime import datetime

from redemption.models import Account, Book, Transfer, Wallet
from redemption.money import format_minor


@dataclass(frozen=True, slots=True)
class Line:
    at: datetime
    what: str
    # With a plus or a minus before it.
    amount: str
    left: str
    serial: int | None
    # The manual credit that it is, or that it takes back.
    credit: str


@dataclass(frozen=True, slots=True)
class Statement:
    """Newest first. `has_older`: more than the limit, left out."""

    balances: list[str]
    lines: list[Line]
    has_older: bool


def statement(account: Account, *, limit: int) -> Statement:
    """What was left is reckoned back from the balance, so that it needs no movement older than those listed: both come
    from one query, between two a card could be redeemed."""
    wallets = Wallet.objects.filter(account=account).order_by("currency")
    balances = [format_minor(wallet.balance, wallet.currency) for wallet in wallets]
    transfers = list(
        Transfer.objects.filter(wallet__account=account)
        .select_related("wallet", "credit_granted__reason", "reverses__credit_granted__reason")
        .order_by("-pk")[: limit + 1]
    )
    left: dict[int, int] = {}
    lines = []
    for transfer in transfers[:limit]:
        wallet = transfer.wallet
        assert wallet
        came_in = transfer.credit == Book.CUSTOMER_CREDIT
        balance = left.setdefault(wallet.pk, wallet.balance)
        credit = getattr(transfer, "credit_granted", None) or getattr(transfer.reverses, "credit_granted", None)
        lines.append(
            Line(
                at=transfer.effective_at,
                what=f"{transfer.get_kind_display()}: {credit.reason}" if credit else transfer.get_kind_display(),
                amount=("+" if came_in else "\N{MINUS SIGN}") + format_minor(transfer.amount, transfer.currency),
                left=format_minor(balance, transfer.currency),
                serial=transfer.code_id,
                credit=credit.reference if credit else "",
            )
        )
        left[wallet.pk] = balance - (transfer.amount if came_in else -transfer.amount)
    return Statement(balances, lines, has_older=len(transfers) > limit)
