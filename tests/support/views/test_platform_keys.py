"""The desk's pages of platforms' keys: for administrators alone."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from redemption.models import PLATFORM_SCOPES, ApiKey, ApiScope, MemberRole
from redemption.roles import Role
from support.actions.keys import MOST_KEYS, ApiKeyError, make_key, make_platform_key, revoke_key, rotate_key
from support.models import AuditAction, AuditEvent
from tests import factories
from tests.redemption.api.platforms import Platform, key, told
from tests.support.desk import at_the_desk, shown
from tests.support.till import tills

pytestmark = pytest.mark.django_db
LIST = "/platforms/keys/"


@pytest.fixture
def program():
    return factories.program("Spotify")


@pytest.fixture
def desk():
    return at_the_desk(Role.ADMINISTRATOR)


def token_on(response):
    return re.search(r"(rd_[0-9a-f]{12}_[A-Za-z0-9_-]{43})", response.content.decode())[1]


def opens(token):
    return told(Platform(token=token).get("/cards/1000000000")) == (404, "unknown_card")


def test_a_key_is_made_and_shown_once(program, desk):
    client, administrator = desk
    page = client.post(LIST, {"program": program.pk, "name": "app servers", "scopes": ["codes", "redeem"]})
    assert (page.status_code, page.headers["Cache-Control"]) == (201, "no-store")
    token = token_on(page)
    made = ApiKey.objects.get()
    assert (made.program, made.retailer, made.created_by) == (program, None, administrator)
    assert made.scopes == ["redeem", "codes"]
    assert opens(token)
    for address in (LIST, f"{LIST}{made.pk}/"):
        again = client.get(address)
        assert f"rd_{made.prefix}_" in shown(again)
        assert token not in again.content.decode()
    event = AuditEvent.objects.get(action=AuditAction.KEY_MADE)
    assert (event.actor_id, event.target) == (administrator.pk, f"program:{program.pk}")
    assert event.details == {"also": [f"api_key:{made.pk}"], "scopes": ["codes", "redeem"]}


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"scopes": []}, {"scopes": ["activate"]}, {"scopes": ["all"]}, {"program": "0"}]
)
def test_a_form_that_lacks_something_makes_no_key(program, desk, wrong):
    client, _ = desk
    content = {"program": program.pk, "name": "app servers", "scopes": ["redeem"], **wrong}
    assert client.post(LIST, content).status_code == 422
    assert not ApiKey.objects.exists()


def test_a_key_is_rotated_once_and_both_work_meanwhile(program, desk):
    client, administrator = desk
    old = make_platform_key(program=program, name="app servers", scopes=PLATFORM_SCOPES, by=administrator)
    page = client.post(f"{LIST}{old.key.pk}/", {"do": "rotate", "keep_days": "7"})
    assert page.status_code == 201
    new = ApiKey.objects.get(replaces=old.key)
    assert (new.program, new.scopes, new.name) == (program, old.key.scopes, "app servers")
    assert opens(token_on(page))
    assert opens(old.token.text)
    assert client.post(f"{LIST}{old.key.pk}/", {"do": "rotate", "keep_days": "7"}).status_code == 409
    assert "Make the next key" not in shown(client.get(f"{LIST}{old.key.pk}/"))
    assert client.post(f"{LIST}{new.pk}/", {"do": "rotate", "keep_days": "91"}).status_code == 422


def test_a_key_is_revoked_by_whoever_says_that_he_means_it(program, desk):
    client, administrator = desk
    new = make_platform_key(program=program, name="app servers", scopes=PLATFORM_SCOPES, by=administrator)
    assert client.post(f"{LIST}{new.key.pk}/", {"do": "revoke"}).status_code == 422
    assert opens(new.token.text)
    answered = client.post(f"{LIST}{new.key.pk}/", {"do": "revoke", "sure": "on"})
    assert (answered.status_code, answered.headers["Location"]) == (303, LIST)
    assert told(Platform(token=new.token.text).get("/cards/1000000000")) == (401, "unauthorized")
    assert AuditEvent.objects.get(action=AuditAction.KEY_REVOKED).target == f"program:{program.pk}"
    page = shown(client.get(f"{LIST}{new.key.pk}/"))
    assert "This key opens nothing any more." in page
    assert "Make the next key" not in page


def test_retailers_keys_are_not_here_and_platforms_are_not_there(program, desk):
    client, _ = desk
    theirs, ours = tills.key(name="tills")[0], key(program, name="app servers")[0]
    assert client.get(f"{LIST}{theirs.pk}/").status_code == 404
    assert client.post(f"{LIST}{theirs.pk}/", {"do": "revoke", "sure": "on"}).status_code == 404
    assert theirs.prefix not in client.get(LIST).content.decode()
    assert ours.prefix not in client.get("/admin/redemption/apikey/").content.decode()
    assert client.get(f"/admin/redemption/apikey/{ours.pk}/change/").status_code in {302, 404}
    assert client.post(f"/admin/redemption/apikey/{ours.pk}/revoke/").status_code == 404
    ours.refresh_from_db()
    assert ours.revoked_at is None


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMINISTRATOR])
def test_nobody_else_makes_rotates_or_revokes(program, role):
    somebody = factories.user(role)
    made = key(program)[0]
    with pytest.raises(ApiKeyError):
        make_platform_key(program=program, name="x", scopes=[ApiScope.REDEEM], by=somebody)
    with pytest.raises(ApiKeyError):
        rotate_key(made, by=somebody)
    with pytest.raises(ApiKeyError):
        revoke_key(made, by=somebody)
    assert ApiKey.objects.get().revoked_at is None


def test_an_administrator_makes_no_keys_for_retailers_and_their_managers_none_for_platforms(program, desk):
    _, administrator = desk
    manager = factories.member(role=MemberRole.MANAGER)
    retailer = manager.memberships.get().retailer
    with pytest.raises(ApiKeyError):
        make_key(retailer=retailer, name="x", scopes=[ApiScope.STATUS], by=administrator)
    with pytest.raises(ApiKeyError, match="either"):
        make_platform_key(program=program, name="x", scopes=[ApiScope.STATUS], by=administrator)
    with pytest.raises(ApiKeyError, match="either"):
        make_key(retailer=retailer, name="x", scopes=[ApiScope.REDEEM], by=manager)


def test_a_program_has_so_many_keys_and_a_code_is_no_name(program, desk):
    _, administrator = desk
    card = factories.card(factories.batch(factories.product(program)))
    wanted = {"program": program, "scopes": [ApiScope.REDEEM], "by": administrator}
    assert card.text not in make_platform_key(name=f"for {card.text}", **wanted).key.name
    for number in range(MOST_KEYS - 1):
        make_platform_key(name=f"servers {number}", **wanted)
    with pytest.raises(ApiKeyError, match="20 keys"):
        make_platform_key(name="one more", **wanted)
    make_platform_key(name="another's", **{**wanted, "program": factories.program()})


def test_the_list_asks_no_more_for_three_keys_than_for_one(program, desk):
    client, _ = desk
    counts = []
    for _ in range(2):
        key(program)
        if counts:
            key(factories.program())
        client.get(LIST)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            client.get(LIST)
        counts.append(len(asked))
    assert counts[0] == counts[1]
