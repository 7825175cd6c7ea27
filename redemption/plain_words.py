"""Telling words and numbers from codes: whether letters and digits are what people write in sentences."""

import re
from itertools import pairwise

_VOWELS = frozenset("aeiouy")
# Consonants that follow a consonant in European languages' words; of random letters' pairs, three in four are none.
_FOLLOWERS = {
    "b": "blrst", "c": "hklrstz", "d": "dglmnrstvw", "f": "flrst", "g": "ghlmnrst", "h": "lmnrt", "k":
    "klnrst", "l": "bcdfgklmnpstvz", "m": "bfmnps", "n": "bcdfghjklmnprstvwz", "p": "fhlnprst", "r":
    "bcdfghklmnprstvwz", "s": "chklmnpqstw", "t": "chlmrstwz", "v": "r", "w": "hlnrs", "x": "cpt", "z": "wz",
}  # fmt: skip
_SHORT_WORDS = (
    "a i o ad am an as at be by da de do du el en er es et ex go he hi hm id if il im in is it je la le ma me mr ms my"
    " na ne no nu of oh ok on or pm re se si so te to tu un up us ve we ya yo zu"
    " bzw cd cm css dvd faq gb gbp gmbh html http https jpg kg km lg ltd mb mfg ml mm mrs ms nr pc pdf php pls plz png"
    " ps sms st tel thx tv url usb usd vpn www"
)
_SHORT = frozenset(_SHORT_WORDS.split())
_MEASURE = re.compile(r"\d{1,4}(?:st|nd|rd|th|am|pm|h|min|gb|mb|ml|kg|km|cm|mm|x|eur|usd|gbp)")


def is_plain(word: str) -> bool:
    """Whether ASCII letters and digits are a number, a measure or what reads as a word."""
    return word.isdigit() or reads_as_word(word) or bool(_MEASURE.fullmatch(word.lower()))


def reads_as_word(word: str) -> bool:
    """Whether letters can be spoken: with a vowel, and without neighbours that no word has."""
    if not word.isalpha():
        return False
    word = word.lower()
    if word in _SHORT:
        return True
    if len(word) < 3 or _VOWELS.isdisjoint(word):
        return False
    return all(_goes_with(first, second) for first, second in pairwise(word))


def _goes_with(first: str, second: str) -> bool:
    if first == "q":
        return second == "u"
    return first in _VOWELS or second in _VOWELS or second in _FOLLOWERS.get(first, "")
