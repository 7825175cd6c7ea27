"""Billing by the database against a few lines of Python that bill one account, night after night."""

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from redemption import billing
from redemption.models import Account, BillingProvider, Plan
from redemption.premium_time import add_months
from tests.redemption.billing_world import PRICE, balance, disagreeing, give, months, program, subscriber
from tests.redemption.test_billing import premium

pytestmark = pytest.mark.django_db

START = date(2026, 1, 1)
days = st.integers(0, 400).map(lambda number: START + timedelta(days=number))


@dataclass
class Expected:
    """One account, as the rules are told to people."""

    credit: int
    method: bool
    renews_on: date | None
    anchor: int
    premium_until: date | None
    premium_anchor: int
    months: list[tuple[date, date, int, int, str]] = field(default_factory=list)
    plan: str = Plan.INDIVIDUAL

    def night(self, today: date) -> None:
        while self.renews_on and self.renews_on <= today:
            if self.premium_until and self.premium_until > self.renews_on:
                self.renews_on, self.anchor = self.premium_until, self.premium_anchor
                continue
            start, end = self.renews_on, add_months(self.renews_on, 1, self.anchor)
            part = min(self.credit, PRICE)
            if part < PRICE and not self.method:
                self.months.append((start, end, 0, PRICE, "failed"))
                self.plan, self.renews_on = Plan.FREE, None
                return
            self.credit -= part
            self.months.append((start, end, part, PRICE - part, "paid" if part == PRICE else "due"))
            self.renews_on = end


accounts = st.builds(
    lambda credit, method, day, anchor, premium_day, premium_anchor: Expected(
        credit=credit,
        method=method,
        renews_on=add_months(day, 0, anchor),
        anchor=anchor,
        premium_until=premium_day and add_months(premium_day, 0, premium_anchor),
        premium_anchor=premium_anchor,
    ),
    st.integers(0, 6 * PRICE),
    st.booleans(),
    days,
    st.integers(1, 31),
    st.none() | days.map(lambda day: max(day, START + timedelta(days=31))),
    st.integers(1, 31),
)


@contextmanager
def taken_back():
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@given(st.lists(accounts, min_size=1, max_size=6), st.lists(days, min_size=1, max_size=6), st.integers(1, 4))
@settings(max_examples=15)
def test_whatever_nights_are_missed_each_month_is_billed_as_people_are_told(expected, nights, chunk):
    with taken_back():
        of = program()
        made = []
        for one in expected:
            account = subscriber(
                of,
                credit=one.credit,
                has_payment_method=one.method,
                renews_on=one.renews_on,
                renewal_anchor_day=one.anchor,
            )
            if one.premium_until:
                premium(account, one.premium_until, one.premium_anchor)
            made.append(account)
        for night in sorted(nights):
            billing.renew(now=datetime(night.year, night.month, night.day, 4, tzinfo=UTC), chunk=chunk)
            for one in expected:
                one.night(night)
        for account, one in zip(made, expected, strict=True):
            found = Account.objects.get(pk=account.pk)
            assert months(found) == one.months
            assert (found.plan, found.renews_on, balance(found)) == (one.plan, one.renews_on, one.credit)
            billed_by = BillingProvider.DIRECT if one.renews_on else BillingProvider.NONE
            assert found.billing_provider == billed_by
        assert disagreeing() == []


@given(st.lists(days, min_size=1, max_size=8))
@settings(max_examples=10)
def test_credit_and_invoices_account_for_every_penny(nights):
    with taken_back():
        account = subscriber(credit=2500, has_payment_method=True, renews_on=START)
        given_so_far = 2500
        for number, night in enumerate(sorted(nights)):
            billing.renew(now=datetime(night.year, night.month, night.day, 4, tzinfo=UTC))
            give(account, 70 * number + 1, f"more {number}")
            given_so_far += 70 * number + 1
        spent = sum(row[2] for row in months(account))
        assert balance(account) == given_so_far - spent
        assert all(row[2] + row[3] == PRICE for row in months(account))
        # Months follow one another without a gap.
        assert [row[1] for row in months(account)][:-1] == [row[0] for row in months(account)][1:]
