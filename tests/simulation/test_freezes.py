"""Freezing, voiding, expiring and replacing in the middle of live redemptions: each card ends one way."""

from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction

from redemption import approvals, ledger
from redemption.batches import close_batch, extend_batch, freeze_batch, thaw_batch
from redemption.cards import CardError, freeze_cards, void_cards, void_payload
from redemption.models import (
    Account,
    ApprovalAction,
    AttemptOutcome,
    Book,
    CardEvent,
    CardEventKind,
    Channel,
    Code,
    CodeStatus,
    PremiumGrant,
    Product,
    Program,
    Redemption,
    Replacement,
    Restriction,
    Transfer,
    TransferKind,
    Wallet,
)
from redemption.reconcile import reconcile
from redemption.redeem import redeem
from redemption.references import Untried
from redemption.refusals import RefusalReason
from redemption.replacing import replace_card, replace_payload
from redemption.roles import Role
from tests import factories
from tests.simulation.crowd import all_at_once, errors

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 20
REDEEMED = AttemptOutcome.REDEEMED


@pytest.fixture
def manager():
    return factories.user(Role.MANAGER)


@pytest.fixture
def agent():
    return factories.user(Role.AGENT)


def trying(account, text, **more):
    return partial(redeem, account=account, text=text, channel=Channel.WEB, **more)


def amid(calls, *others):
    """The other calls come when about half of the calls are through."""
    middle = len(calls) // 2
    return [*calls[:middle], *others, *calls[middle:]]


def told(results):
    return Counter(result.reason or result.outcome for result in results)


def disagreeing():
    return [line for line in reconcile() if not line.agrees]


def redeemed_codes():
    return set(Redemption.objects.values_list("code", flat=True))


def approved(action, target, payload, agent, manager):
    asked = approvals.request(action=action, target=target, payload=payload, reason="stolen", by=agent)
    return approvals.approve(asked, by=manager)


# --- What stops redemptions. Each says what had been redeemed by the time it took effect: read within its own
# transaction, whose locks no redemption passes any more. Were one to come through later, the sets would differ.


def stopping(stop):
    with transaction.atomic():
        stop()
        return redeemed_codes()


def change_product(batch):
    Product.objects.filter(pk=batch.product_id).update(countries=["US"])


def pause(batch):
    Program.objects.filter(pk=batch.product.program_id).update(is_paused=True)


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        (lambda batch, by: freeze_batch(batch, by=by, reason="leak at the printer"), RefusalReason.BATCH_FROZEN),
        (lambda batch, by: close_batch(batch, by=by), RefusalReason.BATCH_CLOSED),
        (lambda batch, by: change_product(batch), RefusalReason.COUNTRY_DIFFERS),
        (lambda batch, by: pause(batch), Untried.UNAVAILABLE),
    ],
    ids=["freeze the batch", "close the batch", "change the product", "pause the program"],
)
def test_nothing_is_redeemed_once_it_was_stopped(stop, reason, crowd, no_limits, manager):
    cards = factories.cards(120)
    batch = cards[0].batch
    accounts = [factories.account(batch.product.program) for _ in range(10)]
    calls = [trying(accounts[number % 10], card.text) for number, card in enumerate(cards)]
    outcomes = all_at_once(amid(calls, partial(stopping, partial(stop, batch, manager))), clients=CLIENTS)
    assert errors(outcomes) == []
    then = outcomes.pop(60)
    assert then == redeemed_codes()
    counted = Counter(result.untried or result.reason or result.outcome for result in outcomes)
    assert counted == {REDEEMED: len(then), reason: 120 - len(then)}
    assert 0 < len(then) < 120
    assert disagreeing() == []


def test_nothing_is_redeemed_once_the_account_was_restricted(crowd, no_limits):
    cards = factories.cards(60)
    account = factories.account(cards[0].batch.product.program)
    restrict = Account.objects.filter(pk=account.pk).update
    outcomes = all_at_once(
        amid(
            [trying(account, card.text) for card in cards],
            partial(stopping, partial(restrict, restriction=Restriction.PAYMENT_DISPUTE)),
        ),
        clients=CLIENTS,
    )
    assert errors(outcomes) == []
    then = outcomes.pop(30)
    assert then == redeemed_codes()
    assert told(outcomes) == {REDEEMED: len(then), RefusalReason.ACCOUNT_RESTRICTED: 60 - len(then)}
    assert Wallet.objects.get().balance == 3000 * len(then)


