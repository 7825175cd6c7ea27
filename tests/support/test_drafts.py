"""Drafts: kept per ticket, person and kind, beyond the session's end, and never a message twice."""

from datetime import timedelta

import pytest
from django.conf import settings

from redemption.roles import Role
from support.models import Draft, Message, MessageKind, Presence
from support.presence import say_here
from tests import factories
from tests.factories import NOON
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket():
    return factories.ticket()


def open_boxes(client, ticket):
    """What the page's boxes post besides their text, by kind."""
    context = client.get(f"/tickets/{ticket.reference}/").context
    return {
        box.kind: {
            "keeper": context["keeper"],
            "kind": box.kind,
            **{name: box[name].value() or "" for name in ("body", "send_key", "seen", "status")},
        }
        for box in context["boxes"]
    }


def keep(client, ticket, box, body):
    return client.post(f"/tickets/{ticket.reference}/draft/", box | {"body": body})


def test_each_person_and_kind_has_a_draft_of_its_own(ticket):
    (ada, _), (bob, _) = at_the_desk(), at_the_desk()
    for client, name in [(ada, "Ada"), (bob, "Bob")]:
        for kind, box in open_boxes(client, ticket).items():
            assert keep(client, ticket, box, f"{name}’s {kind}").status_code == 200
    assert Draft.objects.count() == 4
    for client, name in [(ada, "Ada"), (bob, "Bob")]:
        assert {kind: box["body"] for kind, box in open_boxes(client, ticket).items()} == {
            "reply": f"{name}’s reply",
            "note": f"{name}’s note",
        }


def test_a_draft_survives_signing_out(ticket):
    client, agent = at_the_desk()
    keep(client, ticket, open_boxes(client, ticket)["reply"], "Dear Ada")
    client.logout()
    client, _ = at_the_desk(user=agent)
    assert open_boxes(client, ticket)["reply"]["body"] == "Dear Ada"


def test_blank_text_keeps_no_draft(ticket):
    client, _ = at_the_desk()
    box = open_boxes(client, ticket)["reply"]
    keep(client, ticket, box, "Dear")
    keep(client, ticket, box, "  ")
    assert not Draft.objects.exists()


def test_what_was_sent_is_no_draft_any_more_even_when_it_is_kept_late(ticket):
    client, _ = at_the_desk()
    box = open_boxes(client, ticket)["reply"]
    keep(client, ticket, box, "Dear Ada")
    assert client.post(f"/tickets/{ticket.reference}/write/reply/", box | {"body": "Dear Ada!"}).status_code == 303
    assert not Draft.objects.exists()
    keep(client, ticket, box, "Dear Ada!")
    assert not Draft.objects.exists()


def test_sending_a_note_leaves_the_reply_s_draft(ticket):
    client, _ = at_the_desk()
    boxes = open_boxes(client, ticket)
    keep(client, ticket, boxes["reply"], "Dear Ada")
    client.post(f"/tickets/{ticket.reference}/write/note/", boxes["note"] | {"body": "Odd."})
    assert open_boxes(client, ticket)["reply"]["body"] == "Dear Ada"


def test_a_form_sent_after_the_session_ended_is_back_in_the_box_after_signing_in(ticket):
    client, agent = at_the_desk()
    box = open_boxes(client, ticket)["reply"]
    client.cookies.pop(settings.SESSION_COOKIE_NAME)
    response = client.post(f"/tickets/{ticket.reference}/write/reply/", box | {"body": "An hour’s work"})
    assert response.status_code == 303
    assert response["Location"].startswith("/accounts/login/?next=%2Ftickets%2FTK-")
    assert "work" not in response["Location"]
    assert not Message.objects.filter(kind=MessageKind.REPLY).exists()
    client, _ = at_the_desk(user=agent)
    page = client.get(f"/tickets/{ticket.reference}/")
    assert "An hour’s work" in shown(page)


def test_typing_on_after_the_session_ended_is_kept_and_said(ticket):
    client, agent = at_the_desk()
    box = open_boxes(client, ticket)["note"]
    client.logout()
    assert keep(client, ticket, box, "Nobody saw me signed out").status_code == 401
    assert Draft.objects.get().person == agent


def test_nobody_keeps_a_draft_for_somebody_else(ticket):
    client, agent = at_the_desk()
    box = open_boxes(client, ticket)["reply"]
    other = factories.ticket()
    assert keep(client, other, box, "On another ticket").status_code == 404
    assert keep(client, ticket, box | {"keeper": box["keeper"][:-3] + "abc"}, "Forged").status_code == 404
    assert keep(client, ticket, box | {"kind": "customer"}, "As the customer").status_code == 404
    assert keep(client, ticket, box, "with \0").status_code == 404
    agent.is_active = False
    agent.save()
    assert keep(client, ticket, box, "Dismissed").status_code == 404
    assert not Draft.objects.exists()


def test_what_one_wrote_is_not_sent_by_the_next_who_signs_in(ticket):
    client, ada = at_the_desk()
    box = open_boxes(client, ticket)["reply"]
    client, _ = at_the_desk()
    response = client.post(f"/tickets/{ticket.reference}/write/reply/", box | {"body": "Ada’s words"}, follow=True)
    assert f"{ada} wrote this before you signed in" in shown(response)
    assert not Message.objects.filter(kind=MessageKind.REPLY).exists()
    assert (Draft.objects.get().person, Draft.objects.get().body) == (ada, "Ada’s words")


# --- Who else is here


def test_two_people_see_each_other_and_who_writes(ticket):
    (ada, ada_user), (bob, bob_user) = at_the_desk(), at_the_desk(Role.AUDITOR)
    address = f"/tickets/{ticket.reference}/presence/"
    assert ada.post(address, {"typing": "0"}).json()["others"] == []
    assert bob.post(address).json()["others"] == [{"name": str(ada_user), "typing": False}]
    assert ada.post(address, {"typing": "1"}).json()["others"] == [{"name": str(bob_user), "typing": False}]
    told = bob.post(address).json()
    assert told["others"] == [{"name": str(ada_user), "typing": True}]
    assert told["newest"] == Message.objects.get().pk
    ada.post(address, {"gone": "1"})
    assert bob.post(address).json()["others"] == []


def test_who_is_silent_for_ten_seconds_is_gone_and_after_a_minute_swept(ticket):
    ada, bob = factories.user(Role.AGENT), factories.user(Role.AGENT)
    say_here(ticket=ticket, by=ada, is_typing=True, now=NOON)
    assert len(say_here(ticket=ticket, by=bob, is_typing=False, now=NOON + timedelta(seconds=9))) == 1
    assert say_here(ticket=ticket, by=bob, is_typing=False, now=NOON + timedelta(seconds=11)) == []
    assert Presence.objects.count() == 2
    say_here(ticket=factories.ticket(), by=bob, is_typing=False, now=NOON + timedelta(seconds=72))
    assert not Presence.objects.filter(ticket=ticket).exists()


def test_nobody_is_present_where_he_may_not_look(ticket):
    client, _ = at_the_desk(Role.SOCIAL_MEDIA)
    assert client.post(f"/tickets/{ticket.reference}/presence/").status_code == 404
    assert not Presence.objects.exists()
