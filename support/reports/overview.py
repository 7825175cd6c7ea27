"""The managers' overview of credits in one unit: by week, reason, agent, program and retailer; agents against their
peers; accounts, cards and receipts with several; how long a second person takes."""

from dataclasses import dataclass, field
from datetime import date, datetime
from statistics import median
from typing import Any

from django.conf import settings
from django.utils import timezone

from redemption.models import Account, ApprovalAction, ApprovalRequest, Program, RequestStatus, Retailer, User
from redemption.roles import Role
from support.models import DAYS, CreditReason, format_amount
from support.reports.filters import Filters
from support.reports.reading import read

# What a second person decides about credits.
ABOUT_CREDITS = [ApprovalAction.CREDIT, ApprovalAction.REVERSAL, ApprovalAction.MOVE]
# Accounts, cards and receipts that got the most credits.
MOST_SHOWN = 10
# An agent stands out where his number or his sum is more than so many times the median of his role, and the role has
# so many people that a median says something.
STANDS_OUT, ENOUGH_PEERS = 2, 3


@dataclass(slots=True)
class Sum:
    """Number and minor units (or days) of credits; `second` of them by a second person, `back` of them taken back."""

    count: int = 0
    amount: int = 0
    second_count: int = 0
    second_amount: int = 0
    back_count: int = 0
    back_amount: int = 0

    @property
    def alone_count(self) -> int:
        return self.count - self.second_count

    @property
    def alone_amount(self) -> int:
        return self.amount - self.second_amount


@dataclass(slots=True)
class Figures:
    """Everything of one unit in the period. Keys are weeks' Mondays and rows' ids; None: no retailer."""

    total: Sum = field(default_factory=Sum)
    weeks: dict[date, Sum] = field(default_factory=dict)
    reasons: dict[int, Sum] = field(default_factory=dict)
    agents: dict[tuple[int, str], Sum] = field(default_factory=dict)
    programs: dict[int, Sum] = field(default_factory=dict)
    retailers: dict[int | None, Sum] = field(default_factory=dict)


_WHERE = """granted_at >= %(since)s AND granted_at < %(before)s
    AND (%(program)s::bigint IS NULL OR c.program_id = %(program)s)"""

# All groupings in one pass over the period's credits.
_FIGURES = f"""
    WITH c AS (
        SELECT date_trunc('week', granted_at AT TIME ZONE 'UTC')::date AS week, reason_id, granted_by_id, granted_as,
            program_id, retailer_id, c.amount, c.approval_id, r.amount AS back
        FROM support_manualcredit c LEFT JOIN support_creditreversal r ON r.credit_id = c.id
        WHERE {_WHERE} AND c.unit = %(unit)s
    )
    SELECT CASE grouping(week, reason_id, granted_by_id, program_id, retailer_id)
            WHEN 15 THEN 'weeks' WHEN 23 THEN 'reasons' WHEN 27 THEN 'agents' WHEN 29 THEN 'programs'
            WHEN 30 THEN 'retailers' ELSE 'total' END,
        week, coalesce(reason_id, granted_by_id, program_id, retailer_id), granted_as,
        count(*), coalesce(sum(amount), 0),
        count(approval_id), coalesce(sum(amount) FILTER (WHERE approval_id IS NOT NULL), 0),
        count(back), coalesce(sum(back), 0)
    FROM c
    GROUP BY GROUPING SETS ((week), (reason_id), (granted_by_id, granted_as), (program_id), (retailer_id), ())
"""
_UNITS = f"SELECT unit, count(*) FROM support_manualcredit c WHERE {_WHERE} GROUP BY unit"


def units(filters: Filters) -> dict[str, int]:
    """How many credits there are of each unit in the period, in the order of the settings' currencies."""
    order = {unit: place for place, unit in enumerate([*settings.CURRENCIES, DAYS])}
    found = dict(read(_UNITS, filters, filters.weeks))
    return {unit: found[unit] for unit in sorted(found, key=lambda unit: (order.get(unit, len(order)), unit))}


def figures(filters: Filters, *, unit: str) -> Figures:
    found = Figures()
    for group, week, key, role, *sums in read(_FIGURES, filters, filters.weeks, unit=unit):
        of = Sum(*map(int, sums))
        match group:
            case "total":
                found.total = of
            case "weeks":
                found.weeks[week] = of
            case "agents":
                found.agents[key, role] = of
            case _:
                getattr(found, group)[key] = of
    return found


@dataclass(frozen=True, slots=True)
class Ranked:
    """A reason, a program or a retailer with its sum, and the filter that opens its rows."""

    name: str
    filter: str
    sum: Sum


def by_reason(found: Figures) -> list[Ranked]:
    reasons = CreditReason.objects.in_bulk(list(found.reasons))
    return _ranked(Ranked(reasons[pk].name, reasons[pk].slug, of) for pk, of in found.reasons.items())


def by_program(found: Figures) -> list[Ranked]:
    programs = Program.objects.in_bulk(list(found.programs))
    return _ranked(Ranked(programs[pk].name, str(pk), of) for pk, of in found.programs.items())


def by_retailer(found: Figures) -> list[Ranked]:
    retailers = Retailer.objects.in_bulk([pk for pk in found.retailers if pk])
    return _ranked(
        Ranked(retailers[pk].name if pk else "No retailer", str(pk or "none"), of) for pk, of in found.retailers.items()
    )


