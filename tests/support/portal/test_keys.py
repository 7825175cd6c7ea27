"""The portal's pages of keys: for a retailer's managers alone."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from redemption.models import ApiKey, ApiScope, MemberRole, RetailerMember
from support.actions.keys import MOST_KEYS, ApiKeyError, make_key, revoke_key, rotate_key
from tests import factories
from tests.support.desk import shown
from tests.support.portal.people import clerk, manager
from tests.support.till.tills import Till, told

pytestmark = pytest.mark.django_db


def made(of, **fields):
    by = factories.member(of, MemberRole.MANAGER)
    return make_key(retailer=of, by=by, **{"name": "tills, Malmö", "scopes": [ApiScope.STATUS], **fields})


def token_on(response):
    return re.search(r">(rd_[^<]+)</textarea>", response.content.decode())[1]


def opens(token):
    return told(Till(token=token).get("/cards/1000000000")) == (404, "unknown_card")


def test_managers_see_their_keys_and_no_secret(saturn):
    client, _ = manager(saturn)
    old, foreign = made(saturn), made(factories.retailer(), name="a stranger’s")
    new = rotate_key(old.key, by=old.key.created_by)
    gone = made(saturn, name="gone")
    revoke_key(gone.key, by=gone.key.created_by)
    page = client.get("/retailer/keys/")
    said = shown(page)
    assert page.status_code == 200
    assert "Keys of Saturn that work: 2" in said
    for key in (old.key, new.key, gone.key):
        assert f"rd_{key.prefix}_…" in said
        assert shown(client.get(f"/retailer/keys/{key.pk}/")).count(f"rd_{key.prefix}_") >= 1
    assert "stranger" not in said
    assert foreign.key.prefix not in said
    for one in (old, new, gone):
        assert one.token.secret not in page.content.decode()


def test_a_key_is_made_and_shown_once(saturn):
    client, user = manager(saturn)
    content = {"retailer": "saturn", "name": "tills", "scopes": ["status", "report"]}
    page = client.post("/retailer/keys/new/", content)
    assert (page.status_code, page.headers["Cache-Control"]) == (201, "no-store")
    token = token_on(page)
    key = ApiKey.objects.get()
    assert (key.retailer, key.created_by, key.scopes, key.name) == (saturn, user, ["report", "status"], "tills")
    assert opens(token)
    for address in ("/retailer/keys/", f"/retailer/keys/{key.pk}/"):
        assert token not in client.get(address).content.decode()
    assert token not in str(client.session.items())


def test_a_key_is_rotated_and_both_work(saturn):
    client, _ = manager(saturn)
    old = made(saturn)
    page = client.post(f"/retailer/keys/{old.key.pk}/", {"do": "rotate", "keep_days": "7"})
    assert (page.status_code, page.headers["Cache-Control"]) == (201, "no-store")
    assert f"The old key, rd_{old.key.prefix}_…, works until" in shown(page)
    assert opens(token_on(page))
    assert opens(old.token.text)
    again = client.post(f"/retailer/keys/{old.key.pk}/", {"do": "rotate", "keep_days": "7"})
    assert again.status_code == 409
    assert "rotated before" in shown(again)
    assert "Make the next key" not in shown(client.get(f"/retailer/keys/{old.key.pk}/"))


def test_a_key_stays_in_sight_when_who_made_it_has_left(saturn):
    client, _ = manager(saturn)
    key = made(saturn).key
    RetailerMember.objects.filter(user=key.created_by).delete()
    assert f"{key.prefix}" in shown(client.get("/retailer/keys/"))
    page = client.get(f"/retailer/keys/{key.pk}/")
    assert (page.status_code, "by somebody who has left" in shown(page)) == (200, True)
    assert client.post(f"/retailer/keys/{key.pk}/", {"do": "revoke", "sure": "on"}).status_code == 303


def test_rotating_makes_no_keys_without_end(saturn):
    by = factories.member(saturn, MemberRole.MANAGER)
    newest = made(saturn).key
    for _ in range(2 * MOST_KEYS - 1):
        newest = rotate_key(newest, by=by, keep_days=90).key
    with pytest.raises(ApiKeyError, match="too many keys that still work"):
        rotate_key(newest, by=by, keep_days=90)


def test_a_key_is_revoked_by_who_means_it(saturn):
    client, _ = manager(saturn)
    old = made(saturn)
    address = f"/retailer/keys/{old.key.pk}/"
    unsure = client.post(address, {"do": "revoke"})
    assert unsure.status_code == 422
    assert "Tick the box" in shown(unsure)
    assert opens(old.token.text)
    sure = client.post(address, {"do": "revoke", "sure": "on"})
    assert (sure.status_code, sure.headers["Location"]) == (303, "/retailer/keys/?retailer=saturn")
    assert not opens(old.token.text)
    over = shown(client.get(address))
    assert "Revoked" in over
    assert "Yes, revoke" not in over


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"name": "", "scopes": ["status"]}, "This field is required."),
        ({"name": "x", "scopes": []}, "Choose what the key may do."),
        ({"name": "x", "scopes": ["all"]}, "Select a valid choice."),
        ({"name": "x" * 61, "scopes": ["status"]}, "at most 60 characters"),
        ({"name": "x\0", "scopes": ["status"]}, "Null characters are not allowed."),
    ],
)
def test_a_wrong_form_says_what_is_wrong(saturn, content, said):
    client, _ = manager(saturn)
    page = client.post("/retailer/keys/new/", {"retailer": "saturn", **content})
    assert page.status_code == 422
    assert said in shown(page)
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("days", ["", "-1", "91", "x", "9" * 30])
def test_a_wrong_number_of_days_rotates_nothing(saturn, days):
    client, _ = manager(saturn)
    old = made(saturn)
    page = client.post(f"/retailer/keys/{old.key.pk}/", {"do": "rotate", "keep_days": days})
    assert page.status_code == 422
    assert ApiKey.objects.count() == 1


def test_for_clerks_and_strangers_there_are_no_such_pages(saturn):
    old = made(saturn)
    # Who manages another retailer is a clerk here.
    both, user = manager()
    saturn.members.create(user=user, role=MemberRole.CLERK)
    for client in (clerk(saturn)[0], manager()[0], both):
        answers = [
            client.get(f"/retailer/keys/{old.key.pk}/"),
            client.post(f"/retailer/keys/{old.key.pk}/", {"do": "revoke", "sure": "on"}),
            client.post(f"/retailer/keys/{old.key.pk}/", {"do": "rotate", "keep_days": "7"}),
            client.get("/retailer/keys/", {"retailer": "saturn"}),
            client.post("/retailer/keys/new/", {"retailer": "saturn", "name": "x", "scopes": ["status"]}),
        ]
        assert [one.status_code for one in answers] == [404] * 5
    assert clerk(saturn)[0].get("/retailer/keys/").status_code == 404
    assert opens(old.token.text)
    assert ApiKey.objects.count() == 1


def test_ones_own_unknown_and_a_foreign_key_are_answered_alike(saturn):
    client, _ = manager(saturn)
    foreign = made(factories.retailer())
    answers = [client.get(f"/retailer/keys/{pk}/") for pk in (foreign.key.pk, foreign.key.pk + 10**6)]
    assert [one.status_code for one in answers] == [404, 404]
    assert answers[0].content == answers[1].content


def test_however_many_keys_there_are_it_asks_as_often(saturn):
    client, _ = manager(saturn)
    counts = []
    for more in (1, 2):
        for _ in range(more):
            made(saturn)
            gone = made(saturn)
            revoke_key(gone.key, by=gone.key.created_by)
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/retailer/keys/").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
