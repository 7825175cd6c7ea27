"""Codes and payment cards out of texts: what is masked, what stays, and what it costs."""

import random
import re
import time
import unicodedata
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redemption.digests import digester
from redemption.models import Code, CodeFormat
from support.actions.messages import add_customer_message
from support.actions.tickets import change
from support.payment_cards import is_payment_card
from support.redaction import LONGEST_NAME, UNKNOWN_CODE, Redacted, redact, redact_name
from tests import factories
from tests.support.desk import wrong

pytestmark = pytest.mark.django_db

SENTENCES = [
    "I scratched it and typed {} and it says that this code is not valid",
    "{}",
    "Code: {}",
    "My card ({}), bought on 20 November 2026 at Saturn for 30.00 EUR, does not work.",
    "> On Monday you wrote:\n> the code is {}\n> please help",
    "<p>The card is <b>{}</b>, the order AB-2026-1234</p>",
    "“{}”",
    "Hi,\n\n{}\n\nBest wishes\nAda Lovelace, +44 20 7946 0958",
    "Please look at {}. It is the second one!",
    "serial 1000000123, code {}, ticket TK-0A1B-2C3D-4E5F",
]


def full_width(text):
    return "".join(chr(ord(symbol) + 0xFEE0) if symbol.isascii() and symbol.isalnum() else symbol for symbol in text)


def groups(card, joint):
    return joint.join(card.text.split("-"))


def bare(card, joint=""):
    return joint.join(card.text.split("-")[1:])


SPELLINGS = {
    "as printed": lambda card: card.text,
    "small letters": lambda card: card.text.lower(),
    "spaces": lambda card: groups(card, " "),
    "small, spaces": lambda card: groups(card, " ").lower(),
    "two spaces": lambda card: groups(card, "  "),
    "unbroken": lambda card: groups(card, ""),
    "small, unbroken": lambda card: groups(card, "").lower(),
    "en dashes": lambda card: groups(card, "–"),
    "em dashes, spaced": lambda card: groups(card, " — "),
    "non-breaking hyphens": lambda card: groups(card, "\u2011"),
    "minus signs": lambda card: groups(card, "\u2212"),
    "non-breaking spaces": lambda card: groups(card, "\u00a0"),
    "thin spaces": lambda card: groups(card, "\u2009"),
    "full width": lambda card: full_width(card.text),
    "full width, with full-width hyphens": lambda card: full_width(groups(card, "\uff0d")),
    "zero-width spaces everywhere": lambda card: "\u200b".join(card.text),
    "soft hyphens": lambda card: groups(card, "\u00ad"),
    "points": lambda card: groups(card, "."),
    "underscores": lambda card: groups(card, "_"),
    "slashes": lambda card: groups(card, "/"),
    "a line break behind the prefix": lambda card: card.text.replace("-", "-\n", 1),
    "line breaks": lambda card: groups(card, "\n"),
    "a quoted line break": lambda card: card.text[:17] + "\n> " + card.text[17:],
    "without its prefix": lambda card: bare(card, "-"),
    "without its prefix, small, spaces": lambda card: bare(card, " ").lower(),
    "without its prefix, unbroken": lambda card: bare(card),
    "a colon behind the prefix": lambda card: card.text.replace("-", ": ", 1),
    "spaced out": lambda card: " ".join(bare(card)),
    "groups of three": lambda card: " ".join(re.findall("...", bare(card))),
    "look-alikes": lambda card: card.text.replace("0", "O").replace("1", "l"),
    "tags": lambda card: groups(card, "</b>-<b>"),
    "entities": lambda card: groups(card, "&nbsp;"),
}


@pytest.fixture
def batch():
    return factories.batch(size=900)


def mask(card):
    return card.batch.code_format.pattern.mask(card.code[-4:])


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_spelling_becomes_the_mask_and_names_the_card(batch, spelling, sentence):
    first, card, _ = factories.cards(3, batch)
    redacted = redact(sentence.format(SPELLINGS[spelling](card)))
    assert redacted.text == sentence.format(mask(card))
    assert redacted.serials == [card.serial]
    assert first.code not in redacted.text