def _ranked(rows: Any) -> list[Ranked]:
    return sorted(rows, key=lambda row: (-row.sum.amount, row.name))


@dataclass(frozen=True, slots=True)
class Agent:
    """Beside the medians of all who granted credits in the same role."""

    person: User
    role: str
    sum: Sum
    peers: int
    count_median: float
    amount_median: float

    @property
    def stands_out(self) -> bool:
        return self.peers >= ENOUGH_PEERS and (
            self.sum.count > STANDS_OUT * self.count_median or self.sum.amount > STANDS_OUT * self.amount_median
        )

    @property
    def role_label(self) -> str:
        return Role(self.role).label


def by_agent(found: Figures) -> list[Agent]:
    """The largest sum first. Who changed his role in the period stands there once for each."""
    people = User.objects.in_bulk({pk for pk, _ in found.agents})
    agents = []
    for (pk, role), of in found.agents.items():
        peers = [other for (_, same), other in found.agents.items() if same == role]
        counts, amounts = (median(getattr(peer, name) for peer in peers) for name in ("count", "amount"))
        agents.append(Agent(people[pk], role, of, len(peers), counts, amounts))
    return sorted(agents, key=lambda agent: (-agent.sum.amount, str(agent.person), agent.person.pk, agent.role))


@dataclass(frozen=True, slots=True)
class Several:
    """What got more than one credit in the period. Different units are never added."""

    name: str
    filter: str
    count: int
    people: int
    last: datetime
    amounts: list[str]


@dataclass(frozen=True, slots=True)
class SeveralOf:
    """Of one kind: those with the most credits, and how many there are in all."""

    title: str
    parameter: str
    rows: list[Several]
    of: int


_SEVERAL = f"""
    WITH many AS (
        SELECT {{key}} AS key, count(*) AS times, max(granted_at) AS last FROM support_manualcredit c
        WHERE {_WHERE} AND {{key}} IS NOT NULL GROUP BY 1 HAVING count(*) > 1
    ), most AS (
        SELECT *, count(*) OVER () AS of FROM many ORDER BY times DESC, last DESC LIMIT {MOST_SHOWN}
    )
    SELECT key, times, last, of,
        (SELECT count(DISTINCT granted_by_id) FROM support_manualcredit c WHERE {{key}} = most.key AND {_WHERE}),
        (SELECT json_object_agg(unit, amount) FROM (
            SELECT unit, sum(amount) AS amount FROM support_manualcredit c
            WHERE {{key}} = most.key AND {_WHERE} GROUP BY unit ORDER BY unit) AS sums)
    FROM most ORDER BY times DESC, last DESC, key
"""


def several(filters: Filters) -> list[SeveralOf]:
    """Accounts, cards and receipts with several credits of any unit."""
    found = []
    kinds = (
        ("Accounts", "account", "account_id"),
        ("Cards", "card", "code_id"),
        ("Receipts", "receipt", "receipt_digest"),
    )
    for title, parameter, key in kinds:
        rows = read(_SEVERAL.format(key=key), filters, filters.weeks)
        accounts = Account.objects.in_bulk([row[0] for row in rows]) if parameter == "account" else {}
        of, named = 0, []
        for key_, count, last, of, people, sums in rows:  # noqa: B007
            match parameter:
                case "account":
                    name = query = accounts[key_].reference
                case "card":
                    name = query = str(key_)
                case _:
                    query = bytes(key_).hex()
                    name = f"Receipt {query[:8]}"
            amounts = [format_amount(int(amount), unit) for unit, amount in sums.items()]
            named.append(Several(name, query, count, people, last, amounts))
        found.append(SeveralOf(title, parameter, named, of))
    return found


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds from asking to deciding; None: nothing was decided."""

    count: int = 0
    median: float | None = None
    slowest_tenth: float | None = None


@dataclass(frozen=True, slots=True)
class Approvals:
    """How long a second person took, by the week of the decision; and what waits now. Of all programs and units."""

    total: Waits
    weeks: dict[date, Waits]
    waiting: int
    oldest: datetime | None


_WAITS = """
    SELECT week, count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds),
        percentile_cont(0.9) WITHIN GROUP (ORDER BY seconds)
    FROM (
        SELECT date_trunc('week', decided_at AT TIME ZONE 'UTC')::date AS week,
            extract(epoch FROM decided_at - requested_at)::float8 AS seconds
        FROM redemption_approval a JOIN redemption_approvalrequest q ON q.id = a.request_id
        WHERE decided_at >= %(since)s AND decided_at < %(before)s AND a.action = ANY(%(actions)s)
    ) AS waited
    GROUP BY GROUPING SETS ((week), ())
"""


def approvals(filters: Filters) -> Approvals:
    rows = read(_WAITS, filters, filters.weeks, actions=[action.value for action in ABOUT_CREDITS])
    waits = {week: Waits(int(count), *times) for week, count, *times in rows}
    pending = ApprovalRequest.objects.filter(
        status=RequestStatus.PENDING, action__in=ABOUT_CREDITS, expires_at__gt=timezone.now()
    )
    asked = list(pending.order_by("requested_at").values_list("requested_at", flat=True))
    return Approvals(waits.pop(None, Waits()), waits, len(asked), asked[0] if asked else None)


def span(seconds: float | None) -> str:
    """“40 min”, “5.5 h”, “3.2 days”."""
    if seconds is None:
        return "–"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"
