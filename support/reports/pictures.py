"""The pictures of the credits' overview, each with the addresses that open its rows."""

from collections.abc import Callable, Sequence
from datetime import date

from django.urls import reverse

from support.models import DAYS
from support.reports.charts import Cell, Chart, Series, amount, number
from support.reports.filters import Filters
from support.reports.overview import Agent, Approvals, Figures, Ranked, Sum, Waits, span

_Address = Callable[..., str]


def list_address(filters: Filters, **others: object) -> str:
    """The list of the credits that these filters and these others let through."""
    return f"{reverse('credit_list')}?{filters.but(**others).address}"


def axis_of(unit: str) -> str:
    return "Days of premium" if unit == DAYS else unit


def week_label(monday: date) -> str:
    return f"{monday:%-d %b %Y}"


def by_week(found: Figures, filters: Filters, *, unit: str) -> list[Chart]:
    """Value and number, each by who decided."""
    period = filters.weeks
    weeks = period.weeks
    sums = [found.weeks.get(week, Sum()) for week in weeks]
    parts = [period.part(week) for week in weeks]
    labels = [week_label(week) for week in weeks]
    rows = list(zip(sums, parts, strict=True))

    def cells(make: Callable[[Sum, str], Cell], **others: object) -> Sequence[Cell]:
        made = [make(of, list_address(filters, unit=unit, days=part, **others)) for of, part in rows]
        return [cell if cell.value else Cell(cell.value, cell.shown) for cell in made]

    def chart(name: str, title: str, axis: str, make: Callable[[str, Sum, str], Cell]) -> Chart:
        return Chart(
            name,
            title,
            "Week from",
            "stacked",
            axis,
            labels,
            [
                Series("Granted alone", cells(lambda of, to: make("alone", of, to), approved="no")),
                Series("By a second person", cells(lambda of, to: make("second", of, to), approved="yes")),
                Series("Together", cells(lambda of, to: make("", of, to)), is_drawn=False),
                Series("Taken back", cells(lambda of, to: make("back", of, to), reversed="yes"), is_drawn=False),
            ],
        )

    return [
        chart(
            "value-by-week",
            "Value by week",
            axis_of(unit),
            lambda of, sum, to: amount(_of(sum, of, "amount"), unit, to),
        ),
        chart("number-by-week", "Number by week", "Credits", lambda of, sum, to: number(_of(sum, of, "count"), to)),
    ]


def _of(sum: Sum, part: str, what: str) -> int:
    value: int = getattr(sum, f"{part}_{what}" if part else what)
    return value


def ranking(
    name: str, title: str, head: str, ranked: Sequence[Ranked], filters: Filters, *, parameter: str, unit: str
) -> Chart:
    to = [list_address(filters, unit=unit, **{parameter: row.filter}) for row in ranked]
    rows = list(zip(ranked, to, strict=True))
    return Chart(
        name,
        title,
        head,
        "sideways",
        axis_of(unit),
        [row.name for row in ranked],
        [
            Series("Value", [amount(row.sum.amount, unit, address) for row, address in rows]),
            Series("Credits", [number(row.sum.count, address) for row, address in rows], is_drawn=False),
            Series(
                "By a second person",
                [
                    number(row.sum.second_count, f"{address}&approved=yes" if row.sum.second_count else "")
                    for row, address in rows
                ],
                is_drawn=False,
            ),
            Series(
                "Taken back",
                [
                    number(row.sum.back_count, f"{address}&reversed=yes" if row.sum.back_count else "")
                    for row, address in rows
                ],
                is_drawn=False,
            ),
        ],
    )


def peers(agents: Sequence[Agent], filters: Filters, *, unit: str) -> Chart:
    to = [list_address(filters, unit=unit, agent=agent.person.pk) for agent in agents]
    rows = list(zip(agents, to, strict=True))
    return Chart(
        "agents",
        "Agents beside the median of their role",
        "Agent",
        "sideways",
        axis_of(unit),
        [str(agent.person) for agent in agents],
        [
            Series("Role", [Cell(None, agent.role_label) for agent in agents], is_drawn=False),
            Series("Value", [amount(agent.sum.amount, unit, address) for agent, address in rows]),
            Series("Median of the role", [amount(round(agent.amount_median), unit) for agent in agents]),
            Series("Credits", [number(agent.sum.count, address) for agent, address in rows], is_drawn=False),
            Series("Median number", [Cell(None, f"{agent.count_median:,g}") for agent in agents], is_drawn=False),
            Series(
                "Taken back",
                [
                    number(agent.sum.back_count, f"{address}&reversed=yes" if agent.sum.back_count else "")
                    for agent, address in rows
                ],
                is_drawn=False,
            ),
        ],
        marks={place: "Stands out" for place, agent in enumerate(agents) if agent.stands_out},
    )


def waits(found: Approvals, filters: Filters) -> Chart:
    weeks = filters.weeks.weeks
    of = [found.weeks.get(week, Waits()) for week in weeks]
    return Chart(
        "approval-times",
        "How long a second person took",
        "Week from",
        "lines",
        "Hours",
        [week_label(week) for week in weeks],
        [
            Series("Median", [_hours(wait.median) for wait in of]),
            Series("Slowest tenth: longer than", [_hours(wait.slowest_tenth) for wait in of]),
            Series("Decided", [number(wait.count) for wait in of], is_drawn=False),
        ],
        note="From asking to deciding, of all programs and units.",
    )


def _hours(seconds: float | None) -> Cell:
    return Cell(None if seconds is None else round(seconds / 3600, 2), span(seconds))
