"""Codes in running text: where each stands, and whose it is. Only digests are asked for, all of a text at once."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from string import ascii_lowercase

from django.views.decorators.debug import sensitive_variables

from redemption.code_format import CodePattern, fold_prefix, last_four
from redemption.code_looks import groups_behind, has_digit, is_even, is_made, is_printed, stands_alone
from redemption.code_words import Gap, Word, runs
from redemption.digests import Digester, digester
from redemption.finding import all_formats, serials_by_digest
from redemption.near_misses import slips
from redemption.plain_words import is_plain, reads_as_word

# A text full of numbers has more near readings than are worth a second; cards' exact codes are all looked for.
_MOST_NEAR = 20_000
# What looking for them costs at least, whether there are any.
_LEAST_NEAR = 50
# Longer unbroken ones are data, not a code that a word was stuck to.
_LONGEST_STUCK = 64


@dataclass(frozen=True, slots=True)
class CodeSpan:
    """text[start:end] is a code. `serials`: the cards that have it; without one, `mask` is empty."""

    start: int
    end: int
    serials: tuple[int, ...]
    mask: str
    # The mask for where a word is stuck to it, which the prefix would grow together with.
    bare_mask: str = ""


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
    # Whole words, and how many symbols of them are the prefix; no words, where it ends within one.
    words: Sequence[Word] = field(default=(), repr=False)
    head: int = 0
    near: list[str] = field(default_factory=list, repr=False)

    def likelihood(self) -> tuple[int, int]:
        """Against others that overlap it: how few words of a language it has, and how evenly it is grouped."""
        if not self.words:
            return 0, 0
        spoken = [len(word.text) > 2 and reads_as_word(word.text) for word in self.words]
        groups = groups_behind(self.words, self.head)
        # A word before a code belongs to it less than one in it: “code 7k2m …”.
        return -2 * sum(spoken) - spoken[0], 2 * is_printed(groups, self.pattern) + is_even(self.words)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A run of words, with what is asked about them again and again."""

    words: Sequence[Word]
    folded: list[str]
    plain: list[bool]
    # How many before each place are numbers, a language's words, or apart from the one before.
    numbers: list[int]
    wordy: list[int]
    apart: list[int]

    @classmethod
    def of(cls, words: Sequence[Word]) -> "_Seen":
        return cls(
            words,
            [fold_prefix(word.text) for word in words],
            [is_plain(word.text) for word in words],
            _sums(word.text.isdigit() for word in words),
            _sums(len(word.text) > 2 and reads_as_word(word.text) for word in words),
            _sums(word.gap is Gap.APART for word in words),
        )

    def may_be_mistyped(self, pattern: CodePattern, first: int, last: int) -> bool:
        """Worth comparing with every card one slip away: no sentence's words, nor numbers where codes have letters."""
        if self.wordy[last + 1] > self.wordy[first] or self.apart[last + 1] > self.apart[first + 1]:
            return False
        if self.numbers[last + 1] - self.numbers[first] == last + 1 - first:
            return not pattern.check_symbol
        return not all(self.plain[first : last + 1])


def _sums(flags: Iterable[bool]) -> list[int]:
    return list(accumulate(flags, initial=0))


