"""How the demo's desk works: when it is open, what it goes by, and its ready answers."""

from datetime import date, time

from support import catalogue
from support.demo.world import World
from support.models import Holiday, Macro, MessageKind, OpeningHours, Priority, TicketStatus
from support.targets import forget_schedule

_WAITING, _SOLVED = TicketStatus.WAITING_FOR_CUSTOMER, TicketStatus.SOLVED


def load(world: World) -> None:
    _opening_hours(world)
    for program in world.programs.values():
        catalogue.give_to(program)
    for macro in _macros():
        macro.full_clean()
        macro.save()


def _opening_hours(world: World) -> None:
    """Seven days a week: whoever tries the demo on a Sunday finds tickets that are due."""
    OpeningHours.objects.all().delete()
    for day in range(7):
        OpeningHours.objects.create(weekday=day, opens=time(6), closes=time(23))
    for year in (world.now.year, world.now.year + 1):
        for month, day, name in ((1, 1, "New Year’s Day"), (12, 25, "Christmas Day")):
            Holiday.objects.create(day=date(year, month, day), name=name)
    forget_schedule()


def _macros() -> list[Macro]:
    def answer(name: str, says: str, status: TicketStatus | str = "", **more: object) -> Macro:
        body = f"Hello {{requester}},\n\n{says}\n\nKind regards\n{{agent}}"
        return Macro(name=name, body=body, status=status, **more)

    return [
        answer(
            "Card and account are of different countries",
            "Your card works in {card_country}, and your account is in {account_country}, so the two do not go "
            "together. The card keeps its full value: the shop that sold it can exchange it, or somebody whose account "
            "is in {card_country} can redeem it.",
            _WAITING, add_tags=["country"],
        ),
        answer(
            "Ask for the receipt",
            "Please send us a photo of the receipt, and one of the card’s back with the serial number. Cover the code: "
            "nobody at {program} will ever ask you for it.",
            _WAITING, assigns_to_me=True,
        ),
        answer(
            "Ask for the error message, word for word",
            "Could you tell us exactly what it says, word for word, and where you see it: on the web page, in the "
            "desktop app or on the telephone? Then we can tell which of several causes it is.",
            _WAITING, assigns_to_me=True,
        ),
        answer(
            "Billed by another company",
            "Your subscription is paid through another company, and while it is, credit cannot be added. Please end "
            "it there, or let it run out, then choose payment directly with {program} and redeem the card, which keeps "
            "its value. Your lists and settings stay as they are.",
            _WAITING, add_tags=["billing"],
        ),
        answer(
            "Not activated yet: try tomorrow",
            "Card {card} has not been activated at the till yet. Some tills report only overnight: please try again "
            "24 hours after you bought it. If it still fails, the shop can activate it with your receipt.",
            _WAITING, add_tags=["not-activated"],
        ),
        answer(
            "Wait a day after too many tries",
            "After several codes that did not work, an account cannot redeem for a day. It ends by itself; please do "
            "not try before. Meanwhile send us the serial number of the card, and we will see what is wrong with it.",
            _WAITING,
        ),
        answer(
            "Never send us a code",
            "You sent us a code. We removed it from your message, and we keep only its last four characters; please do "
            "not send it again, to anybody. The serial number {card} is all that we need.",
            _WAITING, add_tags=["code-sent"],
        ),
        answer(
            "Expired offer",
            "The last day of this offer was {expires_on}. A code that came free with an offer ends with it; if "
            "somebody paid for the card, please send us a photo of the receipt.",
            _SOLVED,
        ),
        answer(
            "It works now",
            "It works again, and your code was not touched: please redeem it once more. We are sorry for the trouble.",
            _SOLVED,
        ),
        Macro(
            name="To a senior agent", kind=MessageKind.NOTE, priority=Priority.HIGH, add_tags=["senior"],
            body="{agent}: please have a look, this needs a second person. Card {card}.",
        ),
    ]  # fmt: skip
