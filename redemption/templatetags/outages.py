"""`{% outages_at accounts %}`: what goes on at these accounts' programs, before somebody types a code for nothing."""

from collections.abc import Iterable
from typing import Any

from django import template

from redemption.models import Account, Outage

register = template.Library()


@register.inclusion_tag("redemption/_outages.html")
def outages_at(accounts: Iterable[tuple[Account, str]]) -> dict[str, Any]:
    """Of accounts as the page lists them, each with the shapes of its codes. One query, whatever goes on."""
    programs = {account.program_id: account.program for account, _ in accounts}
    going_on = {outage.program_id: outage for outage in Outage.objects.filter(program__in=programs, ended_at=None)}
    told = [
        {"program": program, "outage": going_on.get(pk)}
        for pk, program in programs.items()
        if pk in going_on or program.is_paused
    ]
    return {"told": told}
