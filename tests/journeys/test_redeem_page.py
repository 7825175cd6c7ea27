"""A customer's way from the bare address to the credit, in a browser. `PICTURES=folder` keeps pictures."""

import re

import pytest
from django.core.cache import cache

from redemption.models import BillingProvider, CodeStatus, Redemption
from redemption.refusals import Answer
from tests import factories
from tests.factories import PASSWORD
from tests.journeys.test_looks import look  # noqa: F401
from tests.journeys.visit import aside

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def nobody_has_signed_in():
    """So many sign-ins a minute from one address are turned away, and the tests before these had theirs."""
    cache.clear()


def sign_in(page, person, to="**/redeem/"):
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(to)


def submit(page, text):
    page.get_by_label("Code", exact=True).fill(text)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_a_customer_signs_in_chooses_an_account_and_redeems(open_page, look):  # noqa: F811
    person = factories.user(name="Wilhelmina Featherstonehaugh-Cholmondeley")
    music = factories.program("Spotify Premium United Kingdom and Northern Ireland")
    films = factories.pin_program()
    factories.account(films, user=person, email="wilhelmina.featherstonehaugh-cholmondeley@example.com")
    account = factories.account(music, user=person)
    batch = factories.batch(factories.product(music, months=3))
    card, other = factories.cards(2, batch)
    dead = factories.card(batch, status=CodeStatus.FROZEN)
    visit = open_page()
    page = visit.page

    page.goto("/")
    sign_in(page, person)
    visit.sees("Signed in as")
    look(visit, "redeem, with two accounts")
    assert page.get_by_label(str(films)).is_checked()
    page.get_by_label(str(music)).check()
    # In small letters, as people type; a slip costs nothing.
    slip = card.text[:-1] + ("2" if card.text[-1] != "2" else "3")
    submit(page, slip.lower())
    visit.sees(Answer.CHECK_THE_CODE.label)
    look(visit, "redeem, slip")
    visit.assert_keeps_none_of(card.text, slip)

    page.get_by_role("link", name="Try another code").click()
    page.get_by_label(str(music)).check()
    submit(page, card.text.lower().replace("-", " "))
    visit.sees("3 months of premium, until")
    look(visit, "redeem, what it gives")
    visit.assert_keeps_none_of(card.text)
    assert aside(Redemption.objects.count) == 0
    with page.expect_navigation():
        page.get_by_role("button", name="Confirm").click()
    visit.sees("3 months of premium, until")
    said = page.locator("main").inner_text()
    look(visit, "redeemed")
    visit.assert_keeps_none_of(card.text)
    redemption = aside(lambda: Redemption.objects.select_related("attempt").get())
    assert redemption.account_id == account.pk
    assert redemption.attempt.reference in said

    # Loaded again, the form is sent once more: the same answer, and no second effect.
    page.reload()
    assert page.locator("main").inner_text() == said
    assert aside(Redemption.objects.count) == 1

    # The form holds nothing of the code any more.
    page.get_by_role("link", name="Try another code").click()
    assert page.get_by_label("Code", exact=True).input_value() == ""
    page.get_by_label(str(music)).check()
    submit(page, dead.text)
    visit.sees(Answer.NOT_VALID.label)
    look(visit, "redeem, not valid")
    page.get_by_role("link", name="Try another code").click()
    page.get_by_label(str(music)).check()
    submit(page, card.text)
    visit.sees(Answer.REDEEMED_BY_YOU.label)
    for number in range(3):
        page.get_by_role("link", name="Try another code").click()
        page.get_by_label(str(music)).check()
        submit(page, dead.text if number < 2 else other.text)
    visit.sees("Codes can be tried again from")
    look(visit, "redeem, blocked")
    visit.assert_keeps_none_of(card.text, other.text, dead.text)
    assert page.locator("script, style, [style]").count() == 0


def test_who_cannot_redeem_is_told_why_and_by_keyboard_alone(open_page, look):  # noqa: F811
    nobody = factories.user()
    account = factories.account(user=factories.user(), billing_provider=BillingProvider.APPLE)
    card = factories.card(factories.batch(factories.product(account.program)))
    visit = open_page()
    page = visit.page
    page.goto("/redeem/")
    sign_in(page, account.user)
    look(visit, "redeem")
    # Past the links on top, the code's field is the first to fill in.
    page.reload()
    for _ in range(6):
        page.keyboard.press("Tab")
    assert page.locator("#code:focus").count() == 1
    page.keyboard.insert_text(card.text)
    page.keyboard.press("Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    visit.sees(Answer.BILLED_ELSEWHERE.label)
    look(visit, "redeem, billed by Apple")

    page.get_by_role("link", name="Try another code").click()
    page.locator("#code").evaluate("box => { box.removeAttribute('maxlength'); box.value = '7'.repeat(5_000_000) }")
    page.locator("#code").press("Enter")
    page.get_by_role("heading", name="That is too much").wait_for()

    page.goto("/redeem/")
    page.locator("[name=key]").evaluate("key => { key.value = '' }")
    submit(page, card.text)
    visit.sees("The form was incomplete")
    look(visit, "redeem, form incomplete")
    page.get_by_role("link", name="Open the page again").click()
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/accounts/login/"))
    sign_in(page, nobody, to="**/account/start/")
    page.goto("/redeem/")
    visit.sees("No account is linked")
    look(visit, "redeem, no account")


def test_a_code_groups_itself_however_it_is_typed_and_nothing_else_does(open_page):
    account = factories.account(user=factories.user())
    visit = open_page()
    page = visit.page
    page.goto("/redeem/")
    sign_in(page, account.user)
    field = page.locator("#code")
    field.wait_for()
    for typed, shown in (
        ("abcd1234efgh", "ABCD-1234-EFGH"),
        ("spotify abcd 1234 efgh", "SPOTIFY-ABCD-1234-EFGH"),
        ("ab", "AB"),
        ("spot", "SPOT"),
        ("ABCD\u20131234\u200b\u2013EFGH", "ABCD-1234-EFGH"),
    ):
        field.fill("")
        field.press_sequentially(typed)
        assert field.input_value() == shown
        field.fill(typed)
        assert field.input_value() == shown
    for pasted in ("spotify:track:4uLU6h", "far more symbols than any code has"):
        field.fill(pasted)
        assert field.input_value() == pasted
    # Written into the middle, the caret stays where it was.
    field.fill("ABCD-1234-EFGH")
    field.evaluate("box => box.setSelectionRange(2, 2)")
    field.press("Delete")
    field.press("X")
    assert field.input_value() == "ABXD-1234-EFGH"
    assert field.evaluate("box => box.selectionStart") == 3
