"""The words of an HTML mail. Nothing is loaded, and nothing of its markup is kept.

Not the standard library's parser, which needs quadratic time for some broken documents: anybody may send us a mail.
"""

import re
from html import unescape

# Looked at no further: a mail of prose is far shorter.
_LONGEST = 2_000_000
# Each piece between two angle brackets is read once, whatever the document does.
_TAGS = re.compile(r"(<[^<>]*>)")
_NAME = re.compile(r"</?\s*([a-z][a-z0-9]*)", re.IGNORECASE)
_ADDRESS = re.compile(r"\bhref\s*=\s*[\"']?(https?://[^\s\"'<>]+)", re.IGNORECASE)
_INSTEAD = re.compile(r"\balt\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)

_UNREAD = ("script", "style", "head", "title", "template", "svg")
_LINES = frozenset(
    {
        "address", "article", "br", "dd", "div", "dl", "dt", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header",
        "hr", "li", "main", "ol", "p", "pre", "section", "table", "tr", "ul",
    }
)  # fmt: skip


def text_of(html: str) -> str:
    """Plain text, lines where the reader saw lines; what is quoted carries “> ”, as in a plain mail."""
    html = _without(html[:_LONGEST], "<!--", "-->")
    for name in _UNREAD:
        html = _without(html, f"<{name}", f"</{name}")
    lines: list[tuple[int, list[str]]] = [(0, [])]
    depth = 0
    address, linked = "", ""
    for piece in _TAGS.split(html):
        if not piece.startswith("<") or not piece.endswith(">"):
            words = re.sub(r"\s+", " ", unescape(piece))
            lines[-1][1].append(words)
            linked += words if address else ""
            continue
        found = _NAME.match(piece)
        name, closes = (found[1].lower() if found else ""), piece.startswith("</")
        if name == "blockquote":
            depth = max(0, depth + (-1 if closes else 1))
            lines.append((depth, []))
        elif name in _LINES:
            lines.append((depth, []))
        elif name in ("td", "th") and closes:
            lines[-1][1].append(" ")
        elif name == "img" and (instead := _INSTEAD.search(piece)):
            lines[-1][1].append(f"[{unescape(instead[1] or instead[2] or '').strip()}]")
        elif name == "a" and not closes:
            found_address = _ADDRESS.search(piece)
            address, linked = (unescape(found_address[1]) if found_address else ""), ""
        elif name == "a" and address:
            # A share link is what the ticket is about, and may stand behind “click here”.
            if address.rstrip("/") not in linked:
                lines[-1][1].append(f" <{address}>")
            address = ""
    return _joined(lines)


def _joined(lines: list[tuple[int, list[str]]]) -> str:
    kept: list[str] = []
    for depth, pieces in lines:
        words = re.sub(r"[ \u00a0]+", " ", "".join(pieces)).strip()
        line = f"{'>' * depth} {words}" if depth and words else words
        # Never two empty lines together: markup makes many.
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept).strip()


def _without(html: str, begins: str, ends: str) -> str:
    """Without what stands from one mark to the other; what never ends is left out to the end."""
    folded = html.lower()
    if len(folded) != len(html):
        # A letter that has two in lower case: then the marks are looked for as they are.
        folded = html
    kept, at = [], 0
    while (start := folded.find(begins, at)) != -1:
        after = folded[start + len(begins) : start + len(begins) + 1]
        if begins != "<!--" and after.isalnum():
            # <header> is no <head>.
            kept.append(html[at : start + 1])
            at = start + 1
            continue
        kept.append(html[at:start])
        end = folded.find(ends, start + len(begins))
        if end == -1:
            return "".join(kept)
        # The closing tag's own bracket goes with it.
        close = end + len(ends) if begins == "<!--" else folded.find(">", end) + 1
        at = close or len(html)
    kept.append(html[at:])
    return "".join(kept)
