"""What somebody wrote, apart from what his mail program repeats of the thread. Each line is looked at once."""

import re
from dataclasses import dataclass

# “On Monday Ann wrote:” in the languages of our programs and their neighbours. A mail program may break it in two.
_WROTE = re.compile(
    r"^(on|am|le|el|il|em|op|den|d\.|pe|dnia|w dniu)\b.{3,200}\b"
    r"(wrote|schrieb.{0,100}|a écrit|escribió|ha scritto|escreveu|schreef.{0,100}|skrev.{0,100}|kirjoitti|"
    r"napisał\(?a?\)?)"
    r"\s?:$",
    re.IGNORECASE,
)
_OUTLOOK = re.compile(
    r"^-{2,}\s?(original message|ursprüngliche nachricht|originalnachricht|message d.origine|mensaje original|"
    r"messaggio originale|oorspronkelijk bericht|originalmeddelande|ursprungligt meddelande|mensagem original)"
    r"\s?-{2,}$",
    re.IGNORECASE,
)
_FROM = re.compile(r"^\*?(from|von|de|da|van|från|fra)\s?:\*?\s.+", re.IGNORECASE)
_SENT = re.compile(
    r"^\*?(sent|date|gesendet|datum|envoyé|enviado|inviato|verzonden|skickat|sendt|data)\s?:", re.IGNORECASE
)
_LONGEST_LINE = 400


@dataclass(frozen=True, slots=True)
class Split:
    reply: str
    quoted: str


def split(text: str) -> Split:
    """The reply and the repeated rest. What stands between quoted lines answers them and stays where it is; where
    nothing would be left of the reply, all of it is the reply."""
    lines = text.split("\n")
    cut = _cut(lines)
    reply, quoted = lines[:cut], lines[cut:]
    if not quoted or not any(line.strip() for line in reply):
        reply, quoted = _answered_below(lines)
    if not any(line.strip() and not _is_quoted(line) for line in reply):
        return Split(text.strip(), "")
    return Split("\n".join(reply).strip(), "\n".join(quoted).strip())


def _cut(lines: list[str]) -> int:
    """Where the repeated rest begins."""
    for number, line in enumerate(lines):
        if len(line) > _LONGEST_LINE:
            continue
        plain = line.strip()
        if _OUTLOOK.match(plain):
            return number
        if _FROM.match(plain) and any(_SENT.match(following.strip()) for following in lines[number + 1 : number + 3]):
            rule = number and lines[number - 1].strip() and set(lines[number - 1].strip()) <= set("_-")
            return number - 1 if rule else number
        if (length := _attribution(lines, number)) and _only_repeats(lines[number + length :]):
            return number
    return _first_of_last_quotes(lines)


def _attribution(lines: list[str], number: int) -> int:
    """How many lines “On … wrote:” takes from here; 0: none."""
    plain = lines[number].strip()
    if _WROTE.match(plain):
        return 1
    following = lines[number + 1].strip() if number + 1 < len(lines) else ""
    return 2 if following.endswith(":") and len(following) < 200 and _WROTE.match(f"{plain} {following}") else 0


def _only_repeats(rest: list[str]) -> bool:
    """Whether nobody answers below or between: quoted lines to the end (a signature may follow), or no mark at all."""
    unquoted = False
    seen_quotes = False
    for line in rest:
        if _is_quoted(line):
            if unquoted:
                return False
            seen_quotes = True
        elif line.strip():
            if line.rstrip() == "--":
                return True
            if seen_quotes:
                return False
            unquoted = True
    return True


def _first_of_last_quotes(lines: list[str]) -> int:
    """Where the quoted lines that end the mail begin, with their “On … wrote:”; past the end: there are none."""
    cut = len(lines)
    while cut and (_is_quoted(lines[cut - 1]) or not lines[cut - 1].strip()):
        cut -= 1
    if not any(_is_quoted(line) for line in lines[cut:]):
        return len(lines)
    for length in (1, 2):
        if cut >= length and _attribution(lines, cut - length) == length:
            return cut - length
    return cut


def _answered_below(lines: list[str]) -> tuple[list[str], list[str]]:
    """Some answer under the mail that they quote."""
    number = 0
    while number < len(lines) and not lines[number].strip():
        number += 1
    if number < len(lines):
        number += _attribution(lines, number)
    while number < len(lines) and (_is_quoted(lines[number]) or not lines[number].strip()):
        number += 1
    if any(_is_quoted(line) for line in lines[number:]):
        # He answers between the lines: they belong to what he says.
        return lines, []
    return lines[number:], lines[:number]


def _is_quoted(line: str) -> bool:
    return line.startswith(">")