@pytest.mark.parametrize("between", ["-", ".", " ", "/", "_"])
def test_a_code_of_digits_alone_is_one_behind_its_prefix_where_its_check_symbol_holds(batch, between):
    assert redact("SPOTIFY-7323-3982-5797".replace("-", between)).text == UNKNOWN_CODE
    if between != "-":
        assert redact("SPOTIFY-7323-3982-5798".replace("-", between)).text != UNKNOWN_CODE


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.heavy)])
def test_codes_in_all_spellings_are_masked_though_no_card_has_them(batch, count):
    chance = random.Random(3)
    pattern = batch.code_format.pattern
    names = list(SPELLINGS)
    kept = []
    for position, code in enumerate(pattern.generate(count)):
        card = factories.Card(pattern.display(code.decode()), code.decode(), 0, batch)
        sentence = chance.choice(SENTENCES)
        spelling = SPELLINGS[names[position % len(names)]](card)
        if redact(sentence.format(spelling)) != Redacted(sentence.format(UNKNOWN_CODE)):
            kept.append((names[position % len(names)], card.text))
    # By chance one is letters and numbers that read like a sentence: without its prefix it stays.
    assert [each for each in kept if not each[0].startswith("without its prefix, small")] == []
    assert len(kept) <= 1


def ordinary_texts(chance):
    def digits(count):
        return "".join(chance.choices("0123456789", k=count))

    def symbols(count):
        return "".join(chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=count))

    def groups_of_four(count):
        return "-".join(symbols(4) for _ in range(count))

    def serial():
        return chance.randrange(10**9, 10**10)

    while True:
        yield f"My order {chance.choice(['AB-', '#', 'SO', 'ORD-2026-', ''])}{digits(8)} has not come"
        yield f"order number {digits(12)}, {digits(6)} and {digits(3)}-{digits(7)}-{digits(7)}, PIN {digits(11)}"
        yield f"Call +44 7{digits(3)} {digits(6)}, +49 {digits(3)} {digits(7)} or (0{digits(3)}) {digits(7)}"
        yield f"Call 00{digits(2)} {digits(4)} {digits(4)} {digits(2)}, 1-800-{digits(3)}-{digits(4)}, 0{digits(10)}"
        yield f"The serial numbers are {serial()}, {serial()} and {serial()} to {serial()}.\n{serial()}\n{serial()}"
        yield f"report RP-{groups_of_four(3)}, ticket TK-{groups_of_four(3)}, batch ba-{groups_of_four(3).lower()}"
        yield f"try NO-{groups_of_four(8)}"
        yield f"parcel 1Z{symbols(6)}{digits(10)}, RR{digits(9)}DE and {digits(4)} {digits(4)} {digits(4)}"
        yield f"DE{digits(2)} {digits(4)} {digits(4)} {digits(4)} {digits(4)} {digits(2)}, GB00BARC{digits(14)}"
        yield f"transaction {uuid.UUID(int=chance.getrandbits(128))} on 2026-11-20 12:30:59, 3,{digits(3)}.50 EUR"
        yield f"Spotify gift vouchers, SPOTIFY GIFT VOUCHERS, Spotify {digits(4)}, from 2026 sold {digits(4)} pieces"
        yield f"ada.lovelace+spotify@example.com, https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC?si={digits(4)}"
        yield "".join(f"{word} " for word in chance.choices(WORDS, k=200))


WORDS = """
    a about account after again all also an and another any are as ask at back balance bank be because been
    before but buy by call came can card cashier change check code come could credit customer date day did do
    does down each else email even ever every family first for free friend from get gift give go good got had
    has have he help her here him his how i if in into is it its just know last left let like long look mail
    make man many may me message mine money month more most must my name need never new next no not now number
    of off old on once one only open or order other our out over own paid pay phone plan please premium
    receipt refund right said same say says scratch second see seller send she shop should since so some soon
    spotify still store such take tell than thank that the their them then there they thing this time to today
    told too tried try two under up us use very voucher wait want was way we week well went were what when
    where which while who why will with work would wrong year yes you your Windows11 iPhone15 4K 24h 3rd 2026
    30 12 100 1999 bitte danke gekauft Karte funktioniert nicht Quittung merci carte achat tarjeta gracias
""".split()  # noqa: SIM905


def test_a_thousand_ordinary_texts_stay_byte_for_byte(batch):
    factories.cards(50, batch)
    factories.cards(50, factories.batch(factories.product(factories.pin_program())))
    texts = ordinary_texts(random.Random(5))
    for text in (next(texts) for _ in range(1_000)):
        assert redact(text).text == text


