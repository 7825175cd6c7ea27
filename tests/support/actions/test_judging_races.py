"""Judgements that meet: each card ends one way, has one successor at most, and is counted right."""

from functools import partial

import pytest

from redemption import ledger
from redemption.approvals import ApprovalError
from redemption.models import Book, Channel, Code, CodeStatus, Replacement
from redemption.reconcile import prove
from redemption.redeem import redeem
from redemption.roles import Role
from support.actions import credits, decisions, judging, reports
from support.actions.credits import CreditError
from support.actions.reports import ReportError, freeze_next
from support.models import Answer, CompromiseReport, Outcome, ReportedCard
from tests import factories
from tests.simulation.crowd import all_at_once

pytestmark = pytest.mark.django_db(transaction=True)

S = CodeStatus


@pytest.fixture
def agents():
    return [factories.user(Role.AGENT) for _ in range(4)]


@pytest.fixture
def managers():
    return [factories.user(Role.MANAGER) for _ in range(2)]


@pytest.fixture(autouse=True)
def _free_tries(settings):
    settings.ATTEMPTS_PER_ACCOUNT = settings.ATTEMPTS_PER_ADDRESS = settings.ATTEMPTS_PER_PROGRAM = 0


def serials(cards):
    return [card.serial for card in cards]


def statuses(cards):
    return [S(card.row.status) for card in cards]


def outcomes(report):
    return list(report.cards.order_by("line", "pk").values_list("outcome", flat=True))


def agree():
    return [line for line in prove() if not line.agrees] == []


def counts_are_right(report):
    report.refresh_from_db()
    open_cards = report.cards.filter(answer__in=["frozen", "before_sale", "after_sale"], outcome="").count()
    return (report.undecided, report.answered_at is None) == (open_cards, open_cards > 0)


def only_refusals(results):
    failed = [result for result in results if isinstance(result, Exception)]
    return all(isinstance(error, (ReportError, ApprovalError, CreditError)) for error in failed)


def test_a_card_is_cleared_or_asked_about_and_never_both(agents):
    cards = factories.cards(6)
    report = factories.report(*cards)
    results = all_at_once(
        [
            partial(judging.clear, report, serials=serials(cards[:4]), by=agents[0], reason="All is well."),
            partial(judging.request_void, report, serials=serials(cards[2:]), by=agents[1], reason="Stolen."),
        ]
    )
    assert only_refusals(results)
    for row in report.cards.all():
        assert (row.outcome == Outcome.CLEARED) != (row.request_id is not None)
    assert counts_are_right(report)


def test_a_request_that_is_approved_while_somebody_clears_is_done_to_the_letter(agents, managers):
    cards = factories.cards(4)
    report, again = factories.report(*cards), factories.report(*cards)
    asked = judging.request_void(report, serials=serials(cards), by=agents[0], reason="Stolen.")
    clears = [
        partial(judging.clear, of, serials=serials(cards), by=agents[1], reason="All is well.")
        for of in (report, again)
    ]
    results = all_at_once([partial(decisions.approve, asked, by=managers[0]), *clears])
    assert (only_refusals(results), isinstance(results[0], Exception)) == (True, False)
    assert all(isinstance(result, ReportError) for result in results[1:])
    assert statuses(cards) == [S.VOID] * 4
    assert outcomes(report) == outcomes(again) == [Outcome.CONFIRMED] * 4
    assert (counts_are_right(report), counts_are_right(again), agree()) == (True, True, True)


def test_of_many_who_hand_a_card_over_at_once_one_has_it(agents, managers):
    spent, _ = cards = factories.cards(2)
    thief = factories.account(spent.batch.product.program)
    assert redeem(account=thief, text=spent.text, channel=Channel.WEB).is_redeemed
    report = factories.report(*cards)
    asked = judging.request_replacement(
        report, serials=serials(cards), source=Book.GOODWILL, by=agents[0], reason="Stolen."
    )
    decisions.approve(asked, by=managers[0])
    for card in cards:
        results = all_at_once([partial(judging.hand_over, report, serial=card.serial, by=agent) for agent in agents])
        made = [result for result in results if not isinstance(result, Exception)]
        assert (len(made), only_refusals(results)) == (1, True)
        assert {str(result) for result in results if isinstance(result, Exception)} == {
            "This card was decided before: replaced."
        }
        assert Replacement.objects.get(original=card.serial).successor_id == made[0].serial
    assert statuses(cards) == [S.REDEEMED, S.REPLACED]
    assert (ledger.balance(Book.LIABILITY), agree(), counts_are_right(report)) == ({"GBP": 6000}, True, True)


