"""Which known error a customer quotes: mistyped, shortened, in the middle of a sentence, or half translated.

Words are compared, not letters in a row: “this code is valid” and “this code is not valid” differ in three letters and
mean opposite things. A word counts the more, the fewer known errors have it, and small talk not at all.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from django.views.decorators.debug import sensitive_variables
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from redemption.models import Program
from redemption.refusals import Answer
from support.models import KnownError

# Out of 100. tests/support/test_recognising.py has the sentences on either side of both.
RECOGNISED, SURE = 70, 85
MOST_SHOWN = 3
# Characters: a message is quoted early on, and a long mail must not hold up a page.
LONGEST = 2000
# Whose wording it is: the ticket's own program's before everybody's, another's only where nothing else fits.
_OWN, _ANOTHERS = 4, -12

# What a sentence has around a message, in the languages that the catalogue has: says nothing about which one it is.
_SMALL_TALK = frozenset(
    """
    a an and are as at be been but by can do does for from had has have he her here his i if in into is it its me my
    of on or our out own she so than that the their them then there they this to too was we were what when where which
    who will with would you your s t im ive just always still now today yesterday hi hello thanks thank please
    anymore any one get got getting gives gave keep keeps keeps say says said saying show shows showed shown see saw
    tell tells told read reads write writes error errors message messages text notice popup screen page website site
    web browser app phone mobile desktop computer type typed typing enter entered entering tried trying put use
    using redeem redeeming code codes card cards gift giftcard voucher coupon number pin prepaid spotify netflix
    der die das ein eine einen dem den des ich er sie es wir ihr mein meine meinen mir dein deine ist sind war hat habe
    und oder auf im am zu zum beim von mit bei da dieser diese dieses diesen fehler meldung steht kommt karte
    gutschein geschenkkarte code dass bekomme sagt zeigt
    le la les un une des du de ce cet cette et ou est sont a ai il elle je vous tu mon ma votre ton ta erreur dit
    affiche carte cadeau message pour sur dans que qui
    el los las una unos este esta estos y o es son ha he yo tu mi su se me dice sale error tarjeta regalo codigo mensaje
    que por para en con lo al
    ett och eller att jag han hon vi ni min mitt ditt din det den har ar var star sager kort koden kod presentkort
    felmeddelande nar som till pa av
    """.split()  # noqa: SIM905 - a list of some three hundred words reads better without quotes
)
# Without it a message says the opposite.
_NEGATIONS = frozenset("not isnt cannot cant doesnt nicht nest pas non no inte never".split())  # noqa: SIM905
# Too short for a slip to be told from another word, and too frequent to do without.
_SLIPS = {"nto": "not", "pls": "please"}
# After these, the message itself follows: “when I scratched it, it said: invalid code”.
_BEFORE_A_QUOTE = re.compile(
    r"[:“”\"„«»*]|\b(?:says?|said|saying|reads?|shows?|error|message|notice|steht|sagt|meldung|kommt|zeigt|fehler"
    r"|dit|affiche|erreur|dice|sale|mensaje|står|säger|visar)\b",
    re.IGNORECASE,
)
_APOSTROPHES = re.compile(r"['’`]")
_EMAIL = re.compile(r"e[-– ]mail", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
# A slip in a word of four letters, two in one of eight: “invalid” must not be a mistyped “valid”.
_CLOSE_ENOUGH = 0.74


@dataclass(frozen=True, slots=True)
class Recognised:
    """`score` is out of 100; from SURE on, nobody needs to be asked."""

    known_error: KnownError
    score: int

    @property
    def is_sure(self) -> bool:
        return self.score >= SURE


@sensitive_variables()
def recognise(text: str, program: Program | None = None) -> list[Recognised]:
    """The known errors that the text may quote, the likeliest first; none where it quotes none. One query."""
    text = text[:LONGEST]
    if not text.strip():
        return []
    errors = list(KnownError.objects.filter(is_active=True).order_by("pk"))
    catalogue = _prepare(tuple((error.pk, *_wordings(error, program)) for error in errors))
    passages = [passage for passage in map(_read, dict.fromkeys(_passages(text))) if passage.words]
    near = catalogue.near(passages)
    found = []
    for error in errors:
        score = max((catalogue.score(error.pk, passage, near) for passage in passages), default=0.0)
        if score and program and error.program_id:
            score += _OWN if error.program_id == program.pk else _ANOTHERS
        if score >= RECOGNISED:
            found.append((score, Recognised(error, min(100, round(score)))))
    found.sort(key=lambda one: (-one[0], one[1].known_error.pk))
    return [recognised for _, recognised in found[:MOST_SHOWN]]


@sensitive_variables()
def surely(*texts: str, program: Program | None) -> KnownError | None:
    """The known error that the first of the texts quotes which surely quotes one: what the customer saw, then what he
    wrote."""
    for text in texts:
        if (found := recognise(text, program)) and found[0].is_sure:
            return found[0].known_error
    return None


def _wordings(error: KnownError, program: Program | None) -> Iterable[str]:
    """All that it is written like, its answer's own text at this program included."""
    yield error.wording
    yield from error.other_wordings
    if error.answer in Answer.values:
        for text in dict.fromkeys([Answer(error.answer).text(), Answer(error.answer).text(program)]):
            yield text
            # What is the matter; what follows is advice, which nobody quotes alone.
            yield text.partition(". ")[0]