class CodeSpans:
    """Finds the spans under every program's formats. One instance may look at several texts: it reads the formats
    once and asks for each digest once.
    """

    def __init__(self) -> None:
        self._digesters: dict[CodePattern, list[Digester]] | None = None
        # By how many symbols stand in the text: with a prefix or a slip, and without.
        self._by_length: dict[int, list[CodePattern]] = defaultdict(list)
        self._bare: dict[int, list[CodePattern]] = defaultdict(list)
        self._serials: dict[bytes, int | None] = {}
        self._made: dict[tuple[CodePattern, str], list[bytes]] = {}
        self._near_left = _MOST_NEAR

    @sensitive_variables()
    def find(self, text: str) -> list[CodeSpan]:
        """From left to right, none overlapping another; at most two queries, whatever the text."""
        return _without_overlaps(self._known(self._candidates_in(text)))

    @sensitive_variables()
    def guesses(self, text: str) -> int:
        """How many places of a text would be spans only because a card has them, or nearly: codes without a check
        symbol, which can be guessed. Asks for no card."""
        unsure = (one for one in self._candidates_in(text) if not one.is_sure and not one.pattern.check_symbol)
        return len({(one.start, one.end) for one in unsure})

    def _candidates_in(self, text: str) -> list[_Candidate]:
        found = [run for run in runs(text) if sum(len(word.text) for word in run) >= 5]
        if not found or not self._formats():
            return []
        return [candidate for run in found for candidate in self._candidates(run, text)]

    def _formats(self) -> dict[CodePattern, list[Digester]]:
        if self._digesters is None:
            self._digesters = {}
            for code_format in all_formats():
                pattern = code_format.pattern
                self._digesters.setdefault(pattern, []).append(digester(code_format.program.digest_name))
            for pattern in self._digesters:
                cut = len(pattern.prefix)
                self._bare[pattern.length].append(pattern)
                for extra in {head + slip for head in {0, cut} for slip in (-1, 0, 1)}:
                    self._by_length[pattern.length + extra].append(pattern)
        return self._digesters

    # --- What may be a code

    def _candidates(self, run: Sequence[Word], text: str) -> Iterator[_Candidate]:
        seen = _Seen.of(run)
        prefixes = {fold_prefix(pattern.prefix) for pattern in self._formats() if pattern.prefix}
        longest = max(self._by_length)
        for first, folded in enumerate(seen.folded):
            joined = ""
            heads = {prefix for prefix in prefixes if folded.startswith(prefix) or prefix.startswith(folded)}
            for last in range(first, len(run)):
                joined += run[last].text
                if len(joined) > longest:
                    break
                # Among a sentence's words only what is a code to the letter.
                is_worded = seen.wordy[last + 1] > seen.wordy[first] or seen.apart[last + 1] > seen.apart[first + 1]
                lengths = self._bare if is_worded and not heads else self._by_length
                for pattern in lengths.get(len(joined), ()):
                    candidate = self._read(pattern, joined, heads, seen, first, last, text)
                    if candidate:
                        yield candidate
        if not all(seen.plain):
            for pattern in self._formats():
                yield from _stuck(pattern, seen)

    def _read(
        self, pattern: CodePattern, joined: str, heads: set[str], seen: "_Seen", first: int, last: int, text: str
    ) -> _Candidate | None:
        """The words from first to last, `joined`, as a code of this pattern, or as one with a slip."""
        # Asked of every few words of every text: what is dear is asked last.
        cut, extra = len(pattern.prefix), len(joined) - pattern.length
        has_prefix = bool(heads) and cut > 0 and -1 <= extra - cut <= 1 and pattern.is_prefix(joined[:cut])
        head = cut if has_prefix else 0
        code = ""
        if extra == head:
            body = pattern.meant(joined[head:] if pattern.case_sensitive else joined[head:].upper())
            code = body if pattern.holds(body) else ""
        if not code and not has_prefix and not (self._near_left > 0 and seen.may_be_mistyped(pattern, first, last)):
            return None
        words = seen.words[first : last + 1]
        candidate = _Candidate(words[0].start, words[-1].end, pattern, code, has_prefix=has_prefix)
        if has_prefix:
            candidate.is_sure = is_made(words, pattern, joined, bool(code)) and (
                extra == head or bool(slips(pattern, joined))
            )
        elif code and pattern.check_symbol:
            candidate.is_sure = stands_alone(seen.words, first, last, pattern, text)
        # Without a check symbol, one with a slip is well-formed too. A telephone number has a plus before it.
        may_be_near = not candidate.is_sure and not (code and pattern.check_symbol) and self._near_left > 0
        may_be_near = may_be_near and text[max(words[0].start - 1, 0) : words[0].start] != "+"
        if may_be_near and (has_prefix or seen.may_be_mistyped(pattern, first, last)):
            candidate.near = [slip.code for slip in slips(pattern, joined)]
            self._near_left -= max(len(candidate.near), _LEAST_NEAR)
        if not (code or candidate.is_sure or candidate.near):
            return None
        candidate.words, candidate.head = words, head
        return candidate

    # --- Whose it is

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
            bare_mask = mask.removeprefix(f"{candidate.pattern.prefix}-")
            worth = (
                bool(serials),
                candidate.has_prefix,
                bool(candidate.code) and candidate.is_sure,
                candidate.is_sure,
                *candidate.likelihood(),
                candidate.end - candidate.start,
            )
            yield CodeSpan(candidate.start, candidate.end, serials, mask, bare_mask), worth

    def _digests(self, pattern: CodePattern, code: str) -> list[bytes]:
        if not code:
            return []
        if (pattern, code) not in self._made:
            made = [digest for each in self._formats()[pattern] for _, digest in each.every(code)]
            self._made[pattern, code] = made
        return self._made[pattern, code]

    def _serials_of(self, digests: Iterable[bytes]) -> tuple[int, ...]:
        return tuple(sorted({serial for digest in digests if (serial := self._serials[digest]) is not None}))


