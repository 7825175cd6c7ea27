"""What shops write."""

from support.demo.cases.case import AGENT, MANAGER, SENIOR, Case, customer, note, reply
from support.models import Priority, TicketChannel, TicketStatus

_C = TicketChannel

CASES = (
    Case(
        "carton", "Torn carton at the till", "A carton of month cards was torn open when we unpacked it. Ten cards "
        "from serial number {serial} on may have been seen by anybody. Please block them.", when=(11, 15),
        channel=_C.RETAILER, retailer="Fennel Lane News", card=("gb month", 2), priority=Priority.URGENT,
        assignee=AGENT, tags=("frozen",),
        then=(
            reply(1, AGENT, "the ten cards are frozen. Please tell us which of them your till has sold: their buyers "
                  "have done nothing wrong.", TicketStatus.WAITING_FOR_RETAILER),
            customer(48, "One was sold, on the evening before. The rest is back in the safe."),
            note(2, SENIOR, "That one is Freya Stone’s.", TicketStatus.SOLVED),
        ),
    ),
    Case(
        "pallet", "Stolen pallet, police informed", "A pallet of 60 dollar cards never arrived. Police reference "
        "DN-2291-77. Which serial numbers were on it?", when=(6, 7), channel=_C.RETAILER, retailer="Corner Lantern",
        card=("us stolen", 12), priority=Priority.URGENT, assignee=MANAGER, tags=("theft",),
        then=(
            reply(2, MANAGER, "the whole batch is frozen since eight o’clock. The list of its serial numbers goes to "
                  "the address that we have of you.", TicketStatus.WAITING_FOR_RETAILER),
        ),
    ),
    Case(
        "till", "Till reports activations twice", "Our new till sends every activation twice. Does that do harm?",
        when=(10, 9), channel=_C.RETAILER, retailer="Ludlow & Hart", priority=Priority.LOW, assignee=SENIOR,
        then=(reply(5, SENIOR, "no: a card is activated once, however often the till says so. Please mend it all the "
                    "same.", TicketStatus.SOLVED),),
    ),
    Case(
        "delivery", "When does the delivery of year cards become active?", "750 cards arrived on Tuesday and customers "
        "ask for them.", when=(1, 11), channel=_C.RETAILER, retailer="Kaufhaus Lindner", card=("on its way", 1),
    ),
)  # fmt: skip
