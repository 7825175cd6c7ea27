"""The link from an invitation's mail."""

import re
import threading
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone

from redemption.code_spotting import CodeSpotter
from redemption.models import INVITATIONS_LAST, MemberRole, RetailerInvitation, RetailerMember, User
from redemption.roles import Role
from support.actions import members
from support.actions.members import MemberError
from support.jobs import send_invitation_job
from support.mail.invitations import link, send
from support.models import AuditAction, AuditEvent
from tests import factories
from tests.support.desk import at_the_desk, shown
from tests.support.portal.people import clerk, signed_in

pytestmark = pytest.mark.django_db

NEW = {"name": "Nina New", "password": "correct horse battery", "again": "correct horse battery"}


def invited(email="new@shop.example", role=MemberRole.CLERK, of=None, now=None):
    of = of or factories.retailer(name="Saturn", slug="saturn")
    return members.invite(retailer=of, email=email, role=role, by=factories.user(Role.MANAGER), now=now)


def path_of(invitation):
    return link(invitation).removeprefix("http://localhost:8000")


def is_over(response):
    return response.status_code == 404 and "This link does not work any more" in shown(response)


# --- The mail


def test_the_mail_has_a_link_for_its_address_alone():
    invitation = invited(role=MemberRole.MANAGER)
    send(invitation.pk)
    (sent,) = mail.outbox
    assert sent.to == ["new@shop.example"]
    assert sent.subject == "You are invited to report cards for Saturn"
    assert "as a manager" in sent.body
    (address,) = re.findall(r"http://\S+", sent.body)
    assert Client().get(address.removeprefix("http://localhost:8000")).status_code == 200


def test_the_job_holds_no_link():
    invitation = invited()
    with connection.cursor() as cursor:
        cursor.execute("SELECT args::text FROM procrastinate_jobs WHERE task_name = %s", [send_invitation_job.name])
        assert cursor.fetchall() == [(f'{{"invitation_id": {invitation.pk}}}',)]


def test_what_was_withdrawn_meanwhile_is_not_mailed():
    invitation = invited()
    members.withdraw(invitation, by=factories.user(Role.MANAGER))
    send(invitation.pk)
    assert mail.outbox == []


def test_no_link_looks_like_a_code():
    factories.program(), factories.pin_program()
    spotter = CodeSpotter()
    assert not any(spotter.holds_code([path_of(RetailerInvitation(pk=pk))]) for pk in range(1, 200))


# --- Somebody new


def test_somebody_new_makes_a_sign_in_and_is_a_member():
    invitation = invited(role=MemberRole.MANAGER)
    client = Client()
    opened = client.get(path_of(invitation))
    assert opened.status_code == 200
    assert "Join Saturn" in shown(opened)
    assert opened.headers["Cache-Control"] == "no-store"
    joined = client.post(path_of(invitation), NEW)
    assert (joined.status_code, joined["Location"]) == (302, "/retailer/")
    user = User.objects.get(email="new@shop.example")
    assert (user.name, user.role, user.check_password(NEW["password"])) == ("Nina New", Role.RETAILER, True)
    member = RetailerMember.objects.get()
    assert (member.retailer, member.user, member.role) == (invitation.retailer, user, MemberRole.MANAGER)
    assert "Nina New" in shown(client.get("/retailer/"))
    did = [(e.action, e.actor_id) for e in AuditEvent.objects.order_by("pk")]
    assert did[-2:] == [(AuditAction.MEMBER_JOINED, user.pk), (AuditAction.SIGNED_IN, user.pk)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, "This field is required."),
        ({"again": "something else altogether"}, "The two passwords are not the same."),
        ({"password": "short", "again": "short"}, "This password is too short."),
        ({"password": "new@shop.example", "again": "new@shop.example"}, "too similar"),
        ({"password": "passwordpassword", "again": "different"}, "The two passwords are not the same."),
    ],
)
def test_what_is_wrong_with_the_form_is_said_and_makes_nobody(wrong, said):
    invitation = invited()
    answer = Client().post(path_of(invitation), {**NEW, **wrong})
    assert answer.status_code == 422
    assert said in shown(answer)
    assert NEW["password"] not in answer.content.decode()
    assert not User.objects.filter(email="new@shop.example").exists()
    invitation.refresh_from_db()
    assert invitation.accepted_at is None


def test_a_code_in_the_name_is_kept_nowhere():
    invitation, card = invited(), factories.card()
    client = Client()
    assert client.post(path_of(invitation), {**NEW, "name": f"Nina {card.text}"}).status_code == 302
    user = User.objects.get(email="new@shop.example")
    assert user.name == "Nina [code]"
    reported = factories.report(factories.card(factories.batch(retailer_id=invitation.retailer_id)), by=user)
    assert (reported.reporter_name, reported.ticket.requester_name) == ("Nina [code]", "Nina [code]")
    assert card.text not in shown(client.get("/retailer/"))


def test_a_name_that_may_be_a_guess_is_counted_and_then_refused(settings):
    settings.ATTEMPTS_PER_RETAILER = 1
    pin = factories.card(factories.batch(factories.product(factories.pin_program())))
    saturn = factories.retailer(name="Saturn")
    for email, wanted in (("first@shop.example", 302), ("second@shop.example", 422)):
        answer = Client().post(path_of(invited(email, of=saturn)), {**NEW, "name": f"Nina {pin.text}"})
        assert answer.status_code == wanted
    assert "too many numbers were written that could be codes" in shown(answer)
    assert list(User.objects.filter(email__endswith="@shop.example").values_list("name")) == [("Nina [code]",)]


