"""Judging what was reported: who may, what it does to cards, money and reports, and what it leaves alone."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from redemption import approvals, ledger, outbox
from redemption.approvals import ApprovalError
from redemption.cards import thaw_cards, void_cards, void_payload
from redemption.listed_cards import Listed
from redemption.models import (
    ApprovalAction,
    Book,
    CardEvent,
    CardEventKind,
    Channel,
    CodeStatus,
    OutboxCard,
    Replacement,
    RequestStatus,
    Throttle,
    Wallet,
)
from redemption.reconcile import prove
from redemption.redeem import redeem
from redemption.refusals import RefusalReason
from redemption.roles import Permission, Role
from support.actions import credits, decisions, judging
from support.actions.credits import CreditError
from support.actions.reports import ReportError
from support.models import (
    AuditAction,
    AuditEvent,
    CardSign,
    CardSignKind,
    CardSignState,
    Outcome,
    ReportedCard,
    Stage,
    TicketStatus,
)
from tests import factories

pytestmark = pytest.mark.django_db

S = CodeStatus


def statuses(cards):
    return [CodeStatus(card.row.status) for card in cards]


def serials(cards):
    return [card.serial for card in cards]


def outcomes(report):
    return list(report.cards.order_by("line").values_list("outcome", flat=True))


def undecided(report):
    report.refresh_from_db()
    return report.undecided, report.answered_at is not None


def disagreeing(**more):
    return [line for line in prove(**more) if not line.agrees]


def events(action):
    found = AuditEvent.objects.filter(action=action).order_by("pk")
    return [(event.actor_id, event.target, event.details) for event in found]


def drawn(*cards):
    """Redeemed by a thief; gives the account."""
    account = factories.account(cards[0].batch.product.program)
    for card in cards:
        assert redeem(account=account, text=card.text, channel=Channel.WEB).is_redeemed
    return account


def void(report, cards, agent, manager):
    asked = judging.request_void(report, serials=serials(cards), by=agent, reason="Stolen.")
    decisions.approve(asked, by=manager)
    return asked


def allow_replacement(report, cards, agent, manager, source=None):
    asked = judging.request_replacement(report, serials=serials(cards), source=source, by=agent, reason="Stolen.")
    decisions.approve(asked, by=manager)
    return asked


# --- Clearing


def test_cleared_cards_are_again_what_they_were(agent):
    batch = factories.batch()
    cards = [*factories.cards(2, batch), factories.card(batch, status=S.INACTIVE), factories.card(batch)]
    report = factories.report(*cards)
    assert statuses(cards) == [S.FROZEN] * 4
    assert judging.clear(report, serials=serials(cards[:3]), by=agent, reason=" All is well. ") == 3
    assert statuses(cards) == [S.ACTIVE, S.ACTIVE, S.INACTIVE, S.FROZEN]
    assert outcomes(report) == [Outcome.CLEARED] * 3 + [""]
    assert undecided(report) == (1, False)
    row = report.cards.get(serial=cards[0].serial)
    assert (row.decided_by, row.decided_at is not None) == (agent, True)
    assert set(CardEvent.objects.filter(kind=CardEventKind.THAWED).values_list("reason", "by")) == {
        ("All is well.", agent.pk)
    }
    assert events(AuditAction.CARDS_CLEARED) == [(agent.pk, f"report:{report.pk}", {"cards": 3})]
    assert judging.clear(report, serials=[cards[3].serial], by=agent, reason="As well.") == 1
    assert undecided(report) == (0, True)
    assert report.stage == Stage.ANSWERED


def test_what_was_judged_is_not_judged_again(agent):
    card = factories.card()
    report = factories.report(card)
    judging.clear(report, serials=[card.serial], by=agent, reason="All is well.")
    before = CardEvent.objects.count()
    for verb in (judging.clear, judging.request_void, judging.close):
        with pytest.raises(ReportError, match="None of these cards waits"):
            verb(report, serials=[card.serial], by=agent, reason="Again.")
    assert (CardEvent.objects.count(), outcomes(report)) == (before, [Outcome.CLEARED])


def test_a_card_thawed_by_hand_is_cleared_and_one_ended_by_hand_is_not(agent, manager):
    thawed, ended = cards = factories.cards(2)
    report = factories.report(*cards)
    thaw_cards(first=thawed.serial, by=agent, reason="The customer waits.")
    end(ended, agent, manager)
    assert judging.clear(report, serials=serials(cards), by=agent, reason="All is well.") == 1
    assert (statuses(cards), outcomes(report)) == ([S.ACTIVE, S.VOID], [Outcome.CLEARED, ""])


def end(card, agent, manager):
    asked = approvals.request(
        action=ApprovalAction.VOID,
        target=f"code:{card.serial}",
        payload=void_payload(card.serial),
        reason="Stolen.",
        by=agent,
    )
    approval = approvals.approve(asked, by=manager)
    void_cards(first=card.serial, by=agent, approval=approval, reason="Stolen.")


def test_cards_of_the_report_alone_are_touched(agent):
    batch = factories.batch()
    card, neighbour = factories.cards(2, batch)
    other = factories.card()
    report, others = factories.report(card), factories.report(other)
    factories.report(neighbour)
    with pytest.raises(ReportError, match="None of these cards waits to be cleared"):
        judging.clear(report, serials=[neighbour.serial, other.serial, 1], by=agent, reason="All is well.")
    assert statuses([card, neighbour, other]) == [S.FROZEN] * 3
    assert outcomes(others) == [""]


# --- Voiding


def test_voiding_needs_a_second_person_and_gives_the_value_back(agent, manager):
    cards = factories.cards(3)
    report = factories.report(*cards)
    asked = judging.request_void(report, serials=serials(cards[:2]), by=agent, reason="Stolen.")
    assert (asked.action, asked.target) == (ApprovalAction.VOID, f"report:{report.pk}")
    assert asked.payload == Listed(asked.target, serials(cards[:2])).payload()
    assert list(report.cards.order_by("line").values_list("request", flat=True)) == [asked.pk, asked.pk, None]
    assert events(AuditAction.VOID_REQUESTED) == [(agent.pk, asked.target, {"cards": 2, "request": asked.pk})]
    assert statuses(cards) == [S.FROZEN] * 3
    assert ledger.balance(Book.LIABILITY) == {"GBP": 9000}
    with pytest.raises(ApprovalError):
        decisions.approve(asked, by=agent)
    approval = decisions.approve(asked, by=manager)
    assert statuses(cards) == [S.VOID, S.VOID, S.FROZEN]
    assert outcomes(report) == [Outcome.CONFIRMED, Outcome.CONFIRMED, ""]
    assert undecided(report) == (1, False)
    assert ledger.balance(Book.LIABILITY) == {"GBP": 3000}
    assert events(AuditAction.CARDS_VOIDED) == [(agent.pk, asked.target, {"cards": 2, "approval": approval.pk})]
    assert disagreeing() == []


def test_a_rejected_withdrawn_or_expired_request_frees_its_cards(agent, manager):
    card = factories.card()
    report, now = factories.report(card), timezone.now()

    def ask(at=now):
        return judging.request_void(report, serials=[card.serial], by=agent, reason="Stolen.", now=at)

    first = ask()
    for verb in (judging.clear, judging.request_void):
        with pytest.raises(ReportError, match="None of these cards waits"):
            verb(report, serials=[card.serial], by=agent, reason="Meanwhile.", now=now)
    decisions.reject(first, by=manager, reason="Look again.")
    second = ask()
    decisions.withdraw(second, by=agent)
    ask()
    later = now + approvals.REQUESTS_LAST
    assert ReportedCard.objects.filter(judging.waiting_for_a_second_person(later)).count() == 0
    fourth = ask(later)
    decisions.approve(fourth, by=manager, now=later)
    assert (statuses([card]), outcomes(report)) == ([S.VOID], [Outcome.CONFIRMED])


def test_a_request_is_for_cards_that_wait_and_one_at_a_time(agent):
    cards = factories.cards(3)
    report = factories.report(*cards)
    judging.clear(report, serials=[cards[0].serial], by=agent, reason="All is well.")
    asked = judging.request_void(report, serials=serials(cards[:2]), by=agent, reason="Stolen.")
    assert asked.payload["count"] == 1
    with pytest.raises(ReportError, match="Somebody has asked for this already"):
        judging.request_void(report, serials=serials(cards), by=agent, reason="Stolen.")
    # A replacement may be asked for beside it, of others.
    other = judging.request_replacement(report, serials=serials(cards), source=None, by=agent, reason="Stolen.")
    assert list(ReportedCard.objects.filter(request=other).values_list("serial", flat=True)) == [cards[2].serial]


def test_a_card_waits_once_even_if_it_stands_on_two_reports(agent, manager):
    card = factories.card()
    first, second = factories.report(card), factories.report(card)
    asked = judging.request_void(first, serials=[card.serial], by=agent, reason="Stolen.")
    for verb in (judging.clear, judging.request_void):
        with pytest.raises(ReportError, match="None of these cards waits"):
            verb(second, serials=[card.serial], by=agent, reason="Meanwhile.")
    decisions.approve(asked, by=manager)
    assert (outcomes(first), outcomes(second)) == ([Outcome.CONFIRMED], [Outcome.CONFIRMED])
    assert (undecided(first), undecided(second)) == ((0, True), (0, True))


def test_what_was_thawed_and_spent_while_the_request_waited_is_not_confirmed(agent, manager):
    spent, _ = cards = factories.cards(2)
    report = factories.report(*cards)
    asked = judging.request_void(report, serials=serials(cards), by=agent, reason="Stolen.")
    thaw_cards(first=spent.serial, by=agent, reason="The customer waits.")
    drawn(spent)
    decisions.approve(asked, by=manager)
    assert (statuses(cards), outcomes(report)) == ([S.REDEEMED, S.VOID], ["", Outcome.CONFIRMED])
    assert judging.close(report, serials=[spent.serial], by=agent, reason="It was his own.") == 1
    assert outcomes(report) == [Outcome.CLOSED, Outcome.CONFIRMED]
    assert disagreeing() == []


def test_nothing_is_decided_where_nothing_is_left_to_void(agent, manager):
    card = factories.card()
    report = factories.report(card)
    asked = judging.request_void(report, serials=[card.serial], by=agent, reason="Stolen.")
    thaw_cards(first=card.serial, by=agent, reason="The customer waits.")
    drawn(card)
    with pytest.raises(ApprovalError, match="None of these cards is left to be voided"):
        decisions.approve(asked, by=manager)
    asked.refresh_from_db()
    assert (asked.status, outcomes(report)) == (RequestStatus.PENDING, [""])


def test_more_cards_than_a_statement_has_parameters(agent, manager):
    cards = factories.cards(3)
    report = factories.report(*cards)
    many = range(cards[0].serial - 35_000, cards[0].serial + 35_000)
    assert judging.request_void(report, serials=many, by=agent, reason="Stolen.").payload["count"] == 3


# --- Replacing


def test_nothing_moves_before_the_card_is_handed_over(agent, manager):
    cards = factories.cards(2)
    report = factories.report(*cards)
    asked = allow_replacement(report, cards, agent, manager)
    assert (asked.target, asked.payload["source"]) == (f"report:{report.pk}", None)
    assert (statuses(cards), outcomes(report), Replacement.objects.count()) == ([S.FROZEN] * 2, ["", ""], 0)
    new = judging.hand_over(report, serial=cards[0].serial, by=agent)
    assert (statuses(cards), outcomes(report)) == ([S.REPLACED, S.FROZEN], [Outcome.REPLACED, ""])
    made = Replacement.objects.get()
    assert (made.original_id, made.successor_id, made.approval, made.by) == (
        cards[0].serial,
        new.serial,
        asked.approval,
        agent,
    )
    details = {"report": report.pk, "successor": new.serial, "approval": asked.approval.pk}
    assert events(AuditAction.CARD_REPLACED) == [(agent.pk, f"code:{cards[0].serial}", details)]
    assert (ledger.balance(Book.LIABILITY), disagreeing()) == ({"GBP": 6000}, [])
    customer = factories.account(cards[0].batch.product.program)
    assert redeem(account=customer, text=new.code, channel=Channel.WEB).is_redeemed
    # Each card once.
    with pytest.raises(ReportError, match="This card was decided before: replaced"):
        judging.hand_over(report, serial=cards[0].serial, by=agent)


def test_the_new_code_is_shown_once_and_kept_nowhere(agent, manager):
    card = factories.card()
    report = factories.report(card)
    allow_replacement(report, [card], agent, manager)
    new = judging.hand_over(report, serial=card.serial, by=agent)
    assert new.code not in repr(new)
    kept = repr([*AuditEvent.objects.values(), *CardEvent.objects.values(), *ReportedCard.objects.values()])
    assert (new.code in kept, new.code.replace("-", "") in kept) == (False, False)
    assert not OutboxCard.objects.exists()


def test_the_new_card_goes_by_mail(agent, manager):
    card = factories.card()
    report = factories.report(card)
    allow_replacement(report, [card], agent, manager)
    assert judging.hand_over(report, serial=card.serial, by=agent, email="ada@example.com") is None
    assert outcomes(report) == [Outcome.REPLACED]
    successor = Replacement.objects.get().successor_id
    assert OutboxCard.objects.get().code_id == successor
    outbox.deliver()
    (sent,) = mail.outbox
    assert (sent.to, str(successor) in sent.body) == (["ada@example.com"], True)


def test_a_redeemed_card_needs_somebody_who_pays(agent):
    spent, kept = cards = factories.cards(2)
    drawn(spent)
    report = factories.report(*cards)
    for source in (None, Book.REVENUE):
        with pytest.raises(ReportError, match="Say who pays"):
            judging.request_replacement(report, serials=serials(cards), source=source, by=agent, reason="Stolen.")
    # One that is unspent needs nobody.
    asked = judging.request_replacement(report, serials=[kept.serial], source=Book.GOODWILL, by=agent, reason="Stolen.")
    assert asked.payload["source"] is None


@pytest.mark.parametrize("source", [Book.RECEIVABLE, Book.GOODWILL])
def test_a_thiefs_wallet_pays_first_and_then_the_one_who_was_named(agent, manager, source):
    card = factories.card()
    thief = drawn(card)
    wallet = Wallet.objects.get(account=thief)
    ledger.post(
        debit=Book.CUSTOMER_CREDIT,
        credit=Book.REVENUE,
        amount=1200,
        currency="GBP",
        kind="renewal",
        source="spent",
        program_id=thief.program_id,
        wallet=wallet,
    )
    report = factories.report(card)
    before, stood = ledger.balance(source).get("GBP", 0), timezone.now()
    allow_replacement(report, [card], agent, manager, source=source)
    assert ledger.balance(Book.LIABILITY) == {}
    new = judging.hand_over(report, serial=card.serial, by=agent)
    wallet.refresh_from_db()
    assert (wallet.balance, ledger.balance(source)["GBP"]) == (0, before - 1200)
    # Exactly the successor's value; and the card that was redeemed stays so.
    assert ledger.balance(Book.LIABILITY) == {"GBP": 3000}
    assert (statuses([card]), outcomes(report)) == ([S.REDEEMED], [Outcome.REPLACED])
    assert (disagreeing(), disagreeing(as_of=stood), disagreeing(as_of=timezone.now())) == ([], [], [])
    honest = factories.account(card.batch.product.program)
    assert redeem(account=honest, text=new.code, channel=Channel.WEB).is_redeemed
    assert (ledger.balance(Book.LIABILITY), disagreeing()) == ({}, [])


def test_a_successor_that_is_reported_and_replaced_again_adds_nothing(agent, manager):
    card = factories.card()
    chain, moments = [card], []
    for _ in range(3):
        report = factories.report(chain[-1])
        allow_replacement(report, chain[-1:], agent, manager)
        new = judging.hand_over(report, serial=chain[-1].serial, by=agent)
        moments.append(timezone.now())
        successor = Replacement.objects.get(successor=new.serial).successor
        chain.append(factories.Card(new.code, new.code, new.serial, successor.batch))
        assert ledger.balance(Book.LIABILITY) == {"GBP": 3000}
    assert statuses(chain) == [S.REPLACED] * 3 + [S.ACTIVE]
    account = factories.account(card.batch.product.program)
    for old in chain[:3]:
        assert redeem(account=account, text=old.text, channel=Channel.WEB).reason == RefusalReason.REPLACED
    with pytest.raises(ReportError, match="None of these cards waits to be replaced"):
        judging.request_replacement(
            factories.report(card), serials=[card.serial], source=Book.GOODWILL, by=agent, reason="Again."
        )
    assert redeem(account=account, text=chain[3].text, channel=Channel.WEB).is_redeemed
    assert (ledger.balance(Book.LIABILITY), disagreeing()) == ({}, [])
    assert [disagreeing(as_of=moment) for moment in moments] == [[]] * 3


def test_what_has_no_value_to_hand_on_is_not_asked_for(agent, manager):
    expired = factories.card(factories.batch(expires_on=factories.last_day(3)))
    with pytest.raises(ReportError, match="This card has expired"):
        judging.request_replacement(
            factories.report(expired), serials=[expired.serial], source=None, by=agent, reason="Stolen."
        )
    ended, kept = cards = factories.cards(2)
    report = factories.report(*cards)
    end(ended, agent, manager)
    asked = judging.request_replacement(report, serials=serials(cards), source=None, by=agent, reason="Stolen.")
    assert list(ReportedCard.objects.filter(request=asked).values_list("serial", flat=True)) == [kept.serial]


def test_a_replaced_card_is_not_replaced_on_another_report(agent, manager):
    card = factories.card()
    drawn(card)
    first, second = factories.report(card), factories.report(card)
    allow_replacement(first, [card], agent, manager, source=Book.GOODWILL)
    judging.hand_over(first, serial=card.serial, by=agent)
    assert (outcomes(first), outcomes(second)) == ([Outcome.REPLACED], [Outcome.REPLACED])
    third = factories.report(card)
    with pytest.raises(ReportError, match="This card was replaced before"):
        judging.request_replacement(third, serials=[card.serial], source=Book.GOODWILL, by=agent, reason="Again.")
    assert Replacement.objects.count() == 1


def test_an_approval_hands_over_nothing_that_was_decided_otherwise(agent, manager):
    cleared, voided, asked_anew, ended = cards = factories.cards(4)
    report = factories.report(*cards)
    allow_replacement(report, cards[:3], agent, manager)
    with pytest.raises(ReportError, match="Nobody has approved this card's replacement"):
        judging.hand_over(report, serial=ended.serial, by=agent)
    judging.clear(report, serials=[cleared.serial], by=agent, reason="All is well.")
    with pytest.raises(ReportError, match="This card was decided before: cleared"):
        judging.hand_over(report, serial=cleared.serial, by=agent)
    end(voided, agent, manager)
    with pytest.raises(ReportError, match="This card is void"):
        judging.hand_over(report, serial=voided.serial, by=agent)
    judging.request_void(report, serials=[asked_anew.serial], by=agent, reason="Stolen.")
    with pytest.raises(ReportError, match="Nobody has approved this card's replacement"):
        judging.hand_over(report, serial=asked_anew.serial, by=agent)
    with pytest.raises(ReportError, match="This card is not on the report"):
        judging.hand_over(report, serial=1, by=agent)
    assert Replacement.objects.count() == 0


def test_one_card_asked_for_anew_frees_the_rest_of_its_approval(agent, manager):
    first, second, done = cards = factories.cards(3)
    report = factories.report(*cards)
    allow_replacement(report, cards, agent, manager)
    judging.hand_over(report, serial=done.serial, by=agent)
    judging.request_void(report, serials=[first.serial], by=agent, reason="Stolen.")
    with pytest.raises(ReportError, match="Nobody has approved this card's replacement"):
        judging.hand_over(report, serial=second.serial, by=agent)
    allow_replacement(report, [second], agent, manager)
    assert judging.hand_over(report, serial=second.serial, by=agent)
    assert outcomes(report) == ["", Outcome.REPLACED, Outcome.REPLACED]


# --- Closing and crediting


def test_what_is_too_late_is_closed_with_nothing_given(agent):
    drawn_before, _ = cards = factories.cards(2)
    drawn(drawn_before)
    report = factories.report(*cards, sold_at=timezone.now())
    assert judging.close(report, serials=serials(cards), by=agent, reason="The packaging was sound.") == 1
    assert outcomes(report) == [Outcome.CLOSED, ""]
    assert statuses(cards) == [S.REDEEMED, S.FROZEN]
    assert [found[:2] for found in events(AuditAction.CARDS_CLOSED)] == [(agent.pk, f"report:{report.pk}")]
    with pytest.raises(ReportError, match="None of these cards waits to be closed"):
        judging.close(report, serials=serials(cards), by=agent, reason="Again.")


def test_closing_writes_down_what_others_have_ended(agent, manager):
    card = factories.card()
    report = factories.report(card)
    end(card, agent, manager)
    assert judging.close(report, serials=[card.serial], by=agent, reason="It was voided on its page.") == 1
    assert outcomes(report) == [Outcome.CONFIRMED]


def test_a_credit_for_a_card_that_was_redeemed_answers_its_reports(agent):
    card, other = factories.cards(2)
    drawn(card, other)
    first, second = factories.report(card, other), factories.report(card)
    honest = factories.account(card.batch.product.program)
    factories.credit(honest, by=agent, code=card.row)
    assert (outcomes(first), outcomes(second)) == ([Outcome.CREDITED, ""], [Outcome.CREDITED])
    assert (undecided(first), undecided(second)) == ((1, False), (0, True))
    assert disagreeing() == []


def test_a_credit_by_two_people_answers_them_as_well(agent, manager):
    card = factories.card()
    drawn(card)
    report = factories.report(card)
    factories.credit_policy(Role.AGENT, Role.MANAGER, single=1, approves=10**6)
    wanted = factories.wanted(factories.account(card.batch.product.program), code=card.row)
    asked = credits.request(wanted, why="His card was empty.", by=agent)
    assert outcomes(report) == [""]
    decisions.approve(asked, by=manager)
    assert outcomes(report) == [Outcome.CREDITED]


def test_no_credit_for_a_card_that_a_report_has_frozen(agent, manager):
    card = factories.card()
    report = factories.report(card)
    factories.credit_policy(Role.AGENT, Role.MANAGER, single=1, approves=10**6)
    wanted = factories.wanted(factories.account(card.batch.product.program), code=card.row)
    with pytest.raises(CreditError, match="void it or replace it first") as refused:
        credits.request(wanted, why="His card does not work.", by=agent)
    assert refused.value.field == "code"
    # Neither where it was asked for before.
    judging.clear(report, serials=[card.serial], by=agent, reason="All is well.")
    asked = credits.request(wanted, why="His card does not work.", by=agent)
    factories.report(card)
    with pytest.raises(CreditError, match="void it or replace it first"):
        decisions.approve(asked, by=manager)
    assert ledger.balance(Book.GOODWILL) == {}


def test_a_voided_card_may_be_credited_and_stays_confirmed(agent, manager):
    card = factories.card()
    report = factories.report(card)
    void(report, [card], agent, manager)
    factories.credit(factories.account(card.batch.product.program), by=agent, code=card.row)
    assert outcomes(report) == [Outcome.CONFIRMED]


def test_a_credited_card_is_not_replaced_any_more(agent, manager):
    card = factories.card()
    drawn(card)
    report = factories.report(card)
    allow_replacement(report, [card], agent, manager, source=Book.GOODWILL)
    factories.credit(factories.account(card.batch.product.program), by=agent, code=card.row)
    with pytest.raises(ReportError, match="This card was decided before: credited"):
        judging.hand_over(report, serial=card.serial, by=agent)
    assert Replacement.objects.count() == 0


# --- Victims, and signs


def test_a_confirmed_report_lifts_what_its_cards_brought_on_a_victim(agent, manager):
    stolen, cleared = cards = factories.cards(2)
    victim = factories.account(stolen.batch.product.program)
    report = factories.report(*cards)
    for card in (stolen, stolen, cleared):
        assert redeem(account=victim, text=card.text, channel=Channel.WEB).reason == RefusalReason.FROZEN
    judging.clear(report, serials=[cleared.serial], by=agent, reason="All is well.")
    assert len(Throttle.objects.get(scope="account", key=str(victim.pk)).recent) == 3
    void(report, [stolen], agent, manager)
    assert len(Throttle.objects.get(scope="account", key=str(victim.pk)).recent) == 1
    assert [found[:2] for found in events(AuditAction.VICTIM_RELIEVED)] == [(agent.pk, f"account:{victim.pk}")]


@pytest.mark.parametrize("answer", ["replaced", "credited", "closed"])
def test_so_do_the_other_answers_to_a_card_that_a_thief_has_redeemed(agent, manager, answer):
    card = factories.card()
    drawn(card)
    victim = factories.account(card.batch.product.program)
    assert redeem(account=victim, text=card.text, channel=Channel.WEB).reason == RefusalReason.REDEEMED_BY_ANOTHER
    report = factories.report(card, sold_at=timezone.now())
    match answer:
        case "replaced":
            allow_replacement(report, [card], agent, manager, source=Book.GOODWILL)
            assert not events(AuditAction.VICTIM_RELIEVED)
            judging.hand_over(report, serial=card.serial, by=agent)
        case "credited":
            factories.credit(victim, by=agent, code=card.row)
        case "closed":
            judging.close(report, serials=[card.serial], by=agent, reason="The shop has paid.")
    assert outcomes(report) == [answer]
    assert Throttle.objects.get(scope="account", key=str(victim.pk)).recent == []


def test_closing_what_was_redeemed_after_the_sale_says_nothing_of_a_theft(agent):
    card = factories.card()
    drawn(card)
    somebody = factories.account(card.batch.product.program)
    redeem(account=somebody, text=card.text, channel=Channel.WEB)
    report = factories.report(card)
    judging.close(report, serials=[card.serial], by=agent, reason="He redeemed it himself.")
    assert not events(AuditAction.VICTIM_RELIEVED)


def test_open_signs_of_confirmed_cards_are_answered_by_the_report(agent, manager):
    batch = factories.batch()
    cards = factories.cards(4, batch)

    def sign(first, last, state=CardSignState.OPEN, kind=CardSignKind.ALREADY_REDEEMED):
        now = timezone.now()
        judged = {} if state == CardSignState.OPEN else {"judged_at": now, "judged_by": manager}
        return CardSign.objects.create(
            kind=kind,
            batch=batch,
            first_serial=first,
            last_serial=last,
            is_run=True,
            cards=last - first + 1,
            tried=2,
            tries=3,
            expected=0.1,
            chance=0.001,
            since=now - timedelta(days=7),
            until=now,
            raised_at=now,
            state=state,
            **judged,
        )

    hit = sign(cards[0].serial, cards[1].serial)
    missed = sign(cards[2].serial, cards[3].serial)
    dismissed = sign(cards[0].serial, cards[0].serial, CardSignState.DISMISSED, CardSignKind.NOT_ACTIVATED)
    report = factories.report(*cards)
    judging.clear(report, serials=[cards[2].serial], by=agent, reason="All is well.")
    void(report, [cards[1]], agent, manager)
    for found in (hit, missed, dismissed):
        found.refresh_from_db()
    assert (hit.state, hit.report, hit.judged_by) == (CardSignState.REPORTED, report, agent)
    assert (missed.state, missed.report) == (CardSignState.OPEN, None)
    assert (dismissed.state, dismissed.report, dismissed.judged_by) == (CardSignState.DISMISSED, None, manager)


# --- Asking


def test_asks_the_retailer_in_the_tickets_thread(agent):
    card = factories.card()
    report = factories.report(card)
    message = judging.ask_information(report, text="Which till was it?", by=agent)
    report.refresh_from_db()
    assert (message.ticket, message.body) == (report.ticket, "Which till was it?")
    assert report.ticket.status == TicketStatus.WAITING_FOR_RETAILER
    assert report.stage == Stage.NEEDS_INFORMATION
    assert events(AuditAction.INFORMATION_REQUESTED) == [(agent.pk, f"report:{report.pk}", {"message": message.pk})]
    with pytest.raises(ReportError, match="There is nothing in it yet"):
        judging.ask_information(report, text=" ", by=agent)


# --- Who may, and what a reason is


@pytest.mark.parametrize("role", [role for role in Role if role != Role.SYSTEM])
def test_only_who_may_judges(role):
    card = factories.card()
    report = factories.report(card)
    by = factories.user(role)
    of_card = {"serials": [card.serial], "by": by, "reason": "Because."}
    cases = [
        (Permission.FREEZE, lambda: judging.clear(report, **of_card)),
        (Permission.FREEZE, lambda: judging.close(report, **of_card)),
        (Permission.REQUEST, lambda: judging.request_void(report, **of_card)),
        (Permission.REQUEST, lambda: judging.request_replacement(report, source=None, **of_card)),
        (Permission.REQUEST, lambda: judging.hand_over(report, serial=card.serial, by=by)),
        (Permission.ANSWER_TICKETS, lambda: judging.ask_information(report, text="Which till?", by=by)),
    ]
    for permission, call in cases:
        if not (by.may(permission) and by.may(Permission.VIEW_COMPROMISED)):
            with pytest.raises(ReportError, match="Your role may not do this"):
                call()
            assert (statuses([card]), outcomes(report)) == ([S.FROZEN], [""])


def test_a_reason_is_given_fits_and_holds_no_code(agent):
    card = factories.card()
    report = factories.report(card)
    for reason, match in (
        (" ", "Say why"),
        ("x" * 201, "at most 200 characters"),
        (f"It was {card.text}.", "There is a code in it"),
    ):
        for verb in (judging.clear, judging.request_void, judging.close):
            with pytest.raises(ReportError, match=match):
                verb(report, serials=[card.serial], by=agent, reason=reason)
        with pytest.raises(ReportError, match=match):
            judging.request_replacement(report, serials=[card.serial], source=None, by=agent, reason=reason)
    assert outcomes(report) == [""]