@pytest.mark.parametrize(
    "slip",
    [
        lambda code: code[:5] + ("2" if code[5] != "2" else "3") + code[6:],
        lambda code: code[:5] + code[6:],
        lambda code: code[:5] + "Z" + code[5:],
        lambda code: code[:4] + code[5] + code[4] + code[6:],
    ],
    ids=["wrong", "missing", "extra", "swapped"],
)
def test_a_mistyped_code_is_masked_and_says_nothing_of_the_card(batch, slip):
    card = next(card for card in factories.cards(50, batch) if card.code[4] != card.code[5])
    typed = slip(card.code)
    for spelling in (typed, f"SPOTIFY-{typed}", f"SPOTIFY-{typed[:4]}-{typed[4:8]}-{typed[8:]}", typed.lower()):
        assert redact(f"It says no to {spelling}!") == redact(f"It says no to {UNKNOWN_CODE}!")


def test_a_slip_behind_the_prefix_is_masked_though_no_card_is_near(batch):
    assert redact("SPOTIFY-7K2M-9QXA-3RT2").text == UNKNOWN_CODE
    assert redact("spotify 7k2m 9qxa 3rt").text == UNKNOWN_CODE


def test_a_misspelt_prefix_leaves_no_symbol_of_the_code(batch):
    card = factories.card(batch)
    for text in (card.text.replace("SPOTIFY", "SPOTFY"), card.text.replace("SPOTIFY-", "SPOTIFI")):
        assert card.code[-8:] not in redact(text).text.replace("-", "")
        assert card.code[:8] not in redact(text).text.replace("-", "")


@pytest.mark.parametrize(
    "around",
    [
        "is{}",
        "{}thanks",
        "is{}thanks",
        "代码{}です",
        "código:{}",
        "({})",
        "“{}”,",
        "#{}#",
        "{}.",
        "{}?!",
        "code={}&a=b",
    ],
)
@pytest.mark.parametrize("spelling", ["as printed", "unbroken", "without its prefix"])
def test_what_stands_right_beside_a_code_stays(batch, around, spelling):
    card = next(card for card in factories.cards(20, batch) if not card.code.isalpha())
    redacted = redact(around.format(SPELLINGS[spelling](card)))
    # Behind a word the mask has no prefix: the two would be one word.
    shown = mask(card).removeprefix("SPOTIFY-") if around.startswith("is") else mask(card)
    assert redacted.text == around.format(shown)
    assert redacted.serials == [card.serial]


def test_each_of_several_codes_is_masked_as_itself(batch):
    first, second = factories.cards(2, batch)
    pin = factories.card(factories.batch(factories.product(factories.pin_program())))
    for joint in (" and ", ", ", "\n", " ", "/"):
        redacted = redact(joint.join([first.text, bare(second, "-"), pin.text]))
        assert redacted.text == joint.join([mask(first), mask(second), mask(pin)])
        assert redacted.serials == [first.serial, second.serial, pin.serial]


def test_codes_stuck_to_one_another_are_all_masked(batch):
    card = next(card for card in factories.cards(20, batch) if not card.code.isalpha())
    threes = SPELLINGS["groups of three"](card)
    assert redact(threes + card.text).text == mask(card) + mask(card).removeprefix("SPOTIFY-")
    assert card.code not in redact(f"{card.code}-••").text


def test_the_same_code_twice_names_its_card_once(batch):
    card = factories.card(batch)
    assert redact(f"{card.text} {card.code}").serials == [card.serial]


def test_a_card_under_an_older_key_is_found(batch, settings):
    card = factories.card(batch)
    settings.CODE_KEYS = {**settings.CODE_KEYS, len(settings.CODE_KEYS) + 1: b"n" * 32}
    assert redact(card.text).serials == [card.serial]


def test_the_same_code_in_two_programs_names_both_cards(batch):
    card = factories.card(batch)
    other = factories.batch(factories.product(factories.program(prefix="OTHER")))
    twin = factories.card(other)
    Code.objects.filter(pk=twin.serial).update(
        key_version=card.row.key_version + 1,
        digest=digester(other.product.program.digest_name).current(card.code),
    )
    assert redact(card.code).serials == [card.serial, twin.serial]


