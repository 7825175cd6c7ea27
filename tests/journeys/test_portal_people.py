"""A manager invites a colleague, who joins from a telephone and is removed again."""

import re

import pytest
from django.core import mail
from playwright.sync_api import expect

from redemption.models import MemberRole, RetailerInvitation
from support.mail.invitations import send
from tests import factories
from tests.journeys.member_states import Members
from tests.journeys.states import World
from tests.journeys.test_axe import faults
from tests.journeys.test_looks import look  # noqa: F401
from tests.journeys.visit import aside

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
PASSWORD = "correct horse battery"


def test_a_colleague_is_invited_joins_and_is_removed(open_page):
    saturn = factories.retailer(name="Saturn")
    visit = open_page(factories.member(saturn, MemberRole.MANAGER, name="Mona Manager"))
    page = visit.page
    page.goto("/")
    page.get_by_role("link", name="People").click()
    page.get_by_label("E-mail address").fill("nina@shop.example")
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.get_by_role("status")).to_have_text("An invitation is on its way to nina@shop.example.")
    aside(lambda: send(RetailerInvitation.objects.get().pk))
    (link,) = re.findall(r"http://localhost:8000(/\S+)", mail.outbox[0].body)

    theirs = open_page(**PHONE).page
    theirs.goto(link)
    theirs.get_by_label("Your name").fill("Nina New")
    theirs.get_by_label("Password", exact=True).fill(PASSWORD)
    theirs.get_by_label("The password again").fill(PASSWORD)
    theirs.get_by_role("button", name="Join").click()
    expect(theirs.get_by_role("link", name="Report cards")).to_be_visible()
    expect(theirs.get_by_role("link", name="People")).to_have_count(0)
    theirs.locator("summary").click()
    expect(theirs.get_by_text("Saturn Clerk")).to_be_visible()

    page.reload()
    page.get_by_role("link", name="Nina New").click()
    page.get_by_label("Yes, remove Nina New from Saturn").check()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("status")).to_have_text("Nina New is no member of Saturn any more.")
    theirs.goto("/retailer/")
    expect(theirs.get_by_role("heading", name="Sign in")).to_be_visible()
    theirs.goto(link)
    expect(theirs.get_by_role("heading", name="This link does not work any more")).to_be_visible()


@pytest.mark.heavy
def test_the_retailers_people_and_batches_can_be_read_by_everybody(open_page, look):  # noqa: F811
    made, found = Members(World()), []
    for person, states in ((made.manager, list(made.of_the_manager())), (None, list(made.of_nobody()))):
        visit = open_page(person)
        for state in states:
            state.reach(visit)
            look(visit, state.name)
            found += faults(visit, state.name)
    assert not found, "\n".join(found)