def test_a_card_that_is_handed_over_while_it_is_cleared_ends_one_way(agents, managers):
    cards = factories.cards(6)
    report = factories.report(*cards)
    asked = judging.request_replacement(report, serials=serials(cards), source=None, by=agents[0], reason="Stolen.")
    decisions.approve(asked, by=managers[0])
    results = all_at_once(
        [
            call
            for card in cards
            for call in (
                partial(judging.hand_over, report, serial=card.serial, by=agents[0]),
                partial(judging.clear, report, serials=[card.serial], by=agents[1], reason="All is well."),
            )
        ],
        clients=4,
    )
    assert only_refusals(results)
    ended = {Outcome.REPLACED: S.REPLACED, Outcome.CLEARED: S.ACTIVE}
    assert statuses(cards) == [ended[outcome] for outcome in outcomes(report)]
    assert Replacement.objects.count() == outcomes(report).count(Outcome.REPLACED)
    assert (ledger.balance(Book.LIABILITY), agree(), counts_are_right(report)) == ({"GBP": 18000}, True, True)


def test_two_requests_for_one_card_that_are_approved_at_once_move_it_once(agents, managers):
    card, other = cards = factories.cards(2)
    report = factories.report(*cards)
    replacing = judging.request_replacement(report, serials=[card.serial], source=None, by=agents[0], reason="Stolen.")
    with pytest.raises(ReportError):
        judging.request_void(report, serials=[card.serial], by=agents[1], reason="Stolen.")
    voiding = judging.request_void(report, serials=[other.serial], by=agents[1], reason="Stolen.")
    results = all_at_once(
        [
            partial(decisions.approve, replacing, by=managers[0]),
            partial(decisions.approve, voiding, by=managers[1]),
            partial(judging.hand_over, report, serial=card.serial, by=agents[2]),
            partial(judging.hand_over, report, serial=other.serial, by=agents[3]),
        ]
    )
    assert only_refusals(results)
    assert isinstance(results[3], ReportError)
    assert S(other.row.status) == S.VOID
    assert (ledger.balance(Book.LIABILITY), agree(), counts_are_right(report)) == ({"GBP": 3000}, True, True)


def test_a_credit_and_a_replacement_of_one_card_give_its_value_once(agents, managers):
    batch = factories.batch()
    cards = factories.cards(4, batch)
    thief, honest = (factories.account(batch.product.program) for _ in range(2))
    for card in cards:
        assert redeem(account=thief, text=card.text, channel=Channel.WEB).is_redeemed
    report = factories.report(*cards)
    asked = judging.request_replacement(
        report, serials=serials(cards), source=Book.GOODWILL, by=agents[0], reason="Stolen."
    )
    decisions.approve(asked, by=managers[0])
    factories.credit_policy(Role.AGENT)
    wanted = [factories.wanted(honest, code=card.row) for card in cards]
    results = all_at_once(
        [
            call
            for place, card in enumerate(cards)
            for call in (
                partial(credits.grant, wanted[place], by=agents[1]),
                partial(judging.hand_over, report, serial=card.serial, by=agents[0]),
            )
        ],
        clients=4,
    )
    assert only_refusals(results)
    assert {*outcomes(report)} <= {Outcome.REPLACED, Outcome.CREDITED}
    assert Replacement.objects.count() == outcomes(report).count(Outcome.REPLACED)
    assert (agree(), counts_are_right(report)) == (True, True)


def test_judging_other_cards_of_a_report_at_once_leaves_its_count_right(agents):
    cards = factories.cards(12)
    report, second = factories.report(*cards), factories.report(*cards[6:], *factories.cards(2, cards[0].batch))
    results = all_at_once(
        [
            partial(judging.clear, of, serials=[card.serial], by=agents[number % 4], reason="All is well.")
            for number, card in enumerate(cards)
            for of in (report, second)
        ],
        clients=4,
    )
    assert only_refusals(results)
    assert outcomes(report) == [Outcome.CLEARED] * 12
    assert outcomes(second) == [Outcome.CLEARED] * 6 + ["", ""]
    assert (counts_are_right(report), counts_are_right(second)) == (True, True)
    assert second.undecided == 2


