"""What many meet at once: a problem gathers their tickets."""

from support.demo.cases.case import AGENT, MANAGER, SENIOR, Case, note, reply
from support.models import Priority, Surface, TicketChannel, TicketStatus

_C, _S = TicketChannel, Surface

CASES = (
    Case(
        "outage", "Redeeming is out of order", "Every try is answered “unavailable” since a quarter to two. The music "
        "program was paused by mistake.", when=(17, 14), name="Operations", channel=_C.PHONE, by=MANAGER,
        program="Spotify Premium", priority=Priority.URGENT, assignee=MANAGER, is_problem=True, tags=("outage",),
        then=(note(1, MANAGER, "Resumed. Nobody lost a code or a try.", TicketStatus.SOLVED),),
    ),
    Case(
        "outage of Otis", "Something went wrong", "Something went wrong, please try later. I have been trying later "
        "for half an hour.", when=(17, 14), who="during the outage", card=("us credit", 3), problem="outage",
        error="Something went wrong. Please try later", surface=_S.WEB,
        then=(reply(1.5, SENIOR, "redeeming was out of order for an hour. It works again, and your code was not "
                    "touched.", TicketStatus.SOLVED),),
    ),
    Case(
        "app", "Old Android app: redeeming ends in an error", "Since this morning, on version 8 only: “Oops, something "
        "went wrong” after the code. The web page works.", when=(0.4, None), name="The app’s team", channel=_C.PHONE,
        by=SENIOR, program="Spotify Premium", priority=Priority.HIGH, assignee=SENIOR, is_problem=True,
        tags=("outage", "app"),
        then=(note(0.5, SENIOR, "The app’s team has it. Join whatever comes in; they are all answered when this is "
                   "solved.", TicketStatus.OPEN),),
    ),
    Case(
        "app 1", "Oops", "Oops, something went wrong. What does that mean?", when=(0.35, None), name="Jana Toft",
        email="jana.toft@example.com", program="Spotify Premium", error="Oops, something went wrong",
        surface=_S.MOBILE, problem="app",
    ),
    Case(
        "app 2", "App-Fehler beim Einlösen", "Etwas ist schiefgelaufen, steht da, seit heute früh.", when=(0.3, None),
        name="Emil Sauer", email="emil.sauer@example.com", channel=_C.EMAIL, program="Spotify Premium",
        error="Etwas ist schief gelaufen", surface=_S.MOBILE, problem="app",
    ),
    Case(
        "app 3", "Code eaten?", "App crashes after the code. Asks whether the code is lost.", when=(0.2, None),
        name="Carl Drew", email="carl.drew@example.com", channel=_C.CHAT, by=AGENT, program="Spotify Premium",
        error="something went wrong try again", surface=_S.MOBILE, problem="app", assignee=AGENT,
    ),
)  # fmt: skip
