"""Times at which redeeming did not work: switched off by people, or found failing by the breaker.

A program's switch is `is_paused`; the outage beside it says since when, by whom, and what customers read. The breaker's
outages are notes on what happened: redeeming goes on by itself when the database does.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from redemption import trail
from redemption.models import Outage, OutageCause, Program, User
from redemption.roles import Permission

# Nothing has failed for so long: an outage that the breaker found is over.
QUIET = timedelta(minutes=2)


class OutageError(Exception):
    """Why the switch cannot be pressed like this, in a sentence for who pressed it."""


def current(programs: Iterable[int | Program]) -> list[Outage]:
    """The outages that go on at these programs, the first that began first."""
    going_on = Outage.objects.filter(program__in=programs, ended_at=None)
    return list(going_on.select_related("program").order_by("started_at", "pk"))


def covering(program_id: int, at: datetime) -> Outage | None:
    """The newest of a program's outages that `at` falls into, or just before or after it: the breaker's begin with the
    failure that a process saw first."""
    around = Outage.objects.filter(program=program_id, started_at__lte=at + QUIET)
    return around.exclude(ended_at__lt=at - QUIET).order_by("-started_at", "-pk").first()


def declare(*, program: Program, message: str, by: User, now: datetime | None = None) -> Outage:
    """Switches redeeming off: once this has committed nothing is redeemed any more, and no try is used up. An outage
    that the breaker found goes on as this one."""
    _require(by)
    now = now or timezone.now()
    with transaction.atomic():
        program = _locked(program)
        if program.is_paused:
            raise OutageError(f"Redeeming is switched off at {program} already.")
        outage = Outage.objects.filter(program=program, ended_at=None).first() or Outage(
            program=program, started_at=now
        )
        outage.cause, outage.message, outage.started_by = OutageCause.SWITCHED_OFF, message.strip(), by
        outage.last_seen_at = now
        outage.save()
        program.is_paused = True
        # Whoever is redeeming at this moment finishes first: a trigger advances the batches, whose locks they share.
        program.save(update_fields=["is_paused"])
        trail.tell("outage_declared", by=by, target=_target(program), outage=outage.pk)
    return outage


def end(*, program: Program, by: User, now: datetime | None = None) -> None:
    """Switches redeeming on again, and ends the outage that goes on, whatever found it."""
    _require(by)
    now = now or timezone.now()
    with transaction.atomic():
        program = _locked(program)
        outage = Outage.objects.filter(program=program, ended_at=None).first()
        if not program.is_paused and not outage:
            raise OutageError(f"Redeeming works at {program}: nothing is switched off.")
        if outage:
            outage.ended_at, outage.ended_by = max(now, outage.started_at), by
            outage.save(update_fields=["ended_at", "ended_by"])
        if program.is_paused:
            program.is_paused = False
            program.save(update_fields=["is_paused"])
        trail.tell("outage_ended", by=by, target=_target(program), outage=outage.pk if outage else None)


def end_quiet(*, now: datetime | None = None) -> int:
    """Ends the breaker's outages in which nothing has failed for a while, at the moment when something last did.
    Returns how many. In one statement: a failure that is noted meanwhile keeps its outage open, or begins another."""
    now = now or timezone.now()
    quiet = Outage.objects.filter(cause=OutageCause.BREAKER, ended_at=None, last_seen_at__lt=now - QUIET)
    ended_at = Greatest(F("last_seen_at"), F("started_at"))
    return quiet.update(ended_at=ended_at, ended_by=User.objects.system())


# A process tells what it saw, sooner or later; another may have told before it, or a manager switched off. What is told
# late, when all of it is over, stands in the history only where nothing else says so. The row that is open is found or
# made by its unique index: of two processes that begin one, the second joins the first's.
_NOTE = """
    INSERT INTO redemption_outage AS o (program_id, cause, message, started_at, last_seen_at, started_by_id, ended_at,
        ended_by_id)
    SELECT p.id, 'breaker', '', %(first)s::timestamptz, %(last)s::timestamptz, %(by)s::bigint,
        CASE WHEN %(is_over)s::bool THEN %(last)s::timestamptz END, CASE WHEN %(is_over)s::bool THEN %(by)s::bigint END
    FROM redemption_program AS p
    WHERE (%(program)s::bigint IS NULL OR p.id = %(program)s::bigint) AND NOT (%(is_over)s::bool AND EXISTS (
        SELECT FROM redemption_outage AS n WHERE n.program_id = p.id AND n.started_at <= %(last)s::timestamptz
            AND coalesce(n.ended_at >= %(first)s::timestamptz, true)))
    ON CONFLICT (program_id) WHERE ended_at IS NULL DO UPDATE
        SET last_seen_at = greatest(o.last_seen_at, EXCLUDED.last_seen_at),
            started_at = CASE WHEN o.cause = 'breaker' THEN least(o.started_at, EXCLUDED.started_at)
                ELSE o.started_at END"""


def note(program_id: int | None, *, first: datetime, last: datetime, now: datetime) -> None:
    """The breaker's: redeeming failed from `first` to `last`, at one program or (None) at all. Noted twice it is the
    same as once."""
    parameters: dict[str, Any] = {
        "program": program_id,
        "first": first,
        "last": last,
        "by": User.objects.system().pk,
        "is_over": last < now - QUIET,
    }
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, parameters)


def _locked(program: Program) -> Program:
    # Two who press the switch at once: the second waits here, and finds it pressed.
    return Program.objects.select_for_update(no_key=True).get(pk=program.pk)


def _require(by: User) -> None:
    if not by.may(Permission.SWITCH_REDEEMING):
        raise OutageError("Your role does not switch redeeming off and on.")


def _target(program: Program) -> str:
    return f"program:{program.pk}"
