import random
from collections import defaultdict
from itertools import product
from string import ascii_letters, digits

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redemption.code_format import CROCKFORD, CodePattern, check_symbol
from redemption.near_misses import Slip, SlipKind, describe, slips

SPOTIFY = CodePattern(CROCKFORD, 12, prefix="SPOTIFY", check_symbol=True)
NETFLIX = CodePattern(digits, 11)
CASED = CodePattern(digits + ascii_letters, 10, prefix="FILM", case_sensitive=True)

# What a person may type for another symbol: anything that the pattern reads as one symbol of its own.
TYPEABLE = CROCKFORD + "Uu?é$"


def random_code():
    body = "".join(random.choices(CROCKFORD, k=11))
    return body + check_symbol(body)


def with_wrong_symbol(symbols, others=TYPEABLE):
    place = random.randrange(len(symbols))
    other = random.choice([symbol for symbol in others if symbol.upper() != symbols[place]])
    return symbols[:place] + other + symbols[place + 1 :]


def with_missing_symbol(symbols):
    place = random.randrange(len(symbols))
    return symbols[:place] + symbols[place + 1 :]


def with_extra_symbol(symbols, others=TYPEABLE):
    place = random.randrange(len(symbols) + 1)
    return symbols[:place] + random.choice(others) + symbols[place:]


def with_swapped_symbols(symbols):
    place = random.choice([place for place in range(len(symbols) - 1) if symbols[place] != symbols[place + 1]])
    return symbols[:place] + symbols[place + 1] + symbols[place] + symbols[place + 2 :]


def with_misspelt_prefix(code):
    # Foreign to the prefix, its look-alikes included, so that the prefix is misspelt indeed.
    others = "ABCDEGHJKMNQRUVWXZ23456789"
    slip = random.choice(
        [
            lambda prefix: with_wrong_symbol(prefix, others),
            with_missing_symbol,
            lambda prefix: with_extra_symbol(prefix, others),
            with_swapped_symbols,
        ]
    )
    return slip("SPOTIFY") + code


def undone(slip, body):
    """What was typed for slip.code, if the slip is what it says it is."""
    before, after = slip.code[: slip.position - 1], slip.code[slip.position - 1 :]
    match slip.kind:
        case SlipKind.WRONG:
            return before + body[slip.position - 1] + after[1:]
        case SlipKind.MISSING:
            return before + after[1:]
        case SlipKind.EXTRA:
            return before + body[slip.position - 1] + after
        case SlipKind.SWAPPED:
            return before + after[1] + after[0] + after[2:]


SLIPPED = {
    SlipKind.WRONG: with_wrong_symbol,
    SlipKind.MISSING: with_missing_symbol,
    SlipKind.EXTRA: with_extra_symbol,
    SlipKind.SWAPPED: with_swapped_symbols,
}


@pytest.mark.parametrize("kind", SLIPPED)
def test_the_code_meant_is_found_for_every_slip_in_its_body(kind):
    for _ in range(10_000):
        code = random_code()
        body = SLIPPED[kind](code)
        prefixed = random.choice([True, False])
        found = slips(SPOTIFY, SPOTIFY.display(body) if prefixed else body)
        [slip] = [slip for slip in found if slip.code == code]
        assert slip.kind is kind
        assert undone(slip, body.upper()) == body.upper()


def test_the_code_meant_is_found_for_every_slip_in_its_prefix():
    for _ in range(10_000):
        code = random_code()
        [slip] = [slip for slip in slips(SPOTIFY, with_misspelt_prefix(code)) if slip.code == code]
        # Where prefix and body meet, either may have slipped: SPOTIFYX... has an X too many in one or the other,
        # SPOTIF7... lacks the prefix's Y, or the body's where that begins with a Y.
        assert (slip.kind, slip.position) in [(SlipKind.PREFIX, 0), (SlipKind.EXTRA, 1), (SlipKind.MISSING, 1)]


def test_all_candidates_are_listed_each_once_each_a_code_and_in_the_same_order():
    for _ in range(500):
        text = random.choice(list(SLIPPED.values()))(random_code())
        found = slips(SPOTIFY, text)
        codes = [slip.code for slip in found]
        assert len(codes) == len(set(codes))
        assert all(SPOTIFY.holds(code) for code in codes)
        assert found == slips(SPOTIFY, text)
        kinds = [list(SlipKind).index(slip.kind) for slip in found]
        assert kinds == sorted(kinds)


def one_slip_from(symbols, alphabet):
    """Every text one slip away: tried one by one, without the arithmetic of the check symbol."""
    for place in range(len(symbols) + 1):
        before, after = symbols[:place], symbols[place:]
        yield from (before + symbol + after for symbol in alphabet)
        if after:
            yield before + after[1:]
            yield from (before + symbol + after[1:] for symbol in alphabet)
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]


def test_exactly_the_codes_one_slip_away_are_found_where_a_check_symbol_rules_most_out():
    for _ in range(300):
        text = random.choice(list(SLIPPED.values()))(random_code()).upper()
        # A code's own slips and those of the text are the same pairs: each kind is another's opposite.
        expected = {code for code in one_slip_from(text, CROCKFORD) if SPOTIFY.holds(code)}
        assert {slip.code for slip in slips(SPOTIFY, text)} == expected - {text}


