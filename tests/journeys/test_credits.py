"""A credit's way through the house: granted, asked for, approved by keyboard, found in the figures, taken away as a
file, and read again in the audit trail."""

import csv
import io
import re

import pytest
from django.utils import timezone

from redemption.roles import Role
from support.jobs import make_export_job
from support.models import Export, ManualCredit
from tests import factories
from tests.journeys.visit import aside

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world():
    """An agent who may grant ten pounds at once, a manager, and a customer's ticket."""

    class World:
        agent = factories.user(Role.AGENT, name="Asha Agent")
        manager = factories.user(Role.MANAGER, name="Mara Manager")
        account = factories.account(email="ada@example.com")
        reason = factories.credit_reason()
        ticket = factories.ticket(account.program, account=account, subject="Nothing played all evening")

    factories.credit_policy(Role.AGENT, Role.MANAGER, single=1000, approves=10_000)
    return World()


def fill_in(page, amount):
    page.get_by_label("Amount", exact=True).fill(amount)
    page.locator("input[name=reason][value=technical_failure]").check()
    page.get_by_role("button", name="Credit it").click()


def bar_of(page, chart):
    """Where the first bar of a picture is, that stands for something, on the page."""
    canvas = page.get_by_role("img", name=chart)
    canvas.scroll_into_view_if_needed()
    canvas.evaluate("canvas => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    at = canvas.evaluate(
        """canvas => {
            const chart = Chart.getChart(canvas)
            for (const [set, {data}] of chart.data.datasets.entries()) {
                const place = data.findIndex((value) => value > 0)
                if (place < 0) continue
                const {x, y, base} = chart.getDatasetMeta(set).data[place].getProps(["x", "y", "base"], true)
                const box = canvas.getBoundingClientRect()
                const sideways = chart.options.indexAxis === "y"
                return [box.x + (sideways ? (x + base) / 2 : x), box.y + (sideways ? y : (y + base) / 2)]
            }
        }"""
    )
    assert at
    return at


def test_a_credit_is_granted_another_approved_and_both_are_accounted_for(open_page, world):
    agent, manager = open_page(world.agent), open_page(world.manager)
    page = agent.page

    # Within the limits it is granted at once, from the ticket.
    page.goto(f"/tickets/{world.ticket.reference}/")
    page.get_by_role("link", name="Grant a credit").first.click()
    agent.sees("What the limits leave")
    fill_in(page, "5")
    page.wait_for_url("**/credits/CR-*/")
    first = aside(ManualCredit.objects.get)
    assert (first.amount, first.ticket_id, first.granted_by_id) == (500, world.ticket.pk, world.agent.pk)

    # Above them it is asked for, and nothing that was typed is lost on the way.
    page.goto(f"/tickets/{world.ticket.reference}/")
    page.get_by_role("link", name="Grant a credit").first.click()
    fill_in(page, "50")
    agent.sees("a second person must agree to this")
    agent.sees("It is more than £10.00, your limit for one credit.")
    assert page.get_by_label("Amount", exact=True).input_value() == "50"
    page.locator("textarea[name=why], input[name=why]").fill("Three evenings lost, and charged twice.")
    page.get_by_role("button", name="Ask a second person").click()
    page.wait_for_url(lambda address: "/credits/new/" not in address)
    assert aside(ManualCredit.objects.count) == 1

    # The manager decides without a mouse.
    page = manager.page
    page.goto("/approvals/")
    manager.sees("Three evenings lost, and charged twice.")
    page.keyboard.press("Escape")
    page.locator("body").evaluate("() => document.activeElement.blur()")
    page.keyboard.press("j")
    page.locator("tr.is-current").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("region", name="What would happen").wait_for()
    page.locator("body").evaluate("() => document.activeElement.blur()")
    page.keyboard.press("a")
    page.locator("[data-approve]:focus").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/approvals/")
    second = aside(lambda: ManualCredit.objects.exclude(approval=None).get())
    assert (second.amount, second.granted_by_id) == (5000, world.agent.pk)
    assert aside(lambda: second.approval.decided_by_id) == world.manager.pk

    # The customer's account shows both.
    page.goto(f"/customers/{world.account.reference}/")
    statement = page.get_by_role("region", name="Movements of credit")
    statement.wait_for()
    assert [text in statement.inner_text() for text in ("£5.00", "£50.00", "£55.00")] == [True] * 3

    # From a picture to its rows, and from these to a file.
    page.goto("/credits/")
    manager.sees("Value by week")
    page.mouse.click(*bar_of(page, re.compile("^Value by week")))
    page.wait_for_url("**/credits/list/?*")
    manager.sees(first.reference)
    page.goto(f"/credits/list/?unit=GBP&agent={world.agent.pk}")
    manager.sees(second.reference)
    page.get_by_role("button", name="Export as CSV").click()
    manager.sees("Waiting for the worker")
    export = aside(Export.objects.get)
    aside(lambda: make_export_job(export.pk))
    # The page that waits sees it by itself.
    page.get_by_role("button", name=f"Fetch credits-{timezone.now():%Y}").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Fetch credits-").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"), newline="")))
    assert {row["Credit"]: (row["Amount"], row["Granted by"], row["Approved by"]) for row in rows} == {
        first.reference: ("5.00", "Asha Agent", ""),
        second.reference: ("50.00", "Asha Agent", "Mara Manager"),
    }

    # And the trail knows it all.
    page.goto("/audit/")
    manager.sees("What happened")
    told = page.get_by_role("main").or_(page.locator("#content")).first.inner_text()
    for sentence in (
        f"Asha Agent opened ticket {world.ticket.reference}",
        f"Asha Agent granted a credit to account {world.account.reference}",
        f"Asha Agent asked for a credit to account {world.account.reference}",
        "Mara Manager listed what waits for a second person",
        "Mara Manager approved request",
        f"Mara Manager opened account {world.account.reference}",
        "Mara Manager opened the figures of credits",
        "Mara Manager listed credits",
        "Mara Manager had the file “credits as CSV”",
        "Mara Manager took the file “credits as CSV”",
    ):
        assert sentence in told, sentence
    assert "credit nothing" not in told
