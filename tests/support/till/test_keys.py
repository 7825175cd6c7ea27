"""Keys of retailers' systems: which open, for how long, and what is kept of them."""

import logging
import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import connection, connections
from django.utils import timezone

from redemption.api.keys import Token, find_key, make_token
from redemption.models import TILL_SCOPES, ApiKey, ApiScope, MemberRole
from redemption.roles import Role
from support.actions.keys import MOST_KEYS, ApiKeyError, make_key, revoke_key, rotate_key
from support.models import AuditAction, AuditEvent
from tests import factories
from tests.leak_search import Search, tables
from tests.support.till.tills import ADDRESS, Till, key, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager():
    return factories.member(role=MemberRole.MANAGER)


@pytest.fixture
def saturn(manager):
    return manager.memberships.get().retailer


def made(saturn, manager, **fields):
    return make_key(retailer=saturn, by=manager, **{"name": "tills, Malmö", "scopes": list(TILL_SCOPES), **fields})


def opens(token):
    """Whether it opens anything: an unknown card is told apart from no key."""
    answered = Till(token=token).get("/cards/1000000000")
    return told(answered) == (404, "unknown_card")


def test_a_key_reads_as_documented_and_its_secret_is_kept_nowhere(saturn, manager):
    new = made(saturn, manager)
    text = new.token.text
    assert text.startswith(f"rd_{new.key.prefix}_")
    assert len(text) == len("rd__") + 12 + 43
    assert opens(text)
    assert new.token.secret not in repr(new)
    assert find_key(text, timezone.now()) == new.key
    found = Search({new.token.secret.encode(), text.encode(), new.token.secret[:20].encode()})(tables())
    assert found == set()
    assert make_token() != make_token()


def test_a_key_that_is_none_is_refused_in_the_same_bytes(saturn, manager):
    live, over, gone = (made(saturn, manager) for _ in range(3))
    ApiKey.objects.filter(pk=over.key.pk).update(expires_at=timezone.now())
    revoke_key(gone.key, by=manager)
    wrong = Token(live.key.prefix, make_token().secret).text
    headers = [None, "", "Bearer", "Bearer ", "Basic eDp5", f"Bearer  {live.token.text}", f"Bearer {live.token.text} "]
    headers += [
        f"Bearer {text}" for text in (over.token.text, gone.token.text, wrong, make_token().text, "rd_x_y", "é")
    ]
    answers = []
    for header in headers:
        sent = {} if header is None else {"HTTP_AUTHORIZATION": header}
        answers.append(Till(token="").client.get(f"{ADDRESS}/cards/1000000000", **sent))
    assert {(one.status_code, one.content, tuple(sorted(one.headers.items()))) for one in answers} == {
        (401, answers[0].content, tuple(sorted(answers[0].headers.items())))
    }
    assert told(answers[0]) == (401, "unauthorized")
    assert answers[0].headers["WWW-Authenticate"] == "Bearer"
    assert opens(live.token.text)


def test_a_key_is_in_no_log(saturn, manager, caplog):
    caplog.set_level(logging.DEBUG)
    new = made(saturn, manager)
    opens(new.token.text)
    Till(token=new.token.text + "x").get("/cards/1000000000")
    rotate_key(new.key, by=manager)
    assert new.token.secret not in caplog.text


def test_a_key_opens_what_it_was_made_for(saturn, manager):
    new = made(saturn, manager, scopes=[ApiScope.ACTIVATE])
    till = Till(token=new.token.text)
    assert told(till.get("/cards/1000000000")) == (403, "missing_scope")
    assert told(till.post("/activate", {"serial": 1_000_000_000})) == (404, "unknown_card")


def test_an_inactive_retailers_keys_work_on_for_the_cards_that_it_has_sold(saturn, manager):
    new = made(saturn, manager)
    saturn.is_active = False
    saturn.save()
    assert opens(new.token.text)


def test_when_a_key_was_used_is_kept_to_the_minute(saturn, manager):
    new = made(saturn, manager)
    noon = timezone.now().replace(hour=12, minute=0, second=30, microsecond=0)
    seen = []
    for seconds in (0, 20, 40, 100):
        with time_machine.travel(noon + timedelta(seconds=seconds), tick=False):
            assert opens(new.token.text)
        new.key.refresh_from_db()
        seen.append(new.key.last_used_at)
    minute = noon.replace(second=0)
    assert seen == [minute, minute, minute + timedelta(minutes=1), minute + timedelta(minutes=2)]


# --- Made, rotated, revoked


def test_a_rotated_key_and_the_next_one_both_work_until_the_old_one_ends(saturn, manager):
    old = made(saturn, manager, scopes=[ApiScope.STATUS])
    now = timezone.now()
    new = rotate_key(old.key, by=manager, now=now)
    assert (new.key.replaces, new.key.scopes, new.key.name) == (old.key, ["status"], old.key.name)
    assert (opens(old.token.text), opens(new.token.text)) == (True, True)
    with time_machine.travel(now + timedelta(days=7, seconds=-1), tick=False):
        assert (opens(old.token.text), opens(new.token.text)) == (True, True)
    with time_machine.travel(now + timedelta(days=7), tick=False):
        assert (opens(old.token.text), opens(new.token.text)) == (False, True)


