"""Which known error a customer quotes. The two tables are what the thresholds were chosen by."""

import random

import pytest

from redemption.refusals import Answer
from support import catalogue
from support.catalogue import CATALOGUE
from support.models import KnownError
from support.recognising import SURE, recognise
from tests import factories

pytestmark = pytest.mark.django_db

NOT_VALID = "This code is not valid"
REDEEMED = "This code has already been redeemed"
BY_YOU = "You have already redeemed this code"
OFFER = "This offer is not available for your account"
WRONG = "Something went wrong. Please try again later."
PREMIUM = "You already have a Premium subscription"
PLAN = "This code does not work with your plan"
TIME = "Your account has premium for a long time ahead already"
TRIES = "Too many codes were tried"
RESTRICTED = "Your account cannot redeem codes at present"
VERIFY = "Confirm your e-mail address first"
LOCATION = "You appear to be in another country"
SLIP = "There is a slip in this code"
SHARE = "This is a link for sharing, not a code"
PUBLIC = "This code could not be redeemed. Sign in to see what you can do."
INVALID = "Invalid code"
BILLED = "You are billed through a third party"
REGION = "Region mismatch"
UNACTIVATED = "This card has not been activated yet"
EXPIRED = "This code has expired"
NOTHING = "It says redeemed, but premium does not show"
PAYMENT = "Add a payment method to continue"