def test_a_batch_that_freezes_and_thaws_all_the_time_loses_no_card(crowd, no_limits, manager):
    cards = factories.cards(60)
    batch = cards[0].batch
    account = factories.account(batch.product.program)

    def flicker():
        for _ in range(5):
            freeze_batch(batch, by=manager, reason="looking")
            thaw_batch(batch, by=manager)

    outcomes = all_at_once([flicker, *[trying(account, card.text) for card in cards]], clients=CLIENTS)
    assert errors(outcomes) == []
    counted = told(outcomes[1:])
    assert set(counted) <= {REDEEMED, RefusalReason.BATCH_FROZEN}
    for card, result in zip(cards, outcomes[1:], strict=True):
        assert (card.row.status == CodeStatus.REDEEMED) == result.is_redeemed
    assert disagreeing() == []


# --- Ranges of cards


def test_a_range_freezes_amid_redemptions_and_leaves_its_neighbours(crowd, no_limits, agent):
    """FIELD's statement 4: each card ends redeemed or frozen, a rerun changes nothing, 099999 and 101000 stay."""
    cards = factories.cards(140, factories.batch(size=140))
    within = cards[20:120]
    program = cards[0].batch.product.program
    accounts = [factories.account(program) for _ in range(10)]
    freeze = partial(freeze_cards, first=within[0].serial, last=within[-1].serial, by=agent, reason="stolen box")
    # The cards of the range come in two halves, one from each end, so that the freeze meets some of either.
    order = [*within[:50], *cards[:20], *cards[120:], *reversed(within[50:])]
    calls = [trying(accounts[number % 10], card.text) for number, card in enumerate(order)]
    outcomes = all_at_once(amid(calls, freeze, freeze), clients=CLIENTS)
    assert errors(outcomes) == []
    touched, results = outcomes[70:72], outcomes[:70] + outcomes[72:]
    for card, result in zip(order, results, strict=True):
        assert (card.row.status, result.reason) in {
            (CodeStatus.REDEEMED, None),
            (CodeStatus.FROZEN, RefusalReason.FROZEN),
        }
    statuses = Counter(Code.objects.filter(pk__in=[card.serial for card in within]).values_list("status", flat=True))
    assert set(statuses) == {CodeStatus.REDEEMED, CodeStatus.FROZEN}
    assert sum(one.changed for one in touched) == statuses[CodeStatus.FROZEN]
    assert {card.row.status for card in cards[:20] + cards[120:]} == {CodeStatus.REDEEMED}
    events = list(CardEvent.objects.filter(kind=CardEventKind.FROZEN))
    frozen = [serial for event in events for serial in range(event.first_serial, event.last_serial + 1)]
    assert sorted(frozen) == sorted(Code.objects.filter(status=CodeStatus.FROZEN).values_list("pk", flat=True))
    assert freeze().changed == 0
    assert CardEvent.objects.filter(kind=CardEventKind.FROZEN).count() == len(events)
    assert Redemption.objects.count() == 40 + statuses[CodeStatus.REDEEMED]
    assert disagreeing() == []


def test_a_range_is_voided_amid_redemptions_and_only_the_unspent_goes_back(crowd, no_limits, agent, manager):
    cards = factories.cards(100)
    first, last = cards[0].serial, cards[-1].serial
    approval = approved(ApprovalAction.VOID, f"code:{first}", void_payload(first, last), agent, manager)
    void = partial(void_cards, first=first, last=last, by=agent, approval=approval, reason="stolen")
    account = factories.account(cards[0].batch.product.program)
    outcomes = all_at_once(amid([trying(account, card.text) for card in cards], void), clients=CLIENTS)
    assert errors(outcomes) == []
    voided = outcomes.pop(50).changed
    assert told(outcomes) == {REDEEMED: 100 - voided, RefusalReason.VOID: voided}
    assert 0 < voided < 100
    assert Transfer.objects.filter(kind=TransferKind.VOID).count() == voided
    assert ledger.balance(Book.LIABILITY) == {}
    assert ledger.balance(Book.CUSTOMER_CREDIT) == {"GBP": 3000 * (100 - voided)}
    assert disagreeing() == []


