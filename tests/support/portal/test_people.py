"""A retailer's managers and its people."""

import threading
from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from redemption.models import INVITATIONS_LAST, MemberRole, RetailerInvitation, RetailerMember
from redemption.roles import Role
from support.actions import members
from support.actions.members import MemberError
from support.models import AuditAction, AuditEvent, AuditPersonal
from tests import factories
from tests.support.desk import shown
from tests.support.portal.people import clerk, manager

pytestmark = pytest.mark.django_db


def membership(user):
    return RetailerMember.objects.get(user=user)


def events(*actions):
    return [(e.action, e.target, e.details) for e in AuditEvent.objects.filter(action__in=actions).order_by("pk")]


def invite(client, **data):
    return client.post(
        "/retailer/people/invite/", {"retailer": "saturn", "email": "new@shop.example", "role": "clerk", **data}
    )


def test_managers_see_their_members_and_invitations(saturn):
    client, _ = manager(saturn, name="Mona Manager", email="mona@shop.example")
    factories.member(saturn, name="Carl Clerk", email="carl@shop.example")
    factories.member(name="Stranger Else", email="stranger@else.example")
    invite(client)
    said = shown(client.get("/retailer/people/"))
    for words in ("Mona Manager (you) mona@shop.example Manager", "Carl Clerk carl@shop.example Clerk"):
        assert words in said, words
    assert "Members of Saturn: 2" in said
    assert "new@shop.example Clerk" in said
    assert "stranger" not in said.lower()


def test_clerks_have_no_such_pages(saturn):
    client, user = clerk(saturn)
    pk = membership(user).pk
    assert client.get("/retailer/people/").status_code == 404
    assert invite(client).status_code == 404
    assert client.get(f"/retailer/people/{pk}/").status_code == 404
    assert client.post(f"/retailer/people/{pk}/", {"role": "manager"}).status_code == 404
    assert membership(user).role == MemberRole.CLERK
    assert "People" not in shown(client.get("/retailer/"))


def test_a_manager_of_one_retailer_is_none_of_another(saturn):
    client, user = manager(saturn)
    other = factories.retailer(name="Media", slug="media")
    RetailerMember.objects.create(retailer=other, user=user, role=MemberRole.CLERK)
    theirs = membership(factories.member(other))
    invitation = members.invite(
        retailer=other, email="x@media.example", role=MemberRole.CLERK, by=factories.member(other, MemberRole.MANAGER)
    )
    assert client.get("/retailer/people/?retailer=media").status_code == 404
    assert invite(client, retailer="media").status_code == 404
    assert client.post(f"/retailer/people/{theirs.pk}/", {"do": "remove", "sure": "on"}).status_code == 404
    assert client.post(f"/retailer/people/invitations/{invitation.pk}/withdraw/").status_code == 404
    assert client.get(f"/retailer/people/{theirs.pk}/").content == client.get("/retailer/people/999999/").content
    assert RetailerMember.objects.filter(pk=theirs.pk).exists()


# --- Inviting


@pytest.mark.parametrize("known", [None, Role.CUSTOMER, Role.AGENT, "a member elsewhere"])
def test_the_answer_is_the_same_whether_or_not_the_address_is_known(saturn, known):
    if known == "a member elsewhere":
        factories.member(email="New@shop.example")
    elif known:
        factories.user(known, email="New@shop.example")
    client, by = manager(saturn)
    answer = invite(client, email=" New@Shop.example ")
    assert (answer.status_code, answer["Location"]) == (303, "/retailer/people/?retailer=saturn")
    assert "An invitation is on its way to new@shop.example." in shown(client.get(answer["Location"]))
    made = RetailerInvitation.objects.get()
    assert (made.retailer, made.email, made.role, made.by) == (saturn, "new@shop.example", "clerk", by)
    assert made.expires_at - made.at == INVITATIONS_LAST
    assert events(AuditAction.MEMBER_INVITED) == [
        ("member_invited", f"retailer:{saturn.pk}", {"invitation": made.pk, "role": "clerk"})
    ]
    assert AuditPersonal.objects.get().text == "new@shop.example"


def test_who_is_invited_already_is_not_invited_again(saturn):
    client, _ = manager(saturn)
    invite(client)
    again = invite(client, email="NEW@shop.example")
    assert again.status_code == 409
    assert "This address is invited already: send the invitation again." in shown(again)
    assert RetailerInvitation.objects.count() == 1


