"""The status page, which everybody reads, and what customers see of an outage where they redeem."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from redemption import status_board
from redemption.models import Outage, OutageCause, User
from redemption.outages import declare
from redemption.roles import Role
from tests import factories
from tests.support.desk import shown

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)


def over(program, *, ago, lasted=timedelta(minutes=30), message=""):
    by = User.objects.system()
    at = timezone.now() - ago
    return Outage.objects.create(
        program=program, cause=OutageCause.BREAKER, message=message, started_at=at, last_seen_at=at + lasted,
        ended_at=at + lasted, started_by=by, ended_by=by,
    )  # fmt: skip


def standings():
    status_board.forget()
    return status_board.board().standings


@pytest.fixture
def away(monkeypatch):
    """The server lets nobody in."""

    def shut():
        connection.close()
        monkeypatch.setitem(connection.settings_dict, "USER", "nobody_of_that_name")
        monkeypatch.setitem(connection.settings_dict, "PASSWORD", "")

    yield shut
    monkeypatch.undo()
    connection.close()


def test_everybody_reads_where_redeeming_works_and_since_when_it_does_not():
    one, other = factories.program("Aria"), factories.program("Bolero")
    manager = factories.user(Role.MANAGER, name="Mara Manager")
    at = timezone.now() - timedelta(hours=1)
    page = Client().get("/status/")
    assert (page.status_code, "Yes, everywhere." in shown(page)) == (200, True)
    outage = declare(program=one, message="Back <soon>.", by=manager, now=at)
    status_board.forget()
    page = Client().get("/status/")
    words, since = shown(page).replace(" .", "."), outage.started_at.astimezone(one.zone)
    assert page.status_code == 200
    assert f"{one} Does not work since {since:%-d %B %Y, %H:%M %Z}. Back <soon>." in words
    assert f"{other} Works." in words
    assert "Back &lt;soon&gt;." in page.content.decode()
    assert "Mara" not in words


def test_the_history_goes_back_fourteen_days_newest_first():
    program = factories.program()
    for days in (1, 13, 15):
        over(program, ago=days * DAY, message=f"{days} days ago")
    (standing,) = standings()
    assert (standing.is_off, [stretch.message for stretch in standing.history]) == (
        False,
        ["1 days ago", "13 days ago"],
    )
    assert standing.history[0].started_at.tzinfo == program.zone


def test_one_that_comes_and_goes_is_told_by_its_latest_and_one_that_goes_on_however_old_it_is():
    program = factories.program()
    Outage.objects.create(
        program=program, cause=OutageCause.BREAKER, started_at=timezone.now() - 20 * DAY,
        last_seen_at=timezone.now(), started_by=User.objects.system(),
    )  # fmt: skip
    assert standings()[0].now
    Outage.objects.update(ended_at=timezone.now(), ended_by=User.objects.system())
    for minutes in range(30):
        over(program, ago=timedelta(minutes=minutes), lasted=timedelta())
    assert len(standings()[0].history) == status_board.MOST_SHOWN


def test_it_is_read_once_in_a_while_whoever_asks():
    factories.program()
    first = status_board.board()
    factories.program()
    assert status_board.board() is first
    status_board.forget()
    assert len(status_board.board().standings) == 2


def test_it_is_one_page_for_all_and_no_cookie_is_looked_at():
    factories.program()
    staff = Client()
    staff.force_login(factories.user(Role.AGENT), backend="django.contrib.auth.backends.ModelBackend")
    pages = [client.get("/status/") for client in (Client(), staff)]
    assert len({(page.status_code, page.content) for page in pages}) == 1
    assert {page.headers["Cache-Control"] for page in pages} == {"public, max-age=5"}
    assert [page.cookies.output() for page in pages] == ["", ""]
    assert (Client().head("/status/").status_code, Client().post("/status/").status_code) == (200, 405)


def test_without_the_database_it_says_so_at_once(away):
    factories.program()
    client = Client()
    client.force_login(factories.user(), backend="django.contrib.auth.backends.ModelBackend")
    away()
    page = client.get("/status/")
    assert (page.status_code, page.headers["Retry-After"]) == (503, "30")
    assert "our database does not answer" in shown(page)


# --- Where customers redeem


def test_the_redeem_page_says_where_it_does_not_work():
    user = factories.user()
    one, other = factories.account(user=user), factories.account(user=user)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert "Redeeming does not work" not in shown(client.get("/redeem/"))
    declare(program=one.program, message="Back at six.", by=factories.user(Role.MANAGER))
    words = shown(client.get("/redeem/"))
    assert f"Redeeming does not work at {one.program} since" in words
    assert "Back at six. Trying uses nothing up." in words
    assert f"does not work at {other.program}" not in words
