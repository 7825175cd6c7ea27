"""Looks for secrets wherever this system writes: in every spelling and encoding, in tables, logs and files."""

import base64
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from django.contrib.sessions.models import Session
from django.db import connection

# Files are read in pieces.
PIECE = 1 << 24
LARGE = 1 << 22
START = 8


def spellings(code: str, printed: str) -> set[bytes]:
    """What a code may look like in bytes: grouped, plain, in small letters, with or without prefix; encoded."""
    groups = printed.split("-")
    without_prefix = "-".join(groups[1:]) if len("".join(groups)) > len(code) else printed
    texts = {code, printed, without_prefix, printed.replace("-", ""), printed.replace("-", " "), code[::-1]}
    texts |= {text.replace("-", dash) for text in (without_prefix, printed) for dash in " \u2013"}
    texts |= {text.lower() for text in texts} | {text.replace("0", "O").replace("1", "I") for text in texts}
    needles = set()
    for text in texts:
        raw = text.encode()
        needles |= {raw, text.encode("utf-16-le"), text.encode("utf-16-be"), text.encode("utf-32-le")}
        needles |= {raw.hex().encode(), raw.hex().upper().encode(), base64.b32encode(raw)[: len(raw) * 8 // 5]}
        needles.add("".join(f"%{byte:02X}" for byte in raw).encode())
        needles.add(quote(text).encode())
        needles.add(json.dumps(text).strip('"').encode())
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # Whatever stands before it, one of three beginnings is its own; the ends depend on the neighbours.
            for before in range(3):
                encoded = encode(b"\0" * before + raw)
                needles.add(encoded[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6])
    return needles


def parts(code: str, length: int) -> set[bytes]:
    """Every run of `length` symbols of a code: most of it is as good as all of it."""
    runs = {code[start : start + length] for start in range(len(code) - length + 1)}
    return {run.encode() for run in runs} | {run.lower().encode() for run in runs}


class Search:
    """Thousands of needles in one pass: only where the first eight bytes are some needle's first is looked closer.

    Places of more than a few megabytes (the database's own files) are searched for the plain needles alone.
    """

    def __init__(self, needles: Iterable[bytes], plain: Iterable[bytes] = ()) -> None:
        self._plain = sorted(plain)
        self._starts: dict[bytes, list[bytes]] = {}
        for needle in needles:
            assert len(needle) >= START
            self._starts.setdefault(needle[:START], []).append(needle)

    def __call__(self, places: Iterable[tuple[str, bytes]]) -> set[str]:
        """Which of the places hold a needle."""
        return {where for where, content in places if self._is_in(bytes(content))}

    def _is_in(self, content: bytes) -> bool:
        if len(content) > LARGE:
            return any(needle in content for needle in self._plain)
        starts = self._starts
        return any(
            content.startswith(needle, place)
            for place in range(len(content) - START + 1)
            if (start := content[place : place + START]) in starts
            for needle in starts[start]
        )


def tables() -> Iterator[tuple[str, bytes]]:
    """Every column of every table, whoever made it: as text, bytes also raw; and what the server knows of sessions."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables"
            " WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE' ORDER BY 1"
        )
        names = [name for (name,) in cursor.fetchall()]
        for name in [*names, "pg_stat_activity", "pg_prepared_statements"]:
            cursor.execute(f"SELECT * FROM {name}")
            columns = [column.name for column in cursor.description]
            contents = [bytearray() for _ in columns]
            for row in cursor:
                for content, value in zip(contents, row, strict=True):
                    content += as_bytes(value) + b"\n"
            yield from ((f"{name}.{column}", content) for column, content in zip(columns, contents, strict=True))
            cursor.execute(f"SELECT t::text FROM {name} t")
            yield f"{name} as text", "\n".join(text or "" for (text,) in cursor.fetchall()).encode()


def as_bytes(value: object) -> bytes:
    if isinstance(value, (bytes, memoryview)):
        return bytes(value)
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str).encode()
    return str(value).encode()


def sessions() -> Iterator[tuple[str, bytes]]:
    """What the signed and packed data of sessions says."""
    for session in Session.objects.all():
        yield "a session", json.dumps(session.get_decoded(), default=str).encode()


def files(folders: Iterable[Path], *, since: float) -> Iterator[tuple[str, bytes]]:
    """Every file that was written since."""
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                path = Path(place) / name
                # Others clean up theirs while we read.
                with suppress(OSError):
                    if path.is_symlink() or not path.is_file() or path.stat().st_mtime < since:
                        continue
                    with path.open("rb") as file:
                        tail = b""
                        while piece := file.read(PIECE):
                            yield str(path), tail + piece
                            # Nothing is missed between two pieces.
                            tail = piece[-200:]
