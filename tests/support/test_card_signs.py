"""Signs of compromised cards, raised from planted tries among honest ones."""

import random
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from redemption.models import Attempt, AttemptOutcome, BatchTally, Channel, Code, CodeStatus
from redemption.refusals import RefusalReason
from redemption.roles import Role
from support.card_signs import GROWN, WINDOW, raise_signs
from support.jobs import raise_card_signs
from support.models import CardSign, CardSignKind, CardSignState
from tests import factories
from tests.simulation.crowd import all_at_once, errors

pytestmark = pytest.mark.django_db

NOW = factories.NOON
SPENT, UNSOLD = RefusalReason.REDEEMED_BY_ANOTHER, RefusalReason.NOT_ACTIVATED


def stock(size=400, *, sold=True, of=None):
    """A batch with all of its cards, sold or on the shelf, and its figures."""
    batch = factories.batch(of, size=size)
    cards = factories.cards(size, batch, status=CodeStatus.ACTIVE if sold else CodeStatus.INACTIVE)
    BatchTally.objects.filter(batch=batch).update(activated=size if sold else 0)
    return cards


def tries(card, reason=SPENT, *, by=None, times=1, at=NOW - timedelta(days=2)):
    program = card.batch.product.program
    account = by or factories.account(program)
    for _ in range(times):
        Attempt.objects.create(
            account=account,
            program=program,
            code_id=card.serial,
            outcome=AttemptOutcome.REFUSED if reason else AttemptOutcome.REDEEMED,
            reason=reason,
            channel=Channel.WEB,
            at=at,
        )
    return account


def numbers(**where):
    """(kind, run or batch, first, last, cards, tried, tries) of each sign."""
    rows = CardSign.objects.filter(**where).order_by("kind", "is_run", "first_serial")
    return [(row.kind, row.is_run, row.first_serial, row.last_serial, row.cards, row.tried, row.tries) for row in rows]


def test_planted_runs_are_found_exactly_and_the_honest_background_raises_none():
    chance = random.Random(5)
    cards, shelf = stock(1000), stock(1000, sold=False)
    # Honest people's: one card in three hundred, strewn.
    for card in chance.sample(cards[300:], 5):
        tries(card)
    for card in chance.sample(shelf[450:], 4):
        tries(card, UNSOLD)
    assert raise_signs(NOW) == 0
    assert numbers() == []
    stolen = [cards[place] for place in (120, 122, 123, 127, 130, 138)]
    for number, card in enumerate(stolen):
        tries(card, times=1 + number % 2)
    thief = factories.account(shelf[0].batch.product.program)
    opened = shelf[300:305]
    for card in opened:
        tries(card, UNSOLD, by=thief)
    assert raise_signs(NOW) == 2
    assert numbers() == [
        (CardSignKind.ALREADY_REDEEMED, True, stolen[0].serial, stolen[-1].serial, 19, 6, 9),
        (CardSignKind.NOT_ACTIVATED, True, opened[0].serial, opened[-1].serial, 5, 5, 5),
    ]
    for sign in CardSign.objects.all():
        assert sign.state == CardSignState.OPEN
        assert (sign.since, sign.until, sign.raised_at) == (NOW - WINDOW, NOW, NOW)
        assert 0 < sign.chance < 1e-6
        assert 0 < sign.expected < 0.2


def test_nothing_is_raised_by_honest_backgrounds_of_many_programs():
    chance = random.Random(11)
    for _ in range(6):
        cards = stock(500)
        for card in chance.sample(cards, chance.randint(0, 4)):
            tries(card, times=chance.randint(1, 3))
    assert raise_signs(NOW) == 0


def test_one_customers_tries_of_one_card_are_one_tried_card():
    cards = stock()
    for card in cards[10:13]:
        tries(card, times=20)
    assert raise_signs(NOW) == 0


def test_one_person_with_several_cards_is_no_sign_but_on_the_shelf_he_is():
    cards, shelf = stock(), stock(sold=False)
    for rows, reason in ((cards, SPENT), (shelf, UNSOLD)):
        person = factories.account(rows[0].batch.product.program)
        for card in rows[10:16]:
            tries(card, reason, by=person)
    assert raise_signs(NOW) == 1
    assert numbers()[0][:3] == (CardSignKind.NOT_ACTIVATED, True, shelf[10].serial)


def test_what_is_refused_for_other_reasons_or_lies_outside_of_the_window_counts_not():
    cards = stock()
    for card in cards[10:18]:
        tries(card, RefusalReason.REDEEMED_BY_YOU)
        tries(card, RefusalReason.FROZEN)
        tries(card, "")
        tries(card, at=NOW - WINDOW - timedelta(seconds=1))
        tries(card, at=NOW)
    assert raise_signs(NOW) == 0
    for card in cards[10:18]:
        tries(card, at=NOW - WINDOW)
    assert raise_signs(NOW) == 1


def test_a_batch_far_above_the_others_of_its_program_is_raised_as_a_whole():
    product = factories.product()
    quiet, loud = stock(1000, of=product), stock(600, of=product)
    for card in quiet[::250]:
        tries(card)
    for card in loud[::25]:
        tries(card)
    assert raise_signs(NOW) == 1
    batch = loud[0].batch
    assert numbers() == [(CardSignKind.ALREADY_REDEEMED, False, loud[0].serial, loud[-1].serial, 600, 24, 24)]
    assert CardSign.objects.get(batch=batch).expected == pytest.approx(600 * 4 / 1000)


