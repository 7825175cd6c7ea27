"""A report taken down: what it finds and freezes at once, what it says about the rest, and that it does so once."""

from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from redemption import ledger
from redemption.cards import thaw_cards
from redemption.models import ApiKey, Book, CardEvent, CardEventKind, Channel, CodeStatus, JobStatus, User
from redemption.reconcile import prove
from redemption.redeem import redeem
from redemption.roles import Permission, Role
from support.actions import reports
from support.actions.reports import ReportError, Told, freeze_next, open_report, settle
from support.jobs import freeze_report_job
from support.models import (
    Answer,
    AuditAction,
    AuditEvent,
    CompromiseKind,
    CompromiseReport,
    Outcome,
    Priority,
    Problem,
    ReportChannel,
    Stage,
    Ticket,
    TicketChannel,
)
from support.reported_lines import Line, typed_lines
from tests import factories
from tests.simulation.crowd import all_at_once, errors

pytestmark = pytest.mark.django_db

S = CodeStatus
PORTAL, DESK, TILL = ReportChannel.PORTAL, ReportChannel.DESK, ReportChannel.TILL


def statuses(cards):
    return [S(card.row.status) for card in cards]


def answers(report):
    return list(report.cards.order_by("line", "pk").values_list("answer", flat=True))


def opened(*cards, by=None, channel=PORTAL, lines=None, of=None, **more):
    of = of or cards[0].batch.retailer
    told = {"kind": CompromiseKind.STOLEN, **more.pop("told", {})}
    return open_report(
        retailer=of,
        lines=lines or [Line(number, card.serial) for number, card in enumerate(cards, start=1)],
        told=Told(**told),
        by=by or factories.member(of),
        channel=channel,
        **more,
    )


def redeemed(card, **more):
    account = factories.account(card.batch.product.program)
    assert redeem(account=account, text=card.text, channel=Channel.WEB, **more).is_redeemed


def freezes():
    found = CardEvent.objects.filter(kind=CardEventKind.FROZEN).order_by("pk")
    return list(found.values_list("first_serial", "last_serial"))


# --- What is found


def test_each_card_is_frozen_or_said_to_be_too_late(django_assert_max_num_queries):
    batch = factories.batch()
    active, spent, neighbour = factories.cards(3, batch)
    unsold, frozen = factories.card(batch, status=S.INACTIVE), factories.card(batch, status=S.FROZEN)
    void, foreign = factories.card(batch, status=S.VOID, sold=False), factories.card()
    redeemed(spent)
    cards = [active, spent, unsold, frozen, void, foreign]
    lines = [Line(number, card.serial) for number, card in enumerate(cards, start=1)]
    lines += [Line(7, foreign.serial + 500), Line(8, problem=Problem.NOT_A_SERIAL)]
    report = opened(of=batch.retailer, lines=lines).report
    assert answers(report) == [
        Answer.FROZEN,
        Answer.AFTER_SALE,
        Answer.FROZEN,
        Answer.FROZEN,
        Answer.ENDED,
        # What is a stranger's and what is nobody's: the same.
        Answer.UNKNOWN,
        Answer.UNKNOWN,
        Answer.BAD,
    ]
    rows = {row.serial: row for row in report.cards.all()}
    assert [rows[card.serial].redeemed_at is not None for card in cards] == [False, True, False, False, False, False]
    assert statuses([*cards, neighbour]) == [S.FROZEN, S.REDEEMED, S.FROZEN, S.FROZEN, S.VOID, S.ACTIVE, S.ACTIVE]
    assert (report.total, report.done, report.undecided, report.status) == (7, 7, 4, JobStatus.DONE)
    assert (report.frozen_at is not None, report.answered_at, report.stage) == (True, None, Stage.FROZEN)


def test_redeemed_before_or_after_the_sale_goes_by_what_the_shop_says_or_else_the_till(settings):
    batch, now = factories.batch(), timezone.now()
    early, late = factories.cards(2, batch)
    redeemed(early, now=now + timedelta(minutes=1))
    redeemed(late, now=now + timedelta(minutes=30))
    said = opened(early, late, told={"sold_at": now + timedelta(minutes=10)}).report
    assert answers(said) == [Answer.BEFORE_SALE, Answer.AFTER_SALE]
    # By the till both were sold before.
    assert answers(opened(early, late).report) == [Answer.AFTER_SALE, Answer.AFTER_SALE]


