"""What support and managers did about it: cards replaced, frozen, voided, batches stopped, cards sent by e-mail."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from redemption import approvals
from redemption.batches import close_batch, extend_batch, freeze_batch
from redemption.cards import freeze_cards, thaw_cards, void_cards, void_payload
from redemption.models import Approval, ApprovalAction, Book
from redemption.outbox import deliver, send_card
from redemption.refusals import RefusalReason as R
from redemption.replacing import replace_card, replace_payload
from redemption.roles import Role
from support.demo.diary import Diary
from support.demo.trade import KEPT
from support.demo.world import Card, World


def write(diary: Diary) -> None:
    _tampered_packaging(diary)
    _own_wrong_account(diary)
    _damaged_card(diary)
    _cards_stopped(diary)
    _batches_changed(diary)
    _digital_cards(diary)


def _tampered_packaging(diary: Diary) -> None:
    """A thief read the code in the shop and redeemed it as soon as the card was sold."""
    world = diary.world
    card = world.cards["us credit"][6]
    diary.try_code(world.ago(13, 10, 4), "stranger", card)
    diary.try_code(world.ago(13, 19, 30), "buyer of a tampered card", card, R.REDEEMED_BY_ANOTHER)
    # Another one, a month before, is settled: a successor, paid for by what the thief had left and by the shop.
    settled = world.cards["us credit 10"][0]
    diary.try_code(world.ago(44, 9), "stranger", settled)
    diary.try_code(world.ago(44, 17), "buyer of another", settled, R.REDEEMED_BY_ANOTHER)

    def replace(at: datetime) -> None:
        approval = _approved(
            world, ApprovalAction.REPLACE, settled.serial, replace_payload(settled.serial, Book.RECEIVABLE),
            "Redeemed by a stranger before its buyer came home; receipt and photo of the opened packaging seen.", at,
        )  # fmt: skip
        made = replace_card(
            serial=settled.serial, by=world.people[Role.SENIOR_AGENT], approval=approval, now=at,
            reason="opened packaging", source=Book.RECEIVABLE,
        )  # fmt: skip
        world.cards["successor of a stolen one"] = [Card(made.serial, made.code)]

    diary.note(world.ago(42, 11), replace)
    diary.note(
        world.ago(41, 20),
        lambda at: diary.try_now(at, "buyer of another", world.cards["successor of a stolen one"][0].text),
    )


def _own_wrong_account(diary: Diary) -> None:
    """Signed in with an account from long ago, and found the code spent on the one in use."""
    card = diary.world.cards["gb credit"][4]
    diary.try_code(diary.world.ago(9, 20, 15), "own old account", card)
    diary.try_code(diary.world.ago(9, 20, 40), "own account", card, R.REDEEMED_BY_ANOTHER)


def _damaged_card(diary: Diary) -> None:
    """Scratched too hard: half of the code is gone, the serial number is not."""
    world = diary.world
    card = world.cards["de credit"][2]

    def replace(at: datetime) -> None:
        approval = _approved(
            world, ApprovalAction.REPLACE, card.serial, replace_payload(card.serial),
            "The code is scratched off; receipt and a photo of the card's back seen.", at,
        )  # fmt: skip
        made = replace_card(
            serial=card.serial, by=world.people[Role.SENIOR_AGENT], approval=approval, reason="unreadable", now=at
        )
        world.cards["successor"] = [Card(made.serial, made.code)]

    diary.bought(card, world.ago(7, 10))
    diary.note(world.ago(7, 14), replace)
    # Two symbols guessed from what was left, and too late.
    diary.try_code(world.ago(6, 9), "with a damaged card", card, R.REPLACED)


def _cards_stopped(diary: Diary) -> None:
    world = diary.world
    old = world.cards["old credit"]
    first, last = old[KEPT].serial, old[-1].serial

    def void(at: datetime) -> None:
        approval = _approved(
            world, ApprovalAction.VOID, first, void_payload(first, last),
            "The shop gave up this design and deactivated what was left.", at,
        )  # fmt: skip
        void_cards(first=first, last=last, by=world.people[Role.MANAGER], approval=approval, reason="old stock", now=at)

    diary.note(world.ago(400, 10), void)
    agent = world.people[Role.AGENT]
    till = world.cards["gb month"]
    for card in till[2:KEPT]:
        diary.bought(card, world.ago(12, 10))
    diary.note(
        world.ago(11, 16),
        partial(_freeze, world, till[2].serial, till[KEPT - 1].serial, "the shop reports a torn carton at its till"),
    )
    cleared = world.cards["us quarter"]
    first_cleared, last_cleared = cleared[3].serial, cleared[6].serial
    diary.note(world.ago(52, 9), partial(_freeze, world, first_cleared, last_cleared, "reported as missing"))
    diary.note(
        world.ago(51, 15),
        lambda at: thaw_cards(first=first_cleared, last=last_cleared, by=agent, reason="found in the safe", now=at),
    )


def _batches_changed(diary: Diary) -> None:
    world = diary.world
    manager = world.people[Role.MANAGER]
    diary.note(
        world.ago(6, 8),
        lambda at: freeze_batch(
            world.batches["us stolen"], by=manager, reason="a pallet was stolen on its way to the shops", now=at
        ),
    )
    diary.note(
        world.ago(60, 8),
        lambda at: close_batch(
            world.batches["se withdrawn"],
            by=manager,
            reason="the shop withdrew this card; buyers were paid back",
            now=at,
        ),
    )
    newsletter = world.batches["newsletter"]
    assert newsletter.expires_on
    later = newsletter.expires_on + timedelta(days=30)
    diary.note(world.ago(3, 8), lambda at: extend_batch(newsletter, expires_on=later, by=manager, now=at))


def _digital_cards(diary: Diary) -> None:
    """Their codes rest sealed until the mail is out; the last one waits for the job worker."""
    world = diary.world
    sales = (
        (21, "PREMIUM-3M-GB", "gift.for.gran@example.com"),
        (8, "CREDIT-30-US", "birthday@example.com"),
        (0, "CREDIT-30-DE", "fuer.opa@example.com"),
    )
    for days, sku, email in sales:
        diary.note(world.ago(days, 16), partial(_send, world, sku, email, bool(days)))


def _send(world: World, sku: str, email: str, delivered: bool, at: datetime) -> None:
    envelope = send_card(
        product=world.products[sku],
        retailer=world.retailers["Cardwright Online"],
        email=email,
        by=world.people[Role.SYSTEM],
        now=at,
    )
    world.digital[email] = envelope.code_id
    if delivered:
        deliver()


def _freeze(world: World, first: int, last: int, reason: str, at: datetime) -> None:
    freeze_cards(first=first, last=last, by=world.people[Role.AGENT], reason=reason, now=at)


def _approved(
    world: World, action: ApprovalAction, serial: int, payload: dict[str, Any], reason: str, at: datetime
) -> Approval:
    """Asked for by an agent, decided by a manager."""
    asked = approvals.request(
        action=action, target=f"code:{serial}", payload=payload, reason=reason, by=world.people[Role.AGENT], now=at
    )
    return approvals.approve(asked, by=world.people[Role.MANAGER], now=at)
