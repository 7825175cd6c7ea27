"""A retailer's members on its page in the admin."""

import pytest

from redemption.models import MemberRole, Program, RetailerInvitation, RetailerMember
from redemption.roles import Role
from support.models import AuditAction, AuditEvent
from tests import factories
from tests.support.desk import at_the_desk, shown
from tests.support.test_nothing_unrecorded import posted

pytestmark = pytest.mark.django_db


@pytest.fixture
def saturn():
    return factories.retailer(name="Saturn")


def address(retailer, end="change/"):
    return f"/admin/redemption/retailer/{retailer.pk}/{end}"


def did(*actions):
    return list(
        AuditEvent.objects.filter(action__in=actions).order_by("pk").values_list("action", "target", "actor_id")
    )


def test_the_desk_invites_the_first_manager(saturn):
    client, manager = at_the_desk(Role.MANAGER)
    assert "Nobody signs in for this retailer yet." in shown(client.get(address(saturn)))
    invited = client.post(address(saturn, "invite/"), {"email": "Boss@shop.example", "role": "manager"})
    assert (invited.status_code, invited["Location"]) == (302, address(saturn))
    made = RetailerInvitation.objects.get()
    assert (made.retailer, made.email, made.role, made.by) == (
        saturn,
        "boss@shop.example",
        MemberRole.MANAGER,
        manager,
    )
    said = shown(client.get(address(saturn)))
    assert "An invitation is on its way to boss@shop.example." in said
    assert "boss@shop.example Manager" in said
    assert did(AuditAction.MEMBER_INVITED) == [("member_invited", f"retailer:{saturn.pk}", manager.pk)]


@pytest.mark.parametrize("data", [{"email": "", "role": "manager"}, {"email": "x@x.example", "role": "owner"}])
def test_what_is_no_address_or_role_invites_nobody(saturn, data):
    client, _ = at_the_desk(Role.MANAGER)
    client.post(address(saturn, "invite/"), data)
    assert "Nobody was invited" in shown(client.get(address(saturn)))
    assert not RetailerInvitation.objects.exists()


def test_an_invitation_is_withdrawn_once(saturn):
    client, _ = at_the_desk(Role.MANAGER)
    client.post(address(saturn, "invite/"), {"email": "boss@shop.example", "role": "manager"})
    pk = RetailerInvitation.objects.get().pk
    client.post(address(saturn, f"invitations/{pk}/again/"))
    assert "It was sent a moment ago." in shown(client.get(address(saturn)))
    client.post(address(saturn, f"invitations/{pk}/withdraw/"))
    assert RetailerInvitation.objects.get().withdrawn_at is not None
    client.post(address(saturn, f"invitations/{pk}/withdraw/"))
    assert "This invitation is over" in shown(client.get(address(saturn)))
    assert client.post(address(saturn, f"invitations/{pk}/burn/")).status_code == 404
    assert client.post(address(factories.retailer(), f"invitations/{pk}/again/")).status_code == 404


def test_members_are_shown_and_removed(saturn):
    mona = factories.member(saturn, MemberRole.MANAGER, name="Mona Manager", email="mona@shop.example")
    elsewhere = RetailerMember.objects.get(user=factories.member(name="Elsa Elsewhere"))
    client, manager = at_the_desk(Role.MANAGER)
    said = shown(client.get(address(saturn)))
    assert "Mona Manager mona@shop.example Manager" in said
    assert "Elsa" not in said
    assert client.post(address(saturn, f"members/{elsewhere.pk}/remove/")).status_code == 404
    pk = RetailerMember.objects.get(user=mona).pk
    assert client.post(address(saturn, f"members/{pk}/remove/")).status_code == 302
    assert not saturn.members.exists()
    assert did(AuditAction.MEMBER_REMOVED) == [("member_removed", f"retailer:{saturn.pk}", manager.pk)]


@pytest.mark.parametrize(
    "role", [None, Role.CUSTOMER, Role.RETAILER, Role.SOCIAL_MEDIA, Role.AGENT, Role.SENIOR_AGENT, Role.AUDITOR]
)
def test_only_managers_of_the_desk_change_them(saturn, role, client):
    if role:
        client, _ = at_the_desk(role)
    member = RetailerMember.objects.get(user=factories.member(saturn))
    for end in ("invite/", f"members/{member.pk}/remove/"):
        assert client.post(address(saturn, end), {"email": "x@x.example", "role": "manager"}).status_code in {302, 404}
    assert saturn.members.count() == 1
    assert not RetailerInvitation.objects.exists()
    if role == Role.AGENT:
        said = shown(client.get(address(saturn)))
        assert member.user.email in said
        assert "Remove…" not in said


def test_nothing_is_done_by_reading(saturn):
    client, _ = at_the_desk(Role.ADMINISTRATOR)
    member = RetailerMember.objects.get(user=factories.member(saturn))
    for end in ("invite/", f"members/{member.pk}/remove/"):
        assert client.get(address(saturn, end)).status_code == 404


def test_a_program_says_what_it_asks_of_retailers():
    program = factories.program()
    client, _ = at_the_desk(Role.MANAGER)
    path = f"/admin/redemption/program/{program.pk}/change/"
    form = posted(client.get(path), {"retailer_second_factor": "on", "deactivation_minutes": "15"})
    assert client.post(path, form).status_code == 302
    saved = Program.objects.get(pk=program.pk)
    assert (saved.retailer_second_factor, saved.deactivation_minutes) == (True, 15)
