"""No page asks for what its content-security policy refuses, whoever looks at it; customers’, retailers’ and sign-in
pages hold no script, no style and no handler of their own in the first place."""

from collections.abc import Iterable
from typing import Any

import pytest

from redemption.models import Attempt, AttemptOutcome, Channel, CodeStatus
from redemption.redeem import redeem
from redemption.roles import Role
from support.models import TicketChannel
from tests import factories
from tests.journeys.member_states import Members
from tests.journeys.portal_states import Reports
from tests.journeys.states import State, World, goes_to
from tests.journeys.test_axe import Tickets, lists_and_forms
from tests.journeys.visit import Visit, aside

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# The console says so too, which counts as trouble; the event also says where.
_LISTEN = """addEventListener("securitypolicyviolation", (event) => refused([
    event.violatedDirective, event.blockedURI, event.sourceFile, event.lineNumber, location.pathname].join(" ")))"""
_WITHIN = """() => [...document.querySelectorAll("*")].flatMap((element) => [
    ...(element.matches("style, script:not([src], [type='application/json'])") ? [element.outerHTML] : []),
    ...element.getAttributeNames().filter((name) => name === "style" || name.startsWith("on")
        || /^javascript:/i.test(element.getAttribute(name))).map((name) => `${element.tagName} ${name}`)])"""


class Watched:
    """A browser that keeps what the policy has refused and what a page holds within itself."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.refused: list[str] = []
        self.within: list[tuple[str, str]] = []
        visit.context.expose_function("refused", lambda text: self.refused.append(text))
        visit.context.add_init_script(_LISTEN)

    def visits(self, states: Iterable[State], *, plain: bool) -> None:
        for state in states:
            state.reach(self.visit)
            page = self.visit.page
            page.wait_for_load_state("networkidle")
            if plain:
                # Written into the page as it came, not what a script of ours has set since.
                self.within += [(state.name, what) for what in page.evaluate(_WITHIN)]

    def found_nothing(self) -> None:
        assert (self.refused, self.within) == ([], [])


def _at(*addresses: str) -> list[State]:
    return [State(address, goes_to(address)) for address in addresses]


SIGN_IN = [
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/login/code/",
    "/status/",
    "/nothing/",
]
SIGNED_IN = [
    "/accounts/2fa/",
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/webauthn/add/",
    "/accounts/sessions/",
    "/accounts/password/change/",
    "/accounts/email/",
    "/accounts/logout/",
]


def test_the_browser_refuses_what_the_policy_forbids(open_page: Any) -> None:
    """The listener hears: otherwise nothing of what follows would mean anything."""
    visit = open_page()
    watched = Watched(visit)
    visit.page.goto("/accounts/login/")
    visit.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">')")
    visit.page.wait_for_timeout(100)
    assert {line.split()[0] for line in watched.refused} == {"style-src-attr"}
    assert len(visit.troubles) == len(watched.refused)
    assert all("Content Security Policy" in trouble for trouble in visit.troubles)
    visit.troubles.clear()


def test_customers(open_page: Any) -> None:
    person = factories.user()
    account = factories.account(user=person)
    factories.program("Anghami Plus")
    batch = factories.batch(factories.product(account.program))
    spent, live = factories.cards(2, batch)
    redeem(account=account, text=spent.text, channel=Channel.WEB)
    frozen = factories.card(batch, status=CodeStatus.FROZEN)
    refused = redeem(account=account, text=frozen.text, channel=Channel.WEB)
    ticket = factories.ticket(account.program, account=account, channel=TicketChannel.WEB, requester_email=person.email)
    stranger = Watched(open_page())
    stranger.visits(_at(*SIGN_IN), plain=True)
    stranger.found_nothing()
    watched = Watched(open_page(person))

    def types(text: str) -> State:
        def reach(visit: Visit) -> None:
            visit.page.goto("/redeem/")
            visit.page.get_by_label("Code", exact=True).fill(text)
            with visit.page.expect_navigation():
                visit.page.keyboard.press("Enter")

        return State("a code is typed", reach)

    def confirms(visit: Visit) -> None:
        with visit.page.expect_navigation():
            visit.page.get_by_role("button", name="Confirm").click()

    watched.visits(
        [
            *_at("/redeem/", "/account/", "/account/statement/", "/account/start/", "/account/requests/"),
            *_at("/account/requests/new/", f"/account/requests/new/?answer={refused.reference}"),
            *_at(f"/account/requests/{ticket.reference}/", *SIGNED_IN),
            types(frozen.text),
            types(live.text),
            State("confirmed", confirms),
        ],
        plain=True,
    )
    watched.found_nothing()
    assert aside(Attempt.objects.filter(account=account, outcome=AttemptOutcome.REDEEMED).count) == 2


def test_retailers(open_page: Any) -> None:
    world = World()
    reports, members = Reports(world), Members(world)
    nobody, clerk = Watched(open_page()), Watched(open_page(reports.clerk))
    nobody.visits(members.of_nobody(), plain=True)
    clerk.visits(reports.pages(), plain=True)
    nobody.found_nothing()
    clerk.found_nothing()


@pytest.mark.heavy
def test_the_desk_and_the_admin(open_page: Any) -> None:
    """As strict as the shell allows: whatever else its pages do, nothing is refused."""
    world = World()
    tickets = Tickets(world)
    agent, manager = Watched(open_page(world.agent)), Watched(open_page(world.manager))
    agent.visits([*tickets.pages(), *world.desk()], plain=False)
    manager.visits([*world.admin(), *lists_and_forms()], plain=False)
    agent.found_nothing()
    manager.found_nothing()


def test_the_first_pages_of_the_desk(open_page: Any) -> None:
    watched = Watched(open_page(factories.user(Role.ADMINISTRATOR)))
    watched.visits(_at("/", "/tickets/", "/admin/", "/admin/redemption/batch/", "/outages/"), plain=False)
    watched.found_nothing()
