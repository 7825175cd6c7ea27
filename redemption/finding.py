"""Which card a typed text is: the agent's box reads it under every format of every program. For agents only."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection
from django.views.decorators.debug import sensitive_variables

from redemption.code_format import Outcome, is_share_link
from redemption.digests import digester
from redemption.models import CodeFormat, Program
from redemption.near_misses import Slip, SlipKind, describe, slips


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A card one slip away from what was typed: which one, and what slipped. Its code is not in here."""

    serial: int
    kind: SlipKind
    position: int
    description: str


@dataclass(frozen=True, slots=True)
class Found:
    """`serials`: cards with exactly this code, one a program at most. `near` is looked for when there is none."""

    outcome: Outcome
    serials: tuple[int, ...] = ()
    near: tuple[NearMiss, ...] = ()
    # More cards are a slip away than the limit let in.
    has_more: bool = False
    share_link_of: Program | None = None
    # The formats that the text was read under.
    tried: tuple[CodeFormat, ...] = ()


def all_formats() -> tuple[CodeFormat, ...]:
    """Every program's formats, newest version first."""
    return tuple(CodeFormat.objects.select_related("program").order_by("program__name", "-version"))


@sensitive_variables()
def find_code(text: str, *, limit: int = 10) -> Found:
    """The cards that a typed text names, or those one slip away from it; at most three queries, by digest only."""
    formats = all_formats()
    for program in dict.fromkeys(code_format.program for code_format in formats):
        if is_share_link(text, program.share_link_patterns):
            return Found(Outcome.UNRECOGNISED, share_link_of=program, tried=formats)

    outcomes: set[Outcome] = set()
    digests: list[bytes] = []
    candidates: dict[bytes, Slip] = {}
    for code_format in formats:
        pattern, every = code_format.pattern, digester(code_format.program.digest_name).every
        read = pattern.read(text)
        outcomes.add(read.outcome)
        if read.outcome is Outcome.WELL_FORMED:
            digests += [digest for _, digest in every(read.code)]
        for slip in slips(pattern, text):
            for _, digest in every(slip.code):
                candidates.setdefault(digest, slip)

    outcome = next((kind for kind in (Outcome.WELL_FORMED, Outcome.SLIP, Outcome.BLANK) if kind in outcomes), None)
    if exact := serials_by_digest(digests):
        return Found(Outcome.WELL_FORMED, tuple(sorted(exact.values())), tried=formats)
    close = serials_by_digest(candidates)
    near = [
        NearMiss(close[digest], slip.kind, slip.position, describe(slip))
        for digest, slip in candidates.items()
        if digest in close
    ]
    return Found(
        outcome or Outcome.UNRECOGNISED,
        near=tuple(near[:limit]),
        has_more=len(near) > limit,
        tried=formats,
    )


def serials_by_digest(digests: Iterable[bytes]) -> dict[bytes, int]:
    # One array, not a parameter each: a slip in a supplier's format has thousands of readings.
    wanted = list(digests)
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT digest, serial FROM redemption_code WHERE digest = ANY(%s::bytea[])", [wanted])
        return {bytes(digest): serial for digest, serial in cursor.fetchall()}
