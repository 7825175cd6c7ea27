"""Accounts that are billed, and what a month did to them."""

from datetime import date
from typing import Any

from django.db import transaction

from redemption.ledger import post, wallet_of
from redemption.models import Account, BillingProvider, Book, Invoice, Plan, PlanPrice, Program, Transfer, TransferKind
from redemption.reconcile import reconcile
from tests import factories

PRICE = 1000


def program(**fields: Any) -> Program:
    """Premium costs £10 a month."""
    made = factories.program(time_zone="UTC", **fields)
    PlanPrice.objects.create(program=made, plan=Plan.INDIVIDUAL, currency="GBP", price=PRICE)
    return made


def subscriber(of: Program | None = None, *, credit: int = 0, renews_on: date | None = None, **fields: Any) -> Account:
    """On a plan that the service bills itself, today's day being the first that is not paid."""
    account = factories.account(
        of or program(),
        **{
            "plan": Plan.INDIVIDUAL,
            "billing_provider": BillingProvider.DIRECT,
            "renews_on": renews_on or factories.NOON.date(),
            **fields,
        },
    )
    if credit:
        give(account, credit)
    return account


def give(account: Account, amount: int, source: str = "start") -> Transfer:
    """Goodwill, as a credit gives it, without the desk."""
    with transaction.atomic():
        return post(
            debit=Book.GOODWILL, credit=Book.CUSTOMER_CREDIT, amount=amount, currency=account.currency,
            kind=TransferKind.MANUAL_CREDIT, source=f"{source}:{account.pk}", program_id=account.program_id,
            wallet=wallet_of(account, account.currency), now=factories.NOON,
        )  # fmt: skip


def balance(account: Account) -> int:
    wallet = account.wallets.filter(currency=account.currency).first()
    return wallet.balance if wallet else 0


def months(account: Account) -> list[tuple[date, date, int, int, str]]:
    """Of each invoice: its days, what credit paid and what was due, and its status."""
    found = Invoice.objects.filter(account=account).order_by("starts_on")
    return [(row.starts_on, row.ends_on, row.from_credit, row.due, row.status) for row in found]


def paid_from_credit(account: Account) -> list[tuple[str, int]]:
    found = Transfer.objects.filter(wallet__account=account, kind=TransferKind.RENEWAL).order_by("pk")
    return [(row.source, row.amount) for row in found]


def disagreeing() -> list[Any]:
    return [line for line in reconcile() if not line.agrees]
