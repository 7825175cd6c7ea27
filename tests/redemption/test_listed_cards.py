"""Cards by a list of serial numbers: only the retailer's own are touched, and an approval covers its list exactly."""

import pytest

from redemption import approvals, ledger
from redemption.approvals import ApprovalError
from redemption.cards import CardError
from redemption.listed_cards import Listed, freeze_listed, thaw_listed, void_listed
from redemption.models import ApprovalAction, Book, CardEvent, CardEventKind, CodeStatus, Replacement, User
from redemption.reconcile import prove
from redemption.replacing import replace_card
from redemption.roles import Permission, Role
from tests import factories

pytestmark = pytest.mark.django_db

S = CodeStatus


@pytest.fixture
def agent():
    return factories.user(Role.AGENT)


@pytest.fixture
def manager():
    return factories.user(Role.MANAGER)


def serials(cards):
    return [card.serial for card in cards]


def statuses(cards):
    return [S(card.row.status) for card in cards]


def freeze(cards, by, of=None):
    return freeze_listed(serials=serials(cards), retailer=of or cards[0].batch.retailer, by=by, reason="stolen")


def thaw(cards, by, of=None):
    return thaw_listed(serials=serials(cards), retailer=of or cards[0].batch.retailer, by=by, reason="fine")


def approved(listed, agent, manager, action=ApprovalAction.VOID, **more):
    asked = approvals.request(
        action=action, target=listed.target, payload=listed.payload(**more), reason="stolen", by=agent
    )
    return approvals.approve(asked, by=manager)


def void(listed, cards, agent, approval, of=None):
    return void_listed(listed, retailer=of or cards[0].batch.retailer, by=agent, approval=approval, reason="stolen")


def events(kind):
    found = CardEvent.objects.filter(kind=kind).order_by("first_serial")
    return list(found.values_list("first_serial", "last_serial", "reason", "by"))


def disagreeing():
    return [line for line in prove() if not line.agrees]


# --- Freezing and thawing


def test_freezes_what_is_listed_and_unspent_and_leaves_the_rest(agent):
    batch = factories.batch()
    cards = factories.cards(6, batch)
    spent, unsold = factories.card(batch, status=S.VOID, sold=False), factories.card(batch, status=S.INACTIVE)
    touched = freeze([cards[0], cards[1], cards[3], spent, unsold], agent)
    assert touched.changed == 4
    assert statuses([*cards, spent, unsold]) == [
        S.FROZEN, S.FROZEN, S.ACTIVE, S.FROZEN, S.ACTIVE, S.ACTIVE, S.VOID, S.FROZEN
    ]  # fmt: skip
    # One event for each unbroken run.
    assert events(CardEventKind.FROZEN) == [
        (cards[0].serial, cards[1].serial, "stolen", agent.pk),
        (cards[3].serial, cards[3].serial, "stolen", agent.pk),
        (unsold.serial, unsold.serial, "stolen", agent.pk),
    ]


def test_repeating_it_changes_nothing(agent):
    cards = factories.cards(3)
    freeze(cards, agent)
    again = freeze(cards, agent)
    assert (again.changed, len(events(CardEventKind.FROZEN))) == (0, 1)


def test_thawed_cards_are_what_they_were(agent):
    batch = factories.batch()
    cards = [*factories.cards(2, batch), factories.card(batch, status=S.INACTIVE), factories.card(batch)]
    freeze(cards, agent)
    touched = thaw(cards[:3], agent)
    assert (touched.changed, statuses(cards)) == (3, [S.ACTIVE, S.ACTIVE, S.INACTIVE, S.FROZEN])


def test_strangers_cards_and_numbers_of_none_are_left_and_not_told_apart(agent):
    own, foreign = factories.card(), factories.card()
    with_foreign = freeze([own, foreign], agent)
    assert statuses([own, foreign]) == [S.FROZEN, S.ACTIVE]
    thaw([own], agent)
    with_none = freeze_listed(
        serials=[own.serial, foreign.serial + 500], retailer=own.batch.retailer, by=agent, reason="stolen"
    )
    assert with_foreign == with_none
    assert events(CardEventKind.FROZEN) == [(own.serial, own.serial, "stolen", agent.pk)] * 2
    freeze([foreign], agent)
    assert thaw([own, foreign], agent).changed == 1
    assert statuses([own, foreign]) == [S.ACTIVE, S.FROZEN]


def test_cards_of_several_batches_of_one_retailer_go_together(agent):
    of = factories.retailer()
    cards = [factories.card(factories.batch(retailer_id=of.pk)) for _ in range(3)]
    assert freeze(cards, agent, of=of).changed == 3
    assert statuses(cards) == [S.FROZEN] * 3


def test_an_empty_list_does_nothing(agent):
    touched = freeze_listed(serials=[], retailer=factories.retailer(), by=agent, reason="stolen")
    assert (touched.changed, touched.skipped) == (0, {})


