"""axe-core, the rule book of screen readers and keyboards, finds nothing serious on any page, light or dark."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from django.contrib import admin
from django.urls import reverse

from redemption.roles import Role
from support.actions.links import attach_incident, mark_problem
from support.actions.messages import add_customer_message, write_staff_message
from support.models import Macro, MessageKind, Surface, TicketChannel
from tests import factories
from tests.journeys.credit_states import Credits
from tests.journeys.judging_states import Judging
from tests.journeys.looks import _show
from tests.journeys.states import State, World, goes_to, types
from tests.journeys.visit import Visit
from tests.support.test_attachments import attached, bought

# Every page in every look, by one browser: once in .ci/run is enough.
pytestmark = [pytest.mark.heavy, pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AXE = AXE_FILE_PATH.read_text()
_RUN = """async (rules) => {
    const options = { resultTypes: ["violations"], ...(rules && { runOnly: { type: "rule", values: rules } }) };
    const { violations } = await axe.run(document, options);
    return violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .flatMap(({ id, nodes }) => nodes.map(({ target, html, failureSummary }) =>
            [id, target.flat().join(" "), html.slice(0, 300), failureSummary]));
}"""


def faults(visit: Visit, name: str) -> list[str]:
    """Of the page in front: every rule in light, and those that colours can break in dark."""
    visit.page.locator("h1:visible, h2:visible, main:visible, #content:visible").first.wait_for()
    visit.page.evaluate("document.fonts.ready")
    found = []
    for scheme, rules in (("light", None), ("dark", ["color-contrast", "link-in-text-block"])):
        _show(visit.page, 1300, scheme)
        # Navigating loses it.
        if not visit.page.evaluate("typeof axe === 'object'"):
            visit.page.evaluate(AXE)
        found += [
            f"{name}, {scheme}: {rule}: {target}\n    {html}\n    {summary}"
            for rule, target, html, summary in visit.page.evaluate(_RUN, rules)
        ]
    return found


class Tickets:
    """A ticket with all that a ticket can have, and pages that show tickets."""

    def __init__(self, world: World) -> None:
        card = world.cards["redeemed"]
        Macro.objects.create(name="Ask for the country", body="Which country is your account of, {requester}?")
        error = factories.known_error(world.program)
        error.causes.create(title="Redeemed", question="By whom?", remedy="Ask.", reply="It was redeemed, {requester}.")
        self.full = factories.ticket(
            world.program,
            account=world.account,
            code=card.row,
            requester_name="Wilhelmina Featherstonehaugh",
            requester_email=world.account.email,
            error_message="This code is not valid",
            surface=Surface.MOBILE,
            steps_tried=["retyped", "vpn_off"],
        )
        attached(bought(), ticket=self.full)
        write_staff_message(ticket=self.full, kind=MessageKind.NOTE, body="Redeemed by another", by=world.agent)
        write_staff_message(ticket=self.full, kind=MessageKind.REPLY, body="Which country?", by=world.agent)
        add_customer_message(ticket=self.full, body="The United Kingdom", quoted="> Which country?")
        self.other = factories.ticket(world.program, channel=TicketChannel.SOCIAL)
        self.problem = factories.ticket(world.program, subject="Nobody can redeem")
        mark_problem(ticket=self.problem, by=world.agent)
        attach_incident(ticket=factories.ticket(world.program), problem=self.problem, by=world.agent)

    def pages(self) -> Iterator[State]:
        page = f"/tickets/{self.full.reference}/"
        yield State("queue", goes_to("/tickets/"))
        yield State("queue, filtered", goes_to("/tickets/?view=all&channel=email"))
        yield State("queue, nothing in it", goes_to("/tickets/?view=overdue&channel=phone"))
        yield State("ticket", goes_to(page))
        yield State("ticket asked in public", goes_to(f"/tickets/{self.other.reference}/"))
        yield State("new ticket", goes_to(f"/tickets/new/?card={self.full.code_id}"))
        yield State("tickets found by words", types("united kingdom"))
        yield State("palette", self._palette)
        yield State("viewer", self._viewer)
        yield State("keyboard", self._keyboard)
        yield State("bulk change", self._bulk)
        yield State("merging", self._merge)
        yield State("problem", goes_to(f"/tickets/{self.problem.reference}/"))

    def _palette(self, visit: Visit) -> None:
        visit.page.goto("/admin/")
        visit.page.locator("#content:visible").first.wait_for()
        visit.page.keyboard.press("Control+k")
        visit.page.get_by_role("dialog").first.wait_for()

    def _viewer(self, visit: Visit) -> None:
        visit.page.goto(f"/tickets/{self.full.reference}/")
        visit.page.locator("[data-picture]").first.click()
        visit.page.locator("#viewer img").wait_for()

    def _keyboard(self, visit: Visit) -> None:
        visit.page.goto("/tickets/")
        visit.page.locator("#content:visible").first.wait_for()
        visit.page.keyboard.press("?")
        visit.page.get_by_role("dialog", name="Keyboard").wait_for()

    def _bulk(self, visit: Visit) -> None:
        visit.page.goto("/tickets/")
        visit.page.get_by_label("Choose all on this page").check()
        visit.page.get_by_label("What to do").select_option("Urgent")
        visit.page.get_by_role("button", name="With the chosen ones").click()
        visit.page.get_by_role("button", name="Change ").wait_for()

    def _merge(self, visit: Visit) -> None:
        visit.page.goto(f"/tickets/{self.other.reference}/")
        visit.page.get_by_text("Link it").click()
        visit.page.get_by_label("Reference of the other ticket").first.fill(self.full.reference)
        visit.page.get_by_role("button", name="Merge it into that one").click()
        visit.page.get_by_role("button", name="Merge", exact=True).wait_for()


def lists_and_forms() -> Iterator[State]:
    """Of every model in the admin that a manager sees."""
    for model, shown in admin.site._registry.items():
        if getattr(shown, "view_permission", None):
            base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            yield State(f"list of {model._meta.verbose_name_plural}", goes_to(reverse(f"{base}_changelist")))
            if shown.change_permission:
                yield State(f"new {model._meta.verbose_name}", goes_to(reverse(f"{base}_add")))


def visited(visit: Visit, states: Iterator[State]) -> list[str]:
    found: list[str] = []
    for state in states:
        state.reach(visit)
        found += faults(visit, state.name)
    return found


def test_the_desk(open_page: Any) -> None:
    world = World()
    tickets = Tickets(world)
    visit = open_page(world.agent)
    found = visited(visit, iter([*tickets.pages(), *world.desk()]))
    assert not found, "\n".join(found)


def test_the_admin(open_page: Any) -> None:
    world = World()
    Tickets(world)
    visit = open_page(world.manager)
    found = visited(visit, iter([*world.admin(), *lists_and_forms()]))
    assert not found, "\n".join(found)


def test_credits_as_agents_see_them(open_page: Any) -> None:
    made = Credits(World())
    found = visited(open_page(made.world.agent), made.of_the_agent())
    assert not found, "\n".join(found)


def test_credits_as_managers_see_them(open_page: Any) -> None:
    made = Credits(World())
    found = visited(open_page(made.decider), made.of_the_manager())
    assert not found, "\n".join(found)


def test_reported_cards_as_agents_and_managers_see_them(open_page: Any) -> None:
    made = Judging(World())
    found = visited(open_page(made.world.agent), made.of_the_agent())
    found += visited(open_page(made.decider), made.of_the_manager())
    assert not found, "\n".join(found)


def test_the_way_in_and_the_customers_page(open_page: Any) -> None:
    customer = factories.user(Role.CUSTOMER)
    factories.account(user=customer)
    stranger, visit = open_page(), open_page(customer)
    found = visited(
        stranger, iter([State("sign-in", goes_to("/")), State("forgotten", goes_to("/accounts/password/reset/"))])
    )
    found += visited(visit, iter([State("redeem", goes_to("/redeem/"))]))
    assert not found, "\n".join(found)
