"""Films, questions asked in public, and what is no trouble with a card at all."""

from support.demo.cases.case import AGENT, SENIOR, SOCIAL, Case, customer, note, reply
from support.demo.programs import FILMS, MUSIC
from support.models import Priority, StepTried, Surface, TicketChannel, TicketStatus

_C, _S, _T = TicketChannel, Surface, StepTried

CASES = (
    Case(
        "films, mistyped", "PIN ungültig", "“Ungültiger Code” bei einer PIN mit elf Ziffern, dreimal verglichen.",
        when=(5, 12), who="films, mistyping", card=("de films", 0), channel=_C.EMAIL, error="Invalid code",
        surface=_S.WEB, assignee=AGENT,
        then=(
            reply(1, AGENT, "two neighbouring digits may have changed places. Please read it off once more."),
            customer(1, "Tatsächlich, 27 statt 72. Danke!"),
            note(1, AGENT, "Redeemed.", TicketStatus.SOLVED),
        ),
    ),
    Case(
        "films, bundle", "Billed through a third party?", "I pay for films through my television package, and now "
        "this gift card is useless?", when=(4, 13), who="films through a bundle", card=("us films", 1),
        error="You are billed through a third party", surface=_S.WEB, assignee=SENIOR, tags=("billing",),
        then=(reply(6, SENIOR, "while the package pays, the card waits; it keeps its value. Would you rather pay "
                    "directly from next month?"),),
    ),
    Case(
        "films, country", "Region mismatch", "A present from New York, and it says region mismatch. I live in Leeds.",
        due_in=100, who="films, another country", card=("us films", 2), channel=_C.EMAIL, error="Region mismatch",
        surface=_S.DESKTOP, tags=("country",),
    ),
    Case(
        "films, not activated", "Card from a petrol station", "“This card has not been activatd yet.” Since yesterday. "
        "The receipt lists petrol, two coffees and the card.", when=(0.7, None), name="Lea Ulm",
        email="lea.ulm@example.com", channel=_C.EMAIL, program=FILMS, error="This card has not been activatd yet",
        surface=_S.MOBILE, files=("receipt of petrol",), steps=(_T.WAITED, _T.ASKED_SELLER), tags=("not-activated",),
    ),
    Case(
        "public, scam", "@redemptiondesk your gift cards are a SCAM", "Bought, scratched, “already redeemed”. Three "
        "people in this thread say the same. Explain yourselves!", when=(0.15, None), name="@vinyl_vee",
        channel=_C.SOCIAL, program=MUSIC, error="already redeemed", priority=Priority.HIGH, tags=("theft",),
    ),
    Case(
        "public, share link", "@redemptiondesk the code is a link?", "It says that is a share link. What is a share "
        "link?", when=(3, 17), who="sharing", channel=_C.SOCIAL, error="That is a share link", surface=_S.MOBILE,
        assignee=SOCIAL,
        then=(
            reply(1, SOCIAL, "it is a link that opens a playlist. The code is under the strip on the card’s back. "
                  "Please do not post it here!"),
            customer(2, "found it haha"),
            note(1, SOCIAL, "Found it.", TicketStatus.SOLVED),
        ),
    ),
    Case(
        "public, waiting", "@redemptiondesk day 4 without an answer", "Anyone there? Wrote to you about my frozen "
        "voucher.", when=(1, 10), who="with a frozen card", channel=_C.SOCIAL, card=("gb month", 3), assignee=SOCIAL,
        priority=Priority.HIGH, tags=("frozen",), duplicate_of="frozen",
        then=(reply(2, SOCIAL, "we have your message and are on it. We never talk about accounts in public: the answer "
                    "comes by e-mail."),),
    ),
    Case(
        "signed out", "Could not be redeemed", "It just says: This code could not be redeemed, sign in to see what you "
        "can do. Why should I sign in to read an error?", when=(2, 20), name="Olga Weiss",
        email="olga.weiss@example.com", program=MUSIC, error="This code could not be redeemed. Sign in to see",
        surface=_S.WEB, assignee=AGENT,
        then=(reply(12, AGENT, "because the reason often concerns your account, and that is nobody else’s business. "
                    "Please sign in and try it once more; what does it say then?"),),
    ),
    Case(
        "flood", "A number by mail?", "It asked me to show that it is me, with a number that you mail me. Is that you, "
        "or somebody who wants my card?", when=(6, 3), name="Ruth Amsel", email="ruth.amsel@example.com", program=MUSIC,
        error="Show that it is you, with a number that we mail you", surface=_S.MOBILE, assignee=AGENT,
        then=(reply(1, AGENT, "that is us. While very many codes are tried we ask everybody for it, once in an hour; "
                    "we never ask for your password."),),
    ),
    Case(
        "gran", "Card by e-mail never came", "Three months for gran, paid, and no mail.", when=(20, 10),
        name="Noah Farrow", email="noah.farrow@example.com", channel=_C.PHONE, by=AGENT, retailer="Cardwright Online",
        program=MUSIC, assignee=AGENT,
        then=(note(1, AGENT, "It was sent, to gift.for.gran, as he typed it. He found it in gran’s spam folder.",
                   TicketStatus.CLOSED),),
    ),
    Case(
        "thanks", "Just thank you", "Your colleague on the phone was lovely. That is all.", when=(0.5, None),
        who="on the phone", channel=_C.EMAIL, priority=Priority.LOW,
    ),
)  # fmt: skip