def test_an_invitation_that_is_too_old_makes_room(saturn):
    client, by = manager(saturn)
    old = members.invite(
        retailer=saturn,
        email="new@shop.example",
        role=MemberRole.CLERK,
        by=by,
        now=timezone.now() - INVITATIONS_LAST - timedelta(minutes=1),
    )
    assert "Too old" in shown(client.get("/retailer/people/"))
    assert invite(client, role="manager").status_code == 303
    old.refresh_from_db()
    assert old.withdrawn_at is not None
    assert RetailerInvitation.objects.get(withdrawn_at=None).role == MemberRole.MANAGER


def test_a_member_is_not_invited(saturn):
    client, _ = manager(saturn)
    factories.member(saturn, email="carl@shop.example")
    answer = invite(client, email="Carl@shop.example")
    assert answer.status_code == 409
    assert "carl@shop.example is a member already." in shown(answer)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"email": ""}, "This field is required."),
        ({"email": "nobody"}, "Enter a valid email address."),
        ({"role": "owner"}, "Select a valid choice."),
    ],
)
def test_an_incomplete_form_is_told(saturn, data, said):
    client, _ = manager(saturn)
    answer = invite(client, **data)
    assert answer.status_code == 422
    assert said in shown(answer)
    assert RetailerInvitation.objects.count() == 0


def test_a_retailer_invites_so_many_at_a_time(saturn, monkeypatch):
    monkeypatch.setattr(members, "MOST_OPEN", 2)
    client, _ = manager(saturn)
    statuses = [invite(client, email=f"{number}@shop.example").status_code for number in range(3)]
    assert statuses == [303, 303, 409]


def test_an_invitation_is_sent_again_and_works_for_another_week(saturn):
    client, by = manager(saturn)
    three_days_ago = timezone.now() - timedelta(days=3)
    invitation = members.invite(
        retailer=saturn, email="new@shop.example", role=MemberRole.CLERK, by=by, now=three_days_ago
    )
    address = f"/retailer/people/invitations/{invitation.pk}/again/"
    assert client.post(address).status_code == 303
    before, invitation = invitation, RetailerInvitation.objects.get()
    assert invitation.expires_at - before.expires_at > timedelta(days=2, hours=23)
    refused = client.post(address)
    assert refused.status_code == 409
    assert "It was sent a moment ago." in shown(refused)


def test_an_invitation_is_withdrawn_once(saturn):
    client, _ = manager(saturn)
    invite(client)
    pk = RetailerInvitation.objects.get().pk
    assert client.post(f"/retailer/people/invitations/{pk}/withdraw/").status_code == 303
    assert RetailerInvitation.objects.get().withdrawn_at is not None
    for verb, status in (("withdraw", 409), ("again", 409), ("burn", 404)):
        assert client.post(f"/retailer/people/invitations/{pk}/{verb}/").status_code == status
    assert [details.get("did") for _, _, details in events(AuditAction.MEMBER_INVITED)] == [None, "withdrawn"]


# --- Roles and removal


def listed(client, user):
    """As signing in by the form lists a session among one's own."""
    UserSession.objects.create(user=user, session_key=client.session.session_key, ip="127.0.0.1", user_agent="")


def test_a_manager_changes_a_role(saturn):
    client, _ = manager(saturn)
    member = membership(factories.member(saturn))
    assert client.post(f"/retailer/people/{member.pk}/", {"role": "manager"}).status_code == 303
    member.refresh_from_db()
    assert member.role == MemberRole.MANAGER
    assert events(AuditAction.MEMBER_CHANGED) == [
        (
            "member_changed",
            f"retailer:{saturn.pk}",
            {"also": [f"user:{member.user_id}"], "old": "clerk", "new": "manager"},
        )
    ]
    assert client.post(f"/retailer/people/{member.pk}/", {"role": "owner"}).status_code == 422
    # The same once more changes, and records, nothing.
    assert client.post(f"/retailer/people/{member.pk}/", {"role": "manager"}).status_code == 303
    assert len(events(AuditAction.MEMBER_CHANGED)) == 1


@pytest.mark.parametrize("data", [{"role": "clerk"}, {"do": "remove", "sure": "on"}])
def test_the_last_manager_stays(saturn, data):
    client, user = manager(saturn)
    factories.member(saturn)
    # One who cannot sign in is none.
    factories.member(saturn, MemberRole.MANAGER, is_active=False)
    factories.member(role=MemberRole.MANAGER)
    refused = client.post(f"/retailer/people/{membership(user).pk}/", data)
    assert refused.status_code == 409
    assert "This is the last manager: make somebody else a manager first." in shown(refused)
    assert membership(user).role == MemberRole.MANAGER