# --- Words


def _words(text: str) -> list[str]:
    """Letters and digits without accents and case; “isn’t” is one word."""
    plain = unicodedata.normalize("NFKD", _EMAIL.sub("email", _APOSTROPHES.sub("", text))).casefold()
    words = _WORD.findall("".join(sign for sign in plain if not unicodedata.combining(sign)))
    return [_SLIPS.get(word, word) for word in words]


@dataclass(frozen=True)
class _Passage:
    """`telling` are the words that say something, by their places."""

    words: tuple[str, ...]

    @cached_property
    def telling(self) -> dict[int, str]:
        told = {place: word for place, word in enumerate(self.words) if word not in _SMALL_TALK}
        return told or dict(enumerate(self.words))

    @cached_property
    def spelt(self) -> str:
        return " ".join(self.words)

    @cached_property
    def negates(self) -> bool:
        return any(
            word in _NEGATIONS
            or (
                len(word) > 4
                and process.extractOne(word, _NEGATIONS, scorer=OSA.normalized_similarity, score_cutoff=0.8)
            )
            for word in self.words
        )

    def is_within(self, other: "_Passage") -> float:
        """How nearly it stands in the other as it is, small talk included: from 0.92 to 1, or 0."""
        if len(self.spelt) < 12 or fuzz.partial_ratio(self.spelt, other.spelt, score_cutoff=85) == 0:
            return 0.0
        size = len(self.words)
        starts = range(max(1, len(other.words) - size + 1))
        return max(
            fuzz.ratio(self.spelt, " ".join(other.words[start : start + size]), score_cutoff=92) / 100
            for start in starts
        )

    def runs_together_in(self, other: "_Passage") -> float:
        """The same for all of it at once, where somebody wrote it without spaces."""
        solid = self.spelt.replace(" ", "")
        if len(solid) < 8 or 2 * len(other.words) > len(self.words):
            return 0.0
        return fuzz.ratio(solid, other.spelt.replace(" ", ""), score_cutoff=92) / 100


def _read(text: str) -> _Passage:
    return _Passage(tuple(_words(text)))


def _passages(text: str) -> Iterable[str]:
    """The whole text, each sentence and line of it, and what follows the words that introduce a quotation."""
    yield text
    yield from re.split(r"[.!?\n]+", text)
    ends = [match.end() for match in _BEFORE_A_QUOTE.finditer(text)]
    for start, end in zip(ends, [*ends[1:], len(text)], strict=False):
        yield text[start:end]
        yield text[start:]


# --- The catalogue, ready to be compared with

# Of a word that was written, the catalogue's words that it may be, with how close they are: 1 is the same.
_Near = dict[str, dict[str, float]]


