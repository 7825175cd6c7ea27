"""The ledger's verbs. Balances change in the transaction of their transfer, and the database refuses to edit either."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import BigIntegerField, F, Sum, Value
from django.utils import timezone

from redemption.models import Account, Book, Program, Transfer, TransferKind, Wallet

# Expiry dates are left alone for an hour after their day ended: a redemption that began in time has ended by then.
GRACE = timedelta(hours=1)


class LedgerError(Exception):
    """The movement cannot be made; the text says why."""


class NotEnoughCreditError(LedgerError):
    pass


def wallet_of(account: Account, currency: str) -> Wallet:
    """The account's wallet in a currency, locked; made first where it is missing: a missing row locks nothing."""
    Wallet.objects.bulk_create([Wallet(account=account, currency=currency)], ignore_conflicts=True)
    return Wallet.objects.select_for_update(no_key=True).get(account=account, currency=currency)


def post(
    *,
    debit: Book,
    credit: Book,
    amount: int,
    currency: str,
    kind: TransferKind,
    source: str,
    program_id: int,
    wallet: Wallet | None = None,
    retailer_id: int | None = None,
    batch_id: int | None = None,
    code_id: int | None = None,
    reverses: Transfer | None = None,
    effective_at: datetime | None = None,
    now: datetime | None = None,
) -> Transfer:
    """Moves `amount` minor units from the debit to the credit book, and the wallet's balance along with it.

    Raises NotEnoughCreditError where the wallet holds less. The same kind and source post once: a second try is an
    IntegrityError.
    """
    now = now or timezone.now()
    with transaction.atomic():
        if wallet:
            if (wallet.currency, wallet.account.program_id) != (currency, program_id):
                raise LedgerError("The wallet is in another currency, or of another program.")
            change = amount if credit == Book.CUSTOMER_CREDIT else -amount
            # The condition, not the value read before, decides: two debits at once cannot both find the same money.
            # Beside an F() a number is sent in 32 bits, and its upper half silently lost, unless its field is named.
            new_balance = F("balance") + Value(change, BigIntegerField())
            moved = Wallet.objects.filter(pk=wallet.pk, balance__gte=-change).update(balance=new_balance)
            if not moved:
                raise NotEnoughCreditError("The account has not enough credit.")
        return Transfer.objects.create(
            debit=debit,
            credit=credit,
            wallet=wallet,
            amount=amount,
            currency=currency,
            kind=kind,
            source=source,
            program_id=program_id,
            retailer_id=retailer_id,
            batch_id=batch_id,
            code_id=code_id,
            reverses=reverses,
            effective_at=effective_at or now,
            recorded_at=now,
        )


def reverse(transfer: Transfer, *, hands_on: bool = False, now: datetime | None = None) -> Transfer:
    """The opposite movement of a manual credit or a paid month, once, capped at what the wallet still holds. What cards
    moved is undone by what happens to cards; but `hands_on` takes back what one gave, for whoever credits as much of it
    from the liability to another account in the same transaction."""
    if transfer.kind not in {TransferKind.MANUAL_CREDIT, TransferKind.RENEWAL} and not (
        hands_on and transfer.kind == TransferKind.REDEEM and transfer.wallet_id
    ):
        raise LedgerError("Only credits and paid months are reversed; cards are voided or replaced.")
    if transfer.kind == TransferKind.MANUAL_CREDIT and transfer.debit == Book.LIABILITY:
        # Its card is redeemed: nothing would ever take the value out of the liability again.
        raise LedgerError("What a card gave was moved here: it is not taken back.")
    with transaction.atomic():
        amount, wallet = transfer.amount, None
        if transfer.wallet:
            wallet = wallet_of(transfer.wallet.account, transfer.currency)
            if transfer.credit == Book.CUSTOMER_CREDIT:
                amount = min(amount, wallet.balance)
        if Transfer.objects.filter(reverses=transfer).exists():
            raise LedgerError("This transfer was reversed before.")
        if not amount:
            raise LedgerError("Nothing of it is left to take back.")
        return post(
            debit=Book(transfer.credit),
            credit=Book(transfer.debit),
            amount=amount,
            currency=transfer.currency,
            kind=TransferKind.REVERSAL,
            source=f"transfer:{transfer.pk}",
            program_id=transfer.program_id,
            wallet=wallet,
            retailer_id=transfer.retailer_id,
            batch_id=transfer.batch_id,
            code_id=transfer.code_id,
            reverses=transfer,
            now=now,
        )


