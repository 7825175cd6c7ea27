"""Whether everything sealed is still as it was: on the database, or on a restored copy of it anywhere, with the public
key alone. Rows are read one after the other, in little memory, whatever their number."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from redemption.approvals import payload_hash
from support.audit import personal_hash
from support.leaves import TABLES, UNSEALED, VERSIONS, leaf_of
from support.merkle import Tree
from support.models import Seal, SealedKind
from support.seal_exports import in_chunks, read_exported
from support.sealing import bounds
from support.signing import NOTHING, is_signed, key_id, seal_hash

_CHUNK = 5_000
# A row whose date is as far before the previous seal was not written when it says: no transaction here takes so long.
_LATE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was sealed, in a sentence. `table` and `row` are None where it is a seal itself."""

    sentence: str
    table: str | None = None
    row: int | None = None
    seal: int | None = None


@dataclass(frozen=True, slots=True)
class Tail:
    """What no seal holds yet, and so could still be changed unnoticed."""

    rows: Mapping[SealedKind, int]
    oldest: datetime | None

    @property
    def sentence(self) -> str:
        if not self.rows:
            return "Nothing is unsealed."
        rows = ", ".join(counted(kind, count) for kind, count in self.rows.items())
        since = f"; the oldest is of {self.oldest:%Y-%m-%d %H:%M:%S} UTC" if self.oldest else ""
        return f"Not sealed yet, and not vouched for: {rows}{since}."