def test_where_nothing_is_left_to_judge_it_is_answered_at_once():
    own, foreign = factories.card(status=S.VOID, sold=False), factories.card()
    report = opened(own, foreign).report
    assert answers(report) == [Answer.ENDED, Answer.UNKNOWN]
    assert (report.undecided, report.answered_at is not None, report.stage) == (0, True, Stage.ANSWERED)


def test_value_stays_where_it_is():
    cards = factories.cards(3)
    opened(*cards)
    assert ledger.balance(Book.LIABILITY) == {"GBP": 9000}
    assert [line for line in prove() if not line.agrees] == []


def test_repeating_a_report_changes_nothing():
    cards = factories.cards(3)
    first = opened(*cards).report
    before = freezes()
    second = opened(*cards).report
    assert (freezes(), before) == ([(cards[0].serial, cards[2].serial)], before)
    assert answers(first) == answers(second) == [Answer.FROZEN] * 3
    assert freeze_next(first) is False
    assert freezes() == before


# --- The same form twice


def test_the_same_form_makes_one_report():
    card = factories.card()
    clerk = factories.member(card.batch.retailer)
    first = opened(card, by=clerk, send_key="a-key")
    again = opened(card, by=clerk, send_key="a-key")
    assert (again.report, first.is_new, again.is_new) == (first.report, True, False)
    assert (CompromiseReport.objects.count(), Ticket.objects.count()) == (1, 1)
    # After a thaw, the same form freezes nothing anew.
    thaw_cards(first=card.serial, by=factories.user(Role.AGENT), reason="fine")
    opened(card, by=clerk, send_key="a-key")
    assert statuses([card]) == [S.ACTIVE]


def test_a_form_of_somebody_elses_is_not_read_to_him():
    card, other = factories.card(), factories.card()
    opened(card, send_key="a-key")
    with pytest.raises(ReportError, match="This form was sent already"):
        opened(other, send_key="a-key")
    with pytest.raises(ReportError, match="This form was sent already"):
        opened(card, send_key="a-key")
    assert (CompromiseReport.objects.count(), statuses([other])) == (1, [S.ACTIVE])


@pytest.mark.django_db(transaction=True)
def test_sent_twice_at_once_it_is_one_report_all_the_same():
    card = factories.card()
    clerk = factories.member(card.batch.retailer)
    results = all_at_once([partial(opened, card, by=clerk, send_key="a-key")] * 6)
    assert errors(results) == []
    assert sorted(result.is_new for result in results) == [False] * 5 + [True]
    assert len({result.report.pk for result in results}) == 1
    assert (CompromiseReport.objects.count(), Ticket.objects.count(), len(freezes())) == (1, 1, 1)


# --- Who may


def test_a_member_reports_his_own_retailers_cards():
    card = factories.card()
    stranger, gone = factories.member(), factories.member(card.batch.retailer)
    asleep = factories.member(card.batch.retailer, is_active=False)
    gone.memberships.get().delete()
    for by in (stranger, gone, asleep, factories.user(Role.AGENT), factories.user(Role.CUSTOMER)):
        with pytest.raises(ReportError, match="You report no cards of this retailer"):
            opened(card, by=by)
    assert (statuses([card]), CompromiseReport.objects.count(), Ticket.objects.count()) == ([S.ACTIVE], 0, 0)
    # Of his own retailer he may, and a foreign card stays what it is.
    of = stranger.memberships.get().retailer
    assert answers(opened(card, by=stranger, of=of).report) == [Answer.UNKNOWN]
    assert statuses([card]) == [S.ACTIVE]


@pytest.mark.parametrize("role", list(Role))
def test_at_the_desk_whoever_may_freeze_and_see_reports(role):
    card = factories.card()
    by = User.objects.system() if role == Role.SYSTEM else factories.user(role)
    if by.may(Permission.FREEZE) and by.may(Permission.VIEW_COMPROMISED):
        assert answers(opened(card, by=by, channel=DESK).report) == [Answer.FROZEN]
    else:
        with pytest.raises(ReportError, match="You report no cards of this retailer"):
            opened(card, by=by, channel=DESK)
        assert statuses([card]) == [S.ACTIVE]