def balance(book: Book, *, program: Program | None = None, as_of: datetime | None = None) -> dict[str, int]:
    """What a book holds by currency, in minor units: credits less debits that were effective by then."""
    transfers = Transfer.objects.all()
    if program:
        transfers = transfers.filter(program=program)
    if as_of:
        transfers = transfers.filter(effective_at__lte=as_of)
    sums: dict[str, int] = {}
    for side, sign in (("credit", 1), ("debit", -1)):
        rows = transfers.filter(**{side: book}).order_by().values_list("currency").annotate(Sum("amount"))
        for currency, total in rows:
            sums[currency] = sums.get(currency, 0) + sign * total
    return {currency: total for currency, total in sorted(sums.items()) if total}


@dataclass(frozen=True, slots=True)
class Breakage:
    cards: int
    amounts: dict[str, int]


# Batches and standing replacements whose last day is over and whose breakage is not posted yet. `ends_at` is the end of
# that day in the program's time zone.
_DUE = """
    SELECT b.id, b.expires_on, p.time_zone FROM redemption_batch b
    JOIN redemption_product d ON d.id = b.product_id JOIN redemption_program p ON p.id = d.program_id
    WHERE b.expires_on IS NOT NULL AND b.status <> 'draft'
        AND b.breakage_posted_for IS DISTINCT FROM b.expires_on
        AND (b.expires_on + 1)::timestamp AT TIME ZONE p.time_zone <= %(until)s::timestamptz
    ORDER BY b.id
"""
_POST_BATCH = """
    INSERT INTO redemption_transfer (debit, credit, amount, currency, kind, source, program_id, retailer_id, batch_id,
        code_id, effective_at, recorded_at)
    SELECT 'liability', 'breakage', b.value, b.currency, 'breakage', 'code:' || c.serial || ':' || b.expires_on,
        d.program_id, b.retailer_id, b.id, c.serial,
        (b.expires_on + 1)::timestamp AT TIME ZONE p.time_zone, %(now)s::timestamptz
    FROM redemption_code c JOIN redemption_batch b ON b.id = c.batch_id
    JOIN redemption_product d ON d.id = b.product_id JOIN redemption_program p ON p.id = d.program_id
    WHERE b.id = %(batch)s::bigint AND b.value > 0
        AND c.serial >= lower(b.serials) AND c.serial < upper(b.serials)
        AND c.status IN (1, 3) AND c.activated_at IS NOT NULL
    ON CONFLICT (kind, source) DO NOTHING
    RETURNING currency, amount
"""
_LOCK_STANDING_BATCHES = """
    SELECT b.id FROM redemption_batch b
    WHERE b.purpose = 'replacements' AND EXISTS (
        SELECT FROM redemption_replacement i JOIN redemption_code c ON c.serial = i.successor_id
        WHERE c.batch_id = b.id AND i.breakage_posted_for IS DISTINCT FROM i.expires_on
            AND i.expires_on < (%(until)s::timestamptz + interval '1 day')::date)
    ORDER BY b.id FOR NO KEY UPDATE
"""
_POST_SUCCESSORS = """
    WITH due AS (
        SELECT i.id, i.value, i.currency, i.expires_on, c.serial, b.id AS batch_id, b.retailer_id, d.program_id,
            p.time_zone, c.status, c.activated_at
        FROM redemption_replacement i JOIN redemption_code c ON c.serial = i.successor_id
        JOIN redemption_batch b ON b.id = c.batch_id JOIN redemption_product d ON d.id = b.product_id
        JOIN redemption_program p ON p.id = d.program_id
        WHERE i.expires_on IS NOT NULL AND i.breakage_posted_for IS DISTINCT FROM i.expires_on
            AND (i.expires_on + 1)::timestamp AT TIME ZONE p.time_zone <= %(until)s::timestamptz
        FOR NO KEY UPDATE OF c
    ), marked AS (
        UPDATE redemption_replacement SET breakage_posted_for = due.expires_on FROM due
        WHERE redemption_replacement.id = due.id
    )
    INSERT INTO redemption_transfer (debit, credit, amount, currency, kind, source, program_id, retailer_id, batch_id,
        code_id, effective_at, recorded_at)
    SELECT 'liability', 'breakage', value, currency, 'breakage', 'code:' || serial || ':' || expires_on, program_id,
        retailer_id, batch_id, serial, (expires_on + 1)::timestamp AT TIME ZONE time_zone, %(now)s::timestamptz
    FROM due WHERE status IN (1, 3) AND activated_at IS NOT NULL AND value > 0
    ON CONFLICT (kind, source) DO NOTHING
    RETURNING currency, amount
"""