VARIATIONS = [
    # Case, punctuation, quotation marks, spaces.
    ("this code is not valid", NOT_VALID),
    ("THIS CODE IS NOT VALID!!!", NOT_VALID),
    ("“This code is not valid”", NOT_VALID),
    ("  this   code is\nnot valid. ", NOT_VALID),
    ("This code has already been redeemed!", REDEEMED),
    ("SOMETHING WENT WRONG, PLEASE TRY AGAIN LATER", WRONG),
    # Mistyped.
    ("This code is not vaild", NOT_VALID),
    ("tihs code is not valid", NOT_VALID),
    ("this code is not valld", NOT_VALID),
    ("this code isnt valid", NOT_VALID),
    ("thiscodeisnotvalid", NOT_VALID),
    ("This code has alredy been redemed", REDEEMED),
    ("this code has allready been reedemed", REDEEMED),
    ("code has already been redeemd", REDEEMED),
    ("this offer is not availble for your acount", OFFER),
    ("This ofer is not avialable for your account", OFFER),
    ("Somthing went wrong. Plese try again latter.", WRONG),
    ("something whent wrong pls try again later", WRONG),
    ("You allready have a premium subscripton", PREMIUM),
    ("you already have a premuim subscription", PREMIUM),
    ("Invaild code", INVALID),
    ("invalid cod", INVALID),
    ("regoin mismatch", REGION),
    ("to many attemps", TRIES),
    ("this code has expierd", EXPIRED),
    # Shortened.
    ("not valid", NOT_VALID),
    ("code not valid", NOT_VALID),
    ("already redeemed", REDEEMED),
    ("already been redeemed", REDEEMED),
    ("code already used", REDEEMED),
    ("offer not available", OFFER),
    ("not available for your account", OFFER),
    ("something went wrong", WRONG),
    ("please try again later", WRONG),
    ("already have premium", PREMIUM),
    ("invalid", INVALID),
    ("billed through third party", BILLED),
    ("too many tries", TRIES),
    ("card not activated", UNACTIVATED),
    ("not yet activated", UNACTIVATED),
    ("expired", EXPIRED),
    ("account is restricted", RESTRICTED),
    ("could not be redeemed", PUBLIC),
    # In the middle of a sentence.
    ("I scratched it, it says This code is not valid and I paid 30 pounds for it", NOT_VALID),
    ("When I enter it I get “this code is not valid”, what now?", NOT_VALID),
    ("bought it yesterday at the petrol station and it says invalid code every single time", INVALID),
    ("Hello, the website tells me that this code has already been redeemed but the card is brand new", REDEEMED),
    ("my son got a voucher for his birthday and the message is: This offer is not available for your account", OFFER),
    ("I tried three times on my laptop. Something went wrong. Please try again later. Then I gave up", WRONG),
    ("the app keeps saying something went wrong when I press redeem", WRONG),
    ("there was an error: You already have a Premium subscription, although I pay through Apple", PREMIUM),
    ("I wanted to add my card and it said too many attempts, so I stopped", TRIES),
    ("It asks me: please verify your email address, but no mail ever came", VERIFY),
    ("the page says you appear to be in another country, I am at home in Leeds", LOCATION),
    ("since yesterday it says this card has not been activated yet, I have the receipt from the shop", UNACTIVATED),
    ("I paste the link from my friend and get This is a link for sharing music, not a code to redeem", SHARE),
    ("the redeem page does not load at all", WRONG),
    # Our own answers, whole and in part.
    (Answer.NOT_VALID.label, NOT_VALID),
    (Answer.ALREADY_REDEEMED.label, REDEEMED),
    (Answer.REDEEMED_BY_YOU.label, BY_YOU),
    (Answer.OTHER_PLAN.label, PLAN),
    (Answer.NEW_SUBSCRIBERS.label, OFFER),
    (Answer.TOO_MUCH_TIME.label, TIME),
    (Answer.TOO_MANY_ATTEMPTS.label, TRIES),
    (Answer.RESTRICTED.label, RESTRICTED),
    (Answer.UNVERIFIED.label, VERIFY),
    (Answer.LOCATION.label, LOCATION),
    (Answer.BILLED_ELSEWHERE.label, PREMIUM),
    (Answer.CHECK_THE_CODE.label, SLIP),
    (Answer.SHARE_LINK.label, SHARE),
    (Answer.UNAVAILABLE.label, WRONG),
    ("your subscription is billed by another company", PREMIUM),
    ("this offer is for accounts that never had premium", OFFER),
    ("code does not work with your plan", PLAN),
    ("there is a slip in the code", SLIP),
    # Translated, and half translated.
    ("Dieser Code ist nicht gültig", NOT_VALID),
    ("dieser code ist nicht gultig", NOT_VALID),
    ("Dieser Code is not valid", NOT_VALID),
    ("Dieser Code wurde bereits eingelöst", REDEEMED),
    ("Code ist already eingelöst", REDEEMED),
    ("Ce code n’est pas valide", NOT_VALID),
    ("ce code a déjà été redeemed", REDEEMED),
    ("cette offre is not available pour votre compte", OFFER),
    ("Este código no es válido", NOT_VALID),
    ("este codigo ya ha sido canjeado", REDEEMED),
    ("Algo salió mal, please try again later", WRONG),
    ("Koden är inte giltig", NOT_VALID),
    ("Något gick fel, försök igen senare", WRONG),
    ("Etwas went wrong, bitte versuche es later", WRONG),
    ("Du hast already ein Premium Abo", PREMIUM),
    ("Zu viele Versuche", TRIES),
    ("ajoutez un mode de paiment", PAYMENT),
    ("it was redeemed but premium does not show", NOTHING),
]

OTHERS = [
    "",
    "   ",
    "???",
    "code",
    "My card does not work",
    "I scratched it and typed it, and it does not work.",
    "Hello, can you help me please?",
    "How do I redeem a gift card?",
    "Where do I find the code on my card?",
    "This code is valid",
    "Is this a valid code?",
    "valid code",
    "Is my card valid in Germany as well?",
    "Until when is this card valid?",
    "My passport is not valid any longer",
    "My password is invalid",
    "I want to change my e-mail address",
    "What is my e-mail address with you?",
    "How do I cancel my subscription?",
    "I would like to cancel premium",
    "Can I have premium for my whole family?",
    "Do you offer a discount for students?",
    "Is there an offer for families?",
    "I lost my receipt",
    "The shop has no cards left",
    "I bought three cards yesterday and I am happy",
    "Thank you, it works now!",
    "Thanks, everything is fine again",
    "I will try again tomorrow",
    "I will try later",
    "Please call me back later",
    "How much credit do I have left?",
    "Which countries do you sell cards in?",
    "I am moving to another city",
    "I have moved to Sweden and need help",
    "My account was hacked, somebody else listens to music",
    "Somebody used my credit card to pay for something",
    "How can I share a song with my friends?",
    "The music stops after ten seconds",
    "The sound is bad on my television",
    "I forgot my password",
    "Please delete my account",
    "What happens to my playlists?",
    "Can I return the card to the shop?",
    "The parcel has not arrived yet",
    "I need an invoice for my company",
    "Wie löse ich eine Karte ein?",
    "Ich möchte mein Abo kündigen",
    "Je voudrais annuler mon abonnement",
    "¿Dónde puedo comprar una tarjeta?",
    "Hur mycket kostar det?",
    "The strip on the back cannot be scratched off",
    "It said welcome and then the picture was black",
    "ERR_CONNECTION_RESET",
    "404",
    "lorem ipsum dolor sit amet",
]


