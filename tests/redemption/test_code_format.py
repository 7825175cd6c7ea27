import random
from itertools import combinations
from string import ascii_letters, digits
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redemption import code_format
from redemption.code_format import (
    CROCKFORD,
    CROCKFORD_LOOK_ALIKES,
    MAX_TYPED,
    CodePattern,
    Outcome,
    Read,
    check_holds,
    check_symbol,
    is_share_link,
    last_four,
    symbol_between,
)

SPOTIFY = CodePattern(CROCKFORD, 12, prefix="SPOTIFY", check_symbol=True)
NETFLIX = CodePattern(digits, 11, look_alikes=CROCKFORD_LOOK_ALIKES)
CASED = CodePattern(digits + ascii_letters, 10, case_sensitive=True)
PATTERNS = [SPOTIFY, NETFLIX, CASED]

BODY = "10SP0T1FY7K"
CODE = BODY + check_symbol(BODY)
PRINTED = f"SPOTIFY-{CODE[:4]}-{CODE[4:8]}-{CODE[8:]}"


def well_formed(code):
    return Read(Outcome.WELL_FORMED, code)


def random_codes(count, length):
    """Codes with a check symbol, of any length: the scalar way."""
    bodies = ("".join(random.choices(CROCKFORD, k=length - 1)) for _ in range(count))
    return [body + check_symbol(body) for body in bodies]


# --- Reading

SPELLINGS = {
    "as printed": PRINTED,
    "normalised": CODE,
    "without prefix": PRINTED.removeprefix("SPOTIFY-"),
    "lower case": PRINTED.lower(),
    "spaces around": f" \t{PRINTED}\r\n",
    "a space after each symbol": " ".join(PRINTED),
    "no-break spaces": PRINTED.replace("-", "\u00a0"),
    "ideographic and thin spaces": PRINTED.replace("-", "\u3000\u2009"),
    "en dashes": PRINTED.replace("-", "\u2013"),
    "em dashes": PRINTED.replace("-", "\u2014"),
    "no-break hyphens": PRINTED.replace("-", "\u2011"),
    "minus signs": PRINTED.replace("-", "\u2212"),
    "soft hyphens": PRINTED.replace("-", "\u00ad"),
    "vertical dashes": PRINTED.replace("-", "\ufe32"),
    "Japanese long-vowel marks": PRINTED.replace("-", "\u30fc"),
    "zero-width spaces": "\u200b".join(PRINTED),
    "zero-width joiners": "\u200d".join(PRINTED),
    "byte-order mark": "\ufeff" + PRINTED,
    "right-to-left marks": f"\u202e\u200f{PRINTED}\u202c\u2067",
    "variation selectors": "\ufe0f".join(PRINTED),
    "full width": "".join(chr(ord(symbol) + 0xFEE0) for symbol in PRINTED),
    "mathematical bold": PRINTED.replace("1", "\U0001d7cf"),
    "look-alikes, capitals": PRINTED.replace("0", "O").replace("1", "I"),
    "look-alikes, small": PRINTED.replace("0", "o").replace("1", "l"),
    "look-alikes in the prefix": PRINTED.replace("SPOTIFY", "sp0t1fy"),
    "a Turkish keyboard": PRINTED.replace("OTI", "ot\u0131").replace("SP", "sp"),
    "a Turkish keyboard, capitals": PRINTED.replace("I", "\u0130"),
    "prefix joined": PRINTED.replace("-", ""),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_the_same_code(spelling):
    assert SPOTIFY.read(SPELLINGS[spelling]) == well_formed(CODE)


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n\t\u00a0", "---", "\u2013 \u2014", "\u200b\u200f\ufeff", "\u3164\u2800"],
    ids=["empty", "space", "white space", "dashes", "long dashes", "zero width", "fillers"],
)
def test_what_shows_nothing_is_blank(text):
    assert SPOTIFY.read(text) == Read(Outcome.BLANK)


