"""Codes in running text: where each stands, and whose it is. Only digests are asked for, all of a text at once."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from string import ascii_lowercase

from django.views.decorators.debug import sensitive_variables

from redemption.code_format import CodePattern, fold_prefix, last_four
from redemption.code_words import Gap, Word, runs
from redemption.digests import Digester, digester
from redemption.finding import all_formats, serials_by_digest
from redemption.near_misses import slips
from redemption.plain_words import is_plain, reads_as_word

# A text full of numbers has more near readings than are worth a second; cards' exact codes are all looked for.
_MOST_NEAR = 20_000
# Longer unbroken ones are data, not a code that a word was stuck to.
_LONGEST_STUCK = 64


@dataclass(frozen=True, slots=True)
class CodeSpan:
    """text[start:end] is a code. `serials`: the cards that have it; without one, `mask` is empty."""

    start: int
    end: int
    serials: tuple[int, ...]
    mask: str


@dataclass(slots=True)
class _Candidate:
    start: int
    end: int
    pattern: CodePattern
    # Well formed; empty where it has a slip.
    code: str = field(default="", repr=False)
    # To be masked even where no card has it.
    is_sure: bool = False
    has_prefix: bool = False
    # How evenly it is grouped, against its neighbours that overlap it.
    evenness: int = 0
    near: list[str] = field(default_factory=list, repr=False)


class CodeSpans:
    """Finds the spans under every program's formats. One instance may look at several texts: it reads the formats
    once and asks for each digest once.
    """

    def __init__(self) -> None:
        self._digesters: dict[CodePattern, list[Digester]] | None = None
        self._by_length: dict[int, list[CodePattern]] = defaultdict(list)
        self._serials: dict[bytes, int | None] = {}
        self._near_left = _MOST_NEAR

    @sensitive_variables()
    def find(self, text: str) -> list[CodeSpan]:
        """From left to right, none overlapping another; at most two queries, whatever the text."""
        found = [run for run in runs(text) if sum(len(word.text) for word in run) >= 5]
        if not found or not self._formats():
            return []
        candidates = [candidate for run in found for candidate in self._candidates(run, text)]
        return _without_overlaps(self._known(candidates))

    def _formats(self) -> dict[CodePattern, list[Digester]]:
        if self._digesters is None:
            self._digesters = {}
            for code_format in all_formats():
                pattern = code_format.pattern
                self._digesters.setdefault(pattern, []).append(digester(code_format.program.digest_name))
            for pattern in self._digesters:
                prefix = len(pattern.prefix)
                for length in {pattern.length + more for head in {0, prefix} for more in (head - 1, head, head + 1)}:
                    self._by_length[length].append(pattern)
        return self._digesters

    # --- What may be a code

    @sensitive_variables()
    def _candidates(self, run: Sequence[Word], text: str) -> Iterator[_Candidate]:
        plain = [is_plain(word.text) for word in run]
        longest = max(self._by_length)
        for first in range(len(run)):
            joined, has_odd = "", False
            for last in range(first, len(run)):
                joined += run[last].text
                if len(joined) > longest:
                    break
                has_odd = has_odd or not plain[last]
                for pattern in self._by_length.get(len(joined), ()):
                    yield from self._read(pattern, joined, run, first, last, text, has_odd)
        if not all(plain):
            for pattern in self._digesters or ():
                yield from _stuck(pattern, run)

    @sensitive_variables()
    def _read(
        self, pattern: CodePattern, joined: str, run: Sequence[Word], first: int, last: int, text: str, has_odd: bool
    ) -> Iterator[_Candidate]:
        """The words from first to last, `joined`, as a code of this pattern, or as one with a slip."""
        words = run[first : last + 1]
        cut, extra = len(pattern.prefix), len(joined) - pattern.length
        has_prefix = bool(cut) and extra in (cut - 1, cut, cut + 1) and pattern.is_prefix(joined[:cut])
        head = cut if has_prefix else 0
        candidate = _Candidate(words[0].start, words[-1].end, pattern, has_prefix=has_prefix)
        if extra == head:
            body = pattern.meant(joined[head:] if pattern.case_sensitive else joined[head:].upper())
            candidate.code = body if pattern.holds(body) else ""
        if has_prefix:
            candidate.is_sure = _is_made(words, pattern, joined, bool(candidate.code)) and (
                extra == head or bool(slips(pattern, joined))
            )
        elif candidate.code and pattern.check_symbol:
            candidate.is_sure = _stands_alone(run, first, last, pattern, text)
        looks_for_near = not candidate.code and not candidate.is_sure and self._near_left > 0
        if looks_for_near and _may_be_mistyped(words, pattern, text, has_odd):
            candidate.near = [slip.code for slip in slips(pattern, joined)]
            self._near_left -= len(candidate.near)
        if candidate.code or candidate.is_sure or candidate.near:
            candidate.evenness = 2 * _is_printed(_groups(words, head), pattern) + _is_even(words)
            yield candidate

    # --- Whose it is

    @sensitive_variables()
    def _known(self, candidates: Sequence[_Candidate]) -> Iterator[tuple[CodeSpan, tuple[int, ...]]]:
        """Spans of what is a code, and how much better than another that overlaps it."""
        exact = [self._digests(candidate.pattern, candidate.code) for candidate in candidates]
        near = [
            [digest for code in candidate.near for digest in self._digests(candidate.pattern, code)]
            for candidate in candidates
        ]
        wanted = {digest for digests in (*exact, *near) for digest in digests} - self._serials.keys()
        if wanted:
            self._serials |= dict.fromkeys(wanted, None) | serials_by_digest(wanted)
        for candidate, digests, near_digests in zip(candidates, exact, near, strict=True):
            serials = self._serials_of(digests)
            if not serials and not candidate.is_sure and not self._serials_of(near_digests):
                continue
            mask = candidate.pattern.mask(last_four(candidate.code)) if serials else ""
            worth = (
                bool(serials),
                candidate.has_prefix,
                bool(candidate.code) and candidate.is_sure,
                candidate.is_sure,
                candidate.evenness,
                candidate.end - candidate.start,
            )
            yield CodeSpan(candidate.start, candidate.end, serials, mask), worth

    def _digests(self, pattern: CodePattern, code: str) -> list[bytes]:
        if not code:
            return []
        return [digest for each in self._formats()[pattern] for _, digest in each.every(code)]

    def _serials_of(self, digests: Iterable[bytes]) -> tuple[int, ...]:
        return tuple(sorted({serial for digest in digests if (serial := self._serials[digest]) is not None}))


def _without_overlaps(found: Iterable[tuple[CodeSpan, tuple[int, ...]]]) -> list[CodeSpan]:
    """The better of two that overlap; of equals, the earlier."""
    ranked = sorted(found, key=lambda each: (*(-value for value in each[1]), each[0].start))
    taken = bytearray(max((span.end for span, _ in ranked), default=0))
    spans = []
    for span, _ in ranked:
        if not any(taken[span.start : span.end]):
            taken[span.start : span.end] = b"\1" * (span.end - span.start)
            spans.append(span)
    return sorted(spans, key=lambda span: span.start)


# --- How a code looks, and how words and numbers do


def _is_made(words: Sequence[Word], pattern: CodePattern, joined: str, holds: bool) -> bool:
    """Whether what follows a prefix is a code, and not words as in “Spotify gift vouchers”."""
    cut = len(pattern.prefix)
    body, groups = joined[cut:], _groups(words, cut)
    gaps = [word.gap for word in words[1:]]
    is_printed = _is_printed(groups, pattern)
    if all(map(is_plain, groups)):
        dashed = all(gap is Gap.DASH for gap in gaps)
        return dashed and (is_printed or len(groups) == 1) and (body.isdigit() or (holds and _has_digit(body)))
    if Gap.APART in gaps[len(words) - len(groups) :] and not is_printed:
        return False
    if holds and pattern.check_symbol:
        return True
    is_irregular = not is_printed and _has_spaced_word(words[len(words) - len(groups) :])
    return not is_irregular and (_has_digit(body) or body.isupper())


def _stands_alone(run: Sequence[Word], first: int, last: int, pattern: CodePattern, text: str) -> bool:
    """Whether words whose check symbol holds are a code: no part of something longer, nor a sentence’s words."""
    words = run[first : last + 1]
    if text[words[-1].end : words[-1].end + 1] == "@":
        return False
    if words[0].gap is Gap.DASH and _has_digit(run[first - 1].text):
        return False
    if last + 1 < len(run) and run[last + 1].gap is Gap.DASH and _has_digit(run[last + 1].text):
        return False
    is_printed = _is_printed([word.text for word in words], pattern)
    if all(is_plain(word.text) for word in words):
        letters = [word.text.isalpha() for word in words]
        return is_printed and any(letters) and not all(letters) and all(word.gap is Gap.DASH for word in words[1:])
    if any(word.gap is Gap.APART for word in words[1:]):
        return is_printed
    return is_printed or _is_even(words) or not _has_spaced_word(words)


def _may_be_mistyped(words: Sequence[Word], pattern: CodePattern, text: str, has_odd: bool) -> bool:
    """Worth comparing with every card one slip away: no words, and no telephone number's plus before it."""
    if text[max(words[0].start - 1, 0) : words[0].start] == "+" or any(word.gap is Gap.APART for word in words[1:]):
        return False
    if not has_odd:
        return not pattern.check_symbol and all(word.text.isdigit() for word in words)
    return not any(len(word.text) > 2 and reads_as_word(word.text) for word in words)


