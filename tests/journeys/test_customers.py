"""Customers’ whole ways in a browser: from nothing to a redeemed code, each refusal as one sees it, and to an agent."""

import re

import pytest
from django.core.cache import cache

from redemption.models import (
    BillingProvider,
    Channel,
    CodeStatus,
    ProductKind,
    Redemption,
    Restriction,
    User,
)
from redemption.next_steps import NEXT_STEPS
from redemption.redeem import redeem
from redemption.refusals import Answer
from redemption.roles import Role
from support.models import Ticket
from tests import factories
from tests.journeys.test_looks import look  # noqa: F401
from tests.journeys.visit import aside
from tests.mails import delivered
from tests.support.test_attachments import bought

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture(autouse=True)
def nobody_has_signed_in():
    cache.clear()


def types(page, text, account=None):
    page.goto("/redeem/")
    if account:
        page.locator(f'input[name="account"][value="{account.reference}"]').check()
    page.get_by_label("Code", exact=True).fill(text)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def mailed_code(address):
    """What the newest mail to that address says to type: it stands alone on its line."""
    newest = [message for message in aside(delivered) if message.to == [address]][-1]
    return re.search(r"^\s*([A-Z0-9]{4}-?[A-Z0-9]{2,4}|\d{6})\s*$", newest.body, re.M)[1]


@pytest.mark.parametrize("javascript", [True, False])
def test_from_nothing_to_a_redeemed_code_on_a_telephone(javascript, open_page, look):  # noqa: F811
    program = factories.program("Spotify Premium United Kingdom")
    batch = factories.batch(factories.product(program, months=3))
    card = factories.card(batch)
    visit = open_page(**PHONE, java_script_enabled=javascript)
    page = visit.page
    newcomer = "nina.new@example.com"

    page.goto("/redeem/")
    page.get_by_role("link", name="Sign up").click()
    page.get_by_label("Email").fill(newcomer)
    with page.expect_navigation():
        page.get_by_role("button", name="Sign up").click()
    visit.sees("a mail with a code is on its way")
    page.get_by_label("Code").fill(mailed_code(newcomer))
    with page.expect_navigation():
        page.get_by_role("button", name="Go on").click()

    page.goto("/redeem/")
    page.get_by_role("link", name="Start an account").click()
    with page.expect_navigation():
        page.get_by_role("button", name="Go on").click()
    page.get_by_label("Country").select_option(label="United Kingdom")
    with page.expect_navigation():
        page.get_by_role("button", name="Start").click()

    types(page, card.text.lower().replace("-", " "))
    visit.sees("3 months of premium, until")
    assert aside(Redemption.objects.count) == 0
    if javascript:
        look(visit, "customer, what it would give")
    with page.expect_navigation():
        page.get_by_role("button", name="Confirm").click()
    visit.sees("3 months of premium, until")
    visit.sees("from now on")
    page.get_by_role("link", name="See your account").click()
    visit.sees(newcomer)
    redemption = aside(lambda: Redemption.objects.select_related("attempt", "account__user").get())
    visit.sees(redemption.attempt.reference)
    visit.sees("4 attempts left")
    visit.sees(f"until {aside(lambda: redemption.premium_grant.period.upper):%-d %B %Y}")
    if javascript:
        look(visit, "customer, account after redeeming")
        visit.assert_keeps_none_of(card.text)
    person = redemption.account.user
    assert (person.email, person.role, person.is_staff) == (newcomer, Role.CUSTOMER, False)
    assert redemption.account.email_verified
    assert aside(User.objects.filter(email=newcomer).count) == 1