# --- Somebody who has a sign-in


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.RETAILER])
def test_who_has_a_sign_in_signs_in_first_and_accepts(role):
    user, invitation = factories.user(role, email="Carl@shop.example"), invited("carl@shop.example")
    path = path_of(invitation)
    sent_on = Client().get(path)
    assert (sent_on.status_code, sent_on["Location"]) == (302, f"/accounts/login/?next={path}")
    assert Client().post(path, NEW).status_code == 302
    assert User.objects.get(email__iexact="carl@shop.example").name != NEW["name"]
    client = signed_in(user)
    assert "Join Saturn" in shown(client.get(path))
    assert RetailerMember.objects.count() == 0
    accepted = client.post(path)
    assert (accepted.status_code, accepted["Location"]) == (303, "/retailer/")
    assert "You are a member of Saturn now." in shown(client.get("/retailer/"))
    user.refresh_from_db()
    assert user.role == Role.RETAILER
    changed = AuditEvent.objects.filter(action=AuditAction.ROLE_CHANGED)
    assert [e.details for e in changed] == ([{"old": "customer", "new": "retailer"}] if role == Role.CUSTOMER else [])


def test_a_clerk_who_is_invited_as_a_manager_becomes_one_and_never_the_other_way():
    saturn = factories.retailer(name="Saturn")
    client, user = clerk(saturn, email="carl@shop.example")
    for role in (MemberRole.MANAGER, MemberRole.CLERK):
        by = factories.user(Role.MANAGER)
        invitation = RetailerInvitation.objects.create(
            retailer=saturn,
            email=user.email,
            role=role,
            by=by,
            at=timezone.now(),
            expires_at=timezone.now() + INVITATIONS_LAST,
        )
        assert client.post(path_of(invitation)).status_code == 303
    assert [member.role for member in saturn.members.all()] == [MemberRole.MANAGER]


def test_an_invitation_is_for_its_address_alone():
    client, _ = clerk()
    path = path_of(invited())
    for answer in (client.get(path), client.post(path)):
        assert answer.status_code == 409
        assert "It was sent to another address" in shown(answer)
        assert "new@shop.example" not in shown(answer)
    assert not User.objects.filter(email="new@shop.example").exists()


@pytest.mark.parametrize("is_active", [True, False])
def test_staff_are_refused_with_a_sentence(is_active):
    user = factories.user(Role.AGENT, email="agent@desk.example", is_active=is_active)
    path = path_of(invited(user.email))
    browsers = [Client(), at_the_desk(user=user)[0]] if is_active else [Client()]
    for client in browsers:
        for answer in (client.get(path), client.post(path, NEW)):
            assert answer.status_code == 409
            assert "staff are no members of retailers" in shown(answer)
    assert RetailerMember.objects.count() == 0


def test_who_is_switched_off_is_told_so():
    factories.user(Role.RETAILER, email="new@shop.example", is_active=False)
    answer = Client().get(path_of(invited()))
    assert answer.status_code == 409
    assert "Your sign-in is switched off." in shown(answer)


# --- Links that are over


def test_forged_old_used_and_withdrawn_links_are_the_same_page():
    saturn = factories.retailer(name="Saturn")
    old = invited("old@shop.example", of=saturn, now=timezone.now() - INVITATIONS_LAST)
    used, withdrawn = (invited(f"{name}@shop.example", of=saturn) for name in ("used", "withdrawn"))
    members.sign_up(used, name="Ulla", password=NEW["password"])
    members.withdraw(withdrawn, by=factories.user(Role.MANAGER))
    good = path_of(invited(of=saturn))
    forged = good[:-3] + ("00/" if good[-3:] != "00/" else "11/")
    paths = [*map(path_of, (old, used, withdrawn)), forged, "/retailer/invitation/x/", "/retailer/invitation/ff/"]
    pages = [Client().get(path) for path in paths] + [Client().post(path, NEW) for path in paths]
    assert all(map(is_over, pages))
    assert len({page.content for page in pages}) == 1
    assert not User.objects.filter(name=NEW["name"]).exists()


def test_a_link_is_good_for_a_week_and_a_new_one_for_another():
    invitation = invited()
    path = path_of(invitation)
    with time_machine.travel(timezone.now() + INVITATIONS_LAST - timedelta(minutes=1), tick=False):
        assert Client().get(path).status_code == 200
        members.send_again(invitation, by=factories.user(Role.MANAGER))
        newer = path_of(invitation)
    with time_machine.travel(timezone.now() + INVITATIONS_LAST + timedelta(minutes=1), tick=False):
        assert is_over(Client().get(path))
        assert Client().get(newer).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_two_clicks_at_once_one_joins():
    invitation = invited()
    outcomes, start = [], threading.Barrier(2)

    def join():
        try:
            start.wait()
            members.sign_up(invitation, name="Nina", password=NEW["password"])
            outcomes.append("joined")
        except MemberError:
            outcomes.append("over")
        finally:
            connection.close()

    threads = [threading.Thread(target=join) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["joined", "over"]
    assert (User.objects.filter(email=invitation.email).count(), RetailerMember.objects.count()) == (1, 1)