class _Catalogue:
    def __init__(self, wordings: dict[int, list[_Passage]]) -> None:
        self._wordings = wordings
        spread = Counter(
            word
            for passages in wordings.values()
            for word in {word for passage in passages for word in passage.telling.values()}
        )
        self._weights = {word: math.log(1 + len(wordings) / count) for word, count in spread.items()}
        self._unknown = math.log(1 + len(wordings))
        self._vocabulary = list(self._weights)
        self._own_words = {
            pk: {word for passage in passages for word in passage.telling.values()} for pk, passages in wordings.items()
        }

    def near(self, passages: list[_Passage]) -> _Near:
        """Which of the catalogue's words each word of a text may be, and how close it is: found once for all."""
        return {
            word: {
                known: closeness
                for known, closeness, _ in process.extract(
                    word, self._vocabulary, scorer=OSA.normalized_similarity, score_cutoff=_CLOSE_ENOUGH, limit=8
                )
            }
            for word in {word for passage in passages for word in passage.telling.values()}
        }

    def score(self, pk: int, passage: _Passage, near: _Near) -> float:
        """Out of 100; the last three are for small talk, where two known errors differ in nothing else."""
        wordings, own = self._wordings[pk], self._own_words[pk]
        # Most sentences have no word of most known errors. Few words may have been written as one.
        if len(passage.words) > 3 and not any(
            known in own for word in passage.telling.values() for known in near[word]
        ):
            return 0.0
        score = max(*(self._by_wording(one, passage, near) for one in wordings), self._by_mixture(pk, passage, near))
        if not score:
            return 0.0
        return 97 * score + 3 * max(fuzz.ratio(one.spelt, passage.spelt) for one in wordings) / 100

    def _weight(self, word: str) -> float:
        return self._weights.get(word, self._unknown)

    def _by_wording(self, wording: _Passage, passage: _Passage, near: _Near) -> float:
        verbatim = wording.runs_together_in(passage)
        if wording.negates and not passage.negates:
            return verbatim
        verbatim = max(verbatim, wording.is_within(passage))
        total = sum(map(self._weight, wording.telling.values()))
        matched: dict[int, float] = {}
        for word in wording.telling.values():
            closeness, place = max(
                (
                    (near[other].get(word, 0.0), -place)
                    for place, other in passage.telling.items()
                    if place not in matched
                ),
                default=(0.0, 0),
            )
            if closeness:
                matched[-place] = closeness * self._weight(word)
        if not matched:
            return verbatim
        weight = sum(matched.values())
        share = weight / total
        inside = [place for place in passage.telling if min(matched) <= place <= max(matched)]
        together = weight / (weight + self._strange(passage, inside, matched))
        alone = weight / (weight + self._strange(passage, passage.telling, matched))
        score = share * (0.6 + 0.4 * together)
        if total < 2.2 * self._unknown:
            # Few words: they must be most of what was said. “Not valid” is, “my passport is not valid” is not.
            score *= min(1.0, 0.25 + 0.8 * alone) * min(1.0, share + 0.15)
        if alone > 0.9 and share > 0.6 and len(matched) > 2:
            # Shortened: all that was said is in the wording, and it is most of it.
            score = max(score, 0.72 + 0.2 * share)
        return max(score, verbatim)

    def _strange(self, passage: _Passage, places: Iterable[int], matched: dict[int, float]) -> float:
        """How much was said besides what is matched."""
        return sum(self._weight(passage.telling[place]) for place in places if place not in matched)

    def _by_mixture(self, pk: int, passage: _Passage, near: _Near) -> float:
        """Words of several wordings of the same error: half of the message was translated."""
        own = self._own_words[pk]
        found = {
            place: max(near[word].items(), key=lambda item: item[1])
            for place, word in passage.telling.items()
            if near[word]
        }
        matched = {place: self._weight(word) * closeness for place, (word, closeness) in found.items() if word in own}
        weight = sum(matched.values())
        said = {found[place][0] for place in matched}
        is_mixed = not any(said <= set(wording.telling.values()) for wording in self._wordings[pk])
        if not is_mixed or weight < 1.2 * self._unknown:
            return 0.0
        alone = weight / (weight + self._strange(passage, passage.telling, matched))
        return 0.84 * alone


@lru_cache(maxsize=16)
def _prepare(rows: tuple[tuple[int | str, ...], ...]) -> _Catalogue:
    """Kept by its whole content: what a manager changes is there at once."""
    return _Catalogue({int(pk): [_read(str(text)) for text in texts] for pk, *texts in rows})
