"""The managers' pages: figures with the rows behind them, a table beside every picture, sentences for slips."""

import json
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from redemption.models import Attempt, AttemptOutcome, Channel
from redemption.refusals import RefusalReason
from redemption.roles import Role
from support import audit
from support.models import AuditAction, AuditEvent, ManualCredit
from tests import factories
from tests.support.desk import at_the_desk, shown
from tests.support.reports.credit_world import World

pytestmark = pytest.mark.django_db

PAGES = ["/credits/", "/credits/list/", "/reports/liability/", "/reports/failures/", "/reports/signals/"]


@pytest.fixture
def browser():
    return at_the_desk(Role.MANAGER)[0]


def tries(account, count):
    for number in range(count):
        Attempt.objects.create(
            account=account,
            program=account.program,
            outcome=AttemptOutcome.REFUSED,
            reason=[RefusalReason.UNKNOWN, RefusalReason.EXPIRED][number % 2],
            channel=Channel.WEB,
            at=timezone.now() - timedelta(days=number),
        )


def links(response):
    """Of the figures: tiles and tables, not the sidebar's."""
    found = re.findall(r'<(?:td|dd|th scope="row")[^>]*>(?:<strong>)?<a[^>]*href="([^"]*)"', response.content.decode())
    return [link.replace("&amp;", "&") for link in found]


@pytest.mark.parametrize("path", PAGES)
def test_an_empty_desk_has_pages_without_pictures(browser, path):
    answer = browser.get(path)
    assert answer.status_code == 200
    assert "<canvas" not in answer.content.decode()
    assert "None" not in re.sub("None in this time|None[.]", "", shown(answer))


@pytest.mark.parametrize("path", PAGES)
def test_opening_is_recorded(path):
    browser, manager = at_the_desk(Role.AUDITOR)
    browser.get(path)
    event = AuditEvent.objects.filter(actor_id=manager.pk).latest("pk")
    name = path.strip("/").split("/")[-1]
    expected = (AuditAction.CREDITS_LISTED, "") if name == "list" else (AuditAction.REPORT_OPENED, f"report:{name}")
    assert (event.action, event.target) == expected


def test_every_figure_of_the_overview_opens_a_list_with_as_many_rows(browser):
    World()
    page = browser.get("/credits/?period=26")
    tiles = dict(re.findall(r'<dt>([^<]*)</dt><dd><a class="tile" href="[^"]*">([^<]*)', page.content.decode()))
    assert tiles["Credits"] == "24"
    for name, narrowed in (
        ("Granted alone", "approved=no"),
        ("By a second person", "approved=yes"),
        ("Taken back", "reversed=yes"),
    ):
        listed = browser.get(f"/credits/list/?period=26&unit=GBP&{narrowed}")
        assert f"{tiles[name].split(':')[0]} credit" in shown(listed), name
    addresses = [link for link in links(page) if link.startswith("/credits/list/")]
    assert len(addresses) > 30
    for address in addresses:
        listed = browser.get(address)
        assert listed.status_code == 200, address
        assert "No credits match" not in shown(listed), address


def test_each_picture_and_its_table_have_the_same_numbers(browser):
    World()
    html = browser.get("/credits/?period=26").content.decode()
    pictures = re.findall(r"<figure.*?</figure>", html, re.S)
    assert len(pictures) == 7
    for picture in pictures:
        data = json.loads(re.search(r'type="application/json">(.*?)</script>', picture, re.S)[1])
        table = re.search(r"<table.*?</table>", picture, re.S)[0]
        cells = [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", table, re.S)]
        for series in data["series"]:
            assert series["name"] in cells
            assert len(series["values"]) == len(data["labels"])
            for text in series["shown"]:
                assert text in cells
        for label in data["labels"]:
            assert label in cells
        assert 'role="img"' in picture
        assert "aria-label" in picture


def test_currencies_are_never_added(browser):
    world = World(6)
    world.days(world.accounts[0], 10, timezone.now())
    page = browser.get("/credits/")
    assert "GBP 6" in shown(page)
    assert "Days of premium 1" in shown(page)
    days = shown(browser.get("/credits/?unit=days"))
    assert "Value 10 days" in days
    assert "£" not in days.split("With several credits")[0]


def test_the_list_shows_who_gave_what_to_whom_and_why(browser):
    world = World(3)
    credit = ManualCredit.objects.latest("granted_at")
    page = shown(browser.get("/credits/list/"))
    for text in (credit.reference, credit.shown, str(credit.reason), credit.account.reference, str(credit.granted_by)):
        assert text in page
    assert credit.ticket.reference in page
    assert "3 credits" in page
    none = shown(browser.get(f"/credits/list/?program={world.other.pk}&agent={world.seniors[0].pk}"))
    assert "0 credits" in none
    assert "No credits match" in none


def test_pages_go_on_where_the_last_one_ended(browser, monkeypatch):
    from support.reports import credit_list

    monkeypatch.setattr(credit_list, "PAGE", 4)
    World(9)
    seen, path = [], "/credits/list/?unit=GBP"
    while path:
        html = browser.get(path).content.decode()
        seen += re.findall(r"CR-....-....-....(?=</span>)", html)
        older = re.search(r'href="(\?[^"]*before=\d+)"', html)
        path = "/credits/list/" + older[1].replace("&amp;", "&") if older else ""
    assert seen == list(ManualCredit.objects.order_by("-granted_at", "-pk").values_list("reference", flat=True))


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    "query", ["from=2026-02-30", "until=soon", "from=2026-05-02&until=2026-05-01", "until=9999-12-31"]
)
def test_a_mistyped_day_gets_a_sentence_and_keeps_what_was_typed(browser, path, query):
    World(1)
    answer = browser.get(f"{path}?{query}")
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.content.decode()
    assert re.search(r"Write a day like|The first day comes after|Choose days from", shown(answer))


