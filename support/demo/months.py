"""Plans are paid for month by month: from credit, then by payment methods; some have neither, and one was declined."""

from datetime import datetime, timedelta
from typing import Any

from redemption import billing
from redemption.models import Account, BillingProvider, Invoice, InvoiceStatus, Plan, PlanPrice
from redemption.roles import Role
from support.demo import accounts
from support.demo.diary import Diary
from support.demo.programs import COUNTRIES, FILMS, MUSIC
from support.demo.world import World

# In hundredths, of what a person alone pays for music, or for films in the middle plan.
_PLANS = {
    MUSIC: {Plan.STUDENT: 50, Plan.INDIVIDUAL: 100, Plan.DUO: 136, Plan.FAMILY: 163},
    FILMS: {Plan.BASIC: 67, Plan.STANDARD: 100, Plan.PREMIUM: 142},
}
# Nights that were billed, and how long a platform takes to say what a payment method did.
_NIGHTS, _ANSWERED = 75, timedelta(hours=20)


def write(diary: Diary) -> None:
    world = diary.world
    _price(world)
    _bill(world, "customer", 68, plan=Plan.INDIVIDUAL, has_payment_method=True)
    _bill(world, "customer's films", 55, plan=Plan.BASIC)
    _bill(world, "student", 40, has_payment_method=True)
    _bill(world, "duo", 44, has_payment_method=True)
    _bill(world, "family", 1, has_payment_method=True)
    _bill(world, "films", 20, has_payment_method=True)
    # Whoever had premium before is no new subscriber anyway: being billed changes nothing else about him.
    had_premium = [key for key in accounts.crowd(world, MUSIC, "SE") if world.accounts[key].had_premium][:6]
    for number, key in enumerate(had_premium):
        _bill(world, key, 60 - 9 * number, plan=Plan.INDIVIDUAL, has_payment_method=number % 2 == 0)
    declined = world.accounts[had_premium[0]]
    for days in range(_NIGHTS, 0, -1):
        diary.note(world.ago(days, 3), lambda at: _night(world, at, declined))


def _price(world: World) -> None:
    for name, plans in _PLANS.items():
        for currency, _, month in COUNTRIES.values():
            # Prices end as the services’ own do.
            PlanPrice.objects.bulk_create(
                PlanPrice(
                    program=world.programs[name],
                    plan=plan,
                    currency=currency,
                    price=month * share // 10_000 * 100 + month % 100,
                )
                for plan, share in plans.items()
            )


def _bill(world: World, account: str, days: int, **fields: Any) -> None:
    """From so many days ago on."""
    Account.objects.filter(pk=world.accounts[account].pk).update(
        billing_provider=BillingProvider.DIRECT, renews_on=world.ago(days).date(), had_premium=True, **fields
    )


def _night(world: World, at: datetime, declined: Account) -> None:
    for invoice in Invoice.objects.filter(status=InvoiceStatus.DUE, at__lt=at - _ANSWERED).order_by("pk"):
        paid = invoice.account_id != declined.pk
        billing.settle(invoice=invoice, is_paid=paid, by=world.people[Role.SYSTEM], now=at)
    billing.renew(now=at)