def test_the_desk_may_remove_the_last_manager(saturn):
    user = factories.member(saturn, MemberRole.MANAGER)
    members.remove(membership(user), by=factories.user(Role.MANAGER))
    assert not saturn.members.exists()


def test_nobody_is_removed_without_saying_so(saturn):
    client, _ = manager(saturn)
    member = membership(factories.member(saturn))
    asked = client.post(f"/retailer/people/{member.pk}/", {"do": "remove"})
    assert asked.status_code == 422
    assert "Tick the box to say that you mean it." in shown(asked)
    assert RetailerMember.objects.filter(pk=member.pk).exists()


def test_who_is_removed_is_signed_out_at_once(saturn):
    client, _ = manager(saturn)
    theirs, carl = clerk(saturn)
    assert theirs.get("/retailer/").status_code == 200
    listed(theirs, carl)
    removed = client.post(f"/retailer/people/{membership(carl).pk}/", {"do": "remove", "sure": "on"})
    assert removed["Location"] == "/retailer/people/?retailer=saturn"
    assert theirs.get("/retailer/").status_code == 302
    assert events(AuditAction.MEMBER_REMOVED) == [
        ("member_removed", f"retailer:{saturn.pk}", {"also": [f"user:{carl.pk}"], "role": "clerk"})
    ]


def test_who_belongs_to_another_retailer_stays_signed_in(saturn):
    client, _ = manager(saturn)
    theirs, carl = clerk(saturn)
    other = factories.retailer(name="Media")
    RetailerMember.objects.create(retailer=other, user=carl)
    listed(theirs, carl)
    pk = RetailerMember.objects.get(retailer=saturn, user=carl).pk
    client.post(f"/retailer/people/{pk}/", {"do": "remove", "sure": "on"})
    said = shown(theirs.get("/retailer/"))
    assert "Media" in said
    assert "Saturn" not in said


def test_a_manager_who_removes_himself_leaves_the_pages(saturn):
    client, user = manager(saturn)
    factories.member(saturn, MemberRole.MANAGER)
    left = client.post(f"/retailer/people/{membership(user).pk}/", {"do": "remove", "sure": "on"})
    assert (left.status_code, left["Location"]) == (303, "/")
    assert client.get("/retailer/").status_code in {302, 404}


def test_a_long_list_of_people_goes_on(saturn):
    client, _ = manager(saturn, name="Zora")
    for number in range(50):
        factories.member(saturn, name=f"Clerk {number:02}")
    first, second = (client.get(f"/retailer/people/?page={page}") for page in (1, 2))
    assert [len(page.context["members"]) for page in (first, second)] == [50, 1]
    assert "Zora" in shown(second)


def test_the_list_asks_as_much_for_three_people_as_for_one(saturn):
    client, by = manager(saturn)
    counts = []
    for number in range(3):
        factories.member(saturn)
        members.invite(retailer=saturn, email=f"{number}@shop.example", role=MemberRole.CLERK, by=by)
        with CaptureQueriesContext(connection) as asked:
            client.get("/retailer/people/")
        counts.append(len(asked))
    assert counts[0] == counts[2]


@pytest.mark.parametrize("role", [Role.AGENT, Role.SOCIAL_MEDIA, Role.AUDITOR, Role.CUSTOMER])
def test_who_manages_no_retailers_cannot_go_round_the_pages(saturn, role):
    by, member = factories.user(role), membership(factories.member(saturn))
    for attempt in (
        lambda: members.invite(retailer=saturn, email="x@x.example", role=MemberRole.MANAGER, by=by),
        lambda: members.change_role(member, role=MemberRole.MANAGER, by=by),
        lambda: members.remove(member, by=by),
    ):
        with pytest.raises(MemberError):
            attempt()
    assert membership(member.user).role == MemberRole.CLERK


def together(*works):
    """Runs them at once, each with a connection of its own; returns what each raised, or None."""
    start, outcomes = threading.Barrier(len(works)), [None] * len(works)

    def run(place, work):
        try:
            start.wait()
            work()
        except MemberError as refused:
            outcomes[place] = str(refused)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=job) for job in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.mark.django_db(transaction=True)
def test_of_two_managers_who_remove_each_other_one_stays():
    saturn = factories.retailer()
    one, two = (factories.member(saturn, MemberRole.MANAGER) for _ in range(2))
    outcomes = together(
        lambda: members.remove(membership(two), by=one),
        lambda: members.remove(membership(one), by=two),
    )
    assert sorted(outcome is None for outcome in outcomes) == [False, True]
    assert saturn.members.filter(role=MemberRole.MANAGER).count() == 1
