"""Reports of compromised cards in the middle of live redemptions, sales and each other: each card ends one way."""

from collections import Counter
from functools import partial

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from redemption import ledger
from redemption.cards import CardError, activate_cards, thaw_cards, void_cards, void_payload
from redemption.deactivating import deactivate_card
from redemption.models import (
    ApprovalAction,
    Book,
    CardEvent,
    CardEventKind,
    Code,
    CodeStatus,
    MemberRole,
    Redemption,
    User,
)
from redemption.refusals import RefusalReason
from redemption.roles import Role
from support.actions import reports
from support.actions.reports import Told, open_report
from support.jobs import freeze_report_job
from support.models import Answer, CompromiseKind, CompromiseReport, ReportChannel, ReportedCard, Ticket
from support.reported_lines import Line, typed_lines
from tests import factories
from tests.simulation.crowd import all_at_once, errors
from tests.simulation.dying import Freezer
from tests.simulation.test_freezes import amid, approved, disagreeing, trying

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 20
FROZEN, REDEEMED = CodeStatus.FROZEN, CodeStatus.REDEEMED


def reporting(clerk, retailer, text, **more):
    """A clerk's form, as the portal passes it on."""

    def report():
        lines, told = typed_lines(text), Told(CompromiseKind.STOLEN)
        return open_report(retailer=retailer, lines=lines, told=told, by=clerk, channel=ReportChannel.PORTAL, **more)

    return report


def statuses(serials):
    return dict(Code.objects.filter(pk__in=serials).values_list("pk", "status"))


def frozen_by_events():
    """Each serial number as often as an event says that it was frozen."""
    events = CardEvent.objects.filter(kind=CardEventKind.FROZEN)
    return Counter(serial for event in events for serial in range(event.first_serial, event.last_serial + 1))


def answers(report):
    return dict(report.cards.values_list("serial", "answer"))


def expected_answers(found):
    return {serial: Answer.FROZEN if status == FROZEN else Answer.AFTER_SALE for serial, status in found.items()}


# --- A thousand cards


def test_a_range_of_a_thousand_is_reported_amid_redemptions_and_leaves_its_neighbours(crowd, no_limits):
    cards = factories.cards(1020, factories.batch(size=1020))
    within, around = cards[10:-10], cards[:10] + cards[-10:]
    retailer = cards[0].batch.retailer
    clerk = factories.member(retailer)
    accounts = [factories.account(cards[0].batch.product.program) for _ in range(40)]
    # From both ends, so that the freeze meets some of either half.
    order = [*within[:500], *around, *reversed(within[500:])]
    calls = [trying(accounts[number % 40], card.text) for number, card in enumerate(order)]
    report = reporting(clerk, retailer, f"{within[0].serial}–{within[-1].serial}", send_key="the form")
    outcomes = all_at_once(amid(calls, report, report), clients=CLIENTS)
    assert errors(outcomes) == []
    first, again = outcomes.pop(510), outcomes.pop(510)

    # The same form twice at once is one report.
    assert first.report.pk == again.report.pk
    assert {first.is_new, again.is_new} == {True, False}
    report = CompromiseReport.objects.get()
    assert Ticket.objects.get() == report.ticket

    # Each card is redeemed or frozen: its customer, its row and the report say the same.
    found = statuses([card.serial for card in within])
    assert len(found) == 1000
    counted = Counter(found.values())
    assert set(counted) == {FROZEN, REDEEMED}
    for card, result in zip(order, outcomes, strict=True):
        status = found.get(card.serial, REDEEMED)
        assert (status, result.reason) in {(REDEEMED, None), (FROZEN, RefusalReason.FROZEN)}
    assert answers(report) == expected_answers(found)
    assert set(Redemption.objects.values_list("code", flat=True)) == {
        *(serial for serial, status in found.items() if status == REDEEMED),
        *(card.serial for card in around),
    }
    assert (report.total, report.done, report.undecided) == (1000, 1000, 1000)
    assert report.frozen_at
    assert frozen_by_events() == Counter(serial for serial, status in found.items() if status == FROZEN)
    # The neighbours, first - 1 and last + 1 among them, were not touched.
    assert set(statuses([card.serial for card in around]).values()) == {REDEEMED}
    assert disagreeing() == []

    # Reported once more, by a form of its own: the same answers, and nothing happens to a card.
    events = CardEvent.objects.count()
    repeated = reporting(clerk, retailer, f"{within[0].serial}–{within[-1].serial}")().report
    assert answers(repeated) == answers(report)
    assert (statuses(found), CardEvent.objects.count()) == (found, events)
    assert disagreeing() == []


