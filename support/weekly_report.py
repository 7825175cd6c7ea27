"""Last week's credits by e-mail, on Monday morning, to whoever sees the managers' figures. It names no customer."""

import logging
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from redemption.models import ApprovalRequest, RequestStatus, User
from redemption.money import format_minor
from redemption.roles import PERMISSIONS, Permission
from support import policy
from support.models import WeeklyReport, format_amount
from support.queue import span_in_words
from support.reports import overview
from support.reports.filters import Filters, monday_of
from support.reports.liability import liability_rows
from support.reports.signals import ENOUGH, Signs, signal_rows
from support.sealing import standing

logger = logging.getLogger(__name__)

_FROM_SEVEN = time(7)
# A share of somebody's credits that is worth a line, in per cent.
_WORTH_A_LINE = 50


@dataclass(frozen=True, slots=True)
class Unit:
    """Last week's credits in one currency, or in days."""

    total: str
    count: int
    alone: int
    second: int
    back: int
    reasons: list[tuple[str, int, str]]
    above_peers: list[str]
    address: str


def send(*, now: datetime | None = None) -> int:
    """Mails the report of last week to everybody who has not had it yet, on Mondays from seven o'clock on where the
    desk is; how many. Each hour, so that a mail server that is away for a while delays it and no more."""
    now = now or timezone.now()
    here = now.astimezone(ZoneInfo(settings.DESK_TIME_ZONE))
    if here.weekday() or here.time() < _FROM_SEVEN:
        return 0
    week = monday_of(here.date()) - timedelta(days=7)
    had = WeeklyReport.objects.filter(week=week).values("person")
    people = list(User.objects.filter(is_active=True, role__in=_readers()).exclude(pk__in=had).order_by("pk"))
    if not people:
        return 0
    context = figures(week, now=now)
    return sum(_send(person, week, context, now) for person in people)


def _readers() -> list[str]:
    return [role.value for role, permissions in PERMISSIONS.items() if Permission.VIEW_REPORTS in permissions]


def _send(person: User, week: date, context: dict[str, Any], now: datetime) -> bool:
    """Whether it went out now. Of two workers at once the second waits for the first's row, and finds it there."""
    text, html = (render_to_string(f"support/mail/weekly_report.{kind}", context) for kind in ("txt", "html"))
    message = EmailMultiAlternatives(f"Credits, week from {week:%-d %B %Y}", text, to=[person.email])
    message.attach_alternative(html, "text/html")
    try:
        with transaction.atomic():
            WeeklyReport.objects.create(week=week, person=person, sent_at=now)
            message.send()
    except IntegrityError:
        return False
    # A mail server that is away, or will not take one address: the others get theirs, and in an hour it is tried again.
    except Exception as error:
        logger.warning("The weekly report to person %s failed (%s).", person.pk, type(error).__name__)
        return False
    return True


def figures(week: date, *, now: datetime) -> dict[str, Any]:
    """What both templates say. Weeks are those of the managers' pages, in UTC."""
    last = week + timedelta(days=6)
    filters = Filters(first=week.isoformat(), until=last.isoformat())
    pending = ApprovalRequest.objects.filter(status=RequestStatus.PENDING, expires_at__gt=now)
    asked = list(pending.order_by("requested_at").values_list("requested_at", flat=True))
    return {
        "week": week,
        "last": last,
        "units": [_unit(filters, unit) for unit in overview.units(filters)],
        "waiting": len(asked),
        "oldest": span_in_words(now - asked[0]) if asked else "",
        "stop": policy.stopped(),
        "liability": [
            (line.program.name, format_minor(line.outstanding, line.currency))
            for line in liability_rows(Filters(on=last.isoformat()))
        ],
        "signals": [said for signs in signal_rows(filters) if (said := _in_words(signs))],
        "seals": standing(now=now).alarm,
        "links": {
            "overview": _address("credits", filters),
            "approvals": _address("approvals"),
            "liability": _address("liability", Filters(on=last.isoformat())),
            "signals": _address("signals", filters),
            "seals": _address("seals"),
        },
    }


def _address(name: str, filters: Filters | None = None) -> str:
    query = f"?{filters.address}" if filters and filters.address else ""
    return f"{settings.SITE_URL.rstrip('/')}{reverse(name)}{query}"


def _unit(filters: Filters, unit: str) -> Unit:
    found = overview.figures(filters, unit=unit)
    total = found.total
    return Unit(
        total=format_amount(total.amount, unit),
        count=total.count,
        alone=total.alone_count,
        second=total.second_count,
        back=total.back_count,
        reasons=[(row.name, row.sum.count, format_amount(row.sum.amount, unit)) for row in overview.by_reason(found)],
        above_peers=[
            f"{agent.person}: {agent.sum.count:,} credits, {format_amount(agent.sum.amount, unit)}; the middle of "
            f"{agent.peers} in this role: {agent.count_median:g}, {format_amount(round(agent.amount_median), unit)}."
            for agent in overview.by_agent(found)
            if agent.stands_out
        ],
        address=_address("credits", filters.but(unit=unit)),
    )


def _in_words(signs: Signs) -> str:
    """What is worth a question, of one person; empty where nothing is."""
    said = []
    if signs.credits >= ENOUGH and signs.without_contact_share >= _WORTH_A_LINE:
        said.append(f"{signs.without_contact} of {signs.credits} credits without the customer’s own contact")
    if signs.alone >= ENOUGH and signs.just_under_share >= _WORTH_A_LINE:
        said.append(f"{signs.just_under} of {signs.alone} credits just under the limit")
    if signs.look_ups >= ENOUGH and signs.without_ticket_share >= _WORTH_A_LINE:
        said.append(f"{signs.without_ticket} of {signs.look_ups} customers’ pages opened without a ticket")
    return f"{signs.person}: {'; '.join(said)}." if said else ""