def test_a_batch_no_worse_than_the_others_of_its_program_is_not_raised():
    product = factories.product()
    for rows in (stock(600, of=product), stock(600, of=product)):
        for card in rows[::25]:
            tries(card)
    assert raise_signs(NOW) == 0


def test_a_run_alone_does_not_raise_its_batch():
    cards = stock(1000)
    for card in cards[50:62]:
        tries(card)
    assert raise_signs(NOW) == 1
    assert [row[1] for row in numbers()] == [True]


def test_a_card_tried_before_its_sale_is_a_sign_once_it_is_sold_and_somebody_else_knows_it():
    cards = stock(sold=False)
    early = NOW - timedelta(days=3)
    thief, late = (tries(card, UNSOLD, at=early) for card in cards[:2])
    assert raise_signs(NOW) == 0
    # Both sold within the hour; one to whoever had tried it, whose till was late.
    Code.objects.filter(pk__in=[card.serial for card in cards[:2]]).update(
        status=CodeStatus.REDEEMED, activated_at=early + timedelta(hours=1)
    )
    tries(cards[0], "", by=thief, at=early + timedelta(hours=2))
    tries(cards[1], "", by=late, at=early + timedelta(hours=2))
    assert raise_signs(NOW) == 0
    tries(cards[0], SPENT, at=early + timedelta(hours=5))
    assert raise_signs(NOW) == 1
    assert numbers() == [(CardSignKind.NOT_ACTIVATED, True, cards[0].serial, cards[0].serial, 1, 1, 1)]


@pytest.mark.parametrize(("hours", "raised"), [(23, 0), (25, 1)])
def test_an_unspent_card_whose_code_was_known_a_day_before_its_sale_is_a_sign(hours, raised):
    card = stock(sold=False)[7]
    early = NOW - timedelta(days=5)
    tries(card, UNSOLD, at=early)
    Code.objects.filter(pk=card.serial).update(status=CodeStatus.ACTIVE, activated_at=early + timedelta(hours=hours))
    assert raise_signs(NOW) == raised


def test_an_open_sign_is_updated_and_never_doubled():
    cards = stock(1000)
    for card in cards[100:105]:
        tries(card)
    raise_signs(NOW)
    before = CardSign.objects.get()
    raise_signs(NOW)
    assert CardSign.objects.get().pk == before.pk
    # It grows to the left, and comes together with another one.
    for card in cards[95:98]:
        tries(card)
    for card in cards[300:305]:
        tries(card)
    later = NOW + timedelta(days=1)
    raise_signs(later)
    assert [row[2:6] for row in numbers()] == [
        (cards[95].serial, cards[104].serial, 10, 8),
        (cards[300].serial, cards[304].serial, 5, 5),
    ]
    for card in cards[106:300:5]:
        tries(card)
    raise_signs(later)
    (sign,) = CardSign.objects.all()
    assert (sign.pk, sign.raised_at, sign.until) == (before.pk, NOW, later)
    assert (sign.first_serial, sign.last_serial, sign.tried) == (cards[95].serial, cards[304].serial, 52)


@pytest.mark.parametrize("state", [CardSignState.DISMISSED, CardSignState.REPORTED])
def test_what_was_judged_comes_back_when_it_has_grown_clearly(state):
    cards = stock(1000)
    for card in cards[100:105]:
        tries(card)
    raise_signs(NOW)
    CardSign.objects.update(state=state, judged_at=NOW, judged_by=factories.user(Role.AGENT), reason="A fair.")
    for card in cards[105 : 100 + 5 * GROWN - 1]:
        tries(card)
    assert raise_signs(NOW) == 0
    tries(cards[100 + 5 * GROWN])
    assert raise_signs(NOW) == 1
    assert CardSign.objects.count() == 2
    assert CardSign.objects.get(state=CardSignState.OPEN).tried == 5 * GROWN


def test_what_was_judged_long_ago_hides_nothing():
    cards = stock()
    for card in cards[100:105]:
        tries(card)
    raise_signs(NOW)
    CardSign.objects.update(
        state=CardSignState.DISMISSED, judged_at=NOW, judged_by=factories.user(Role.AGENT), reason="A fair."
    )
    later = NOW + WINDOW
    for card in cards[100:105]:
        tries(card, at=later - timedelta(days=1))
    assert raise_signs(later) == 1


def test_what_is_raised_stays_until_somebody_judges_it():
    cards = stock()
    for card in cards[100:105]:
        tries(card)
    raise_signs(NOW)
    assert raise_signs(NOW + 2 * WINDOW) == 0
    assert CardSign.objects.filter(state=CardSignState.OPEN).count() == 1


def test_how_many_are_read_does_not_hang_on_how_many_there_are():
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as found:
            raise_signs(NOW)
        return sum("redemption_attempt" in query["sql"] or "batchtally" in query["sql"] for query in found)

    cards = stock()
    for card in cards[100:105]:
        tries(card)
    few = queries()
    for rows in (stock(), stock()):
        for card in rows[100:105]:
            tries(card)
    assert queries() == few


@pytest.mark.django_db(transaction=True)
def test_three_workers_at_once_raise_one_sign():
    cards = stock(100)
    for card in cards[50:55]:
        tries(card)
    outcomes = all_at_once([lambda: raise_signs(NOW)] * 3)
    assert errors(outcomes) == []
    assert [row[2:4] for row in numbers()] == [(cards[50].serial, cards[54].serial)]


def test_the_nightly_job_raises_them():
    cards = stock()
    for card in cards[100:105]:
        tries(card, at=timezone.now() - timedelta(hours=1))
    raise_card_signs(0)
    assert [row[2:4] for row in numbers()] == [(cards[100].serial, cards[104].serial)]