def test_two_reports_of_the_same_cards_at_once_freeze_each_card_once(crowd, no_limits):
    """Listed in opposite orders: cards are locked in one order whatever a list says."""
    batches = [factories.batch(retailer_id=factories.retailer().pk)]
    retailer = batches[0].retailer
    batches.append(factories.batch(batches[0].product, retailer_id=retailer.pk))
    cards = [card for batch in batches for card in factories.cards(60, batch)]
    clerk = factories.member(retailer)
    serials = [card.serial for card in cards]
    accounts = [factories.account(batches[0].product.program) for _ in range(10)]
    calls = [trying(accounts[number % 10], card.text) for number, card in enumerate(cards)]
    lists = [serials[:90], serials[:29:-1], serials[20:100], serials[::-1]]
    told = [reporting(clerk, retailer, "\n".join(map(str, listed))) for listed in lists]
    outcomes = all_at_once(amid(calls, *told), clients=CLIENTS)
    assert errors(outcomes) == []
    found = statuses(serials)
    assert set(found.values()) <= {FROZEN, REDEEMED}
    assert FROZEN in found.values()
    for opened, listed in zip(outcomes[60:64], lists, strict=True):
        assert answers(opened.report) == expected_answers({serial: found[serial] for serial in listed})
    assert frozen_by_events() == Counter(serial for serial, status in found.items() if status == FROZEN)
    assert disagreeing() == []


def test_another_retailers_cards_stay_untouched_in_the_middle_of_a_report(crowd, no_limits):
    own, foreign = factories.cards(40), factories.cards(40)
    clerk = factories.member(own[0].batch.retailer)
    accounts = [factories.account(card.batch.product.program) for card in foreign[:1]]
    calls = [trying(accounts[0], card.text) for card in foreign]
    listed = "\n".join(str(card.serial) for pair in zip(own, foreign, strict=True) for card in pair)
    outcomes = all_at_once(amid(calls, reporting(clerk, own[0].batch.retailer, listed)), clients=10)
    assert errors(outcomes) == []
    report = outcomes.pop(20).report
    assert all(result.is_redeemed for result in outcomes)
    assert set(statuses([card.serial for card in foreign]).values()) == {REDEEMED}
    assert answers(report) == {card.serial: Answer.FROZEN for card in own} | {
        card.serial: Answer.UNKNOWN for card in foreign
    }
    assert set(report.cards.filter(answer=Answer.UNKNOWN).values_list("redeemed_at", flat=True)) == {None}
    assert disagreeing() == []


# --- With everything else that happens to cards

# So many, the first of the batch, before anything begins.
SOLD = 50


