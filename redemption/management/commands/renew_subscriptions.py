"""Bills each month that is over: credit first, then the payment method on file; else the account falls to Free."""

from typing import Any

from django.core.management.base import BaseCommand

from redemption import billing
from redemption.money import format_minor


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        done = billing.renew()
        credit = ", ".join(
            format_minor(amount, currency) for currency, amount in sorted(done.from_credit.items()) if amount
        )
        self.stdout.write(
            f"{done.paid:,} months paid by credit, {done.due:,} due from payment methods, {done.covered:,} covered by "
            f"premium time; {done.fallen:,} accounts fell to Free. Taken from credit: {credit or 'nothing'}."
        )
        if unpriced := billing.without_price():
            self.stderr.write(
                f"{unpriced:,} accounts are due on a plan that has no price in their currency: nobody bills them."
            )
