"""Codes and payment cards out of texts: what is masked, what stays, and what it costs."""

import random
import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redemption.models import CodeFormat
from support.redaction import LONGEST_NAME, UNKNOWN_CODE, redact, redact_name
from tests import factories

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
    return factories.batch(size=20_000)


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
