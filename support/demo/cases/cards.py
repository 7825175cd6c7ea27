"""Cards that do not work, do not fit, or were emptied by somebody else."""

from support.demo.cases.case import AGENT, MANAGER, SENIOR, Case, customer, note, reply
from support.models import Priority, StepTried, Surface, TicketChannel, TicketStatus

_C, _S, _T = TicketChannel, Surface, StepTried

CASES = (
    Case(
        "american card", "Brand-new gift card, “not valid” on every device",
        "My sister brought this card from Chicago. I scratched it, typed it four times, and your page says that this "
        "code is not valid. It was sealed. The receipt is attached.\n\nArthur Penn",
        when=(2, 9), who="with an American card", card=("us credit", 4), channel=_C.EMAIL,
        error="This code is not valid", surface=_S.WEB, steps=(_T.RETYPED, _T.OTHER_BROWSER, _T.CLEARED_CACHE),
        files=("receipt of the american card", "photo of the american card"), assignee=AGENT, tags=("country",),
        then=(customer(20, "Any news? I do not want to lose thirty dollars."),),
    ),
    Case(
        "stolen", "Card already used before I opened it",
        "I bought this gift card last night, scratched it at home and it says “Code already redeemed”. When I look "
        "closely, the strip had been lifted and glued back. I want my money or a working card.",
        when=(13, 20), who="buyer of a tampered card", card=("us credit", 6), error="Code already redeemed",
        surface=_S.MOBILE, steps=(_T.RETYPED, _T.RIGHT_ACCOUNT), priority=Priority.URGENT, assignee=SENIOR,
        files=("receipt of the stolen card", "photo of the stolen card"), tags=("theft", "tampered"),
        then=(
            note(1, AGENT, "Redeemed on the same morning, hours before she tried. The photo shows the strip lifted at "
                 "one corner. The receipt fits card {serial}: same day, same shop."),
            reply(0.5, SENIOR, "I am sorry: it does look as if somebody had opened the packaging before you bought the "
                  "card. Your receipt fits the card. I have asked the shop for the till’s record, and will write to "
                  "you as soon as they answer.", TicketStatus.WAITING_FOR_RETAILER),
            customer(30, "Thank you. I still have the packaging, if that helps."),
            note(2, SENIOR, "Maple & Main found two more opened ones on the same hook. Waiting for their list.",
                 TicketStatus.WAITING_FOR_RETAILER),
        ),
    ),
    Case(
        "stolen again", "gift card redeemed by someone else",
        "hi, I bought a card at maple and main and it was used already. here is my receipt. please send me a new code "
        "to this mail, I do not use the old account any more",
        when=(5, 22), name="Kim Smithers", email="kim.smithers@example.com", channel=_C.EMAIL,
        card=("us credit", 6), error="code already used", files=("receipt of the stolen card",), tags=("theft",),
        priority=Priority.HIGH, assignee=SENIOR,
        then=(
            note(9, SENIOR, "The receipt is the very file that Vera Olsen sent eight days ago. Nothing is sent out "
                 "before we know how it came here.", TicketStatus.OPEN),
        ),
    ),
    Case(
        "stolen, settled", "Somebody else has my thirty days of music",
        "Bought on Monday, used by a stranger on Monday morning. Receipt attached.",
        when=(44, 18), who="buyer of another", card=("us credit 10", 0), error="This code was redeemed before",
        surface=_S.DESKTOP, assignee=SENIOR, tags=("theft", "replaced"), channel=_C.EMAIL,
        then=(
            note(16, SENIOR, "Clear case; replacement asked for. The shop pays.", TicketStatus.OPEN),
            reply(26, SENIOR, "a stranger redeemed your card before you came home, and that is not your fault. I had "
                  "it replaced: the shop hands you a new card of the same value.", TicketStatus.SOLVED),
            customer(28, "It worked at once. Thank you!"),
            reply(12, SENIOR, "I am glad to hear it. Enjoy the music.", TicketStatus.CLOSED),
        ),
    ),
    Case(
        "wrong account", "Code already redeemed, but not by me",
        "I redeemed a £30 card last night and nothing arrived. When I try again it tells me the code has already been "
        "used!! I am the only one who ever saw it.",
        when=(3, 21), who="own account", card=("gb credit", 4), error="This code has alredy been redeemed",
        surface=_S.WEB, steps=(_T.RETYPED, _T.SIGNED_OUT), assignee=AGENT, tags=("wrong-account",),
        priority=Priority.HIGH,
        then=(
            note(11, AGENT, "Redeemed twenty-five minutes earlier by an account with almost the same name. "
                 "Her own old one?", TicketStatus.OPEN),
            reply(0.2, AGENT, "Your card was redeemed the same evening by another account. Could it be an older "
                  "account of yours, perhaps one with another e-mail address?"),
            customer(5, "Oh. There is an account from university, yes, maya.r@example.com. I never noticed that my "
                     "laptop was still signed in there. Can you move the credit?"),
        ),
    ),
    Case(
        "wrong account, chat", "Where is my credit?",
        "She asks where the credit of her card is. Wrote by e-mail already.", when=(2, 15), who="own account",
        channel=_C.CHAT, by=AGENT, card=("gb credit", 4), error="already redeemed", merged_into="wrong account",
    ),
    Case(
        "damaged", "Code zerkratzt",
        "Beim Freirubbeln ist die Hälfte des Codes mit abgegangen. Ein Foto und der Kassenbon sind dabei. Was nun?",
        when=(7, 11), who="with a damaged card", card=("de credit", 2), channel=_C.EMAIL, error="Der Code ist ungültig",
        surface=_S.WEB, files=("receipt of the damaged card", "photo of the damaged card"), assignee=SENIOR,
        tags=("damaged", "replaced"),
        then=(
            note(2, SENIOR, "Unreadable indeed. Serial number {serial} can be read; receipt fits. Replaced.",
                 TicketStatus.OPEN),
            reply(1, SENIOR, "your card has been replaced by a new one of the same value. The shop hands it to you; "
                  "please throw the old card away.", TicketStatus.SOLVED),
            customer(20, "Ich habe es vorhin noch einmal mit der alten Karte versucht, da steht wieder “ungültig”?"),
            reply(2, SENIOR, "the old card no longer works, because the new one has its value. Please use the new one.",
                  TicketStatus.SOLVED),
        ),
    ),
    Case(
        "void", "Old gift card from a drawer", "I found this card when we moved house. It says not valid. It has no "
        "date on it, so it should work, shouldn’t it?", when=(14, 16), who="with an old card", card=("old credit", 15),
        error="Not a valid code", surface=_S.WEB, steps=(_T.RETYPED,), priority=Priority.LOW, assignee=AGENT,
        then=(reply(18, AGENT, "This card was one of a stock that its shop took back years ago. Do you still have the "
                    "receipt, or know when it was bought?"),),
    ),
    Case(
        "not activated", "60-€-Karte funktioniert nicht",
        "Gestern gekauft, heute: “Dieser Code ist nicht gültig”. Bon habe ich leider keinen mehr.", when=(2, 14),
        who="hasty", card=("de credit 60", -1), channel=_C.WEB, error="Dieser Code ist nicht gültig", surface=_S.MOBILE,
        retailer="Kaufhaus Lindner", assignee=AGENT, tags=("not-activated",),
        then=(
            reply(3, AGENT, "the shop has not told us yet that card {serial} was sold. I have asked them to look at "
                  "their till.", TicketStatus.WAITING_FOR_RETAILER),
            note(20, AGENT, "Lindner: nothing sold under this number yet; they ask which counter.",
                 TicketStatus.WAITING_FOR_RETAILER),
        ),
    ),
    Case(
        "too early", "Premium for a year, as a present", "My aunt works at the shop and gave me this card before it "
        "was on the shelf. Not valid, it says. When will it be?", when=(1, 19), who="too early",
        card=("on its way", 0), error="code isnt valid", surface=_S.DESKTOP, tags=("not-activated",),
    ),
    Case(
        "frozen", "Voucher bought at the station does not work", "I bought a month of Premium at the kiosk, and it is "
        "“not valid”. The receipt is from the same day. Please help, my train leaves on Friday.", when=(4, 8),
        who="with a frozen card", card=("gb month", 3), error="This code is not valid", surface=_S.MOBILE,
        steps=(_T.RETYPED, _T.OTHER_DEVICE, _T.ASKED_SELLER), files=("receipt of the frozen card",),
        priority=Priority.HIGH, assignee=AGENT, tags=("frozen",), retailer="Fennel Lane News",
        then=(
            note(4, AGENT, "Frozen with a torn carton that the shop reported. She has a receipt of the day before "
                 "the report.", TicketStatus.OPEN),
            reply(3, AGENT, "your card was reported together with others that were damaged in the shop. Which of its "
                  "shops was it? The receipt does not say."),
            customer(70, "The kiosk on platform 4. Friday comes nearer…"),
            note(1, SENIOR, "Platform 4 sold one that evening: bought honestly. Thaw it when the shop says yes."),
        ),
    ),
    Case(
        "batch frozen", "60 dollar card is dead", "Three shops, three cards, one dead. Serial number {serial}.",
        when=(5, 21), who="with a stolen card", card=("us stolen", 13), channel=_C.PHONE, by=AGENT,
        error="not valid", surface=_S.WEB, assignee=MANAGER, tags=("theft",), retailer="Corner Lantern",
        then=(reply(1, MANAGER, "your card is one of a delivery that was stolen. We ask Corner Lantern whether their "
                    "till sold it, and call you back.", TicketStatus.WAITING_FOR_RETAILER),),
    ),
    Case(
        "withdrawn", "Presentkort från Norrviken", "Koden är inte giltig, men jag har kvittot kvar.", when=(8, 10),
        who="with a withdrawn card", card=("se withdrawn", 1), channel=_C.EMAIL, error="Koden är inte giltig",
        surface=_S.WEB, assignee=SENIOR,
        then=(
            reply(5, SENIOR, "this card was withdrawn by the shop, which pays every buyer back. Please show your "
                  "receipt there.", TicketStatus.SOLVED),
        ),
    ),
    Case(
        "late", "Autumn Sessions", "Koden har gått ut?! Jag fick den i september.", when=(21, 23), who="late",
        card=("expired promo", 5), error="Koden har gått ut", surface=_S.MOBILE, priority=Priority.LOW, assignee=AGENT,
        then=(reply(10, AGENT, "the offer has ended, and a code that came free with it ended with it. I am sorry that "
                    "it came too late.", TicketStatus.CLOSED),),
    ),
    Case(
        "twice", "Nothing happens when I redeem", "I type the code, and it says I already used this code. But I only "
        "did it once.", when=(69, 9), who="twice", card=("us month", 0), error="You already used this code",
        surface=_S.WEB, assignee=AGENT,
        then=(reply(3, AGENT, "it worked the first time: your Premium runs already. Once is enough.",
                    TicketStatus.CLOSED),),
    ),
    Case(
        "currency", "300 kr går inte", "Mitt konto är i euro sedan jag bodde i Wien. Är det därför?", when=(3, 13),
        who="billed in another currency", card=("se credit", 1), error="Ogiltig kod", surface=_S.WEB,
        assignee=SENIOR, tags=("country",), channel=_C.EMAIL,
        then=(note(21, SENIOR, "The diagnosis says so: card in kronor, account in euro. Answer with the macro.",
                   TicketStatus.OPEN),),
    ),
    Case(
        "pasted code", "Please redeem this for me",
        "Hello! Your page and I do not get along. This is my code: {code} – could you put it on my account for me? "
        "Order 4417-2203, bought on the 3rd, phone +44 20 7946 0958.", when=(0.12, None), name="Hannah Pryce",
        email="hannah.pryce@example.com", card=None, error="There is a slip in the code", surface=_S.DESKTOP,
        tags=("code-sent",),
    ),
    Case(
        "mistyped", "One character looks like a B or an 8", "Is it a B or an 8? It says there is a slip in this code.",
        when=(4, 18), who="mistyping", card=("gb credit", 2), channel=_C.CHAT, by=AGENT,
        error="There's a slip in this code", surface=_S.WEB, assignee=AGENT,
        then=(reply(0.1, AGENT, "our codes have both, but never in doubt: tell me the serial number from the back, and "
                    "try the other one.", TicketStatus.OPEN),
              note(0.1, AGENT, "Worked with the 8.", TicketStatus.SOLVED)),
    ),
    Case(
        "reseller", "Code von einer Auktion", "Für die Hälfte des Preises gekauft, und jetzt “Code nicht gültig”. Der "
        "Verkäufer antwortet nicht mehr.", when=(11, 20), who="reseller's victim", channel=_C.EMAIL,
        error="Code nicht gültig", surface=_S.WEB, files=("screenshot of an auction",), assignee=AGENT,
        tags=("reseller",),
        then=(reply(14, AGENT, "we have no record of this code: it was never issued by us. Please ask the seller for "
                    "your money back. Could you tell us the page and the seller’s name?"),),
    ),
)  # fmt: skip
