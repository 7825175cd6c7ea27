"""Accounts that are in the way, whatever the code."""

from support.demo.cases.case import AGENT, MANAGER, SENIOR, Case, customer, note, reply
from support.models import Priority, StepTried, Surface, TicketChannel, TicketStatus

_C, _S, _T = TicketChannel, Surface, StepTried

CASES = (
    Case(
        "apple", "Gift card refused because I already pay", "It tells me I already have a Premium subscription. Yes, "
        "and I want to pay it with this card!", when=(1, 18), who="billed by Apple", card=("us credit", 0),
        error="You already have a Premium subscription", surface=_S.MOBILE, steps=(_T.RETYPED, _T.SIGNED_OUT),
        tags=("billing",),
    ),
    Case(
        "google", "Redeem button says already premium", "see above", when=(19, 10), who="billed by Google",
        card=("gb credit", 0), error="you allready have premium", surface=_S.MOBILE, assignee=AGENT, tags=("billing",),
        channel=_C.EMAIL,
        then=(
            reply(4, AGENT, "your subscription is paid through Google Play, and while it is, credit cannot be added. "
                  "Please end it there; your lists stay, and the card keeps its value."),
            customer(30, "Done. It runs until the 12th, they say. So I wait?"),
            reply(2, AGENT, "exactly: redeem it after the 12th.", TicketStatus.SOLVED),
        ),
    ),
    Case(
        "carrier", "Premium through my phone bill", "Called because the card does not work. Pays Premium with the "
        "phone bill.", when=(33, 21), who="billed by a carrier", card=("gb month", 0), channel=_C.PHONE, by=SENIOR,
        error="You already have a subscription", surface=_S.WEB, assignee=SENIOR, tags=("billing",),
        then=(note(0.3, SENIOR, "Told her to end it with her phone company first. She keeps the card for later.",
                   TicketStatus.CLOSED),),
    ),
    Case(
        "bundle", "Gutschein wird abgelehnt", "Meldung: Du hast bereits ein Premium-Abo. Das ist aber im "
        "Internetvertrag dabei und läuft im Januar aus.", when=(12, 9), who="in a bundle", card=("de credit", 0),
        channel=_C.EMAIL, error="Du hast bereits ein Premium-Abo", surface=_S.DESKTOP, assignee=SENIOR,
        tags=("billing",),
        then=(reply(7, SENIOR, "then please wait until January, choose payment directly with us, and redeem the card "
                    "afterwards. Shall we leave this open until then?"),),
    ),
    Case(
        "unverified", "It wants me to confirm my e-mail", "It says “please verify your email adress”, but no message "
        "ever arrives, not even in spam.", when=(2, 16), who="unverified", card=("gb credit", 1),
        error="please verify your email adress", surface=_S.WEB, steps=(_T.VERIFIED_EMAIL, _T.WAITED), assignee=AGENT,
        then=(reply(3, AGENT, "I have had the message sent again just now. Please look for it within the hour.",
                    bounces=True),),
    ),
    Case(
        "flagged", "Account suspended for no reason", "I travel for work and suddenly my account is “suspended”. I "
        "have three gift cards here. Who decides this?", when=(3, 22), who="flagged", card=("us credit", 1),
        error="Your account has been suspended", surface=_S.WEB, priority=Priority.HIGH, assignee=MANAGER,
        tags=("restriction",), channel=_C.EMAIL,
        then=(
            reply(15, AGENT, "there is a restriction on your account, and while it lasts no code can be redeemed. I "
                  "have asked for it to be reviewed."),
            customer(26, "Two days now. Is anybody reviewing anything?"),
            note(2, AGENT, "Mara, please: unusual activity, but the journeys fit what he says."),
        ),
    ),
    Case(
        "disputing", "Konto eingeschränkt", "Seit der Rückbuchung geht nichts mehr. Die Bank sagt, alles sei geklärt.",
        when=(26, 12), who="disputing", card=("de credit", 1), channel=_C.EMAIL, error="Dein Konto ist eingeschränkt",
        surface=_S.WEB, assignee=MANAGER, tags=("restriction", "payment"),
        then=(reply(20, MANAGER, "the payment is still disputed with us. Please send us what your bank wrote to "
                    "you."),),
    ),
    Case(
        "policy", "Förbjuden?", "Vad har jag gjort för fel? Lås upp mitt konto.", when=(45, 14),
        who="against the policy", card=("se credit", 0), error="Ditt konto är begränsat", surface=_S.MOBILE,
        assignee=SENIOR, tags=("restriction",), priority=Priority.LOW, channel=_C.EMAIL,
        then=(
            reply(9, SENIOR, "codes were resold from your account, which our terms do not allow. The restriction "
                  "stays.", TicketStatus.SOLVED),
            customer(3, "Det var min bror!!!"),
            reply(20, SENIOR, "I understand that this is annoying. The decision stays as it is.", TicketStatus.CLOSED),
        ),
    ),
    Case(
        "vpn", "Another country?", "Sits in Hamburg, the page says “You appear to be in another country”. Uses the "
        "VPN of his office.", when=(6, 21), who="behind a VPN", card=("de month", 0), channel=_C.CHAT, by=AGENT,
        error="You apear to be in another country", surface=_S.DESKTOP, assignee=AGENT, steps=(_T.OTHER_BROWSER,),
        then=(reply(0.1, AGENT, "please switch the VPN off for the whole computer and try again; I wait here.",
                    TicketStatus.OPEN),
              note(0.2, AGENT, "Off, and it worked.", TicketStatus.SOLVED)),
    ),
    Case(
        "attempts", "Locked out after typing it wrong", "I typed it wrong a few times, then even the right code was "
        "refused: too many attempts. How long does that last?", due_in=75, who="out of attempts",
        card=("us credit", 2), error="Too many codes were tryed, wait a day", surface=_S.MOBILE, priority=Priority.HIGH,
        steps=(_T.RETYPED, _T.WAITED),
    ),
    Case(
        "student", "Month card and student plan", "does not work with my plan it says. it is a present, what can I do",
        when=(16, 13), who="student", card=("us month", 1), error="this code does not work with your plan",
        surface=_S.WEB, assignee=AGENT, tags=("plan",),
        then=(
            reply(5, AGENT, "months cannot be added to a student plan, but credit can: your shop may exchange the card "
                  "for one with credit."),
            customer(22, "They did, and the credit worked! thanks"),
            note(1, AGENT, "All well.", TicketStatus.SOLVED),
        ),
    ),
    Case(
        "family", "Familienabo", "Der Code passt nicht zu meinem Abo. Zu welchem denn?", when=(1.5, None), who="family",
        card=("de month", 1), channel=_C.EMAIL, error="Der Code passt nicht zu deinem Abo", surface=_S.WEB,
        assignee=SENIOR, tags=("plan",),
        then=(reply(3, SENIOR, "to the individual plan. You may give it to somebody who has that, or change the plan "
                    "first."),),
    ),
    Case(
        "duo", "Duo plan and a month's card", "Both of them tried. Not available on their plan.", when=(18, 13),
        who="duo", card=("gb month", 1), channel=_C.PHONE, by=AGENT, error="Not available on your plan",
        surface=_S.MOBILE, assignee=AGENT, tags=("plan",),
        then=(note(0.2, AGENT, "Explained; they give it to their daughter.", TicketStatus.SOLVED),),
    ),
    Case(
        "had premium", "Provmånader", "Erbjudandet är inte tillgängligt för ditt konto, står det. Jag har betalt i "
        "flera år och får inget?", when=(30, 14), who="formerly premium", card=("trial", 0),
        error="Erbjudandet är inte tillgängligt för ditt konto", surface=_S.WEB, channel=_C.EMAIL, assignee=AGENT,
        then=(reply(6, AGENT, "the offer is for people who never had premium. A gift card has no such condition.",
                    TicketStatus.CLOSED),),
    ),
    Case(
        "stacking", "Maximum number of gift cards reached???", "I collect them when they are on sale. Since when is "
        "there a maximum?", when=(23, 13), who="stacking", card=("us quarter", 2),
        error="Maximum number of gift cards reached", surface=_S.DESKTOP, assignee=AGENT,
        then=(reply(4, AGENT, "premium can be stacked for eighteen months ahead. The card keeps its value: redeem it "
                    "when some of that time has passed.", TicketStatus.SOLVED),),
    ),
    Case(
        "no payment", "It wants my bank card", "Efter provperioden: “Lägg till ett betalningssätt”. Jag har ju ett "
        "presentkort!", when=(0.9, None), who="never premium", channel=_C.EMAIL,
        error="Lägg till ett betalningssätt", surface=_S.MOBILE,
    ),
    Case(
        "does not show", "Redeemed, but I still hear advertisements", "It says redeemed but premium was not added to "
        "my account. The phone still plays advertisements.", when=(35, 14), who="customer", card=("gb quarter", 0),
        error="Redeemed but premium does not show", surface=_S.MOBILE, steps=(_T.SIGNED_OUT, _T.OTHER_DEVICE),
        assignee=AGENT,
        then=(
            reply(2, AGENT, "your account has premium; the app may need to hear of it. Please sign out of it and in "
                  "again."),
            customer(1, "That was it. Silence at last. I mean: music."),
            note(0.5, AGENT, "Solved itself.", TicketStatus.SOLVED),
        ),
    ),
)  # fmt: skip
