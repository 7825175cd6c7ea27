"""The figures behind the managers' pages: liability, failed tries and signals, as the pages have them."""

from collections.abc import Callable, Mapping, Sequence

from redemption.models import User
from redemption.roles import Permission
from support.exports.files import Cell, Column, Kind
from support.exports.lists import List, Rows, amount, at_once, filters_address, filters_in
from support.reports.failures import failure_rows
from support.reports.filters import TENTHS, Filters
from support.reports.liability import liability_rows
from support.reports.signals import signal_rows


def _liability(filters: Filters) -> Sequence[Sequence[Cell]]:
    return [
        [
            filters.as_of,
            line.program.name,
            line.currency,
            *(
                amount(minor, line.currency)
                for minor in (
                    line.flows.sold,
                    line.flows.redeemed,
                    line.flows.voided,
                    line.flows.breakage,
                    line.flows.replaced,
                    line.outstanding,
                )
            ),
        ]
        for line in liability_rows(filters)
    ]


def _failures(filters: Filters) -> Sequence[Sequence[Cell]]:
    return [[row.week, row.program, row.reason_label, row.reason, row.count] for row in failure_rows(filters)]


def _signals(filters: Filters) -> Sequence[Sequence[Cell]]:
    return [
        [
            str(signs.person),
            signs.role,
            signs.credits,
            signs.without_contact,
            signs.alone,
            *signs.tenths,
            signs.look_ups,
            signs.without_ticket,
        ]
        for signs in signal_rows(filters)
    ]


def _figures(
    name: str, title: str, columns: Sequence[Column], read: Callable[[Filters], Sequence[Sequence[Cell]]]
) -> List:
    def rows(address: Mapping[str, str], user: User) -> Rows:
        return at_once(read(filters_in(address)))

    return List(name, title, Permission.VIEW_REPORTS, columns, filters_address, rows)


def _amounts(*titles: str) -> list[Column]:
    return [Column(title, Kind.AMOUNT) for title in titles]


def _counts(*titles: str) -> list[Column]:
    return [Column(title, Kind.NUMBER, width=12) for title in titles]


LIABILITY = _figures(
    "liability",
    "Liability",
    [
        Column("At the end of", Kind.DAY),
        Column("Program", width=30),
        Column("Currency", width=10),
        *_amounts("Sold", "Redeemed", "Voided", "Breakage", "Added by replacing", "Outstanding"),
    ],
    _liability,
)
FAILURES = _figures(
    "failures",
    "Failed tries",
    [
        Column("Week from", Kind.DAY),
        Column("Program", width=30),
        Column("Reason", width=40),
        Column("Its name", width=24),
        *_counts("Failed tries"),
    ],
    _failures,
)
SIGNALS = _figures(
    "signals",
    "Signals",
    [
        Column("Person", width=24),
        Column("Role", width=16),
        *_counts("Credits", "Without the customer’s contact", "Granted alone"),
        *_counts(*(f"Alone, {tenth * 10} to {tenth * 10 + 10} % of the limit" for tenth in TENTHS)),
        *_counts("Customers’ pages opened", "Without a ticket"),
    ],
    _signals,
)
