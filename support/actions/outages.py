"""Switching redeeming off at a program, and on again: the switch, and the ticket that gathers what customers write."""

from datetime import datetime

from django.db import transaction

from redemption import outages
from redemption.models import Outage, Program, User
from support import incidents


def switch_off(*, program: Program, message: str, by: User, now: datetime | None = None) -> Outage:
    """Raises outages.OutageError, with a sentence."""
    with transaction.atomic():
        outage = outages.declare(program=program, message=message, by=by, now=now)
        incidents.problem_of(outage, by=by, now=now)
    return outage


def switch_on(*, program: Program, by: User, now: datetime | None = None) -> None:
    """What was written meanwhile stays to be answered. Raises outages.OutageError, with a sentence."""
    outages.end(program=program, by=by, now=now)
