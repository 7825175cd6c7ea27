"""Cards sold, reported, frozen, judged, replaced, redeemed and expired by several people in any order: nothing of their
value is lost or made, no card comes back from its end, and each can come to every state."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from redemption.models import Book
from support.models import Answer, Outcome
from tests.simulation.cards_desk import ALLOWED, UNSPENT, Desk, S

ANSWERS = {Answer.FROZEN, Answer.BEFORE_SALE, Answer.AFTER_SALE, Answer.ENDED, Answer.UNKNOWN}


def not_reached():
    wanted = [*S, *ALLOWED, *Outcome, *ANSWERS]
    return [what for what in wanted if not Desk.reached[what]]


def run(worlds, steps, **more):
    Desk.reached = Counter()
    run_state_machine_as_test(
        Desk,
        settings=settings(
            max_examples=worlds,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Shrinking would take many minutes; the steps are few enough to read.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            **more,
        ),
    )


@pytest.fixture(autouse=True)
def _free_tries(settings):
    settings.ATTEMPTS_PER_ACCOUNT = settings.ATTEMPTS_PER_ADDRESS = settings.ATTEMPTS_PER_PROGRAM = 0


@pytest.fixture
def desk(transactional_db):
    """One world, led by the test; what always holds is looked at after every step of its."""
    Desk.reached = Counter()
    world = Desk()
    world.begin(in_the_middle=0)
    yield world
    world.teardown()


def test_every_state_is_reached_and_so_is_every_way_between_two(desk):
    """By the machine's own rules: nothing that it allows is beyond it."""

    def step(rule, **given):
        rule(desk, **given)
        desk.every_card_is_what_it_should_be_and_none_comes_back()
        desk.every_book_holds_what_it_should()
        desk.every_report_says_what_came_of_it()

    cards = list(desk.cards)

    def of(card):
        # The number by which the rules choose this card.
        return 4 * desk.cards.index(card)

    def report(*named, is_old=False):
        desk_of = sorted(desk.clerks).index(named[0].retailer_id)
        step(Desk.report_cards, numbers={of(card) for card in named}, of=desk_of, by=0, is_old=is_old)

    def judge(rule, **given):
        reports = [found for found in desk.reports if any(row.is_open for row in found.rows)]
        step(rule, number=reports.index(desk.reports[-1]), places={0, 1, 2, 3}, who=0, **given)

    def approve():
        step(Desk.decide, number=0, who=2, verb="approve")

    def hand_over():
        allowed = [row for found in desk.reports for row in found.rows if row.is_open and row.request]
        assert len(allowed) == 1
        step(Desk.hand_over, number=1, who=1)

    # An unsold card: frozen, thawed, voided; replaced by one that is sold, and whose sale is its own.
    step(Desk.freeze, number=of(cards[0]), who=0)
    step(Desk.thaw, number=of(cards[0]), who=0)
    step(Desk.replace, number=of(cards[0]), source=Book.GOODWILL)
    step(Desk.void, number=of(desk.cards[-1]))
    # A sale taken back and made again; then drawn by a thief, credited, and replaced out of his wallet and the rest.
    step(Desk.sell, number=of(cards[1]))
    step(Desk.take_the_sale_back, number=of(cards[1]))
    step(Desk.sell, number=of(cards[1]))
    step(Desk.redeem, number=of(cards[1]), who=0)
    step(Desk.spend, who=0, amount=1000)
    report(cards[1])
    judge(Desk.ask_to_replace, source=Book.RECEIVABLE)
    approve()
    hand_over()
    # Its successor is reported, cleared, reported again, and replaced unspent.
    successor = desk.cards[-1]
    report(successor)
    judge(Desk.clear)
    report(successor)
    judge(Desk.ask_to_replace, source=None)
    approve()
    hand_over()
    # That one is drawn as well, before it was sold by what the shop says: closed, and nothing is given.
    step(Desk.redeem, number=of(desk.cards[-1]), who=1)
    step(Desk.time_goes_by, hours=1)
    report(desk.cards[-1], is_old=True)
    judge(Desk.close)
    # Another is credited for.
    step(Desk.sell, number=of(cards[2]))
    step(Desk.redeem, number=of(cards[2]), who=0)
    report(cards[2])
    step(Desk.credit, number=of(cards[2]), who=1, amount=3000)
    # The other retailer's: one voided by a report, one by hand, one replaced by hand; one reported by a stranger.
    for card in cards[3:]:
        step(Desk.sell, number=of(card))
    report(cards[3])
    judge(Desk.ask_to_void)
    approve()
    step(Desk.void, number=of(cards[4]))
    step(Desk.replace, number=of(cards[5]), source=Book.GOODWILL)
    step(Desk.report_cards, numbers={of(cards[3])}, of=0, by=2, is_old=False)
    report(cards[3])
    assert not_reached() == []
    # Ended is ended.
    for card in desk.cards:
        if card.status not in UNSPENT:
            for verb in (Desk.sell, Desk.take_the_sale_back, Desk.void):
                step(verb, number=of(card))
            for verb in (Desk.freeze, Desk.thaw, Desk.redeem):
                step(verb, number=of(card), who=0)


@pytest.mark.django_db(transaction=True)
def test_whoever_does_what_no_value_is_lost_or_made():
    run(4, 40, derandomize=True, database=None)


@pytest.mark.heavy
@pytest.mark.django_db(transaction=True)
def test_in_many_worlds_neither():
    run(60, 80)
    # By chance alone. That nothing at all is out of reach, the test that leads the way shows.
    assert [status for status in S if not Desk.reached[status]] == []