def test_sales_returns_voids_and_reports_at_once_keep_the_books(crowd, no_limits):
    agent, manager, system = factories.user(Role.AGENT), factories.user(Role.MANAGER), User.objects.system()
    program = factories.program(deactivation_minutes=30)
    batch = factories.batch(factories.product(program), size=100)
    sold, unsold = factories.cards(SOLD, batch), factories.cards(50, batch, status=CodeStatus.INACTIVE)
    every = sorted(card.serial for card in sold + unsold)
    clerk = factories.member(batch.retailer, MemberRole.MANAGER)
    first, last = every[30], every[69]
    yes = approved(ApprovalAction.VOID, f"code:{first}", void_payload(first, last), agent, manager)
    account = factories.account(program)
    calls = [
        *[trying(account, card.text) for card in sold[:40]],
        *[partial(activate_cards, first=card.serial, by=system) for card in unsold],
        *[partial(deactivate_card, serial=card.serial, by=system) for card in sold[20:]],
    ]
    # All of it comes mixed.
    calls = [call for start in range(7) for call in calls[start::7]]
    others = [
        reporting(clerk, batch.retailer, f"{every[10]}-{every[89]}"),
        partial(void_cards, first=first, last=last, by=agent, approval=yes, reason="stolen"),
        partial(thaw_cards, first=every[40], last=every[59], by=agent, reason="found again"),
        reporting(clerk, batch.retailer, f"{every[0]}-{every[49]}"),
    ]
    outcomes = all_at_once(amid(calls, *others), clients=CLIENTS)
    unexpected = [
        outcome for outcome in outcomes if isinstance(outcome, Exception) and not isinstance(outcome, CardError)
    ]
    assert unexpected == []
    for code in Code.objects.all():
        events = CardEvent.objects.filter(first_serial__lte=code.pk, last_serial__gte=code.pk).order_by("pk")
        assert code.status == _status_after(list(events), code), code.pk
    owed = Code.objects.filter(activated_at__isnull=False).exclude(status__in=[CodeStatus.VOID, REDEEMED]).count()
    assert ledger.balance(Book.LIABILITY).get("GBP", 0) == 3000 * owed
    # The second report found what the first had frozen, and nothing came back to life.
    assert Redemption.objects.count() == Code.objects.filter(status=REDEEMED).count()
    assert ReportedCard.objects.filter(answer=Answer.PENDING).count() == 0
    assert disagreeing() == []


def _status_after(events, code):
    """What the card's own events come to, told one after the other: none of them follows what it cannot."""
    is_sold = code.pk < code.batch.serials.lower + SOLD
    status = CodeStatus.ACTIVE if is_sold else CodeStatus.INACTIVE
    for event in events:
        match event.kind:
            case CardEventKind.ACTIVATED:
                assert status == CodeStatus.INACTIVE
                status, is_sold = CodeStatus.ACTIVE, True
            case CardEventKind.DEACTIVATED:
                assert status == CodeStatus.ACTIVE
                status, is_sold = CodeStatus.INACTIVE, False
            case CardEventKind.FROZEN:
                assert status in {CodeStatus.ACTIVE, CodeStatus.INACTIVE}
                status = FROZEN
            case CardEventKind.THAWED:
                assert status == FROZEN
                status = CodeStatus.ACTIVE if is_sold else CodeStatus.INACTIVE
            case CardEventKind.VOIDED:
                assert status in {CodeStatus.ACTIVE, CodeStatus.INACTIVE, FROZEN}
                status = CodeStatus.VOID
    if Redemption.objects.filter(code=code).exists():
        assert status == CodeStatus.ACTIVE
        status = REDEEMED
    return status


# --- A worker that dies

TOO_MANY = 60


def void(card):
    agent, manager = factories.user(Role.AGENT), factories.user(Role.MANAGER)
    yes = approved(ApprovalAction.VOID, f"code:{card.serial}", void_payload(card.serial), agent, manager)
    assert void_cards(first=card.serial, by=agent, approval=yes, reason="damaged").changed == 1