@pytest.fixture
def pin():
    return factories.card(factories.batch(factories.product(factories.pin_program())))


def test_of_a_suppliers_pins_only_those_of_cards_and_their_slips_are_masked(pin):
    assert redact(f"PIN {pin.code[:4]} {pin.code[4:8]} {pin.code[8:]}").text == f"PIN {mask(pin)}"
    assert redact(f"PIN {wrong(pin)}").text == f"PIN {UNKNOWN_CODE}"
    assert redact(f"PIN {pin.code[:-1]}5{pin.code[-1]}").serials == []
    assert redact("PIN 98765432109").text == "PIN 98765432109"


def test_a_serial_number_one_slip_from_a_pin_stays(pin):
    assert redact(f"serial {pin.code[:-1]}").text == f"serial {pin.code[:-1]}"


def test_a_case_sensitive_code_is_not_masked_in_another_case():
    program = factories.pin_program()
    CodeFormat.objects.create(
        program=program,
        version=2,
        alphabet="abcdefghijABCDEFGHIJ23456789",
        length=8,
        has_check_symbol=False,
        case_sensitive=True,
    )
    card = factories.card(factories.batch(factories.product(program)))
    digest = digester(program.digest_name).current("aB2DeFgH")
    Code.objects.filter(pk=card.serial).update(digest=digest, key_version=card.row.key_version + 1)
    assert redact("it is aB2D-eFgH, see").serials == [card.serial]
    assert redact("it is AB2D-EFGH, see").text == "it is AB2D-EFGH, see"


# --- Payment cards

PAYMENT_CARDS = [
    "4111111111111111", "4222222222222", "5555555555554444", "2223003122003222", "378282246310005", "30569309025904",
    "6011111111111117", "3530111333300000", "6200000000000005", "6304000000000000",
]  # fmt: skip


@pytest.mark.parametrize("number", PAYMENT_CARDS)
def test_payment_cards_keep_their_last_four(batch, number):
    masked = f"[payment card …{number[-4:]}]"
    fours = [number[place : place + 4] for place in range(0, len(number), 4)]
    assert redact(f"I paid with {number}.").text == f"I paid with {masked}."
    if len(number) != 13:
        for joint in (" ", "-", "\u00a0", "  ", "\n"):
            assert redact(f"paid ({joint.join(fours)}) yesterday").text == f"paid ({masked}) yesterday"
    assert redact(full_width(number)).text == masked
    assert redact("\u200b".join(number)).text == masked


def test_two_payment_cards_and_what_stands_beside_them(batch):
    text = "4111 1111 1111 1111 5555 5555 5555 4444 12/27 and card378282246310005, expires 11/2026"
    assert redact(text).text == (
        "[payment card …1111] [payment card …4444] 12/27 and card[payment card …0005], expires 11/2026"
    )


@pytest.mark.parametrize(
    "text", ["4111111111111112", "1234567812345670", "+49 1512 34567890", "4000000004 123456", "00000000000000"]
)
def test_numbers_that_no_issuer_gives_stay(batch, text):
    assert redact(text).text == text
    assert not is_payment_card(re.sub(r"\D", "", text)) or "+" in text or text.startswith("4000000004")


# --- Every text


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_redacting_twice_is_redacting_once(batch, data):
    card = factories.card(batch)
    bits = st.one_of(
        st.sampled_from([*SPELLINGS]).map(lambda name: SPELLINGS[name](card)),
        st.sampled_from([wrong(card), card.code[:7], mask(card), UNKNOWN_CODE, "[payment card …1111]", "SPOTIFY", "•"]),
        st.sampled_from(["4111 1111 1111 1111", "1000000123", "+49 171 1234567", "7K2M", "9qxa", " ", "-", "\n> "]),
        st.text(max_size=12),
        st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ -", max_size=30),
    )
    drawn = data.draw(st.lists(bits, max_size=12))
    for joint in ("", ", "):
        once = redact(joint.join(drawn)).text
        assert redact(once).text == once


@given(st.text(st.characters(exclude_categories=["N", "Cs", "Cf", "L", "M", "P"])), st.text(" .,;!?\n", max_size=20))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_text_around_a_code_is_unchanged(batch, before, after):
    card = factories.card(batch)
    assert redact(f"{before} {card.text} {after}").text == f"{before} {mask(card)} {after}"


