"""The pages of signs in their states: listed, opened, refused, judged."""

from collections.abc import Iterator

from support.actions import signs
from support.models import CardSignKind
from tests import factories
from tests.journeys.states import State, World, goes_to
from tests.journeys.visit import Visit
from tests.support.signs import sign_of, try_of


class Signs:
    """On top of a world of cards: a run, a whole batch and one card, open, dismissed and reported."""

    def __init__(self, world: World) -> None:
        self.world = world
        cards = factories.cards(60, world.batch)
        for card in cards[20:26]:
            for account in (world.account, factories.account(world.program)):
                try_of(card, account)
        self.run = sign_of(cards[20:26])
        sign_of(cards, is_run=False, tried=1234, tries=12345, expected=56.7)
        sign_of(cards[40:41], kind=CardSignKind.NOT_ACTIVATED, tried=1, tries=3)
        self.dismissed, self.reported = sign_of(cards[30:36]), sign_of(cards[50:56])
        signs.dismiss(self.dismissed, by=world.agent, reason="A trade fair, whose till was offline until the evening.")
        signs.report_run(self.reported, by=world.agent, reason="Cut open along the lower edge, as the shop says.")

    def states(self) -> Iterator[State]:
        yield State("signs", goes_to("/compromised/signs/"))
        yield State("signs, dismissed", goes_to("/compromised/signs/?state=dismissed"))
        yield State("sign", goes_to(f"/compromised/signs/{self.run.pk}/"))
        yield State("sign, without a reason", self._dismisses)
        yield State("sign, dismissed", goes_to(f"/compromised/signs/{self.dismissed.pk}/"))
        yield State("sign, reported", goes_to(f"/compromised/signs/{self.reported.pk}/"))

    def _dismisses(self, visit: Visit) -> None:
        visit.page.goto(f"/compromised/signs/{self.run.pk}/")
        visit.page.locator("[name=dismiss-reason]").evaluate("field => field.removeAttribute('required')")
        visit.page.get_by_role("button", name="Nothing to it").click()
        visit.page.get_by_text("Say why nothing is wrong").wait_for()