def test_a_rotated_key_never_lives_longer_than_it_would_have(saturn, manager):
    old = made(saturn, manager)
    end = timezone.now() + timedelta(days=1)
    ApiKey.objects.filter(pk=old.key.pk).update(expires_at=end)
    rotate_key(old.key, by=manager, keep_days=30)
    old.key.refresh_from_db()
    assert old.key.expires_at == end


def test_a_key_that_is_rotated_with_no_days_left_stops_at_once(saturn, manager):
    old = made(saturn, manager)
    new = rotate_key(old.key, by=manager, keep_days=0)
    assert (opens(old.token.text), opens(new.token.text)) == (False, True)


def test_a_key_is_rotated_once_and_not_when_it_is_over(saturn, manager):
    old = made(saturn, manager)
    new = rotate_key(old.key, by=manager)
    with pytest.raises(ApiKeyError, match="rotated before"):
        rotate_key(old.key, by=manager)
    revoke_key(new.key, by=manager)
    with pytest.raises(ApiKeyError, match="works no more"):
        rotate_key(new.key, by=manager)
    with pytest.raises(ApiKeyError, match="at most 90 days"):
        rotate_key(new.key, by=manager, keep_days=91)
    assert ApiKey.objects.count() == 2


def test_a_revoked_key_stops_at_once_and_its_neighbour_does_not(saturn, manager):
    gone, other = made(saturn, manager), made(saturn, manager)
    assert revoke_key(gone.key, by=manager) is True
    assert revoke_key(gone.key, by=manager) is False
    assert (opens(gone.token.text), opens(other.token.text)) == (False, True)


def test_what_happens_to_a_key_is_audited(saturn, manager):
    old = made(saturn, manager, scopes=[ApiScope.REPORT])
    new = rotate_key(old.key, by=manager)
    administrator = factories.user(Role.ADMINISTRATOR)
    revoke_key(new.key, by=administrator)
    events = AuditEvent.objects.filter(target=f"retailer:{saturn.pk}").order_by("pk")
    first, second = f"api_key:{old.key.pk}", f"api_key:{new.key.pk}"
    assert [(one.action, one.actor_id, one.details) for one in events] == [
        (AuditAction.KEY_MADE, manager.pk, {"scopes": ["report"], "also": [first]}),
        (AuditAction.KEY_ROTATED, manager.pk, {"keep_days": 7, "also": [first, second]}),
        (AuditAction.KEY_REVOKED, administrator.pk, {"also": [second]}),
    ]


@pytest.mark.parametrize("who", ["clerk", "stranger", "gone", "agent"])
def test_only_its_managers_make_rotate_and_revoke(saturn, manager, who):
    old = made(saturn, manager)
    by = {
        "clerk": lambda: factories.member(saturn),
        "stranger": lambda: factories.member(role=MemberRole.MANAGER),
        "gone": lambda: factories.member(saturn, MemberRole.MANAGER, is_active=False),
        "agent": lambda: factories.user(Role.AGENT),
    }[who]()
    for refused in (
        lambda: made(saturn, by),
        lambda: rotate_key(old.key, by=by),
        lambda: revoke_key(old.key, by=by),
    ):
        with pytest.raises(ApiKeyError, match="You manage no keys"):
            refused()
    assert opens(old.token.text)
    assert ApiKey.objects.count() == 1


def test_a_key_that_would_open_nothing_or_has_no_name_is_not_made(saturn, manager):
    with pytest.raises(ApiKeyError, match="what the key may do"):
        made(saturn, manager, scopes=[])
    with pytest.raises(ApiKeyError, match="name"):
        made(saturn, manager, name="  ")
    assert not ApiKey.objects.exists()


def test_a_retailer_has_so_many_keys_and_no_more(saturn, manager):
    for _ in range(MOST_KEYS):
        last = made(saturn, manager)
    with pytest.raises(ApiKeyError, match="keys already"):
        made(saturn, manager)
    revoke_key(last.key, by=manager)
    made(saturn, manager)


def test_a_code_in_a_keys_name_is_taken_out(saturn, manager):
    card = factories.card()
    new = made(saturn, manager, name=f"till {card.text}")
    assert new.key.name == "till [code]"


# --- With real connections


@pytest.mark.django_db(transaction=True)
def test_of_two_who_rotate_at_once_one_does(saturn, manager):
    old = made(saturn, manager)
    barrier, said = threading.Barrier(2), []

    def rotate():
        barrier.wait()
        try:
            said.append(rotate_key(old.key, by=manager).key)
        except ApiKeyError as refused:
            said.append(str(refused))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=rotate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(isinstance(one, ApiKey) for one in said) == [False, True]
    assert ApiKey.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_key_that_is_rotated_while_it_is_used_misses_no_request():
    row, text = key()
    manager = factories.member(row.retailer, MemberRole.MANAGER)
    started, stop, seen = threading.Event(), threading.Event(), []

    def use():
        try:
            while not stop.is_set():
                seen.append(opens(text))
                started.set()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    started.wait(60)
    new = rotate_key(row, by=manager)
    after = [opens(new.token.text) for _ in range(5)]
    stop.set()
    for thread in threads:
        thread.join()
    assert len(seen) >= 3
    assert all(seen)
    assert all(after)
    assert connection.in_atomic_block is False
