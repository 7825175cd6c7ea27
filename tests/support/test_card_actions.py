"""What staff do to one card from its page."""

import re

import pytest

from redemption.models import BatchStatus, CardEvent, CodeStatus, Transfer
from redemption.roles import PERMISSIONS, Permission, Role
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db

VERBS = [
    ("activate", Permission.MANAGE_BATCHES, CodeStatus.INACTIVE, CodeStatus.ACTIVE),
    ("freeze", Permission.FREEZE, CodeStatus.ACTIVE, CodeStatus.FROZEN),
    ("thaw", Permission.FREEZE, CodeStatus.FROZEN, CodeStatus.ACTIVE),
]


def act(client, card, verb, **fields):
    fields = fields or ({} if verb == "activate" else {"reason": "reported stolen"})
    return client.post(f"/codes/{card.serial}/do/{verb}/", fields)


def offered(client, card):
    return re.findall(r"/do/(\w+)/", client.get(f"/codes/{card.serial}/").content.decode())


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("verb", "permission", "before", "after"), VERBS)
def test_each_role_does_what_it_may(verb, permission, before, after, role):
    card = factories.card(status=before)
    client, person = at_the_desk(role)
    may = permission in PERMISSIONS[role]
    assert (verb in offered(client, card)) is may
    response = act(client, card, verb)
    if may:
        assert (response.status_code, response.headers["Location"]) == (303, f"/codes/{card.serial}/")
        assert "1 card changed." in shown(client.get(f"/codes/{card.serial}/"))
        event = CardEvent.objects.get()
        assert (event.by, event.reason) == (person, "" if verb == "activate" else "reported stolen")
        assert card.row.status == after
    else:
        assert response.status_code == 404
        assert card.row.status == before
        assert not CardEvent.objects.exists()


@pytest.mark.parametrize(
    ("status", "verbs"),
    [
        (CodeStatus.INACTIVE, ["activate", "freeze"]),
        (CodeStatus.ACTIVE, ["freeze"]),
        (CodeStatus.FROZEN, ["thaw"]),
        (CodeStatus.REDEEMED, []),
        (CodeStatus.VOID, []),
    ],
)
def test_only_what_fits_the_status_is_offered_and_the_rest_changes_nothing(status, verbs):
    card = factories.card(status=status)
    client, _ = at_the_desk(Role.MANAGER)
    assert offered(client, card) == verbs
    for verb, *_ in VERBS:
        if verb not in verbs:
            assert act(client, card, verb).status_code == 303
            words = shown(client.get(f"/codes/{card.serial}/"))
            assert f"0 cards changed; left alone: 1 {status.label.lower()}." in words
    assert card.row.status == status
    assert not CardEvent.objects.exists()


@pytest.mark.parametrize(("verb", "before"), [(verb, before) for verb, _, before, _ in VERBS])
def test_a_second_post_changes_nothing_and_says_so(verb, before):
    card = factories.card(status=before)
    client, _ = at_the_desk(Role.MANAGER)
    for sentence in ("1 card changed.", "0 cards changed; left alone: 1 "):
        act(client, card, verb)
        assert sentence in shown(client.get(f"/codes/{card.serial}/"))
    assert CardEvent.objects.count() == 1
    assert Transfer.objects.count() == 1


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "a\0b"])
@pytest.mark.parametrize("status", [CodeStatus.INACTIVE, CodeStatus.FROZEN])
def test_a_reason_is_asked_for(status, reason):
    card = factories.card(status=status)
    client, _ = at_the_desk(Role.MANAGER)
    response = act(client, card, "thaw" if status == CodeStatus.FROZEN else "freeze", reason=reason)
    assert response.status_code == 422
    assert "errors" in response.content.decode()
    assert response.content.decode().count('name="reason"') == 1
    assert card.row.status == status


def test_a_reason_holds_no_code():
    card = factories.card()
    client, _ = at_the_desk()
    for text in (card.text, card.text.lower().replace("-", " ")):
        response = act(client, card, "freeze", reason=f"reported stolen: {text}")
        assert response.status_code == 422
        assert "There is a code in it" in shown(response)
    assert card.row.status == CodeStatus.ACTIVE


def test_what_the_domain_refuses_is_said():
    card = factories.card(factories.batch(status=BatchStatus.CLOSED), status=CodeStatus.INACTIVE)
    client, _ = at_the_desk(Role.MANAGER)
    assert act(client, card, "activate").status_code == 303
    assert f"Batch {card.batch} is closed: its cards cannot be sold." in shown(client.get(f"/codes/{card.serial}/"))
    assert card.row.status == CodeStatus.INACTIVE


def test_other_verbs_cards_and_methods_are_not_there():
    card = factories.card()
    client, _ = at_the_desk(Role.MANAGER)
    assert act(client, card, "void").status_code == 404
    assert client.post("/codes/9999999999/do/freeze/", {"reason": "stolen"}).status_code == 404
    assert client.get(f"/codes/{card.serial}/do/freeze/").status_code == 405
    assert card.row.status == CodeStatus.ACTIVE