def test_cards_are_judged_while_later_ones_are_still_looked_up(agents, monkeypatch):
    monkeypatch.setattr(reports, "SMALL", 0)
    monkeypatch.setattr(reports, "CHUNK", 4)
    cards = factories.cards(10)
    report = factories.report(*cards)
    assert freeze_next(report)
    report.refresh_from_db()
    assert (report.done, report.frozen_at) == (4, None)
    # One that was not looked up yet is not judged.
    assert judging.clear(report, serials=serials(cards[:6]), by=agents[0], reason="All is well.") == 4
    report.refresh_from_db()
    # All that were found are judged, and the report is not answered by that.
    assert (report.undecided, report.answered_at) == (0, None)
    while freeze_next(report):
        pass
    report.refresh_from_db()
    assert (report.undecided, report.answered_at, report.frozen_at is not None) == (6, None, True)
    assert statuses(cards) == [S.ACTIVE] * 4 + [S.FROZEN] * 6
    assert judging.clear(report, serials=serials(cards), by=agents[0], reason="All is well.") == 6
    assert counts_are_right(report)


def test_judges_and_freezing_workers_wait_for_each_other(agents, managers, monkeypatch):
    monkeypatch.setattr(reports, "SMALL", 0)
    monkeypatch.setattr(reports, "CHUNK", 3)
    cards = factories.cards(24)
    first, second = factories.report(*cards), factories.report(*reversed(cards))

    def work(report):
        while freeze_next(CompromiseReport.objects.get(pk=report.pk)):
            pass

    def judge(report, number):
        for card in cards[number::2]:
            if number:
                judging.clear(report, serials=[card.serial], by=agents[number], reason="All is well.")
            else:
                asked = judging.request_void(report, serials=[card.serial], by=agents[number], reason="Stolen.")
                decisions.approve(asked, by=managers[0])

    def trying(report, number):
        try:
            judge(report, number)
        except (ReportError, ApprovalError) as refused:
            return str(refused)

    calls = [partial(work, first), partial(work, second)]
    judges = [partial(trying, of, number) for of in (first, second) for number in (0, 1)]
    results = all_at_once([calls[0], judges[0], calls[1], *judges[1:]])
    assert [result for result in results if isinstance(result, Exception)] == []
    for report in (first, second):
        report.refresh_from_db()
        assert (report.done, report.frozen_at is not None, counts_are_right(report)) == (24, True, True)
        assert not report.cards.filter(answer=Answer.PENDING).exists()
    # Whatever was judged last holds, and what is not judged is frozen.
    for card in cards:
        rows = ReportedCard.objects.filter(serial=card.serial, answer=Answer.FROZEN)
        status = S(card.row.status)
        if rows.filter(outcome="").exists():
            assert status == S.FROZEN
        else:
            assert status in {S.ACTIVE, S.VOID}
    assert agree()


def test_a_report_that_comes_in_while_its_cards_are_cleared_finds_them_frozen_or_freezes_them(agents):
    cards = factories.cards(8)
    report, clerk = factories.report(*cards), factories.member(cards[0].batch.retailer)
    results = all_at_once(
        [
            partial(judging.clear, report, serials=serials(cards), by=agents[0], reason="All is well."),
            *[partial(factories.report, *cards, by=clerk) for _ in range(3)],
        ]
    )
    assert [result for result in results if isinstance(result, Exception)] == []
    assert outcomes(report) == [Outcome.CLEARED] * 8
    assert all(counts_are_right(of) for of in CompromiseReport.objects.order_by("pk"))
    # Those that came first were answered with it; one that came later has frozen them anew.
    is_open = ReportedCard.objects.filter(outcome="").exists()
    assert set(statuses(cards)) == {S.FROZEN if is_open else S.ACTIVE}
    assert Code.objects.filter(batch=cards[0].batch).count() == 8
