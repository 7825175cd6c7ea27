"""What a list is that can be taken away as a file, and how one is read without holding it in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from redemption.models import User
from redemption.money import to_major
from redemption.roles import Permission
from support.exports.files import Cell, Column
from support.models import DAYS
from support.reports.filters import FilterError, Filters

# Rows that the server hands over at once: a list's memory does not grow with its length.
CHUNK = 2_000


class ListError(Exception):
    """The list cannot be made like this; the text says why."""


@dataclass(frozen=True, slots=True)
class Rows:
    """`total`: how many there were when they were counted, if anybody did; a moment later they may be a few more."""

    total: int | None
    cells: Iterator[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class List:
    """`address` reads an address's parameters and writes those that are the list's own as a query string, always the
    same one; ListError for what they cannot mean. `rows` takes what it wrote and gives every column's cell; what a
    reader may not see is left out afterwards."""

    name: str
    title: str
    permission: Permission
    columns: Sequence[Column]
    address: Callable[[Mapping[str, str]], str]
    rows: Callable[[Mapping[str, str], User], Rows]

    def columns_for(self, user: User) -> list[int]:
        """The places of the columns that this person may see."""
        sees = user.may(Permission.SEE_PERSONAL_DATA)
        return [place for place, column in enumerate(self.columns) if sees or not column.personal]

    def is_open_to(self, user: User) -> bool:
        return user.is_active and user.may(Permission.EXPORT) and user.may(self.permission)


def amount(minor: int | None, unit: str | None) -> Decimal | None:
    """Minor units as a decimal number of the currency; days as they are."""
    if minor is None or not unit:
        return None
    return Decimal(minor) if unit == DAYS else to_major(minor, unit)


def streamed(rows: "QuerySet[Any, Any]", cells: Callable[[Any], Sequence[Cell]]) -> Rows:
    """Of a queryset, by a cursor of the server's: the caller is in a transaction."""
    return Rows(rows.count(), (cells(row) for row in rows.iterator(chunk_size=CHUNK)))


def at_once(rows: Sequence[Sequence[Cell]]) -> Rows:
    """Of figures, of which there are few."""
    return Rows(len(rows), iter(rows))


def filters_in(address: Mapping[str, str]) -> Filters:
    try:
        return Filters.read(address)
    except FilterError as refused:
        raise ListError(str(refused)) from None


def filters_address(address: Mapping[str, str]) -> str:
    return filters_in(address).address