def test_a_mistyped_account_or_card_gets_a_sentence(browser):
    assert "ten digits" in shown(browser.get("/credits/list/?card=12"))
    assert "reference, such as" in shown(browser.get("/credits/list/?account=ada@example.com"))
    assert "Write a day like" in shown(browser.get("/reports/liability/?on=yesterday"))


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    "query", ["period=5", "unit=ZZZ", "program=9999999999999999999", "tenth=11", "receipt=x", "reason=%F0%28"]
)
def test_what_no_form_offers_does_not_exist(browser, path, query):
    assert browser.get(f"{path}?{query}").status_code == 404


@pytest.mark.parametrize("path", ["/credits/list/", "/reports/failures/"])
def test_a_place_in_a_list_that_can_be_none_does_not_exist(browser, path):
    World(1)
    assert browser.get(f"{path}?before=x").status_code == 404
    assert browser.get(f"{path}?before=9223372036854775808").status_code == 404
    assert browser.get(f"{path}?before=999999999999999999").status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_as_often_for_many_rows_as_for_one(browser, path):
    def asked():
        browser.get(path)
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(path).status_code == 200
        return len(queries)

    factories.card()
    world = World(6)
    tries(world.accounts[0], 2)
    few = asked()
    for number in range(12):
        factories.credit_policy(single=10**6)
        factories.credit(factories.account(), by=factories.user(Role.AGENT, name=f"New {number}"), amount=100 + number)
    factories.card()
    tries(factories.account(), 6)
    assert asked() == few


def test_failures_open_their_tries(browser):
    account = factories.account()
    tries(account, 4)
    page = browser.get("/reports/failures/")
    assert "Failed tries 4" in shown(page)
    attempt = Attempt.objects.filter(reason="expired").first()
    narrowed = browser.get("/reports/failures/?reason=expired")
    assert attempt.reference in shown(narrowed)
    assert Attempt.objects.filter(reason="unknown").first().reference not in shown(narrowed)
    for address in links(page):
        assert browser.get(address).status_code == 200


def test_signals_open_the_pages_that_were_looked_up():
    browser, _ = at_the_desk(Role.AUDITOR)
    agent, account = factories.user(Role.AGENT, name="Curious"), factories.account()
    audit.record(AuditAction.ACCOUNT_OPENED, by=agent, target=f"account:{account.pk}")
    page = browser.get("/reports/signals/")
    address = next(link for link in links(page) if f"agent={agent.pk}" in link)
    opened = browser.get(address.split("#")[0])
    assert f"Opened by {agent} without a ticket Account {account.reference}" in shown(opened)
    assert browser.get(f"/reports/signals/?agent={10**15}").status_code == 200


def test_liability_says_when_and_that_reconcile_proves_it(browser):
    card = factories.card()
    page = shown(browser.get("/reports/liability/"))
    assert f"{card.batch.product.program} GBP £30.00 £0.00 £0.00 £0.00 £0.00 £30.00" in page
    assert "manage.py reconcile --as-of" in page
    before = shown(browser.get("/reports/liability/?on=2026-01-01"))
    assert "At the end of 1 January 2026" in before
    assert "Nothing had been sold by then." in before
