"""The known errors that a new installation begins with. From then on the rows count: managers edit them."""

from typing import Any

from redemption.models import Program
from support.catalogue.wordings import CATALOGUE, ErrorText
from support.models import Cause, KnownError


def load(known_errors: Any = KnownError, causes: Any = Cause) -> int:
    """Writes what is not there yet, and leaves alone what is; returns how many known errors it wrote.

    The models are parameters because a migration has its own.
    """
    there = set(known_errors.objects.values_list("wording", flat=True))
    new = [entry for entry in CATALOGUE if entry.wording not in there]
    for entry in new:
        row = known_errors.objects.create(
            wording=entry.wording, answer=entry.answer or "", other_wordings=list(entry.others)
        )
        causes.objects.bulk_create(
            causes(
                known_error=row,
                rank=rank,
                title=cause.title,
                reasons=[reason.value for reason in cause.reasons],
                question=cause.question,
                remedy=cause.remedy,
                reply=cause.reply,
            )
            for rank, cause in enumerate(entry.causes, 1)
        )
    return len(new)


def give_to(program: Program) -> int:
    """Makes the wordings of a service the own ones of the program that bears its name; until then they are
    everybody's. Returns how many."""
    name = program.name.lower()
    own = [entry.wording for entry in CATALOGUE if entry.service and entry.service in name]
    return KnownError.objects.filter(program=None, wording__in=own).update(program=program)


__all__ = ["CATALOGUE", "ErrorText", "give_to", "load"]
