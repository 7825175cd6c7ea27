"""A clerk reports cards from a telephone, by hand and with a barcode reader, and reads what came of it."""

import re

import pytest
from playwright.sync_api import expect

from redemption.models import Code, CodeStatus
from support.actions.reports import freeze_next
from support.models import CompromiseReport
from tests import factories
from tests.journeys.portal_states import Reports
from tests.journeys.states import World
from tests.journeys.test_axe import faults
from tests.journeys.test_looks import look  # noqa: F401
from tests.journeys.visit import aside

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def scan(page, serial):
    """A reader types fast and ends with Enter."""
    page.keyboard.type(str(serial))
    page.keyboard.press("Enter")


def test_a_clerk_scans_cards_on_a_telephone_and_reads_what_happened(open_page, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    batch = factories.batch()
    cards = factories.cards(6, batch)
    clerk = factories.member(batch.retailer)
    visit = open_page(clerk, timezone_id="America/New_York", **PHONE)
    page = visit.page
    page.goto("/retailer/reports/new/")
    expect(page.get_by_text("Times are those of America/New_York.")).to_be_visible()
    counted = page.locator("[data-counted]")
    expect(counted).to_be_hidden()

    page.get_by_label("Serial numbers").click()
    scan(page, cards[0].serial)
    scan(page, cards[1].serial)
    expect(counted).to_have_text("2 cards.")
    # Scanned where the cursor happens to be: it goes to the list, and nothing is sent.
    page.get_by_label("Store").click()
    scan(page, cards[2].serial)
    expect(page.get_by_label("Store")).to_have_value("")
    expect(counted).to_have_text("3 cards.")
    # Enter behind anything else sends nothing either.
    page.get_by_label("Store").fill("Mitte")
    page.get_by_label("Store").press("Enter")
    expect(page).to_have_url(re.compile("/retailer/reports/new/$"))

    box = page.get_by_label("Serial numbers")
    box.press("End")
    box.press_sequentially(f"\n{cards[3].text}")
    expect(page.get_by_text(re.compile("Line [45] looks like a code"))).to_be_visible()
    expect(box).to_have_attribute("aria-invalid", "true")
    box.fill(f"{cards[0].serial}\n{cards[1].serial}\n{cards[2].serial}–{cards[4].serial}")
    expect(counted).to_have_text("5 cards, 1 range.")
    expect(page.locator("[data-bad]")).to_be_hidden()

    page.get_by_label("What happened?").select_option("Stolen stock")
    page.get_by_label("The customer is here and waits").check()
    page.get_by_role("button", name="Freeze these cards").click()
    expect(page.get_by_text("5 frozen. 5 cards still to be judged: we write to you.")).to_be_visible()
    frozen = aside(lambda: Code.objects.filter(status=CodeStatus.FROZEN).count())
    assert frozen == 5

    page.get_by_label("Your message").fill("The box is here.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("article").get_by_text("The box is here.")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visit.assert_keeps_none_of(cards[3].text)


def test_a_large_report_says_how_far_it_is_and_then_what_happened(open_page):
    world = Reports(World())
    report = world.large
    visit = open_page(world.clerk, **PHONE)
    page = visit.page
    page.goto(f"/retailer/reports/{report.reference}/")
    expect(page.get_by_text("0 of 5,001 cards are looked up and frozen (0 %).")).to_be_visible()
    assert aside(lambda: freeze_next(CompromiseReport.objects.get(pk=report.pk)))
    expect(page.get_by_text("5,000 of 5,001 cards")).to_be_visible()
    assert not aside(lambda: freeze_next(CompromiseReport.objects.get(pk=report.pk)))
    expect(page.get_by_text(re.compile("not among your cards"))).not_to_have_count(0)
    expect(page.locator("[data-progress]")).to_have_count(0)


def test_without_scripts_the_form_works_and_progress_is_fetched_anew(open_page):
    batch = factories.batch()
    card = factories.card(batch)
    visit = open_page(factories.member(batch.retailer), java_script_enabled=False, **PHONE)
    page = visit.page
    page.goto("/retailer/reports/new/")
    page.get_by_label("What happened?").select_option("Tampered packaging")
    page.get_by_label("Serial numbers").fill(f"{card.serial}\n")
    page.get_by_role("button", name="Freeze these cards").click()
    expect(page.get_by_text("1 frozen. 1 card still to be judged: we write to you.")).to_be_visible()


@pytest.mark.heavy
def test_the_retailers_reports_can_be_read_by_everybody(open_page, look):  # noqa: F811
    made = Reports(World())
    visit = open_page(made.clerk)
    found = []
    for state in made.pages():
        state.reach(visit)
        look(visit, state.name)
        found += faults(visit, state.name)
    assert not found, "\n".join(found)
