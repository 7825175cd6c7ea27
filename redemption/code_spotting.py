"""Spotting codes where none belong: in addresses, which are logged and shared, and in texts that are kept for good."""

import re
import time
from collections.abc import Iterable, Sequence

from django.views.decorators.debug import sensitive_variables

from redemption.code_format import CodePattern, Outcome
from redemption.code_words import Gap, Word, runs
from redemption.models import CodeFormat

_KEPT_SECONDS = 10
_SHOUTED = re.compile(r"[A-Z]{6}")


class CodeSpotter:
    """Compares with every program's formats, read anew after ten seconds."""

    def __init__(self) -> None:
        self._patterns: tuple[CodePattern, ...] = ()
        self._read_at = float("-inf")

    @sensitive_variables()
    def holds_code(self, texts: Iterable[str]) -> bool:
        suspects = [run for text in texts for run in runs(text) if _is_suspect(run)]
        return bool(suspects) and any(_holds(run, pattern) for run in suspects for pattern in self._known())

    def _known(self) -> Sequence[CodePattern]:
        if time.monotonic() - self._read_at > _KEPT_SECONDS:
            self._patterns = tuple(code_format.pattern for code_format in CodeFormat.objects.order_by("pk"))
            self._read_at = time.monotonic()
        return self._patterns


def _is_suspect(words: Sequence[Word]) -> bool:
    """Worth comparing with the formats. Most addresses are not, and need no look at them."""
    parts: list[list[str]] = []
    for word in words:
        if word.gap is Gap.APART or not parts:
            parts.append([])
        parts[-1].append(word.text)
    for part in parts:
        joined = "".join(part)
        if len(joined) >= 6 and (len(part) >= 3 or _has_digit(joined) or _SHOUTED.search(joined)):
            return True
    texts = [word.text for word in words]
    digits = sum(len(text) for text in texts if text.isdigit())
    return digits >= 6 or (len(texts) > 1 and any(text.isupper() or _is_mixed(text) for text in texts))


def _holds(words: Sequence[Word], pattern: CodePattern) -> bool:
    """Whether some words in a row make a code of this pattern, or one with a slip that still looks like one."""
    longest = len(pattern.prefix) + pattern.length
    for start in range(len(words)):
        groups: list[str] = []
        joined, is_apart = "", False
        for word in words[start:]:
            joined += word.text
            if len(joined) > longest:
                break
            is_apart = is_apart or (bool(groups) and word.gap is Gap.APART)
            groups.append(word.text)
            if (_is_code_apart if is_apart else _is_code)(joined, groups, pattern):
                return True
    return False


def _is_code(joined: str, groups: list[str], pattern: CodePattern) -> bool:
    """For words that spaces and dashes part, as codes are typed."""
    prefix = len(pattern.prefix)
    if prefix and len(joined) == prefix + pattern.length:
        return pattern.is_prefix(joined[:prefix]) and (
            _is_made_up(joined[prefix:]) or pattern.read(joined).outcome is Outcome.WELL_FORMED
        )
    if len(joined) != pattern.length:
        return False
    read = pattern.read(joined)
    is_printed = len(groups) > 1 and groups == _printed(pattern, joined)
    if read.outcome is Outcome.SLIP:
        return is_printed and _looks_made(groups)
    # Of a sentence's words, some make a code by chance.
    if read.outcome is not Outcome.WELL_FORMED or not (is_printed or _has_digit(joined)):
        return False
    if len(groups) == 1 and len(joined) <= 10 and joined.isdigit():
        return False
    # Without a check symbol nearly anything of that length would be a code: it must be grouped as cards print it.
    return pattern.check_symbol or is_printed


def _is_code_apart(joined: str, groups: list[str], pattern: CodePattern) -> bool:
    """For words with points, slashes or underscores between them, as addresses are full of."""
    if pattern.prefix and len(joined) == len(pattern.prefix) + pattern.length:
        return pattern.is_prefix(groups[0]) and _is_made_up(joined[len(pattern.prefix) :])
    if len(joined) != pattern.length or groups != _printed(pattern, joined):
        return False
    return pattern.read(joined).outcome in {Outcome.WELL_FORMED, Outcome.SLIP} and (
        _looks_made(groups) or (joined.isdigit() and not pattern.check_symbol)
    )


def _is_made_up(body: str) -> bool:
    """Not words, as “Spotify gift vouchers”."""
    return _has_digit(body) or body.isupper()


def _looks_made(groups: list[str]) -> bool:
    """Not words and numbers, as “sold 2026 here”."""
    return "".join(groups).isupper() or any(_is_mixed(group) for group in groups)


def _is_mixed(word: str) -> bool:
    return _has_digit(word) and not word.isdigit()


def _has_digit(word: str) -> bool:
    return any(symbol.isdigit() for symbol in word)


def _printed(pattern: CodePattern, joined: str) -> list[str]:
    return [joined[start : start + pattern.group] for start in range(0, len(joined), pattern.group)]
