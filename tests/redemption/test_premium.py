"""Premium time that is granted and taken back by people: the rest moves up, and redeeming goes on after it."""

from datetime import UTC, date, datetime, timedelta

import pytest

from redemption.models import Channel, PremiumGrant
from redemption.premium import PremiumError, days_left, grant_days, take_back
from redemption.reconcile import reconcile
from redemption.redeem import redeem
from tests import factories

pytestmark = pytest.mark.django_db

NOON = factories.NOON  # 15 June 2026


def periods(account):
    grants = PremiumGrant.objects.filter(account=account).order_by("pk")
    return [grant.period and (grant.period.lower, grant.period.upper) for grant in grants]


def on(day, month):
    return date(2026, month, day)


def later(days):
    return NOON + timedelta(days=days)


def test_days_are_granted_after_the_running_time():
    account = factories.account()
    grant_days(account, 10, now=NOON)
    grant_days(account, 5, now=NOON)
    assert periods(account) == [(on(15, 6), on(25, 6)), (on(25, 6), on(30, 6))]
    account.refresh_from_db()
    assert (account.premium_until, account.premium_anchor_day, account.had_premium) == (on(30, 6), 30, True)


def test_days_begin_anew_where_the_time_is_over():
    account = factories.account()
    grant_days(account, 3, now=NOON)
    grant_days(account, 3, now=later(10))
    assert periods(account) == [(on(15, 6), on(18, 6)), (on(25, 6), on(28, 6))]


def test_today_is_the_programs_day():
    account = factories.account(factories.program(time_zone="Pacific/Auckland"))
    # 12 hours ahead: it is the 16th there already.
    grant_days(account, 1, now=NOON)
    assert periods(account) == [(on(16, 6), on(17, 6))]


def test_no_more_than_the_cap_is_granted():
    account = factories.account(factories.program(stacking_cap_months=1))
    with pytest.raises(PremiumError, match=r"more than 1 months.*16 July 2026"):
        grant_days(account, 31, now=NOON)
    assert periods(account) == []
    grant_days(account, 30, now=NOON)
    account.refresh_from_db()
    assert account.premium_until == on(15, 7)


def test_granting_days_advances_the_accounts_version():
    account = factories.account()
    before = account.version
    grant_days(account, 1, now=NOON)
    account.refresh_from_db()
    assert account.version == before + 1


@pytest.mark.parametrize(("passed", "left"), [(-1, 10), (0, 10), (1, 9), (9, 1), (10, 0), (400, 0)])
def test_days_left_count_today(passed, left):
    grant = grant_days(factories.account(), 10, now=NOON)
    assert days_left(grant, now=later(passed)) == left


def test_what_was_not_used_is_taken_back():
    account = factories.account()
    grant = grant_days(account, 10, now=NOON)
    assert take_back(grant, now=later(4)) == 6
    assert periods(account) == [(on(15, 6), on(19, 6))]
    account.refresh_from_db()
    assert (account.premium_until, account.had_premium) == (on(19, 6), True)
    grant = PremiumGrant.objects.get()
    assert (grant.taken_back, str(grant)) == (6, "15 June 2026 up to 19 June 2026, 6 days taken back")
    with pytest.raises(PremiumError, match="Nothing of it is left"):
        take_back(grant, now=later(4))


def test_a_grant_that_never_began_is_taken_back_whole():
    account = factories.account()
    grant = grant_days(account, 10, now=NOON)
    assert take_back(grant, now=NOON) == 10
    assert periods(account) == [None]
    account.refresh_from_db()
    assert (account.premium_until, account.premium_anchor_day) == (None, None)
    grant = PremiumGrant.objects.get()
    assert (str(grant), days_left(grant, now=NOON)) == ("All 10 days taken back", 0)
    with pytest.raises(PremiumError, match="Nothing of it is left"):
        take_back(grant, now=NOON)
    grant_days(account, 2, now=NOON)
    assert periods(account) == [None, (on(15, 6), on(17, 6))]


def test_later_grants_move_up_and_earlier_ones_stay():
    account = factories.account()
    first, second, third, fourth = (grant_days(account, days, now=NOON) for days in (10, 10, 5, 5))
    assert take_back(second, now=later(2)) == 10
    assert periods(account) == [(on(15, 6), on(25, 6)), None, (on(25, 6), on(30, 6)), (on(30, 6), on(5, 7))]
    # The objects at hand are older than the table.
    assert take_back(third, now=later(2)) == 5
    assert take_back(first, now=later(2)) == 8
    assert periods(account) == [(on(15, 6), on(17, 6)), None, None, (on(17, 6), on(22, 6))]
    account.refresh_from_db()
    assert (account.premium_until, account.premium_anchor_day) == (on(22, 6), 22)
    assert fourth.taken_back == 0


def test_many_short_grants_move_past_one_another():
    account = factories.account()
    grants = [grant_days(account, 1, now=NOON) for _ in range(20)]
    for grant in grants[:10]:
        take_back(grant, now=NOON)
    kept = [period for period in periods(account) if period]
    assert kept == [(on(15 + place, 6), on(16 + place, 6)) for place in range(10)]


def test_another_accounts_time_is_left_alone():
    program = factories.program()
    account, other = factories.account(program), factories.account(program)
    grant = grant_days(account, 10, now=NOON)
    grant_days(other, 10, now=NOON)
    take_back(grant, now=NOON)
    assert periods(other) == [(on(15, 6), on(25, 6))]


def test_a_card_is_redeemed_after_what_was_taken_back():
    program = factories.program()
    account = factories.account(program)
    grant = grant_days(account, 10, now=NOON)
    card = factories.card(factories.batch(factories.product(program, months=1)))
    take_back(grant, now=NOON)
    result = redeem(account=account, text=card.text, channel=Channel.WEB, now=NOON)
    assert result.is_redeemed
    assert periods(account) == [None, (on(15, 6), on(15, 7))]
    assert [line for line in reconcile() if not line.agrees] == []


def test_what_a_card_gave_moves_up_with_the_rest():
    program = factories.program()
    account = factories.account(program)
    grant = grant_days(account, 10, now=NOON)
    card = factories.card(factories.batch(factories.product(program, months=1)))
    assert redeem(account=account, text=card.text, channel=Channel.WEB, now=NOON).is_redeemed
    assert take_back(grant, now=later(3)) == 7
    assert periods(account) == [(on(15, 6), on(18, 6)), (on(18, 6), on(18, 7))]
    account.refresh_from_db()
    assert account.premium_until == on(18, 7)
    assert [line for line in reconcile() if not line.agrees] == []


def test_the_chain_of_months_keeps_its_day_where_nothing_before_it_moves():
    program = factories.program()
    account = factories.account(program)
    batch = factories.batch(factories.product(program, months=1))
    start = datetime(2026, 1, 31, 12, tzinfo=UTC)
    for card in factories.cards(1, batch):
        assert redeem(account=account, text=card.text, channel=Channel.WEB, now=start).is_redeemed
    take_back(grant_days(account, 5, now=start), now=start)
    account.refresh_from_db()
    assert (account.premium_until, account.premium_anchor_day) == (on(28, 2), 31)
    assert redeem(account=account, text=factories.card(batch).text, channel=Channel.WEB, now=start).is_redeemed
    account.refresh_from_db()
    assert account.premium_until == on(31, 3)
