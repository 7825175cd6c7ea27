"""A manager makes, rotates and revokes a key of the tills, on a telephone too."""

import pytest
from playwright.sync_api import expect

from redemption.models import TILL_SCOPES, MemberRole
from support.actions.keys import make_key, revoke_key
from tests import factories
from tests.journeys.states import State, goes_to
from tests.journeys.test_axe import faults
from tests.journeys.test_looks import look  # noqa: F401
from tests.journeys.visit import aside
from tests.support.till.tills import Till, told

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def opens(token):
    return aside(lambda: told(Till(token=token).get("/cards/1000000000"))) == (404, "unknown_card")


def test_a_key_is_made_rotated_and_revoked(open_page):
    manager = factories.member(factories.retailer(name="Saturn"), MemberRole.MANAGER, name="Mona Manager")
    page = open_page(manager, **PHONE).page
    page.goto("/retailer/")
    page.get_by_role("link", name="Keys").click()
    expect(page.get_by_text("Saturn has no key that works.")).to_be_visible()
    page.get_by_label("Where it is used").fill("tills, Malmö")
    page.get_by_label("Ask for a card’s status").check()
    page.get_by_role("button", name="Make the key").click()
    first = page.get_by_label("tills, Malmö").input_value()
    assert opens(first)
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("link", name="tills, Malmö").click()
    page.get_by_role("button", name="Make the next key").click()
    second = page.get_by_label("tills, Malmö").input_value()
    assert (opens(first), opens(second)) == (True, True)
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("link", name="tills, Malmö").first.click()
    page.get_by_label("Yes, revoke").check()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("status")).to_contain_text("opens nothing any more.")
    assert (opens(first), opens(second)) == (True, False)


@pytest.mark.heavy
def test_the_pages_of_keys_can_be_read_by_everybody(open_page, look):  # noqa: F811
    retailer = factories.retailer(name="Warenhaus Featherstonehaugh-Cholmondeley & Söhne")
    manager = factories.member(retailer, MemberRole.MANAGER, name="Wilhelmina Featherstonehaugh-Cholmondeley")
    name = "Kassensysteme aller Häuser nördlich des Mains, Ersatzgeräte"
    live, gone = (make_key(retailer=retailer, name=name, scopes=TILL_SCOPES, by=manager).key for _ in range(2))
    revoke_key(gone, by=manager)
    states = [
        State("portal keys", goes_to("/retailer/keys/")),
        State("portal key", goes_to(f"/retailer/keys/{live.pk}/")),
        State("portal key, revoked", goes_to(f"/retailer/keys/{gone.pk}/")),
        State("portal key, unsure", lambda visit: _presses(visit, live, "Revoke")),
        State("portal key, new", lambda visit: _presses(visit, live, "Make the next key")),
    ]
    visit, found = open_page(manager), []
    for state in states:
        state.reach(visit)
        look(visit, state.name)
        found += faults(visit, state.name)
    assert not found, "\n".join(found)


def _presses(visit, key, name):
    visit.page.goto(f"/retailer/keys/{key.pk}/")
    # Past the browser's own check, to see ours.
    visit.page.eval_on_selector_all("form", "forms => forms.forEach((form) => { form.noValidate = true })")
    visit.page.get_by_role("button", name=name, exact=True).click()
    visit.page.wait_for_load_state()