def _has_spaced_word(words: Sequence[Word]) -> bool:
    """Whether a word of a language stands among them, between spaces."""
    for place, word in enumerate(words):
        follows = words[place + 1].gap if place + 1 < len(words) else Gap.SPACE
        if len(word.text) > 2 and word.gap is not Gap.DASH and follows is not Gap.DASH and reads_as_word(word.text):
            return True
    return False


def _is_even(words: Sequence[Word]) -> bool:
    """Groups of one size, but for the last or the first; the same between all."""
    sizes = [len(word.text) for word in words]
    size = max(sizes)
    return len({word.gap for word in words[1:]}) <= 1 and all(one == size for one in sizes[1:-1])


def _is_printed(groups: Sequence[str], pattern: CodePattern) -> bool:
    length = sum(map(len, groups))
    sizes = [min(pattern.group, length - start) for start in range(0, length, pattern.group)]
    return len(groups) > 1 and [len(group) for group in groups] == sizes


def _groups(words: Sequence[Word], head: int) -> list[str]:
    """The words without the first `head` symbols."""
    groups = []
    for word in words:
        cut = min(head, len(word.text))
        head -= cut
        if word.text[cut:]:
            groups.append(word.text[cut:])
    return groups


def _has_digit(text: str) -> bool:
    return not text.isalpha() and any(symbol.isdigit() for symbol in text)