def test_a_worker_killed_after_any_statement_is_resumed_to_the_same_end(crowd, monkeypatch):
    monkeypatch.setattr(reports, "SMALL", 5)
    monkeypatch.setattr(reports, "CHUNK", 8)
    retailer = factories.retailer()
    product = factories.product()
    clerk = factories.member(retailer)
    halfway = 0
    for step in range(1, TOO_MANY, 2):
        batch = factories.batch(product, retailer_id=retailer.pk)
        cards = factories.cards(20, batch)
        # A row that cannot be frozen, and one that is nobody's, among them.
        void(cards[9])
        lines = [Line(number, card.serial) for number, card in enumerate(cards, start=1)]
        report = open_report(
            retailer=retailer,
            lines=[*lines, Line(21, problem="unreadable"), Line(22, 9_999_999_999)],
            told=Told(CompromiseKind.STOLEN),
            by=clerk,
            channel=ReportChannel.PORTAL,
        ).report
        assert ProcrastinateJob.objects.filter(task_name="support.freeze_report", args__report_id=report.pk).exists()
        code = Freezer(report.pk, chunk=8, dies_after=step).join()
        report.refresh_from_db()
        # Whole chunks only: what was answered is what was frozen, and is counted.
        answered = report.cards.exclude(answer__in=[Answer.PENDING, Answer.BAD]).count()
        assert answered == report.done
        assert answered in {0, 8, 16, 21}
        halfway += answered in {8, 16}
        frozen = Code.objects.filter(batch=batch, status=FROZEN).count()
        assert frozen == report.cards.filter(answer=Answer.FROZEN).count()
        freeze_report_job(report.pk)
        _is_at_its_end(report, batch, cards)
        if code == 0:
            break
    else:
        pytest.fail("No worker came through.")
    assert halfway > 4
    assert disagreeing() == []


def _is_at_its_end(report, batch, cards):
    report.refresh_from_db()
    expected = {card.serial: Answer.FROZEN for card in cards} | {
        cards[9].serial: Answer.ENDED,
        9_999_999_999: Answer.UNKNOWN,
        None: Answer.BAD,
    }
    assert answers(report) == expected
    assert (report.done, report.total, report.undecided, report.status) == (21, 21, 19, "done")
    # Each chunk's events once.
    events = CardEvent.objects.filter(batch=batch, kind=CardEventKind.FROZEN)
    seen = Counter(serial for event in events for serial in range(event.first_serial, event.last_serial + 1))
    assert seen == Counter(card.serial for card in cards if card is not cards[9])


def test_two_workers_on_one_report_and_a_third_that_dies_come_to_one_end(crowd, monkeypatch):
    monkeypatch.setattr(reports, "SMALL", 5)
    monkeypatch.setattr(reports, "CHUNK", 10)
    batch = factories.batch()
    cards = factories.cards(90, batch)
    clerk = factories.member(batch.retailer)
    report = reporting(clerk, batch.retailer, f"{cards[0].serial}-{cards[-1].serial}")().report
    dying = Freezer(report.pk, chunk=10, dies_after=12)
    outcomes = all_at_once([partial(freeze_report_job, report.pk)] * 2)
    dying.join()
    assert errors(outcomes) == []
    freeze_report_job(report.pk)
    report.refresh_from_db()
    assert answers(report) == {card.serial: Answer.FROZEN for card in cards}
    assert (report.done, report.undecided) == (90, 90)
    assert frozen_by_events() == Counter(card.serial for card in cards)
    assert ProcrastinateJob.objects.filter(task_name="support.tell_retailer", args__report_id=report.pk).count() == 1


def test_what_a_clerk_reported_is_frozen_to_its_end_though_he_has_left(monkeypatch):
    monkeypatch.setattr(reports, "SMALL", 5)
    monkeypatch.setattr(reports, "CHUNK", 10)
    batch = factories.batch()
    cards = factories.cards(20, batch)
    clerk = factories.member(batch.retailer)
    report = reporting(clerk, batch.retailer, f"{cards[0].serial}-{cards[-1].serial}")().report
    assert reports.freeze_next(report)
    clerk.memberships.all().delete()
    freeze_report_job(report.pk)
    assert set(statuses([card.serial for card in cards]).values()) == {FROZEN}