@pytest.mark.parametrize(
    "text",
    [
        CODE[:-1],
        CODE + "0",
        "SPOTIFY",
        "NETFLIX-" + CODE,
        "SPOTIFY-SPOTIFY-" + CODE,
        CODE[:5] + "\0" + CODE[6:],
        CODE[:5] + "\ud800" + CODE[6:],
        CODE[:5] + "É" + CODE[6:],
        CODE[:5] + "ß" + CODE[7:],
        "٠١٢٣٤٥٦٧٨٩٠١",
        "............",
        "spotify:track:6rqhFgbbKwnb9MLmUQDhG6",
    ],
    ids=[
        "short", "long", "prefix only", "another prefix", "prefix twice", "NUL", "lone surrogate", "accent",
        "sharp s is not SS", "Arabic digits", "dots", "share code",
    ],
)  # fmt: skip
def test_what_is_not_of_this_pattern_is_unrecognised(text):
    assert SPOTIFY.read(text) == Read(Outcome.UNRECOGNISED)


def test_a_right_shape_with_a_wrong_check_symbol_is_a_slip():
    wrong = CODE[:-1] + ("2" if CODE[-1] != "2" else "3")
    assert SPOTIFY.read(wrong) == Read(Outcome.SLIP)
    assert SPOTIFY.read(SPOTIFY.display(wrong)) == Read(Outcome.SLIP)


def test_a_u_typed_for_a_v_is_a_slip_and_no_guess():
    assert SPOTIFY.read("U" + CODE[1:]) == Read(Outcome.SLIP)


def test_a_foreign_symbol_is_no_slip_where_no_check_symbol_vouches_for_it():
    assert NETFLIX.read("1234567890X") == Read(Outcome.UNRECOGNISED)


@pytest.mark.parametrize("body", ["SP0T1FY", "SP0T1FYSP0T"])
def test_a_body_that_begins_like_the_prefix_keeps_its_symbols(body):
    code = body.ljust(11, "7")
    code += check_symbol(code)
    assert SPOTIFY.read(code) == well_formed(code)
    assert SPOTIFY.read("SPOTIFY" + code) == well_formed(code)


def test_a_suppliers_pin_is_read_with_its_own_look_alikes():
    assert NETFLIX.read(" 123 456-789 Ol ") == well_formed("12345678901")
    assert CodePattern(digits, 11).read("1234567890l") == Read(Outcome.UNRECOGNISED)


def test_a_case_sensitive_code_is_not_upper_cased():
    assert CASED.read("aBcD-oO0l-I1") == well_formed("aBcDoO0lI1")


def test_a_case_sensitive_pattern_forgives_case_in_its_prefix_only():
    pattern = CodePattern(digits + ascii_letters, 10, prefix="Film", case_sensitive=True)
    assert pattern.read("fi1m-aBcDoO0lI1") == well_formed("aBcDoO0lI1")


def test_a_suppliers_symbols_need_not_be_letters():
    assert CodePattern("0123456789#*", 6).read("12#-*34") == well_formed("12#*34")


NOISE = st.text(st.sampled_from("- \t\u00a0\u2013\u2212\u00ad\u200b\u200e\u2060\ufeff\ufe0f"), max_size=3)
CROCKFORD_SPELLINGS = {"0": "0Oo", "1": "1IiLl"}


@st.composite
def spelt(draw):
    """A code and one of the ways in which a person, a phone or a mail program may write it."""
    body = draw(st.text(CROCKFORD, min_size=11, max_size=11))
    code = body + check_symbol(body)
    typed = ""
    for symbol in draw(st.sampled_from(["", "SPOTIFY-"])) + code:
        meant_alike = CROCKFORD_SPELLINGS.get(symbol, symbol + symbol.lower())
        spelling = draw(st.sampled_from(meant_alike))
        if draw(st.booleans()):
            spelling = chr(ord(spelling) + 0xFEE0)
        typed += draw(NOISE) + spelling
    return code, typed + draw(NOISE)


@settings(deadline=None)
@given(spelt())
def test_any_spelling_gives_the_code_back(code_and_typed):
    code, typed = code_and_typed
    assert SPOTIFY.read(typed) == well_formed(code)


@settings(deadline=None)
@given(st.sampled_from(PATTERNS), st.data())
def test_what_is_displayed_is_read_back(pattern, data):
    body = data.draw(st.text(pattern.alphabet, min_size=pattern.length, max_size=pattern.length))
    code = body[:-1] + check_symbol(body[:-1]) if pattern.check_symbol else body
    assert pattern.read(pattern.display(code)) == well_formed(code)


# st.characters() holds NUL and lone surrogates too.
ANY_TEXT = st.text(st.characters() | st.sampled_from("\0\ud800\udfff\u202eSPOTIFY-0123"), max_size=400)