def test_month_cards_fill_the_cap_while_some_are_frozen_and_voided(crowd, no_limits, agent, manager):
    program = factories.program()
    cards = factories.cards(50, factories.batch(factories.product(program, months=1)))
    account = factories.account(program)
    now = factories.NOON
    approval = approved(
        ApprovalAction.VOID, f"code:{cards[5].serial}", void_payload(cards[5].serial, cards[9].serial), agent, manager
    )
    outcomes = all_at_once(
        [
            partial(freeze_cards, first=cards[0].serial, last=cards[4].serial, by=agent, reason="report"),
            *[trying(account, card.text, now=now) for card in cards],
            partial(
                void_cards,
                first=cards[5].serial,
                last=cards[9].serial,
                by=agent,
                approval=approval,
                reason="stolen",
            ),
        ]
    )
    assert errors(outcomes) == []
    counted = told(outcomes[1:-1])
    assert counted[REDEEMED] == 18
    assert set(counted) <= {REDEEMED, RefusalReason.STACKING_CAP, RefusalReason.FROZEN, RefusalReason.VOID}
    periods = [grant.period for grant in PremiumGrant.objects.order_by("period")]
    assert [period.lower for period in periods[1:]] == [period.upper for period in periods[:-1]]
    assert periods[-1].upper.isoformat() == "2027-12-15"
    assert disagreeing() == []


# --- Expiry


def test_what_is_redeemed_on_the_last_evening_never_breaks(crowd, no_limits):
    """Tries from before and after midnight, and the nightly run among them; also tries from before midnight that were
    held up so long that the run came first."""
    last_day = factories.NOON.date()
    program = factories.program(time_zone="Europe/London")
    cards = factories.cards(120, factories.batch(factories.product(program), size=120, expires_on=last_day))
    midnight = datetime.combine(last_day + timedelta(days=1), datetime.min.time(), ZoneInfo("Europe/London"))
    moments = [midnight - timedelta(seconds=1), midnight]
    account = factories.account(program)
    calls = [trying(account, card.text, now=moments[number % 2]) for number, card in enumerate(cards)]
    nightly = partial(ledger.post_breakage, now=midnight + timedelta(hours=1))
    outcomes = all_at_once(amid(calls, nightly, nightly), clients=CLIENTS)
    assert errors(outcomes) == []
    breakages, results = outcomes[60:62], outcomes[:60] + outcomes[62:]
    counted = Counter(result.untried or result.reason or result.outcome for result in results)
    # Held up beyond the nightly run: not refused, but told to try again, and then it is expired.
    assert set(counted) == {REDEEMED, RefusalReason.EXPIRED, Untried.UNAVAILABLE}
    assert counted[RefusalReason.EXPIRED] == 60
    assert sum(breakage.cards for breakage in breakages) == 120 - counted[REDEEMED]
    assert ledger.balance(Book.LIABILITY) == {}
    assert Wallet.objects.get().balance == 3000 * counted[REDEEMED]
    assert disagreeing() == []


def test_a_batch_is_extended_while_its_breakage_is_posted(crowd, manager):
    batch = factories.batch(expires_on=factories.last_day(3))
    factories.cards(50, batch)
    outcomes = all_at_once(
        [ledger.post_breakage, partial(extend_batch, batch, expires_on=factories.last_day(-30), by=manager)]
    )
    assert errors(outcomes) == []
    assert ledger.balance(Book.LIABILITY) == {"GBP": 50 * 3000}
    assert disagreeing() == []


# --- Replacing


def replacing(card, by, manager, **more):
    payload = replace_payload(card.serial, more.get("source"))
    approval = approved(ApprovalAction.REPLACE, f"code:{card.serial}", payload, by, manager)
    return partial(replace_card, serial=card.serial, by=by, approval=approval, reason="damaged", **more)