def test_every_refusal_of_the_seeds_as_a_customer_sees_it(open_page, look, settings):  # noqa: F811
    """Each with its own words, what to do next, a reference, and the way to support."""
    settings.ATTEMPTS_PER_ACCOUNT = settings.ATTEMPTS_PER_ADDRESS = settings.ATTEMPTS_PER_PROGRAM = 0
    program = factories.program(stacking_cap_months=18)
    person = factories.user()
    numbers = iter(range(100))

    def account(**fields):
        fields = {"user": person, "email": f"{next(numbers)}@example.com", **fields}
        return factories.account(program, **fields)

    def card(status=CodeStatus.ACTIVE, *, days_ago=None, **product):
        expires = {} if days_ago is None else {"expires_on": factories.last_day(days_ago)}
        return factories.card(factories.batch(factories.product(program, **product), **expires), status=status)

    plain, hoarder = account(), account()
    spent, own = card(), card()
    assert redeem(account=factories.account(program), text=spent.text, channel=Channel.WEB).is_redeemed
    assert redeem(account=plain, text=own.text, channel=Channel.WEB).is_redeemed
    assert redeem(account=hoarder, text=card(months=12).text, channel=Channel.WEB).is_redeemed
    trial = {"months": 1, "kind": ProductKind.PREMIUM_TRIAL, "new_subscribers_only": True}
    cases = {
        # Typed wrongly, of another region, expired, never made, never sold, stopped: one answer.
        "unknown": (plain, factories.card().text, Answer.NOT_VALID),
        "of another region": (plain, card(countries=["US"]).text, Answer.NOT_VALID),
        "expired": (plain, card(days_ago=3).text, Answer.NOT_VALID),
        "not sold": (plain, card(CodeStatus.INACTIVE).text, Answer.NOT_VALID),
        "frozen": (plain, card(CodeStatus.FROZEN).text, Answer.NOT_VALID),
        "void": (plain, card(CodeStatus.VOID).text, Answer.NOT_VALID),
        "redeemed by another": (plain, spent.text, Answer.ALREADY_REDEEMED),
        "redeemed by himself": (plain, own.text, Answer.REDEEMED_BY_YOU),
        "for new subscribers": (account(had_premium=True), card(**trial).text, Answer.NEW_SUBSCRIBERS),
        "for another plan": (account(plan="family"), card(months=1, plans=["student"]).text, Answer.OTHER_PLAN),
        "too much time": (hoarder, card(months=12).text, Answer.TOO_MUCH_TIME),
        "billed by Apple": (account(billing_provider=BillingProvider.APPLE), card().text, Answer.BILLED_ELSEWHERE),
        "behind a VPN": (account(last_seen_country="FR"), card().text, Answer.LOCATION),
        "not verified": (account(email_verified=False), card().text, Answer.UNVERIFIED),
        "restricted": (account(restriction=Restriction.PAYMENT_DISPUTE), card().text, Answer.RESTRICTED),
        "a link for sharing": (plain, "https://open.spotify.com/track/4cOdK2wGLETKBW3PvgPWqT", Answer.SHARE_LINK),
        "a slip": (plain, own.text[:-1] + ("2" if own.text[-1] != "2" else "3"), Answer.CHECK_THE_CODE),
    }
    visit = open_page(person)
    page = visit.page
    seen = {}
    for name, (of, text, answer) in cases.items():
        types(page, text, of)
        visit.sees(page.get_by_role("heading", name="Not redeemed"))
        shown = page.locator("main").inner_text()
        assert answer.text() in shown, name
        assert all(step in shown for step in NEXT_STEPS[answer]), name
        reference = re.search(r"Reference: ((?:AT|NO)-\S+)", shown)[1]
        link = page.get_by_role("link", name="contact support")
        assert link.get_attribute("href") == f"/account/requests/new/?answer={reference}", name
        seen[name] = shown.replace(reference, "")
        if name in {"unknown", "too much time"}:
            look(visit, f"refused, {name}")
    alike = ["unknown", "of another region", "expired", "not sold", "frozen", "void"]
    assert len({seen[name] for name in alike}) == 1

    # An outage, and too many tries.
    aside(lambda: type(program).objects.update(is_paused=True))
    types(page, cases["unknown"][1], plain)
    visit.sees(Answer.UNAVAILABLE.text())
    aside(lambda: type(program).objects.update(is_paused=False))
    settings.ATTEMPTS_PER_ACCOUNT = 1
    for _ in range(2):
        types(page, cases["unknown"][1], plain)
    visit.sees(Answer.TOO_MANY_ATTEMPTS.text())
    visit.sees("Codes can be tried again from")


def test_what_a_customer_tells_support_is_all_on_the_agents_page(open_page, look, tmp_path):  # noqa: F811
    receipt = tmp_path / "receipt.jpg"
    receipt.write_bytes(bought())
    account = factories.account(user=factories.user())
    # A wording of the program's own is what he saw.
    wording = "That code does nothing here."
    account.program.wording = {Answer.NOT_VALID.value: wording}
    account.program.save(update_fields=["wording"])
    card = factories.card(factories.batch(factories.product(account.program)), status=CodeStatus.FROZEN)
    agent = factories.user(Role.AGENT)
    customer = open_page(account.user, **PHONE)
    page = customer.page

    types(page, card.text)
    customer.sees(wording)
    reference = re.search(r"Reference:\s*(AT-\S+)", page.locator("main").inner_text())[1]
    page.get_by_role("link", name="contact support").click()
    customer.sees(wording)
    page.get_by_label("What is it about?").fill("My card does nothing")
    page.get_by_label("What happened?").fill(f"I bought it on Monday. The code is {card.text}, please look.")
    page.get_by_label("Receipt, photo of the card, screenshot").set_input_files(receipt)
    steps = page.locator('input[name="steps_tried"]')
    for number in range(2):
        steps.nth(number).check()
    tried = [steps.nth(number).get_attribute("value") for number in range(2)]
    with page.expect_navigation():
        page.get_by_role("button", name="Send", exact=True).click()
    customer.sees("We have your request")
    said = page.locator("main").inner_text()
    # Neither his code nor whether there is such a card.
    assert card.code[-4:] not in said
    assert str(card.serial) not in said
    assert "frozen" not in said.lower()
    look(customer, "customer, his request")
    customer.assert_keeps_none_of(card.text)
    ticket = aside(lambda: Ticket.objects.select_related("code", "account").get())
    assert (ticket.account, ticket.code_id, ticket.answer_reference) == (account, card.serial, reference)
    assert (ticket.error_message, ticket.steps_tried) == (wording, tried)

    staff = open_page(agent)
    page = staff.page
    page.goto(f"/tickets/{ticket.reference}/")
    staff.sees("My card does nothing")
    shown = page.locator("#content").inner_text()
    for what in (wording, account.email, str(card.serial), reference, str(account.program)):
        assert what in shown, what
    assert card.text not in shown
    assert page.locator("[data-picture]").count() == 1
    look(staff, "agent, what the customer told")
    page.get_by_role("link", name=reference).first.click()
    staff.sees(page.get_by_role("heading", name=re.compile(reference)))
    staff.sees("The card is frozen while a report is looked into.")