def test_a_till_reports_by_its_key_as_the_system():
    card = factories.card()
    key = ApiKey.objects.create(
        retailer=card.batch.retailer,
        name="Till 3",
        prefix="abcdefgh",
        digest=b"0" * 32,
        scopes=["report"],
        created_by=factories.user(Role.MANAGER),
        created_at=timezone.now(),
    )
    with pytest.raises(ReportError, match="You report no cards"):
        opened(card, by=factories.member(card.batch.retailer), channel=TILL, api_key=key)
    report = opened(card, by=User.objects.system(), channel=TILL, api_key=key).report
    assert (report.api_key, report.reporter_name, statuses([card])) == (key, str(key), [S.FROZEN])


def test_it_names_cards():
    of = factories.retailer()
    with pytest.raises(ReportError, match="Name the cards"):
        open_report(
            retailer=of,
            lines=[],
            told=Told(CompromiseKind.OTHER),
            by=factories.member(of),
            channel=ReportChannel.PORTAL,
        )
    assert Ticket.objects.count() == 0


# --- The ticket, and what is written there


def test_a_ticket_is_opened_with_everything():
    card = factories.card()
    clerk = factories.member(card.batch.retailer, name="Ada Clerk")
    at = factories.NOON
    report = opened(
        card,
        by=clerk,
        told={
            "kind": CompromiseKind.DRAINED,
            "store": "Hamburg 3",
            "till": "K12",
            "sold_at": at,
            "discovered_at": at + timedelta(hours=2),
            "receipt_number": "R-77",
            "customer_present": True,
            "police_reference": "HH-99",
            "note": "The film was cut.",
        },
    ).report
    ticket = report.ticket
    assert (ticket.channel, ticket.retailer, ticket.code, ticket.priority) == (
        TicketChannel.RETAILER,
        card.batch.retailer,
        card.row,
        Priority.URGENT,
    )
    assert ticket.subject == f"Drained at the sale: 1 card of {card.batch.retailer}"
    assert (ticket.requester_email, report.reporter_name) == (clerk.email, str(clerk))
    body = ticket.messages.get().body
    for said in (
        "Drained at the sale: 1 card reported.",
        "Store: Hamburg 3",
        "Till: K12",
        "Sold: 15 June 2026 12:00 UTC",
        "Discovered: 15 June 2026 14:00 UTC",
        "Activation receipt: R-77",
        "The customer is present.",
        "Police reference: HH-99",
        "Note: The film was cut.",
    ):
        assert said in body.splitlines()
    event = AuditEvent.objects.get(action=AuditAction.CARDS_REPORTED)
    assert (event.actor_id, event.target, event.details) == (
        clerk.pk,
        f"report:{report.pk}",
        {"cards": 1, "channel": "portal"},
    )


def test_a_ticket_names_no_card_of_a_stranger_and_none_of_many():
    own, foreign = factories.card(), factories.card()
    assert opened(foreign, of=own.batch.retailer).report.ticket.code is None
    two = factories.cards(2)
    ticket = opened(*two).report.ticket
    assert (ticket.code, ticket.priority) == (None, Priority.HIGH)
    assert ticket.subject == f"Stolen stock: 2 cards of {two[0].batch.retailer}"


@pytest.mark.parametrize("field", ["store", "till", "receipt_number", "police_reference", "note"])
def test_a_code_in_any_text_is_masked_and_the_reporter_told(field):
    card = factories.card()
    result = opened(card, told={field: f"It is {card.text}"})
    kept = [getattr(result.report, field), result.report.ticket.subject, result.report.ticket.messages.get().body]
    assert result.is_masked
    assert [card.text in text or card.code in text for text in kept] == [False] * 3
    assert opened(card, told={field: "Till 7"}).is_masked is False


def test_long_texts_are_cut_to_what_is_kept():
    card = factories.card()
    report = opened(card, told={"store": "S" * 200, "till": "T" * 200, "note": "N" * 5000}).report
    assert (len(report.store), len(report.till), len(report.note)) == (80, 40, 5000)


def test_a_code_in_the_list_is_a_bad_line_and_kept_nowhere():
    card = factories.card()
    report = opened(card, lines=list(typed_lines(f"{card.serial}\n{card.text}\n{card.serial}"))).report
    assert list(report.cards.order_by("line").values_list("line", "serial", "problem", "answer")) == [
        (1, card.serial, "", Answer.FROZEN),
        (2, None, Problem.A_CODE, Answer.BAD),
        (3, None, Problem.TWICE, Answer.BAD),
    ]


# --- Larger ones, in chunks