def _without_overlaps(found: Iterable[tuple[CodeSpan, tuple[int, ...]]]) -> list[CodeSpan]:
    """The better of two that overlap; of equals, the earlier. The same code in two programs names both cards."""
    ranked = sorted(found, key=lambda each: (*(-value for value in each[1]), each[0].start))
    serials: dict[tuple[int, int], set[int]] = defaultdict(set)
    for span, _ in ranked:
        serials[span.start, span.end].update(span.serials)
    taken = bytearray(max((span.end for span, _ in ranked), default=0))
    spans = []
    for span, _ in ranked:
        if not any(taken[span.start : span.end]):
            taken[span.start : span.end] = b"\1" * (span.end - span.start)
            spans.append(replace(span, serials=tuple(sorted(serials[span.start, span.end]))))
    return sorted(spans, key=lambda span: span.start)


# --- Codes with a word stuck to them: “is7K2M-9QXA-3RTW”


def _stuck(pattern: CodePattern, seen: _Seen) -> Iterator[_Candidate]:
    prefix, length, group = fold_prefix(pattern.prefix), pattern.length, pattern.group
    run = seen.words
    for place, word in enumerate(run):
        size = len(word.text)
        at = seen.folded[place].find(prefix) if prefix else -1
        if at == 0 or (at > 0 and len(prefix) > 3):
            yield from _part(pattern, run, place, at, len(prefix), True)
        if size >= group >= 3 and place + 1 < len(run) and len(run[place + 1].text) >= min(group, length - group):
            yield from _part(pattern, run, place, size - group, 0, False)
        if length < size <= _LONGEST_STUCK and not seen.plain[place]:
            core = word.text.strip(ascii_lowercase)
            for start in range(size - length + 1):
                body = word.text[start : start + length]
                code = pattern.meant(body if pattern.case_sensitive else body.upper())
                if pattern.holds(code):
                    is_sure = pattern.check_symbol and body == core and has_digit(body) and not is_plain(body)
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
    is_parted = has_prefix or all(word.gap is Gap.DASH for word in run[place + 1 : last + 1])
    is_code = pattern.check_symbol and has_digit(body) and not all(map(is_plain, groups))
    is_code = is_code and (is_parted or not any(map(is_plain, groups)))
    is_sure = is_code and (not rest or rest.isalpha()) and run[place].text[:at].isalpha() | (at == 0)
    yield _Candidate(*_inside(run[place], at, run[last], end), pattern, code, is_sure, has_prefix)


def _inside(first: Word, start: int, last: Word, end: int) -> tuple[int, int]:
    """Where a part of words stands; the whole words, where invisible characters are among their letters."""
    return (
        first.start + start if first.end - first.start == len(first.text) else first.start,
        last.start + end if last.end - last.start == len(last.text) else last.end,
    )
