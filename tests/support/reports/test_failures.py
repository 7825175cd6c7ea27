"""Failed tries by week, program and reason, and the tries that they were counted from."""

from collections import Counter
from datetime import UTC, timedelta

import pytest
from django.utils import timezone

from redemption.models import Attempt, AttemptOutcome, Channel
from redemption.refusals import RefusalReason
from support.reports import failures
from support.reports.filters import Filters, Period, monday_of, today
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def accounts():
    made = [factories.account(), factories.account()]
    now = timezone.now()
    for number in range(40):
        reason = ["", RefusalReason.UNKNOWN, RefusalReason.EXPIRED, RefusalReason.UNKNOWN][number % 4]
        account = made[number % 3 % 2]
        Attempt.objects.create(
            account=account,
            program=account.program,
            outcome=AttemptOutcome.REFUSED if reason else AttemptOutcome.REDEEMED,
            reason=reason,
            channel=Channel.WEB,
            at=now - timedelta(days=number),
        )
    return made


def plain(**only):
    rows = Attempt.objects.filter(outcome=AttemptOutcome.REFUSED, **only)
    return Counter((monday_of(row.at.astimezone(UTC).date()), row.program_id, row.reason) for row in rows)


def shown(filters):
    return {(row.week, row.program_id, row.reason): row.count for row in failures.failure_rows(filters)}


def test_failed_tries_are_counted_by_week_program_and_reason(accounts):
    assert shown(Filters()) == plain()
    assert shown(Filters(program=str(accounts[0].program_id))) == plain(program=accounts[0].program)
    assert shown(Filters(reason="expired")) == plain(reason="expired")
    every = failures.tries(Filters())
    assert sum(row.count for row in every) == 40
    assert {row.outcome for row in every} == {AttemptOutcome.REFUSED, AttemptOutcome.REDEEMED}
    assert failures.failure_rows(Filters())[0].reason_label in {"No such code", "Expired"}


def test_a_figure_opens_the_tries_that_it_counts(accounts, monkeypatch):
    week = monday_of(today() - timedelta(days=14))
    filters = Filters(reason="unknown").but(days=Period(week, week + timedelta(days=6)))
    count = sum(row.count for row in failures.failure_rows(filters))
    found = failures.attempts(filters, before=None)
    assert len(found) == count > 1
    assert {row.reason for row in found} == {"unknown"}
    monkeypatch.setattr(failures, "PAGE", 1)
    assert failures.attempts(filters, before=found[0].pk)[0] == found[1]
    assert failures.attempts(filters, before=10**17) == []
