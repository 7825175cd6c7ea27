"""A customer's account and requests on a telephone, with scripts and without, and looked at by everybody."""

from collections.abc import Iterator

import pytest
from allauth.account.models import EmailAddress
from playwright.sync_api import expect

from redemption.models import BillingProvider, Channel, Plan, PlanPrice
from redemption.redeem import redeem
from redemption.roles import Role
from support.actions.contact import Question, ask
from support.actions.messages import write_staff_message
from support.models import Attachment, MessageKind, Ticket
from support.told_form import new_key
from tests import factories
from tests.journeys.states import State, goes_to
from tests.journeys.test_axe import faults
from tests.journeys.test_looks import look  # noqa: F401
from tests.journeys.visit import aside
from tests.support.test_attachments import bought

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


class Customer:
    """With everything on her account that the pages show, under long names."""

    def __init__(self) -> None:
        self.user = factories.user(
            name="Wilhelmina Featherstonehaugh", email="wilhelmina.featherstonehaugh-cholmondeley@example.com"
        )
        EmailAddress.objects.create(user=self.user, email=self.user.email, verified=True, primary=True)
        program = factories.program("Spotify Premium United Kingdom and Northern Ireland")
        PlanPrice.objects.create(program=program, plan=Plan.FAMILY, currency="GBP", price=1999)
        self.account = factories.account(
            program,
            user=self.user,
            email=self.user.email,
            plan=Plan.FAMILY,
            billing_provider=BillingProvider.DIRECT,
            renews_on="2030-03-04",
            renewal_anchor_day=4,
        )
        factories.account(factories.pin_program(), user=self.user, billing_provider=BillingProvider.APPLE)
        for fields in ({"value": 3000}, {"months": 3}):
            card = factories.card(factories.batch(factories.product(program, name="Gift card, printed", **fields)))
            redeem(account=self.account, text=card.text, channel=Channel.WEB)
        self.refused = redeem(account=self.account, text=factories.card().text, channel=Channel.WEB)
        factories.credit(self.account)
        self.ticket = ask(
            Question("My card does not work", "I bought it yesterday.", account=self.account),
            by=self.user,
            mailed_to=self.user.email,
            send_key=new_key(),
        )
        agent = factories.user(Role.AGENT)
        reply = write_staff_message(
            ticket=self.ticket, kind=MessageKind.REPLY, body="Which country is it of?", by=agent, seen=10**9
        )
        type(reply).objects.filter(pk=reply.pk).update(undo_until=None)

    def pages(self) -> Iterator[State]:
        yield State("account", goes_to(f"/account/?account={self.account.reference}"))
        yield State("account, billed elsewhere", goes_to("/account/"))
        yield State("statement", goes_to(f"/account/statement/?account={self.account.reference}"))
        yield State("requests", goes_to("/account/requests/"))
        yield State("request", goes_to(f"/account/requests/{self.ticket.reference}/"))
        yield State("contact support", goes_to("/account/requests/new/"))
        yield State("contact support, answer", goes_to(f"/account/requests/new/?answer={self.refused.reference}"))


@pytest.mark.parametrize("scripts", [True, False])
def test_a_customer_asks_about_an_answer_with_a_receipt_on_a_telephone(open_page, settings, tmp_path, scripts):
    settings.MEDIA_ROOT = tmp_path / "files"
    receipt = tmp_path / "receipt.jpg"
    receipt.write_bytes(bought())
    made = Customer()
    visit = open_page(made.user, java_script_enabled=scripts, **PHONE)
    page = visit.page
    page.goto(f"/account/requests/new/?answer={made.refused.reference}")
    page.get_by_label("What happened?").fill("I compared every character.")
    page.get_by_label("Turned the VPN off").check()
    page.locator("input[type=file]").set_input_files(receipt)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="A code was not redeemed")).to_be_visible()
    expect(page.get_by_role("article").get_by_text("I compared every character.")).to_be_visible()
    expect(page.get_by_role("img", name="Receipt")).to_be_visible()
    ticket = aside(lambda: Ticket.objects.order_by("pk").last())
    assert ticket.answer_reference == made.refused.reference
    assert aside(lambda: Attachment.objects.get().kind) == "receipt"

    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Requests").click()
    page.get_by_role("link", name="My card does not work").click()
    expect(page.get_by_role("article").get_by_text("Which country is it of?")).to_be_visible()
    page.get_by_label("Your message").fill("Of Britain.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("article").get_by_text("Of Britain.")).to_be_visible()
    if scripts:
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_signing_out_everywhere_leads_to_the_sign_in(open_page):
    made = Customer()
    visit = open_page(made.user, **PHONE)
    page = visit.page
    page.goto("/account/")
    page.get_by_role("button", name="Sign out everywhere").click()
    page.wait_for_url("**/accounts/login/")
    page.goto("/account/")
    page.wait_for_url("**/accounts/login/**")


@pytest.mark.heavy
def test_the_account_and_the_requests_can_be_read_by_everybody(open_page, look):  # noqa: F811
    made = Customer()
    visit = open_page(made.user)
    found = []
    for state in made.pages():
        state.reach(visit)
        look(visit, state.name)
        found += faults(visit, state.name)
    assert not found, "\n".join(found)