@pytest.fixture
def in_chunks(monkeypatch):
    monkeypatch.setattr(reports, "SMALL", 3)
    monkeypatch.setattr(reports, "CHUNK", 4)


def test_a_large_one_is_left_to_the_worker_and_ends_the_same(in_chunks):
    cards = factories.cards(10)
    report = opened(*cards).report
    assert (report.status, report.done, report.stage, set(answers(report))) == (
        JobStatus.QUEUED,
        0,
        Stage.RECEIVED,
        {Answer.PENDING},
    )
    assert statuses(cards) == [S.ACTIVE] * 10
    done = []
    while freeze_next(report):
        report.refresh_from_db()
        done.append((report.done, report.status, report.frozen_at))
    report.refresh_from_db()
    assert done == [(4, JobStatus.RUNNING, None), (8, JobStatus.RUNNING, None)]
    assert (report.done, report.status, report.undecided) == (10, JobStatus.DONE, 10)
    assert (statuses(cards), answers(report)) == ([S.FROZEN] * 10, [Answer.FROZEN] * 10)
    assert freezes() == [(cards[first].serial, cards[last].serial) for first, last in ((0, 3), (4, 7), (8, 9))]


def test_a_killed_job_goes_on_where_it_was_and_a_second_run_does_nothing(in_chunks):
    cards = factories.cards(10)
    report = opened(*cards).report
    # Killed after its first chunk: the rest comes with the retry.
    freeze_next(report)
    freeze_report_job(report.pk)
    report.refresh_from_db()
    ended = (report.done, report.undecided, report.frozen_at, answers(report), freezes())
    assert ended[:2] == (10, 10)
    freeze_report_job(report.pk)
    report.refresh_from_db()
    assert (report.done, report.undecided, report.frozen_at, answers(report), freezes()) == ended


def test_bad_rows_hold_up_no_good_ones(in_chunks):
    cards = factories.cards(6)
    lines = [Line(number, card.serial) for number, card in enumerate(cards, start=1)]
    lines.insert(3, Line(900, problem=Problem.UNREADABLE))
    report = opened(*cards, lines=lines).report
    freeze_report_job(report.pk)
    report.refresh_from_db()
    assert (statuses(cards), report.total, report.done) == ([S.FROZEN] * 6, 6, 6)
    assert list(report.cards.filter(answer=Answer.BAD).values_list("line", "problem")) == [(900, Problem.UNREADABLE)]


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_share_one_report(in_chunks):
    cards = factories.cards(20)
    report = opened(*cards).report
    results = all_at_once([partial(freeze_report_job, report.pk)] * 3)
    assert errors(results) == []
    report.refresh_from_db()
    assert (report.done, report.undecided, report.status) == (20, 20, JobStatus.DONE)
    assert statuses(cards) == [S.FROZEN] * 20
    assert sorted(freezes()) == [(cards[at].serial, cards[at + 3].serial) for at in range(0, 20, 4)]


# --- What came of them


def test_an_outcome_is_written_on_every_report_of_the_retailer_that_waits():
    cards, by, now = factories.cards(2), factories.user(Role.AGENT), timezone.now()
    first, second = opened(*cards).report, opened(cards[0]).report
    of, serials = first.retailer, [card.serial for card in cards]
    assert settle(retailer=factories.retailer(), serials=serials, outcome=Outcome.CLOSED, by=by, now=now) == 0
    assert settle(retailer=of, serials=serials[:1], outcome=Outcome.CLEARED, by=by, now=now) == 2
    # What was said is not said otherwise.
    assert settle(retailer=of, serials=serials, outcome=Outcome.CONFIRMED, by=by, now=now) == 1
    for report in (first, second):
        report.refresh_from_db()
        assert (report.undecided, report.answered_at) == (0, now)
    assert list(first.cards.order_by("line").values_list("outcome", "decided_by", "decided_at")) == [
        (Outcome.CLEARED, by.pk, now),
        (Outcome.CONFIRMED, by.pk, now),
    ]


def test_nothing_comes_of_what_is_not_judged():
    own, foreign = factories.card(status=S.VOID, sold=False), factories.card()
    report, by = opened(own, foreign).report, factories.user(Role.AGENT)
    serials = [own.serial, foreign.serial]
    assert settle(retailer=report.retailer, serials=serials, outcome=Outcome.CLOSED, by=by, now=timezone.now()) == 0