@settings(deadline=None)
@given(st.sampled_from(PATTERNS), ANY_TEXT)
def test_any_text_is_answered_and_only_codes_are_well_formed(pattern, text):
    read = pattern.read(text)
    assert (read.outcome is Outcome.WELL_FORMED) == bool(read.code)
    assert read.code == "" or pattern.holds(read.code)
    assert is_share_link(text, [r"^spotify:track:"]) is False


def test_five_megabytes_are_not_looked_into(monkeypatch):
    looked_at = []

    def normalize(form, text):
        looked_at.append(len(text))
        return unicodedata.normalize(form, text)

    unicodedata = code_format.unicodedata
    monkeypatch.setattr(code_format, "unicodedata", SimpleNamespace(normalize=normalize, category=unicodedata.category))
    huge = CODE + " " * 5_000_000
    assert SPOTIFY.read(huge) == Read(Outcome.UNRECOGNISED)
    assert SPOTIFY.read_many([huge]) == [None]
    assert looked_at == []
    assert is_share_link("https://open.spotify.com/" + "a" * 5_000_000, [r"^https://open\."])
    assert looked_at == [500]


def test_the_longest_text_looked_into_is_still_read():
    assert SPOTIFY.read(CODE + " " * (MAX_TYPED - len(CODE))) == well_formed(CODE)
    assert SPOTIFY.read(CODE + " " * (MAX_TYPED - len(CODE) + 1)) == Read(Outcome.UNRECOGNISED)


def test_a_code_shows_in_no_repr():
    assert CODE not in repr(SPOTIFY.read(PRINTED))
    assert repr(SPOTIFY.read(PRINTED)) == "Read(outcome=<Outcome.WELL_FORMED: 'well formed'>)"


# --- Reading many


@settings(deadline=None)
@given(
    st.sampled_from([*PATTERNS, CodePattern(digits + ascii_letters, 6, prefix="Ab0", case_sensitive=True)]),
    st.lists(
        st.one_of(
            ANY_TEXT,
            spelt().map(lambda pair: pair[1]),
            st.sampled_from([*SPELLINGS.values(), "", "U" + CODE[1:], CODE[::-1], "12345678901", "aBcD-oO0l-I1"]),
            st.text("Ab0- ", max_size=12),
        )
    ),
)
def test_reading_many_is_reading_each(pattern, texts):
    each = [pattern.read(text).code.encode() or None for text in texts]
    assert pattern.read_many(texts) == each


@pytest.mark.parametrize("pattern", PATTERNS, ids=["Spotify", "Netflix", "case-sensitive"])
def test_reading_many_is_reading_each_of_all_spellings_and_mistakes(pattern):
    texts = [
        *SPELLINGS.values(),
        "",
        "SPOTIFY",
        "NETFLIX" + CODE,
        "U" + CODE[1:],
        CODE[:-2] + CODE[:-3:-1],
        "12345678901",
        "aBcD-oO0l-I1",
    ]
    # Mistakes before, after and between codes, so that none shifts the answers of the others.
    texts = [text for pair in zip(texts, reversed(texts), strict=True) for text in pair]
    assert pattern.read_many(texts) == [pattern.read(text).code.encode() or None for text in texts]


def test_reading_many_finds_the_slips_among_many_codes():
    codes = random_codes(500, 12)
    texts = [SPOTIFY.display(code) for code in codes]
    texts[123] = SPOTIFY.display(codes[123][1::-1] + codes[123][2:]) if codes[123][0] != codes[123][1] else "U"
    read = SPOTIFY.read_many(texts)
    assert read[123] is None
    assert [code for place, code in enumerate(read) if place != 123] == [
        code.encode() for place, code in enumerate(codes) if place != 123
    ]


# --- The check symbol


def product(left, right):
    """The product of two polynomials over GF(2) modulo x^5 + x^2 + 1, by schoolbook multiplication."""
    total = 0
    for power in range(5):
        if right >> power & 1:
            total ^= left << power
    for power in (8, 7, 6, 5):
        if total >> power & 1:
            total ^= 0b100101 << power - 5
    return total


def weights(length):
    """The weight of each symbol of a code, first to last: alpha to the power of its distance from the end."""
    powers = [1]
    while len(powers) < length:
        powers.append(product(powers[-1], 2))
    return powers[::-1]