class Verification:
    """One run. `findings()` is read to its end; after that `seals`, `rows` and `tail` say what was looked at."""

    def __init__(self, keys: Mapping[bytes, bytes], *, against: Path | None = None) -> None:
        """`keys` are the public keys that are trusted, by their ids."""
        self.keys = keys
        self.against = against
        self.seals = 0
        self.rows = 0
        self.exported = 0
        self.tail = Tail({}, None)
        self._last: Seal | None = None
        self._here = ""

    def findings(self) -> Iterator[Finding]:
        with _one_moment():
            self._last = Seal.objects.order_by("-number").first()
            self._here = bounds()[1]
            yield from self._chain()
            for kind in SealedKind:
                yield from self._rows(kind)
            yield from self._roots()
            yield from self._personal()
            yield from self._decided()
            self.tail = self._unsealed()
            if self.against:
                yield from self._exported(self.against)

    # --- Seals

    def _chain(self) -> Iterator[Finding]:
        """Each seal is what its hash says, follows the one before it, and is signed."""
        last = 0
        hashes = {NOTHING}
        for seal in Seal.objects.order_by("number").iterator(_CHUNK):
            self.seals += 1
            number, said = seal.number, seal_hash(seal)
            if number != last + 1:
                missing = f"Seal {last + 1} is" if number == last + 2 else f"Seals {last + 1} to {number - 1} are"
                yield Finding(f"{missing} missing.", seal=last + 1)
            elif bytes(seal.previous) not in hashes:
                yield Finding(f"Seal {number} does not follow seal {last}: one of them is another.", seal=number)
            if said != bytes(seal.hash):
                yield Finding(f"Seal {number} was changed: it is not what its hash says.", seal=number)
            elif not (public := self.keys.get(bytes(seal.key_id))):
                key = bytes(seal.key_id).hex()
                yield Finding(f"Seal {number} is signed with key {key}, which is not a trusted one.", seal=number)
            elif not is_signed(seal, public):
                yield Finding(f"Seal {number} is not signed by whom it says.", seal=number)
            elif seal.version not in VERSIONS:
                yield Finding(f"Seal {number} is of version {seal.version}, which is not known here.", seal=number)
            last, hashes = number, {said, bytes(seal.hash)}

    def _roots(self) -> Iterator[Finding]:
        """The rows that are under each seal make its root."""
        seals = Seal.objects.order_by("number").iterator(_CHUNK)
        expected = next(seals, None)
        members = _stream('SELECT seal, kind, "row", leaf FROM support_sealedrow ORDER BY seal, kind, "row"')
        for number, group in groupby(members, key=itemgetter(0)):
            while expected and expected.number < number:
                yield _without_rows(expected)
                expected = next(seals, None)
            tree, counts, first = Tree(), Counter[str](), None
            for _, kind, row, leaf in group:
                first = first or (kind, row)
                counts[str(kind)] += 1
                tree.add(bytes(leaf))
            self.rows += tree.count
            if expected is None or expected.number != number:
                kind, row = first or (0, 0)
                yield Finding(
                    f"Seal {number} is missing: {tree.count:,} rows are under it, the first is {_name(kind, row)}.",
                    _table(kind), row, number,
                )  # fmt: skip
                continue
            wrong = ""
            if dict(counts) != expected.counts or tree.count != expected.count:
                wrong = f"Seal {number} says {expected.count:,} rows and holds {tree.count:,}."
            elif tree.root != bytes(expected.root):
                wrong = f"Seal {number} holds other rows than it says: they do not make its root."
            if wrong:
                yield from self._strays(expected)
                yield Finding(wrong, seal=number)
            expected = next(seals, None)
        while expected:
            yield _without_rows(expected)
            expected = next(seals, None)

    def _strays(self, seal: Seal) -> Iterator[Finding]:
        """Rows from under later seals. Only of a seal that took whatever was there, as the first one does: of all
        others, _rows() has said it."""
        for kind in SealedKind:
            query = f"""
                SELECT m."row" FROM support_sealedrow m JOIN {TABLES[kind].table} t ON t.id = m."row"
                WHERE m.kind = {kind.value} AND m.seal = %(seal)s AND t.xact >= %(horizon)s::bigint::text::xid8
                    AND EXISTS (SELECT FROM support_seal n WHERE n.number > %(seal)s AND n.cluster = %(cluster)s
                        AND t.xact < n.horizon::text::xid8)
                    AND NOT EXISTS (SELECT FROM support_seal p WHERE p.number = %(seal)s - 1
                        AND p.cluster = %(cluster)s AND p.horizon <= %(horizon)s::bigint)
                ORDER BY m."row"
            """
            for (row,) in _stream(query, {"seal": seal.number, "horizon": seal.horizon, "cluster": seal.cluster}):
                yield Finding(
                    f"{_name(kind, row)} is under seal {seal.number}, which holds other rows than it says, and was "
                    "written after it.", TABLES[kind].table, row, seal.number,
                )  # fmt: skip

    # --- Rows

    def _rows(self, kind: SealedKind) -> Iterator[Finding]:
        """Each row says what its leaf says, and is under the seal of its time; each that should be sealed is."""
        columns = TABLES[kind]
        last = self._last
        # Only what is wrong leaves the database.
        query = f"""
            SELECT * FROM (
                SELECT coalesce(m."row", t.id) AS "row", m.seal, {columns.date} AS date, t.xact::text AS xact, CASE
                    WHEN t.id IS NULL THEN 'missing'
                    WHEN m."row" IS NULL THEN CASE
                        WHEN %(horizon)s::bigint IS NULL THEN NULL
                        WHEN t.xact < %(horizon)s::bigint::text::xid8
                            AND (%(is_here)s OR {columns.date} IS NULL OR {columns.date} <= %(at)s::timestamptz)
                            THEN 'added'
                        WHEN %(is_here)s AND t.xact >= pg_snapshot_xmax(pg_current_snapshot())
                            AND t.xact IS DISTINCT FROM pg_current_xact_id_if_assigned() THEN 'unheard'
                        WHEN {columns.date} < %(at)s::timestamptz - %(late)s::interval THEN 'late' END
                    WHEN s.version = ANY (%(versions)s) THEN CASE
                        WHEN {leaf_of(kind, "s.version")} <> m.leaf THEN 'changed'
                        WHEN p.cluster = s.cluster AND p.horizon <= s.horizon AND NOT
                            (t.xact::text::numeric >= p.horizon AND t.xact::text::numeric < s.horizon) THEN 'misplaced'
                        WHEN {columns.date} < p.at - %(late)s::interval THEN 'late' END
                    END AS what
                FROM (SELECT "row", seal, leaf FROM support_sealedrow WHERE kind = {kind.value}) m
                FULL JOIN {columns.table} t ON t.id = m."row"
                LEFT JOIN support_seal s ON s.number = m.seal LEFT JOIN support_seal p ON p.number = m.seal - 1
            ) AS looked_at WHERE what IS NOT NULL ORDER BY "row"
        """
        params = {
            "horizon": last.horizon if last else None,
            "at": last.at if last else None,
            "is_here": bool(last and last.cluster == self._here),
            "late": _LATE,
            "versions": list(VERSIONS),
        }
        for row, seal, date, xact, what in _stream(query, params):
            name = _name(kind, row)
            when = f"{date:%Y-%m-%d %H:%M:%S} UTC" if date else "an unknown time"
            before = f"seal {seal - 1}" if seal else f"seal {last.number if last else 0}"
            sentence = {
                "missing": f"{name} is missing: seal {seal} vouches for it.",
                "changed": f"{name} was changed: it is not what was put under seal {seal}.",
                "misplaced": f"{name} is under seal {seal}, but was not written between that one and {before}.",
                "added": f"{name} was added, or taken from under its seal: it says it was written before {before}.",
                "unheard": f"{name} was added: it names transaction {xact}, which has not been yet.",
                "late": f"{name} was added late: it is dated {when}, long before {before}, and was written after it.",
            }[what]
            yield Finding(sentence, columns.table, row, seal)

    def _unsealed(self) -> Tail:
        counts, dates = {}, []
        for kind, columns in TABLES.items():
            with connection.cursor() as cursor:
                cursor.execute(
                    f"SELECT count(*), min({columns.date}) FROM {columns.table} t"
                    " WHERE (%(horizon)s::bigint IS NULL OR t.xact >= %(horizon)s::bigint::text::xid8"
                    f" OR (NOT %(is_here)s AND {columns.date} > %(at)s::timestamptz))"
                    f" AND {UNSEALED.format(kind.value)}",
                    {
                        "horizon": self._last.horizon if self._last else None,
                        "at": self._last.at if self._last else None,
                        "is_here": bool(self._last and self._last.cluster == self._here),
                    },
                )
                count, oldest = cursor.fetchone()
            if count:
                counts[kind] = count
            if oldest:
                dates.append(oldest)
        return Tail(counts, min(dates, default=None))

    def _personal(self) -> Iterator[Finding]:
        """Erased details are none any more; those that are there are what the event's hash says."""
        details = _stream(
            "SELECT p.event_id, p.salt, p.text, e.personal_hash FROM support_auditpersonal p"
            " LEFT JOIN support_auditevent e ON e.id = p.event_id ORDER BY p.event_id"
        )
        for event, salt, text, expected in details:
            # A salt longer than 64 bytes was never one of ours.
            if expected is None or len(salt) > 64 or personal_hash(bytes(salt), text) != bytes(expected):
                yield Finding(
                    f"The personal details of {_name(SealedKind.EVENT, event, first=False)} were changed.",
                    "support_auditpersonal", event,
                )  # fmt: skip

    def _decided(self) -> Iterator[Finding]:
        """What was asked for is what the sealed approval says that it decided."""
        decided = _stream(
            "SELECT a.id, a.payload_hash, a.action, a.target, r.payload::text, r.action, r.target"
            " FROM redemption_approval a JOIN redemption_approvalrequest r ON r.id = a.request_id ORDER BY a.id"
        )
        for approval, hashed, action, target, payload, *asked in decided:
            if [action, target] != asked or payload_hash(json.loads(payload)) != bytes(hashed):
                yield Finding(
                    f"{_name(SealedKind.APPROVAL, approval)} decided something else than its request says now.",
                    "redemption_approval", approval,
                )  # fmt: skip

    # --- What left the database

    def _exported(self, place: Path) -> Iterator[Finding]:
        """Each seal that left is genuine, and still here as it left."""
        for chunk in in_chunks(read_exported(place)):
            here = Seal.objects.in_bulk([seal.number for seal, _ in chunk])
            for seal, _ in chunk:
                self.exported += 1
                number, kept = seal.number, here.get(seal.number)
                public = self.keys.get(bytes(seal.key_id))
                if seal_hash(seal) != bytes(seal.hash) or not (public and is_signed(seal, public)):
                    yield Finding(f"The exported copy of seal {number} is not genuine.", seal=number)
                elif kept is None:
                    yield Finding(
                        f"Seal {number} is missing: it was exported, of {seal.at:%Y-%m-%d %H:%M:%S} UTC,"
                        f" with {seal.count:,} rows.", seal=number,
                    )  # fmt: skip
                elif bytes(kept.hash) != bytes(seal.hash):
                    yield Finding(f"Seal {number} is another than the one that was exported.", seal=number)