@given(st.text(max_size=300))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_without_digits_and_capitals_stays(batch, text):
    plain = re.sub(r"[\d\W_]+", " ", unicodedata.normalize("NFKC", text).lower())
    if not re.search(r"[a-z]{4}", plain):
        assert redact(plain).text == plain


def test_the_number_of_queries_is_constant(batch):
    factories.cards(3, batch)
    factories.program(prefix="OTHER")

    def queries(text):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            redact(text)
        return len(captured)

    assert queries("") == queries("Hi!") == 0
    one = " ".join(card.text for card in factories.cards(1, batch))
    many = " ".join(f"{card.text} 0171 {card.serial} {card.code}" for card in factories.cards(100, batch))
    assert queries(one) <= 2
    assert queries(many) <= 3


@pytest.mark.parametrize(
    "unit",
    [
        "A-",
        "1 ",
        "7K2M-",
        "A1",
        "> ",
        "<b",
        "•-",
        "a•",
        " ",
        "[code",
        "4111 ",
        "a\u200b",
        "DE12 ",
        "SPOTIFY ",
        "SPOTIFY",
    ],
)
def test_a_hundred_thousand_symbols_take_no_time(batch, unit):
    factories.card(factories.batch(factories.product(factories.pin_program())))
    text = (unit * 100_000)[:100_000]
    began = time.process_time()
    redact(text)
    assert time.process_time() - began < 5


# --- Names of files


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("receipt.jpg", "receipt.jpg"),
        ("C:\\Users\\ada\\receipt.jpg", "receipt.jpg"),
        ("../../etc/passwd", "passwd"),
        ("folder/", "file"),
        ("", "file"),
        ("a\0b\r\nc\u202egpj.exe", "abcgpj.exe"),
        ("IMG_20261120_123059.HEIC", "IMG_20261120_123059.HEIC"),
        ("x" * 300 + ".jpeg", "x" * 115 + ".jpeg"),
        ("no ending " + "y" * 300, "no ending " + "y" * 110),
        ("a." + "b" * 300, "a." + "b" * 118),
    ],
)
def test_file_names_lose_folders_and_control_characters_and_keep_their_ending(batch, name, shown):
    assert redact_name(name) == shown
    assert len(redact_name(name)) <= LONGEST_NAME
    assert redact_name(redact_name(name)) == redact_name(name)


@pytest.mark.parametrize("spelling", ["as printed", "underscores", "unbroken", "without its prefix", "small letters"])
def test_codes_in_file_names_are_masked(batch, spelling):
    card = next(card for card in factories.cards(20, batch) if not card.code.isalpha())
    assert redact_name(f"{SPELLINGS[spelling](card)}.jpg") == f"{mask(card)}.jpg"
    assert redact_name(f"photos/photo of {SPELLINGS[spelling](card)}.jpg") == f"photo of {mask(card)}.jpg"


# --- Where it is used


def test_a_ticket_keeps_no_code_anywhere_and_names_the_card(batch):
    card = factories.card(batch)
    ticket = factories.ticket(
        subject=f"{card.text} does not work",
        body=f"It is {card.text}",
        error_message=f"{card.text} is not valid",
        quoted=f"> {card.text}",
        requester_name=f"Ada {card.text}",
    )
    message = ticket.messages.get()
    kept = [ticket.subject, ticket.error_message, ticket.requester_name]
    kept += [message.body, message.quoted, message.author_name]
    assert all(mask(card) in text and card.text not in text for text in kept)
    assert (ticket.code_id, ticket.program_id) == (card.serial, batch.product.program_id)


def test_what_the_customer_writes_next_and_what_is_changed_hold_no_code(batch):
    card = factories.card(batch)
    ticket = factories.ticket()
    message = add_customer_message(
        ticket=ticket, body=card.text, author_name=f"Ada {card.text}", quoted=f"> {card.text}", now=factories.NOON
    )
    assert (message.body, message.quoted, message.author_name) == (mask(card), f"> {mask(card)}", f"Ada {mask(card)}")
    ticket.refresh_from_db()
    assert ticket.code_id == card.serial
    # The mask is longer than what it masks: the column still holds it.
    subject = "word " * 37 + bare(card)
    changed = change(ticket=ticket, by=factories.user(factories.Role.AGENT), subject=subject)
    assert card.code not in changed.subject
    assert len(changed.subject) <= 200