# --- Who may


@pytest.mark.parametrize("role", [role for role in Role if role != Role.SYSTEM])
def test_thaws_whoever_may_and_nobody_of_the_retailers(role):
    """Who may freeze has been seen by whoever took the report down."""
    card = factories.card()
    by = factories.member(card.batch.retailer) if role == Role.RETAILER else factories.user(role)
    freeze([card], User.objects.system())
    if by.may(Permission.FREEZE):
        assert thaw([card], by).changed == 1
    else:
        with pytest.raises(CardError, match="Your role may not do this"):
            thaw([card], by)
        assert statuses([card]) == [S.FROZEN]


@pytest.mark.parametrize("role", [role for role in Role if role != Role.SYSTEM])
def test_voids_only_who_may_ask_for_it(agent, manager, role):
    card, by = factories.card(), factories.user(role)
    listed = Listed("report:7", [card.serial])
    approval = approved(listed, agent, manager)
    if by.may(Permission.REQUEST):
        assert void(listed, [card], by, approval).changed == 1
    else:
        with pytest.raises(CardError, match="Your role may not do this"):
            void(listed, [card], by, approval)
        assert statuses([card]) == [S.ACTIVE]


# --- Ending


def test_voids_the_list_and_gives_its_value_back(agent, manager):
    cards = factories.cards(4)
    listed = Listed("report:7", serials(cards[:3]))
    touched = void(listed, cards, agent, approved(listed, agent, manager))
    assert (touched.changed, statuses(cards)) == (3, [S.VOID] * 3 + [S.ACTIVE])
    assert (ledger.balance(Book.LIABILITY), disagreeing()) == ({"GBP": 3000}, [])


def test_an_approval_covers_its_list_and_nothing_else(agent, manager):
    cards = factories.cards(4)
    listed = Listed("report:7", serials(cards[:2]))
    approval = approved(listed, agent, manager)
    others = [
        Listed("report:7", serials(cards[:1])),
        Listed("report:7", serials(cards[:3])),
        Listed("report:7", serials([cards[0], cards[2]])),
        Listed("report:8", serials(cards[:2])),
    ]
    for other in others:
        with pytest.raises(ApprovalError, match="The approval is for something else"):
            void(other, cards, agent, approval)
    rejected = approvals.reject(
        approvals.request(
            action=ApprovalAction.VOID, target=others[1].target, payload=others[1].payload(), reason="x", by=agent
        ),
        by=manager,
        reason="No.",
    )
    with pytest.raises(ApprovalError, match="This was rejected"):
        void(others[1], cards, agent, rejected)
    assert statuses(cards) == [S.ACTIVE] * 4
    # In whatever order the list is read.
    assert void(Listed("report:7", serials(cards[:2])[::-1]), cards, agent, approval).changed == 2


def test_an_approval_voids_once(agent, manager):
    cards = factories.cards(2)
    listed = Listed("report:7", serials(cards))
    approval = approved(listed, agent, manager)
    void(listed, cards, agent, approval)
    with pytest.raises(CardError, match="This approval was used before"):
        void(listed, cards, agent, approval)
    assert len(events(CardEventKind.VOIDED)) == 1


def test_voids_no_card_of_another_retailer_whatever_was_approved(agent, manager):
    own, foreign = factories.card(), factories.card()
    listed = Listed("report:7", serials([own, foreign]))
    assert void(listed, [own], agent, approved(listed, agent, manager)).changed == 1
    assert statuses([own, foreign]) == [S.VOID, S.ACTIVE]
    assert disagreeing() == []


def test_an_approval_to_replace_several_is_used_once_for_each(agent, manager):
    cards = factories.cards(3)
    listed = Listed("report:7", serials(cards[:2]))
    approval = approved(listed, agent, manager, ApprovalAction.REPLACE, source=None)

    def replace(card, among=listed, source=None):
        return replace_card(
            serial=card.serial, by=agent, approval=approval, reason="stolen", among=among, source=source
        )

    with pytest.raises(CardError, match="The approval is for other cards"):
        replace(cards[2])
    with pytest.raises(ApprovalError, match="The approval is for something else"):
        replace(cards[0], source=Book.GOODWILL)
    with pytest.raises(ApprovalError, match="The approval is for something else"):
        replace(cards[0], among=Listed("report:7", serials(cards)))
    made = [replace(card).serial for card in cards[:2]]
    for card in cards[:2]:
        with pytest.raises(CardError, match="This card was replaced before"):
            replace(card)
    assert list(Replacement.objects.order_by("pk").values_list("successor", flat=True)) == made
    assert (statuses(cards), ledger.balance(Book.LIABILITY)) == (
        [S.REPLACED, S.REPLACED, S.ACTIVE],
        {"GBP": 9000},
    )
    assert disagreeing() == []