# --- Codes with a word stuck to them: “is7K2M-9QXA-3RTW”


def _stuck(pattern: CodePattern, run: Sequence[Word]) -> Iterator[_Candidate]:
    prefix, length = fold_prefix(pattern.prefix), pattern.length
    for place, word in enumerate(run):
        at = fold_prefix(word.text).find(prefix) if prefix else -1
        if at == 0 or (at > 0 and len(prefix) > 3 and word.text[:at].isalpha()):
            yield from _part(pattern, run, place, at, len(prefix), True)
        if len(word.text) > pattern.group and pattern.group >= 3:
            yield from _part(pattern, run, place, len(word.text) - pattern.group, 0, False)
        elif len(word.text) == pattern.group >= 3:
            yield from _part(pattern, run, place, 0, 0, False)
        if length < len(word.text) <= _LONGEST_STUCK:
            core = word.text.strip(ascii_lowercase)
            for start in range(len(word.text) - length + 1):
                body = word.text[start : start + length]
                code = pattern.meant(body if pattern.case_sensitive else body.upper())
                if pattern.holds(code):
                    is_sure = pattern.check_symbol and body == core and _has_digit(body) and not is_plain(body)
                    yield _Candidate(*_inside(word, start, word, start + length), pattern, code, is_sure)


def _part(
    pattern: CodePattern, run: Sequence[Word], place: int, at: int, head: int, has_prefix: bool
) -> Iterator[_Candidate]:
    """A code that begins within a word, or ends within one; grouped as printed where it has no prefix."""
    needed = head + pattern.length
    taken = run[place].text[at : at + needed]
    groups = [taken[head:]] if taken[head:] else []
    last = place
    while len(taken) < needed and last + 1 < len(run):
        last += 1
        word = run[last]
        if word.gap is Gap.APART and (last > place + 1 or not has_prefix):
            return
        part = word.text[: needed - len(taken)]
        taken += part
        groups.append(part)
        if not has_prefix and len(part) != min(pattern.group, pattern.length - len(taken) + len(part)):
            return
    if len(taken) < needed or (last == place and not has_prefix):
        return
    end = len(groups[-1]) if last > place else at + needed
    body = taken[head:]
    code = pattern.meant(body if pattern.case_sensitive else body.upper())
    rest = run[last].text[end:]
    if not pattern.holds(code) or (at == 0 and not rest):
        return
    is_code = pattern.check_symbol and _has_digit(body) and not all(map(is_plain, groups))
    is_sure = is_code and (not rest or rest.isalpha()) and run[place].text[:at].isalpha() | (at == 0)
    yield _Candidate(*_inside(run[place], at, run[last], end), pattern, code, is_sure, has_prefix)


def _inside(first: Word, start: int, last: Word, end: int) -> tuple[int, int]:
    """Where a part of words stands; the whole words, where invisible characters are among their letters."""
    return (
        first.start + start if first.end - first.start == len(first.text) else first.start,
        last.start + end if last.end - last.start == len(last.text) else last.end,
    )
