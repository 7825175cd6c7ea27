"""What a platform reads: its program's accounts, cards and invoices, and nobody else's."""

from typing import Any

from django.db.models import Case, F, Sum, When, Window
from django.views.decorators.debug import sensitive_variables
from ninja import Schema

from redemption.api.v1.schemas import (
    AccountOut,
    CardOut,
    CardStatus,
    CreditOut,
    GrantOut,
    InvoiceOut,
    InvoicesOut,
    MovementOut,
    StatementOut,
)
from redemption.finding import serials_by_digest
from redemption.models import (
    Account,
    ApiKey,
    BatchStatus,
    Benefit,
    BillingProvider,
    Book,
    Code,
    CodeStatus,
    Invoice,
    InvoiceStatus,
    Plan,
    Program,
    Redemption,
    Replacement,
    Transfer,
    TransferKind,
    Wallet,
)
from redemption.patterns import Typed


def find_account(key: ApiKey, reference: str) -> Account | None:
    try:
        return Account.objects.select_related("program").get(program=key.program_id, reference=reference)
    except Account.DoesNotExist:
        return None


def read_account(account: Account) -> AccountOut:
    wallets = Wallet.objects.filter(account=account).order_by("currency")
    return AccountOut(
        reference=account.reference,
        country=str(account.country),
        currency=account.currency,
        plan=Plan(account.plan),
        billed_by=BillingProvider(account.billing_provider),
        has_payment_method=account.has_payment_method,
        renews_on=account.renews_on,
        premium_until=account.premium_until,
        email_verified=account.email_verified,
        credit=[CreditOut(currency=wallet.currency, balance=wallet.balance) for wallet in wallets],
    )


def read_statement(account: Account, *, before: int | None, limit: int) -> StatementOut:
    """The balances are sums over the same query's older rows: a movement meanwhile leaves them right."""
    signed = Case(When(credit=Book.CUSTOMER_CREDIT, then=F("amount")), default=-F("amount"))
    movements = Transfer.objects.filter(wallet__account=account)
    if before:
        movements = movements.filter(pk__lt=before)
    rows = movements.annotate(
        signed=signed, left=Window(Sum(signed), partition_by="wallet_id", order_by="pk")
    ).order_by("-pk")[: limit + 1]
    found = list(rows)
    shown = found[:limit]
    return StatementOut(
        account=account.reference,
        movements=[
            MovementOut(
                at=row.effective_at,
                kind=TransferKind(row.kind),
                amount=row.signed,
                currency=row.currency,
                balance=row.left,
                serial=row.code_id,
            )
            for row in shown
        ],
        next=shown[-1].pk if len(found) > limit else None,
    )


@sensitive_variables("typed")
def find_serial(typed: Typed) -> int | None:
    """Digests are each program's own: a card of another one is not found by them."""
    return next(iter(serials_by_digest(typed.digests).values()), None)


def read_card(program: Program, serial: int) -> CardOut | None:
    rows = Code.objects.filter(pk=serial, batch__product__program=program).select_related("batch__product")
    card = rows.first()
    if not card:
        return None
    batch, product = card.batch, card.batch.product
    # A successor has the value and the last day of the card that it replaced.
    inherited = Replacement.objects.filter(successor=card).first() if batch.is_replacement else None
    redemption = Redemption.objects.filter(code=card).select_related("account").first()
    return CardOut(
        serial=serial,
        status=CardStatus(CodeStatus(card.status).name.lower()),
        batch_status=BatchStatus(batch.status),
        sku=product.sku,
        grant=GrantOut(
            benefit=Benefit(product.benefit),
            value=inherited.value if inherited else batch.value,
            currency=batch.currency,
            months=product.months,
            days=product.days,
        ),
        countries=sorted(product.countries),
        activated_at=card.activated_at,
        expires_on=inherited.expires_on if inherited else batch.expires_on,
        redeemed_at=redemption.at if redemption else None,
        redeemed_by=redemption.account.reference if redemption else None,
        replaced_by=Replacement.objects.filter(original=card).values_list("successor_id", flat=True).first(),
    )


def find_invoice(program: Program, reference: str) -> Invoice | None:
    rows = Invoice.objects.select_related("account").filter(account__program=program, reference=reference)
    return rows.first()


def read_due(program: Program, *, before: int | None, limit: int) -> InvoicesOut:
    """What a platform may have missed: the newest first."""
    due = Invoice.objects.filter(account__program=program, status=InvoiceStatus.DUE).select_related("account")
    if before:
        due = due.filter(pk__lt=before)
    found = list(due.order_by("-pk")[: limit + 1])
    shown = found[:limit]
    return InvoicesOut(
        invoices=[read_invoice(invoice) for invoice in shown],
        next=shown[-1].pk if len(found) > limit else None,
    )


def read_invoice(invoice: Invoice) -> InvoiceOut:
    return InvoiceOut(
        reference=invoice.reference,
        account=invoice.account.reference,
        status=InvoiceStatus(invoice.status),
        plan=Plan(invoice.plan),
        starts_on=invoice.starts_on,
        ends_on=invoice.ends_on,
        currency=invoice.currency,
        price=invoice.price,
        from_credit=invoice.from_credit,
        due=invoice.due,
        settled_at=invoice.settled_at,
    )


def as_json(content: Schema) -> dict[str, Any]:
    """As it is kept, sent and sent again."""
    return content.model_dump(mode="json")
