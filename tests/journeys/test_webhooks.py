"""An administrator makes a webhook, tests it, and sends again what a server missed."""

import pytest
from playwright.sync_api import expect

from redemption.models import WEBHOOK_KINDS, WebhookDelivery, WebhookEndpoint
from redemption.roles import Role
from redemption.webhooks.sending import send
from redemption.webhooks.signing import is_genuine
from tests import factories
from tests.journeys.test_axe import faults
from tests.journeys.test_looks import look  # noqa: F401
from tests.journeys.visit import aside
from tests.redemption.webhooks.receiving import delivery, endpoint, receiver

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_webhook_is_made_tested_and_sent_again(open_page, settings):
    settings.WEBHOOK_PRIVATE_TARGETS = True
    program, admin = factories.program(), factories.user(Role.ADMINISTRATOR)
    page = open_page(admin).page
    page.goto("/platforms/webhooks/")
    with receiver(204) as platform:
        page.get_by_label("Whose platform").select_option(str(program))
        page.locator("#id_url").fill(platform.url)
        page.get_by_role("button", name="Make the webhook").click()
        secret = page.locator(".new-token").inner_text()
        page.get_by_role("link", name="It is copied").click()
        page.get_by_role("button", name="Send a test").click()
        expect(page.get_by_text("A test is on its way")).to_be_visible()
        assert aside(send) == 1
        ((headers, body),) = platform.got
        assert is_genuine(headers=headers, body=body, secret=secret)
        page.reload()
        expect(page.get_by_role("row").last).to_contain_text("Delivered")

        made = aside(WebhookEndpoint.objects.get)
        aside(lambda: delivery(made, status="given_up", tries=20, last_answer="503"))
        page.get_by_role("link", name="Given up").click()
        page.get_by_role("row").last.get_by_role("link").click()
        expect(page.get_by_text('"first_serial": 1')).to_be_visible()
        page.go_back()
        page.get_by_role("button", name="Send again").click()
        expect(page.get_by_text("1 sent again")).to_be_visible()
        assert aside(send) == 1
    assert aside(lambda: {row.status for row in WebhookDelivery.objects.all()}) == {"delivered"}


@pytest.mark.heavy
def test_the_pages_of_webhooks_can_be_read_by_everybody(open_page, look):  # noqa: F811
    program = factories.program("Spotify Premium United Kingdom")
    well = endpoint("https://hooks.platform.example.com/redemption-desk/production?region=eu-north-1", program)
    away = endpoint(
        "https://away.example.com/", program, kinds=WEBHOOK_KINDS[:1], failures=3, former_secret=well.secret
    )
    off = endpoint("https://off.example.com/", program, is_active=False)
    shown = [delivery(well, status="delivered", tries=1, last_answer="204"), delivery(well, tries=2, last_answer="503"),
             delivery(well, status="given_up", tries=21, last_answer="a certificate that does not hold")]  # fmt: skip
    visit = open_page(factories.user(Role.ADMINISTRATOR))
    wrong = []
    for name, path in [
        ("webhooks", ""),
        ("webhook", f"{well.pk}/"),
        ("webhook away", f"{away.pk}/"),
        ("webhook switched off", f"{off.pk}/"),
        ("webhook none", f"{well.pk}/?before=1"),
        ("webhook delivery", f"{well.pk}/{shown[1].pk}/"),
    ]:
        visit.page.goto(f"/platforms/webhooks/{path}")
        look(visit, name)
        wrong += faults(visit, name)
    visit.page.goto(f"/platforms/webhooks/{well.pk}/")
    visit.page.get_by_role("button", name="Make the next secret").click()
    visit.page.locator(".new-token").wait_for()
    look(visit, "webhook secret")
    wrong += faults(visit, "webhook secret")
    assert wrong == []
