"""The reasons for credits: kept by managers, each change on record, and retired rather than deleted."""

import pytest

from redemption.roles import Role
from support.models import AuditAction, AuditEvent, CreditReason
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db

LIST = "/admin/support/creditreason/"


def fields(**changed):
    return {"name": "Wrong colour", "slug": "wrong-colour", "description": "", "proof": "card", **changed}


def test_a_manager_adds_a_reason_and_agents_are_offered_it():
    client, manager = at_the_desk(Role.MANAGER)
    assert client.post(f"{LIST}add/", fields()).status_code == 302
    reason = CreditReason.objects.get(slug="wrong-colour")
    event = AuditEvent.objects.get(action=AuditAction.REASON_CHANGED)
    assert (event.actor_id, event.target) == (manager.pk, f"reason:{reason.pk}")
    page = at_the_desk()[0].get(f"/credits/new/?account={factories.account().reference}")
    assert "Wrong colour Needs: the card." in shown(page)


def test_a_reason_is_retired_and_its_slug_stays_what_requests_name():
    reason = CreditReason.objects.get(slug="goodwill")
    client, _ = at_the_desk(Role.MANAGER)
    changed = fields(name=reason.name, slug="another", is_retired="on", proof="nothing")
    assert client.post(f"{LIST}{reason.pk}/change/", changed).status_code == 302
    reason.refresh_from_db()
    assert (reason.is_retired, reason.slug) == (True, "goodwill")
    assert "is_retired" in AuditEvent.objects.get(action=AuditAction.REASON_CHANGED).details["fields"]
    assert "Retired" in shown(client.get(LIST))


def test_what_changes_nothing_leaves_no_event():
    reason = CreditReason.objects.get(slug="goodwill")
    client, _ = at_the_desk(Role.MANAGER)
    same = fields(name=reason.name, description=reason.description, proof=reason.proof)
    assert client.post(f"{LIST}{reason.pk}/change/", same).status_code == 302
    assert not AuditEvent.objects.filter(action=AuditAction.REASON_CHANGED).exists()


def test_moving_cards_keeps_its_reason():
    reason = CreditReason.objects.get(slug="moved_card")
    client, _ = at_the_desk(Role.MANAGER)
    answer = client.post(f"{LIST}{reason.pk}/change/", fields(name=reason.name, is_retired="on", needs_approval="on"))
    assert "What a card gave is moved under this reason: it stays in use." in shown(answer)
    reason.refresh_from_db()
    assert not reason.is_retired


def test_a_code_stands_in_no_reason():
    card = factories.card()
    answer = at_the_desk(Role.MANAGER)[0].post(f"{LIST}add/", fields(description=f"As with {card.text}"))
    assert "There is a code in it, and a reason is read by everybody." in shown(answer)
    assert not CreditReason.objects.filter(slug="wrong-colour").exists()
