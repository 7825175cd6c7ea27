"""How a code looks in a text, and how a sentence's words and numbers do that make one by chance."""

from collections.abc import Sequence

from redemption.code_format import CodePattern
from redemption.code_words import Gap, Word
from redemption.plain_words import is_plain, reads_as_word


def is_made(words: Sequence[Word], pattern: CodePattern, joined: str, holds: bool) -> bool:
    """Whether what follows a prefix is a code, and not words as in “Spotify gift vouchers”."""
    cut = len(pattern.prefix)
    body, groups = joined[cut:], groups_behind(words, cut)
    gaps = [word.gap for word in words[1:]]
    printed = is_printed(groups, pattern)
    if all(map(is_plain, groups)):
        is_dashed = all(gap is Gap.DASH for gap in gaps)
        if body.isdigit():
            # Numbers behind a program's name: of points and spaces between them the check symbol makes a code.
            return (is_dashed or (holds and pattern.check_symbol)) and (printed or len(groups) == 1)
        return holds and ((printed and is_dashed) or ((printed or len(groups) == 1) and joined.isupper()))
    if Gap.APART in gaps[len(words) - len(groups) :] and not printed:
        return False
    if holds and pattern.check_symbol:
        return True
    is_irregular = not printed and has_spaced_word(words[len(words) - len(groups) :])
    return not is_irregular and (has_digit(body) or body.isupper())


def stands_alone(run: Sequence[Word], first: int, last: int, pattern: CodePattern, text: str) -> bool:
    """Whether words whose check symbol holds are a code: no part of something longer, nor a sentence’s words."""
    words = run[first : last + 1]
    if text[words[-1].end : words[-1].end + 1] == "@":
        return False
    if words[0].gap is Gap.DASH and has_digit(run[first - 1].text):
        return False
    if last + 1 < len(run) and run[last + 1].gap is Gap.DASH and has_digit(run[last + 1].text):
        return False
    printed = is_printed([word.text for word in words], pattern)
    if all(is_plain(word.text) for word in words):
        letters = [word.text.isalpha() for word in words]
        return printed and any(letters) and not all(letters) and all(word.gap is Gap.DASH for word in words[1:])
    if any(word.gap is Gap.APART for word in words[1:]):
        return printed
    return printed or is_even(words) or not has_spaced_word(words)


def has_spaced_word(words: Sequence[Word]) -> bool:
    """Whether a word of a language stands among them, between spaces."""
    for place, word in enumerate(words):
        follows = words[place + 1].gap if place + 1 < len(words) else Gap.SPACE
        if word.gap is not Gap.DASH and follows is not Gap.DASH and reads_as_word(word.text):
            return True
    return False


def is_even(words: Sequence[Word]) -> bool:
    """Groups of one size, but for a shorter one at an end; the same between all."""
    sizes = [len(word.text) for word in words]
    size = max(sizes)
    return (
        len({word.gap for word in words[1:]}) <= 1
        and all(one == size for one in sizes[1:-1])
        and size in (sizes[0], sizes[-1])
        and (len(words) > 2 or sizes[0] == sizes[-1])
    )


def is_printed(groups: Sequence[str], pattern: CodePattern) -> bool:
    length = sum(map(len, groups))
    sizes = [min(pattern.group, length - start) for start in range(0, length, pattern.group)]
    return len(groups) > 1 and [len(group) for group in groups] == sizes


def groups_behind(words: Sequence[Word], head: int) -> list[str]:
    """The words without the first `head` symbols."""
    groups = []
    for word in words:
        cut = min(head, len(word.text))
        head -= cut
        if word.text[cut:]:
            groups.append(word.text[cut:])
    return groups


def has_digit(text: str) -> bool:
    return not text.isalpha() and any(symbol.isdigit() for symbol in text)
