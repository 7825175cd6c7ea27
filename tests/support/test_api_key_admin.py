"""Keys of retailers' systems in the admin: looked at, and revoked."""

import pytest

from redemption.roles import Role
from support.models import AuditAction, AuditEvent
from tests import factories
from tests.support.desk import at_the_desk, shown
from tests.support.till.tills import Till, key, told

pytestmark = pytest.mark.django_db


def opens(token):
    return told(Till(token=token).get("/cards/1000000000")) == (404, "unknown_card")


def test_staff_see_each_retailers_keys_and_no_secret():
    client, _ = at_the_desk(Role.AGENT)
    (row, text), (other, _) = key(name="tills, Malmö"), key(name="tills, Lund")
    listed = client.get("/admin/redemption/apikey/")
    for one in (row, other):
        assert f"{one.name} rd_{one.prefix}_… {one.retailer}" in shown(listed)
    page = client.get(f"/admin/redemption/apikey/{row.pk}/change/")
    assert "Activate cards, Take a sale back, Report compromised cards, Ask for a card’s status" in shown(page)
    for answered in (listed, page):
        assert text.split("_", 2)[2] not in answered.content.decode()
        assert bytes(row.digest).hex() not in answered.content.decode()
    assert "Yes, revoke" not in shown(page)


def test_who_changes_retailers_revokes_their_keys():
    client, manager = at_the_desk(Role.MANAGER)
    row, text = key()
    page = client.get(f"/admin/redemption/apikey/{row.pk}/change/")
    assert f"Yes, revoke rd_{row.prefix}_…" in shown(page)
    assert opens(text)
    for _ in range(2):
        answered = client.post(f"/admin/redemption/apikey/{row.pk}/revoke/")
        assert (answered.status_code, answered.headers["Location"]) == (
            302,
            f"/admin/redemption/apikey/{row.pk}/change/",
        )
    assert not opens(text)
    event = AuditEvent.objects.get(action=AuditAction.KEY_REVOKED)
    assert (event.actor_id, event.target) == (manager.pk, f"retailer:{row.retailer_id}")
    assert event.details == {"also": [f"api_key:{row.pk}"]}
    assert "Yes, revoke" not in shown(client.get(f"/admin/redemption/apikey/{row.pk}/change/"))


@pytest.mark.parametrize("role", [Role.AGENT, Role.SENIOR_AGENT, Role.AUDITOR, Role.SOCIAL_MEDIA, Role.RETAILER])
def test_nobody_else_revokes(role):
    client, _ = at_the_desk(role, user=factories.user(role))
    row, text = key()
    assert client.post(f"/admin/redemption/apikey/{row.pk}/revoke/").status_code in {302, 404}
    assert opens(text)


def test_a_look_revokes_nothing():
    client, _ = at_the_desk(Role.MANAGER)
    row, text = key()
    assert client.get(f"/admin/redemption/apikey/{row.pk}/revoke/").status_code == 404
    assert client.post(f"/admin/redemption/apikey/{row.pk + 1}/revoke/").status_code == 404
    assert opens(text)
