"""The retailers' pages of people and batches in their states: empty and full, invited, refused, removed."""

from collections.abc import Iterator

from redemption.models import MemberRole, RetailerMember
from support.actions import members
from support.mail.invitations import link
from tests import factories
from tests.journeys.states import State, World, goes_to
from tests.journeys.visit import Visit


class Members:
    """On top of a world of cards: its retailer's manager, who manages a second one and is alone there."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.manager = factories.member(
            world.retailer, MemberRole.MANAGER, name="Wilhelmina Featherstonehaugh-Cholmondeley"
        )
        self.alone = factories.retailer(name="Saturn", slug="saturn-alone")
        RetailerMember.objects.create(retailer=self.alone, user=self.manager, role=MemberRole.MANAGER)
        self.clerk = factories.member(
            world.retailer, email="bartholomaeus.freiherr-von-droste-zu-vischering@kaufhaus.example"
        )
        self.invitation = members.invite(
            retailer=world.retailer,
            email="the.new.colleague.at.the.service.counter@kaufhaus.example",
            role=MemberRole.CLERK,
            by=self.manager,
        )

    def of_the_manager(self) -> Iterator[State]:
        of = f"?retailer={self.world.retailer.slug}"
        batch, frozen = (self.world.cards[name].batch.reference for name in ("works", "batch frozen"))
        member = RetailerMember.objects.get(user=self.clerk).pk
        yield State("portal", goes_to("/retailer/"))
        yield State("portal, menu", self._opens_menu)
        yield State("portal batches", goes_to("/retailer/batches/"))
        yield State("portal batches, none", goes_to(f"/retailer/batches/?retailer={self.alone.slug}"))
        yield State("portal batch", goes_to(f"/retailer/batches/{batch}/"))
        yield State("portal batch, frozen", goes_to(f"/retailer/batches/{frozen}/"))
        yield State("portal people", goes_to(f"/retailer/people/{of}"))
        yield State("portal people, refused", self._is_refused)
        yield State("portal member", goes_to(f"/retailer/people/{member}/"))
        yield State("portal, no such page", goes_to("/retailer/people/999999/"))

    def of_nobody(self) -> Iterator[State]:
        address = "/" + link(self.invitation).split("/", 3)[3]
        yield State("invitation", goes_to(address))
        yield State("invitation, refused", lambda visit: self._signs_up(visit, address))
        yield State("invitation, over", goes_to("/retailer/invitation/ff/"))

    def _opens_menu(self, visit: Visit) -> None:
        visit.page.goto("/retailer/")
        visit.page.locator("summary").click()
        visit.sees("Sign out")

    def _is_refused(self, visit: Visit) -> None:
        visit.page.goto(f"/retailer/people/?retailer={self.world.retailer.slug}")
        visit.page.get_by_label("E-mail address").fill(self.clerk.email)
        visit.page.get_by_role("button", name="Send the invitation").click()
        visit.sees("is a member already.")

    def _signs_up(self, visit: Visit, address: str) -> None:
        visit.page.goto(address)
        visit.page.get_by_label("Your name").fill("Nina New")
        visit.page.get_by_label("Password", exact=True).fill("short")
        visit.page.get_by_label("The password again").fill("other")
        visit.page.get_by_role("button", name="Join").click()
        visit.sees("The two passwords are not the same.")
