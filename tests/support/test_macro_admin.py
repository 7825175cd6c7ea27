"""Managers write macros; agents read them."""

import pytest

from redemption.roles import Role
from support.models import AuditAction, AuditEvent, Macro
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db
ADD = "/admin/support/macro/add/"
FORM = {"name": "Works now", "kind": "reply", "body": "Dear {requester}", "is_active": "on", "add_tags": "VIP, vip"}


def test_a_manager_writes_a_macro_and_it_is_audited():
    client, manager = at_the_desk(Role.MANAGER)
    page = client.get(ADD)
    assert "{expires_on} the card's last day" in shown(page)
    assert client.post(ADD, FORM).status_code == 302
    macro = Macro.objects.get()
    assert (macro.body, macro.add_tags) == ("Dear {requester}", ["vip"])
    event = AuditEvent.objects.get(action=AuditAction.DESK_CHANGED)
    assert (event.actor_id, event.target) == (manager.pk, f"macro:{macro.pk}")


def test_an_unknown_variable_or_a_code_is_refused():
    client, _ = at_the_desk(Role.MANAGER)
    assert "No such variable: {customer}." in shown(client.post(ADD, FORM | {"body": "Dear {customer}"}))
    assert "There is a code in it" in shown(client.post(ADD, FORM | {"body": f"Try {factories.card().text}"}))
    assert not Macro.objects.exists()


@pytest.mark.parametrize(("role", "lists", "adds"), [(Role.AGENT, 200, 404), (Role.AUDITOR, 404, 404)])
def test_others_change_none(role, lists, adds):
    client, _ = at_the_desk(role)
    assert client.get("/admin/support/macro/").status_code == lists
    assert client.post(ADD, FORM).status_code == adds
    assert not Macro.objects.exists()