@pytest.mark.parametrize("length", range(2, 32))
def test_the_check_symbol_is_the_sum_that_the_field_gives(length):
    for code in random_codes(30, length):
        total = 0
        for weight, symbol in zip(weights(length), code, strict=True):
            total ^= product(weight, CROCKFORD.index(symbol))
        assert total == 0
        assert check_holds(code)


def test_the_weights_of_31_symbols_are_distinct_and_not_zero():
    assert len(set(weights(31)) - {0}) == 31


def test_every_wrong_symbol_and_every_swap_is_caught_in_every_code():
    """All slips of all codes, by exhaustion.

    A code keeps the check equation when its weighted sum is zero. The sum is linear: each step multiplies by
    alpha and adds, and multiplying by alpha is shown here to be additive for all 32 * 32 pairs of values. So a
    slip that turns code c into c + e (added symbol by symbol, as XOR of the values) leaves the sum of e alone,
    whatever c was. One wrong symbol is an e with one value that is not zero: 31 places times 31 differences. A
    swap of the different symbols a and b is an e with the same value, a + b, at two places: 465 pairs of places
    (neighbours and all others) times 31 differences. None of those e keeps the equation. Shorter codes have the
    last of these places.
    """
    times_alpha = code_format._TIMES[1]
    for left in range(32):
        for right in range(32):
            assert times_alpha[left ^ right] == times_alpha[left] ^ times_alpha[right]

    def error(places, difference):
        return "".join(CROCKFORD[difference] if place in places else "0" for place in range(31))

    pairs_of_places = [(place,) for place in range(31)] + list(combinations(range(31), 2))
    assert len(pairs_of_places) == 31 + 465
    for places in pairs_of_places:
        for difference in range(1, 32):
            assert not check_holds(error(places, difference))


@pytest.mark.parametrize("length", [6, 12, 31])
def test_every_wrong_symbol_and_every_swap_is_caught_in_many_codes(length):
    """The same directly, with check_symbol as it is used, the check symbol's own place included."""
    for code in random_codes(20, length):
        for place in range(length):
            for symbol in CROCKFORD:
                slipped = code[:place] + symbol + code[place + 1 :]
                assert check_holds(slipped) is (symbol == code[place])
        for first, second in combinations(range(length), 2):
            slipped = list(code)
            slipped[first], slipped[second] = code[second], code[first]
            assert check_holds("".join(slipped)) is (code[first] == code[second])


def test_the_symbol_between_is_the_only_one_that_fits():
    for code in random_codes(50, 12):
        for place in range(12):
            assert symbol_between(code[:place], code[place + 1 :]) == code[place]


def test_a_foreign_symbol_fits_no_check_equation():
    assert not check_holds("U" + CODE[1:])
    with pytest.raises(ValueError, match="Crockford's symbols only"):
        check_symbol("1234u")


# --- Making


@pytest.mark.parametrize("length", [6, 12, 16, 31])
def test_codes_made_in_bulk_carry_the_scalar_check_symbol(length):
    pattern = CodePattern(CROCKFORD, length, check_symbol=True)
    made = pattern.generate(2000)
    assert len(made) == 2000
    for code in made:
        text = code.decode("ascii")
        assert len(text) == length
        assert text[-1] == check_symbol(text[:-1])
        assert pattern.read(text) == well_formed(text)


def test_every_symbol_turns_up_in_every_place():
    # 4000 draws miss one of 32 symbols in one of 12 places with a chance of 32 * 12 * (31/32)^4000, 10^-52.
    made = SPOTIFY.generate(4000)
    for place in range(12):
        assert {chr(code[place]) for code in made} == set(CROCKFORD)
    assert len(set(made)) == 4000


def test_a_pattern_without_check_symbol_makes_its_own_32_symbols():
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    made = CodePattern(alphabet, 8, case_sensitive=True).generate(4000)
    for place in range(8):
        assert {chr(code[place]) for code in made} == set(alphabet)


def test_none_or_one_code_can_be_made():
    assert SPOTIFY.generate(0) == []
    [code] = SPOTIFY.generate(1)
    assert check_holds(code.decode())


def test_what_cannot_be_made_is_refused():
    with pytest.raises(ValueError, match="imported"):
        NETFLIX.generate(1)
    with pytest.raises(ValueError, match="not negative"):
        SPOTIFY.generate(-1)


