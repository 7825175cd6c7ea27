"""find_code(): what a typed text is, over all programs and their formats."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redemption.code_format import Outcome
from redemption.digests import digester
from redemption.finding import find_code
from redemption.models import Code, CodeFormat
from redemption.near_misses import SlipKind
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def card():
    return factories.card()


def test_any_spelling_finds_exactly_that_card(card):
    factories.card(card.batch)
    body = card.code
    full_width = "".join(chr(ord(symbol) + 0xFEE0) for symbol in body)
    zero_width = "\u200b".join(body)
    for text in (
        card.text,
        card.text.lower(),
        body,
        f"  {body[:4]} {body[4:8]} – {body[8:]}\n",
        full_width,
        zero_width,
    ):
        found = find_code(text)
        assert (found.outcome, found.serials, found.near) == (Outcome.WELL_FORMED, (card.serial,), ())


def test_look_alikes_are_read_as_what_they_stand_for(card):
    typed = card.code.replace("0", "O").replace("1", "l")
    assert find_code(typed).serials == (card.serial,)


def test_the_same_code_in_two_programs_is_found_in_both(card):
    other = factories.batch(factories.product(factories.program(prefix="OTHER")))
    twin = factories.card(other)
    Code.objects.filter(pk=twin.serial).update(
        key_version=card.row.key_version + 1,
        digest=digester(other.product.program.digest_name).current(card.code),
    )
    assert find_code(card.code).serials == (card.serial, twin.serial)


def test_a_card_under_an_older_key_is_found(card, settings):
    settings.CODE_KEYS = {**settings.CODE_KEYS, len(settings.CODE_KEYS) + 1: b"n" * 32}
    assert find_code(card.text).serials == (card.serial,)


@pytest.mark.parametrize(
    ("slip", "kind", "position"),
    [
        (lambda code: code[:3] + ("2" if code[3] != "2" else "3") + code[4:], SlipKind.WRONG, 4),
        (lambda code: code[:5] + code[6:], SlipKind.MISSING, None),
        (lambda code: code[:7] + "Z" + code[7:], SlipKind.EXTRA, None),
    ],
)
def test_one_slip_offers_the_card_and_says_what_slipped(card, slip, kind, position):
    factories.cards(5, card.batch)
    found = find_code(slip(card.code))
    assert found.serials == ()
    assert [near.serial for near in found.near] == [card.serial]
    near = found.near[0]
    assert near.kind is kind
    assert position is None or near.position == position
    assert near.description


def test_no_answer_holds_a_code(card):
    found = find_code(card.code[:-1] + ("2" if card.code[-1] != "2" else "3"))
    assert [near.serial for near in found.near] == [card.serial]
    assert card.code not in repr(found)


def test_several_cards_a_slip_away_are_listed_as_several():
    batch = factories.batch(factories.product(factories.pin_program()))
    cards = factories.cards(3, batch)
    texts = ["10000000001", "10000000002", "10000000003"]
    digests = digester(batch.product.program.digest_name)
    for card, text in zip(cards, texts, strict=True):
        version = card.row.key_version + 1
        Code.objects.filter(pk=card.serial).update(digest=digests.current(text), key_version=version)
    found = find_code("10000000009")
    assert [near.serial for near in found.near] == [card.serial for card in cards]
    assert [near.description for near in found.near] == ["The 11th symbol is wrong"] * 3
    limited = find_code("10000000009", limit=2)
    assert (len(limited.near), limited.has_more, found.has_more) == (2, True, False)


def test_every_single_slip_is_found_and_no_other_card_offered(card):
    cards = [card, *factories.cards(20, card.batch)]
    symbols = card.batch.code_format.alphabet
    chance = random.Random(4)
    for _ in range(60):
        meant = chance.choice(cards)
        code, place = meant.code, chance.randrange(12)
        other = chance.choice([symbol for symbol in symbols if symbol != code[place]])
        swapped = code[:place] + code[place + 1 : place + 2] + code[place] + code[place + 2 :]
        slips = [code[:place] + other + code[place + 1 :], code[:place] + code[place + 1 :]]
        slips += [code[:place] + other + code[place:], swapped]
        found = find_code(chance.choice([slip for slip in slips if slip != code]))
        assert [near.serial for near in found.near] == [meant.serial]


def test_a_case_sensitive_format_is_not_put_in_capitals():
    program = factories.pin_program()
    alphabet = "abcdefghijABCDEFGHIJ"
    CodeFormat.objects.create(
        program=program, version=2, alphabet=alphabet, length=8, has_check_symbol=False, case_sensitive=True
    )
    card = factories.card(factories.batch(factories.product(program)))
    digest = digester(program.digest_name).current("aBcDeFgH")
    Code.objects.filter(pk=card.serial).update(digest=digest, key_version=card.row.key_version + 1)
    assert find_code("aBcD eFgH").serials == (card.serial,)
    typed_small = find_code("abcdefgh")
    assert (typed_small.serials, typed_small.near) == ((), ())
    one_wrong_case = find_code("aBcDeFgh")
    assert [(near.serial, near.position) for near in one_wrong_case.near] == [(card.serial, 8)]


def test_a_share_link_is_told_apart(card):
    for text in ("spotify:track:4uLU6hMCjMI75M1A2tKUQC", "https://open.spotify.com/track/x", " SPOTIFY:ALBUM:1"):
        found = find_code(text)
        assert (found.share_link_of, found.serials, found.near) == (card.batch.product.program, (), ())


def test_what_is_no_code_says_so_and_which_formats_were_tried(card):
    found = find_code("hello")
    assert (found.outcome, found.serials, found.near) == (Outcome.UNRECOGNISED, (), ())
    assert found.tried == (card.batch.code_format,)
    assert find_code("  ").outcome is Outcome.BLANK


def test_the_number_of_queries_does_not_grow(card, django_assert_num_queries):
    factories.cards(3, card.batch)
    for _ in range(3):
        with django_assert_num_queries(2):
            find_code(card.text)
        with django_assert_num_queries(2):
            find_code(card.code[:-1])
        factories.program(prefix="MORE")


# Half characters included: text() alone leaves them out.
@given(text=st.text(st.characters(), max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_answered(card, text):
    found = find_code(text)
    assert found.serials in ((), (card.serial,))
