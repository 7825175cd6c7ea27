"""What a typed text may be for a program: its formats and digests, without a query on the way to redeeming."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.views.decorators.debug import sensitive_variables

from redemption.code_format import CodePattern, Outcome, is_share_link
from redemption.digests import digester
from redemption.models import CodeFormat, Program
from redemption.near_misses import slips

# Formats never change, only new ones appear: what is cached stays true, and what it does not recognise is read anew.
_cache: dict[int, tuple[CodePattern, ...]] = {}


def patterns(program_id: int, *, anew: bool = False) -> tuple[CodePattern, ...]:
    if anew or program_id not in _cache:
        formats = CodeFormat.objects.filter(program=program_id).order_by("-version")
        _cache[program_id] = tuple(code_format.pattern for code_format in formats)
    return _cache[program_id]


@dataclass(frozen=True, slots=True)
class Typed:
    """A text as one program reads it. Holds digests only; the text itself is not kept."""

    outcome: Outcome
    is_share_link: bool = False
    digests: list[bytes] = field(default_factory=list, repr=False)
    # Digests of every code one slip away, for formats whose check symbol does not catch slips by itself.
    near_digests: list[bytes] = field(default_factory=list, repr=False)


@sensitive_variables()
def read_typed(program: Program, text: str) -> Typed:
    if is_share_link(text, program.share_link_patterns):
        return Typed(Outcome.UNRECOGNISED, is_share_link=True)
    typed = _read(program, text, patterns(program.pk))
    if typed.outcome in {Outcome.SLIP, Outcome.UNRECOGNISED}:
        typed = _read(program, text, patterns(program.pk, anew=True))
    return typed


@sensitive_variables()
def _read(program: Program, text: str, known: Sequence[CodePattern]) -> Typed:
    digests = digester(program.digest_name)
    found: list[bytes] = []
    near: list[bytes] = []
    outcomes = set()
    for pattern in known:
        read = pattern.read(text)
        outcomes.add(read.outcome)
        if read.outcome == Outcome.WELL_FORMED:
            found += [digest for _, digest in digests.every(read.code)]
        if not pattern.check_symbol and read.outcome != Outcome.BLANK:
            near += [digest for slip in slips(pattern, text) for _, digest in digests.every(slip.code)]
    for outcome in (Outcome.WELL_FORMED, Outcome.SLIP, Outcome.UNRECOGNISED):
        if outcome in outcomes:
            return Typed(outcome, digests=found, near_digests=near)
    return Typed(Outcome.BLANK)