def test_two_agents_at_once_make_one_successor(crowd, agent, manager):
    cards = factories.cards(10)
    for card in cards:
        outcomes = all_at_once([replacing(card, agent, manager), replacing(card, factories.user(Role.AGENT), manager)])
        made = [outcome for outcome in outcomes if not isinstance(outcome, CardError)]
        assert errors(made) == []
        successor = Replacement.objects.get(original=card.serial).successor_id
        assert [one.serial for one in made] == [successor]
        assert [str(outcome) for outcome in outcomes if isinstance(outcome, CardError)] == [
            "This card was replaced before."
        ]
    # The second agent's successor was never made: nothing else lies in the standing batch.
    assert Code.objects.exclude(batch=cards[0].batch).count() == 10
    assert ledger.balance(Book.LIABILITY) == {"GBP": 30_000}
    assert disagreeing() == []


def test_a_card_is_replaced_or_redeemed_and_never_both(crowd, no_limits, agent, manager):
    cards = factories.cards(20)
    account = factories.account(cards[0].batch.product.program)
    for card in cards:
        replaced, result = all_at_once([replacing(card, agent, manager), trying(account, card.text)])
        if result.is_redeemed:
            assert str(replaced) == "Say who pays for a card that was redeemed: the retailer, or goodwill."
        else:
            assert (result.reason, card.row.status) == (RefusalReason.REPLACED, CodeStatus.REPLACED)
            assert replaced.serial
    assert Redemption.objects.count() + Replacement.objects.count() == 20
    assert ledger.balance(Book.CUSTOMER_CREDIT).get("GBP", 0) == 3000 * Redemption.objects.count()
    assert disagreeing() == []


def test_a_thief_spends_while_his_card_is_replaced_and_no_penny_is_there_twice(crowd, no_limits, agent, manager):
    cards = factories.cards(10)
    program = cards[0].batch.product.program
    for card in cards:
        thief = factories.account(program)
        assert redeem(account=thief, text=card.text, channel=Channel.WEB).is_redeemed
        wallet = Wallet.objects.get(account=thief)
        spend = partial(
            ledger.post,
            debit=Book.CUSTOMER_CREDIT,
            credit=Book.REVENUE,
            amount=1000,
            currency="GBP",
            kind=TransferKind.RENEWAL,
            source=f"month:{card.serial}",
            program_id=program.pk,
            wallet=wallet,
        )
        replaced, spent = all_at_once([replacing(card, agent, manager, source=Book.GOODWILL), spend])
        assert errors([replaced]) == []
        wallet.refresh_from_db()
        taken = Transfer.objects.get(source=f"code:{card.serial}:taken").amount
        assert (taken, wallet.balance) == ((3000, 0) if errors([spent]) else (2000, 0))
    assert ledger.balance(Book.LIABILITY) == {"GBP": 30_000}
    assert disagreeing() == []


# --- Wallets


def test_fifty_debits_at_once_take_what_is_there_and_no_more(crowd):
    account = factories.account()

    def move(number, debit, credit, kind, amount):
        return ledger.post(
            debit=debit,
            credit=credit,
            amount=amount,
            currency="GBP",
            kind=kind,
            source=f"test:{number}",
            program_id=account.program_id,
            wallet=ledger_wallet,
        )

    with transaction.atomic():
        ledger_wallet = ledger.wallet_of(account, "GBP")
    move(0, Book.GOODWILL, Book.CUSTOMER_CREDIT, TransferKind.MANUAL_CREDIT, 3000)
    debits = [
        partial(move, number, Book.CUSTOMER_CREDIT, Book.REVENUE, TransferKind.RENEWAL, 100) for number in range(50)
    ]
    outcomes = all_at_once(debits)
    assert Counter(type(outcome).__name__ for outcome in outcomes) == {"Transfer": 30, "NotEnoughCreditError": 20}
    assert Wallet.objects.get().balance == 0
    assert disagreeing() == []


def test_one_reversal_of_two_at_once(crowd):
    account = factories.account()
    with transaction.atomic():
        wallet = ledger.wallet_of(account, "GBP")
    credit = ledger.post(
        debit=Book.GOODWILL,
        credit=Book.CUSTOMER_CREDIT,
        amount=700,
        currency="GBP",
        kind=TransferKind.MANUAL_CREDIT,
        source="credit:1",
        program_id=account.program_id,
        wallet=wallet,
    )
    outcomes = all_at_once([partial(ledger.reverse, credit)] * 3)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LedgerError", "LedgerError", "Transfer"]
    assert Wallet.objects.get().balance == 0
    assert disagreeing() == []