# --- Showing


def test_a_code_is_displayed_and_masked_as_printed():
    assert SPOTIFY.display("0123456789AB") == "SPOTIFY-0123-4567-89AB"
    assert NETFLIX.display("12345678901") == "1234-5678-901"
    assert CodePattern(digits, 11, group=11).display("12345678901") == "12345678901"
    assert SPOTIFY.mask(last_four("0123456789AB")) == "SPOTIFY-••••-••••-89AB"
    assert NETFLIX.mask(last_four("12345678901")) == "••••-•••8-901"


SHARE_LINKS = [r"^spotify:(track|album|artist|playlist|user):", r"^https?://open\.spotify\.com/"]


@pytest.mark.parametrize(
    "text",
    [
        "spotify:track:6rqhFgbbKwnb9MLmUQDhG6",
        "  SPOTIFY:ALBUM:6rqhFgbbKwnb9MLmUQDhG6 ",
        "\u200bspo\u00adtify:user:someone",
        "https://open.spotify.com/track/6rqhFgbbKwnb9MLmUQDhG6?si=abc",
        "\ufeffhttp://open.spotify.com/",
        "\uff53potify\uff1atrack:6rqhFgbbKwnb9MLmUQDhG6",
    ],
    ids=["code", "capitals", "hidden characters", "link", "byte-order mark", "full width"],
)
def test_a_share_link_is_recognised(text):
    assert is_share_link(text, SHARE_LINKS) is True


@pytest.mark.parametrize("text", [PRINTED, "", "\0", "https://example.com/spotify:track:1", "spotify:redeem:1"])
def test_what_is_no_share_link_is_told_apart(text):
    assert is_share_link(text, SHARE_LINKS) is False
    assert is_share_link(text, []) is False


# --- Patterns


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("two symbols", {"alphabet": "0"}),
        ("each of them once", {"alphabet": "0120"}),
        ("printable ASCII", {"alphabet": "0123456789é"}),
        ("printable ASCII", {"alphabet": "0123456789-"}),
        ("printable ASCII", {"alphabet": "0123456789 "}),
        ("printable ASCII", {"alphabet": "0123456789\0"}),
        ("case-sensitive", {"alphabet": "0123456789ab"}),
        ("6 to 31", {"length": 5}),
        ("6 to 31", {"length": 32}),
        ("Crockford's 32", {"alphabet": CROCKFORD[::-1], "check_symbol": True}),
        ("Crockford's 32", {"alphabet": digits, "check_symbol": True}),
        ("prefix", {"prefix": "Spotify"}),
        ("prefix", {"prefix": "SPOTIFY-"}),
        ("prefix", {"prefix": "SPOTIFY#"}),
        ("prefix", {"prefix": "MÜSIK"}),
        ("outside the alphabet", {"look_alikes": (("0", "1"),)}),
        ("outside the alphabet", {"look_alikes": (("o", "0"),)}),
        ("outside the alphabet", {"look_alikes": (("-", "0"),)}),
        ("outside the alphabet", {"look_alikes": (("OO", "0"),)}),
        ("symbol of the alphabet", {"look_alikes": (("O", "U"),)}),
        ("symbol of the alphabet", {"look_alikes": (("O", ""),)}),
        ("one symbol only", {"look_alikes": (("O", "0"), ("O", "D"))}),
        ("group", {"group": 0}),
    ],
    ids=str,
)
def test_a_pattern_that_could_not_be_read_back_is_refused(message, arguments):
    with pytest.raises(ValueError, match=message):
        CodePattern(**{"alphabet": CROCKFORD, "length": 12, **arguments})


def test_look_alikes_left_out_are_crockfords_for_his_alphabet_only():
    assert SPOTIFY.look_alikes == CROCKFORD_LOOK_ALIKES
    assert CASED.look_alikes == ()
    assert CodePattern(CROCKFORD, 12, "SPOTIFY", True, look_alikes=CROCKFORD_LOOK_ALIKES) == SPOTIFY


def test_patterns_from_stored_lists_are_hashable():
    assert hash(CodePattern(digits, 11, look_alikes=[["O", "0"]])) == hash(
        CodePattern(digits, 11, look_alikes=(("O", "0"),))
    )