@pytest.mark.parametrize(
    "pattern",
    [CodePattern("ABC", 6, prefix="AB"), CodePattern("AB", 7, prefix="B"), CodePattern("ABC", 6)],
    ids=str,
)
def test_exactly_the_codes_one_slip_away_are_found_of_every_possible_text(pattern):
    """All codes of a small pattern with all their slips, against all texts of all lengths near them.

    The prefix consists of the alphabet's own symbols and bodies begin with it, so every ambiguity turns up.
    """
    meant_by = defaultdict(set)
    for symbols in product(pattern.alphabet, repeat=pattern.length):
        code = "".join(symbols)
        for printed in {code, pattern.prefix + code}:
            for text in one_slip_from(printed, pattern.alphabet):
                if text != printed:
                    meant_by[text].add(code)
    for length in range(pattern.length - 2, pattern.length + len(pattern.prefix) + 3):
        for symbols in product(pattern.alphabet, repeat=length):
            text = "".join(symbols)
            found = [slip.code for slip in slips(pattern, text)]
            assert len(found) == len(set(found))
            assert set(found) == meant_by[text] - {pattern.read(text).code}


def test_a_pin_without_check_symbol_has_every_neighbour_as_a_candidate():
    found = slips(NETFLIX, "12345678901")
    assert "12345678901" not in {slip.code for slip in found}
    assert [slip.kind for slip in found] == [SlipKind.WRONG] * 11 * 9 + [SlipKind.SWAPPED] * 10


def test_a_case_that_slipped_is_a_wrong_symbol_where_case_counts():
    assert Slip(SlipKind.WRONG, 3, "abCdef0123") in slips(CASED, "FILM-abcd-ef01-23")


def test_look_alikes_are_read_before_slips_are_sought():
    code = "0123456789A" + check_symbol("0123456789A")
    typed = "oL2345U789a" + code[-1]
    for text in (typed, "spot1fy-" + typed):
        assert Slip(SlipKind.WRONG, 7, code) in slips(SPOTIFY, text)
    assert slips(SPOTIFY, "spot1fi" + "oL23456789A" + code[-1]) == [Slip(SlipKind.PREFIX, 0, code)]


def test_a_code_typed_right_has_no_near_miss():
    for code in (random_code() for _ in range(200)):
        assert slips(SPOTIFY, SPOTIFY.display(code)) == []
        assert slips(SPOTIFY, code) == []


def test_two_wrong_symbols_are_not_guessed_at():
    for _ in range(200):
        code = random_code()
        assert code not in {slip.code for slip in slips(SPOTIFY, "U" + code[1:6] + "U" + code[7:])}


@pytest.mark.parametrize("prefix", ["TPOSIFY", "SPOTXXY", "SPOTI", "SPOTIFYXX", "NETFLIX"])
def test_a_prefix_misspelt_twice_is_another_prefix(prefix):
    code = "2" * 11 + check_symbol("2" * 11)
    assert slips(SPOTIFY, prefix + code) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        " - ",
        "\0",
        "\ud800",
        "0123456789",
        "01234567890123",
        "SPOTIFY",
        "X" * 5_000_000,
        "NETFLIX-0123-4567-89AB",
    ],
    ids=["empty", "blank", "NUL", "surrogate", "two short", "two long", "prefix", "5 MB", "another prefix"],
)
def test_a_text_far_from_the_shape_has_no_near_miss(text):
    assert slips(SPOTIFY, text) == []


@settings(deadline=None)
@given(
    st.sampled_from([SPOTIFY, NETFLIX, CASED]),
    st.text(st.characters() | st.sampled_from("\0\ud800-"), max_size=24),
)
def test_any_text_is_answered_with_codes_only(pattern, text):
    assert all(pattern.holds(slip.code) for slip in slips(pattern, text))


def test_a_slip_shows_no_code():
    shown = repr(Slip(SlipKind.WRONG, 7, "0123456789AB"))
    assert shown == "Slip(kind=<SlipKind.WRONG: 'wrong'>, position=7)"


@pytest.mark.parametrize(
    ("kind", "position", "sentence"),
    [
        (SlipKind.WRONG, 1, "The 1st symbol is wrong"),
        (SlipKind.WRONG, 7, "The 7th symbol is wrong"),
        (SlipKind.WRONG, 11, "The 11th symbol is wrong"),
        (SlipKind.WRONG, 22, "The 22nd symbol is wrong"),
        (SlipKind.MISSING, 1, "A symbol is missing before the 1st"),
        (SlipKind.MISSING, 4, "A symbol is missing after the 3rd"),
        (SlipKind.MISSING, 13, "A symbol is missing after the 12th"),
        (SlipKind.EXTRA, 5, "The 5th symbol is one too many"),
        (SlipKind.EXTRA, 13, "The 13th symbol is one too many"),
        (SlipKind.SWAPPED, 4, "The 4th and 5th symbols are swapped"),
        (SlipKind.SWAPPED, 30, "The 30th and 31st symbols are swapped"),
        (SlipKind.PREFIX, 0, "The prefix is misspelt"),
    ],
)
def test_a_slip_is_described_without_the_code(kind, position, sentence):
    assert describe(Slip(kind, position, "Z" * 12)) == sentence