@pytest.fixture(autouse=True)
def seeded():
    catalogue.load()


def best(text, program=None):
    found = recognise(text, program)
    return found[0].known_error.wording if found else None


@pytest.mark.parametrize(("text", "wording"), VARIATIONS)
def test_a_message_is_recognised_however_it_is_quoted(text, wording):
    assert best(text) == wording


@pytest.mark.parametrize("text", OTHERS)
def test_what_quotes_no_message_is_recognised_as_none(text):
    assert best(text) is None


def test_there_are_enough_of_both():
    assert len(VARIATIONS) >= 60
    assert len(OTHERS) >= 40


def slipped(text, chance):
    """The text with one letter of two longer words left out, doubled, replaced or swapped with its neighbour."""
    words = text.split()
    longer = [place for place, word in enumerate(words) if len(word) > 5 and word.isalpha()]
    for place in chance.sample(longer, min(2, len(longer))):
        word = words[place]
        at = chance.randrange(1, len(word) - 2)
        before, letter, after = word[:at], word[at], word[at + 1 :]
        slips = [after, letter + letter + after, "x" + after, after[0] + letter + after[1:]]
        words[place] = before + chance.choice(slips)
    return " ".join(words)


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.wording)
def test_every_wording_is_surely_recognised_and_found_with_slips(entry):
    chance = random.Random(entry.wording)
    found = recognise(entry.wording)[0]
    assert (found.known_error.wording, found.is_sure) == (entry.wording, True)
    for wording in (entry.wording, *entry.others):
        assert best(wording) == entry.wording
        assert best(f"Hello, I bought a card for my mother, and it says: {wording}") == entry.wording
    for _ in range(20):
        assert best(slipped(entry.wording, chance)) == entry.wording


def test_a_message_in_passing_is_shown_but_not_sure():
    found = recognise("it does not say not valid any more")
    assert not found or found[0].score < SURE


def test_the_ticket_s_own_program_comes_first_and_another_s_wording_is_a_fallback():
    music, films = factories.program(), factories.pin_program()
    own = factories.known_error(films, "This code is not valid")
    catalogue.give_to(films)
    assert recognise("this code is not valid", films)[0].known_error == own
    assert recognise("this code is not valid", music)[0].known_error.program is None
    fallback = recognise("Region mismatch", music)[0]
    assert fallback.known_error.program == films
    assert fallback.score < recognise("Region mismatch", films)[0].score


def test_a_program_s_own_text_for_an_answer_is_recognised_there():
    program = factories.program(wording={Answer.SHARE_LINK.value: "Das hier öffnet Lieder, mehr nicht."})
    assert best("das hier öfnet lieder mehr nicht", program) == SHARE
    assert best("das hier öfnet lieder mehr nicht") is None


def test_what_managers_change_counts_at_once():
    assert best("The flux capacitor is empty") is None
    error = factories.known_error(None, "Flux capacitor empty", other_wordings=["Fluxkompensator leer"])
    assert best("The flux capacitor is empty") == best("fluxkompensator ist leer") == error.wording
    KnownError.objects.filter(pk=error.pk).update(is_active=False)
    assert best("The flux capacitor is empty") is None


@pytest.mark.parametrize("text", ["\0", "\ud800", "’’’", "ﬁﬁﬁ ∞", "a" * 500, "not " * 125, "💳💳", "١٢٣"])
def test_nothing_that_can_be_written_breaks_it(text):
    assert best(text) is None


def test_recognising_is_one_query(django_assert_num_queries):
    recognise("This code is not valid")
    with django_assert_num_queries(1):
        recognise("I scratched it, it says This code is not valid")