def post_breakage(*, now: datetime | None = None) -> Breakage:
    """Posts what expired unspent, effective at the end of the expiry date. Nightly; runs again without harm, one
    batch a transaction, so that an interrupted night goes on where it stopped."""
    now = now or timezone.now()
    posted: list[tuple[str, int]] = []
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"until": now - GRACE})
        due = cursor.fetchall()
    for batch_id, expires_on, _ in due:
        with transaction.atomic(), connection.cursor() as cursor:
            # First the batch: its trigger waits for redemptions under way, and whoever comes later sees the date over.
            cursor.execute(
                "UPDATE redemption_batch SET breakage_posted_for = expires_on WHERE id = %s AND expires_on = %s",
                [batch_id, expires_on],
            )
            if not cursor.rowcount:
                continue
            cursor.execute(_POST_BATCH, {"batch": batch_id, "now": now})
            posted += cursor.fetchall()
    with transaction.atomic(), connection.cursor() as cursor:
        # In a statement of its own, so that what follows sees what those who held the lock have done.
        cursor.execute(_LOCK_STANDING_BATCHES, {"until": now - GRACE})
        cursor.execute(_POST_SUCCESSORS, {"until": now - GRACE, "now": now})
        posted += cursor.fetchall()
    amounts: dict[str, int] = {}
    for currency, amount in posted:
        amounts[currency] = amounts.get(currency, 0) + amount
    return Breakage(len(posted), amounts)


_REVERSE_BREAKAGE = """
    INSERT INTO redemption_transfer (debit, credit, amount, currency, kind, source, program_id, retailer_id, batch_id,
        code_id, reverses_id, effective_at, recorded_at)
    SELECT t.credit, t.debit, t.amount, t.currency, 'reversal', 'transfer:' || t.id, t.program_id, t.retailer_id,
        t.batch_id, t.code_id, t.id, %(now)s::timestamptz, %(now)s::timestamptz
    FROM redemption_transfer t JOIN redemption_code c ON c.serial = t.code_id
    WHERE t.kind = 'breakage' AND t.code_id >= %(first)s::bigint AND t.code_id < %(after)s::bigint
        AND c.status IN (1, 3) AND NOT EXISTS (SELECT FROM redemption_transfer r WHERE r.reverses_id = t.id)
"""


def reverse_breakage(*, first: int, after: int, now: datetime) -> int:
    """Takes back the breakage of the unspent cards from `first` up to `after`, for an extension. Returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_REVERSE_BREAKAGE, {"first": first, "after": after, "now": now})
        return int(cursor.rowcount)