def exported_keys(place: Path) -> dict[bytes, bytes]:
    """The public keys that came with exported seals, by their ids."""
    found: dict[bytes, bytes] = {}
    for _, public in read_exported(place):
        if public:
            found[key_id(public)] = public
    return found


def _without_rows(seal: Seal) -> Finding:
    return Finding(f"Seal {seal.number} says {seal.count:,} rows and holds none.", seal=seal.number)


def _name(kind: int, row: int, *, first: bool = True) -> str:
    """“Audit event 7”."""
    label = SealedKind(kind).label if kind in SealedKind.values else f"Row of kind {kind},"
    return f"{label if first else label.lower()} {row}"


def counted(kind: SealedKind, count: int) -> str:
    """“3 audit events”, “2 credit policies”."""
    name = kind.label.lower()
    if count != 1:
        name = f"{name.removesuffix('y')}ies" if name.endswith("y") else f"{name}s"
    return f"{count:,} {name}"


def _table(kind: int) -> str | None:
    return TABLES[SealedKind(kind)].table if kind in SealedKind.values else None


@contextmanager
def _one_moment() -> Iterator[None]:
    """All queries see the database as it is at one moment: on a live one, rows are sealed meanwhile."""
    nested = connection.in_atomic_block
    with transaction.atomic():
        if not nested:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _stream(query: str, params: Mapping[str, Any] | None = None) -> Iterator[Any]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(query, params)
        while rows := cursor.fetchmany(_CHUNK):
            yield from rows


def count_findings(findings: Iterable[Finding], *, shown: int) -> tuple[list[Finding], int]:
    """The first ones, and how many there are in all."""
    first: list[Finding] = []
    total = 0
    for found in findings:
        total += 1
        if total <= shown:
            first.append(found)
    return first, total
