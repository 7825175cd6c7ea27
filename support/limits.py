"""The limits of credits as one table, unit by role: read from a version, put into words, compared with another."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from redemption.roles import PERMISSIONS, Permission, Role
from support.models import DAYS, CreditLimit, CreditPolicy, format_amount

# (unit, role) → field → minor units, days or how many.
Matrix = Mapping[tuple[str, str], Mapping[str, int]]

# Each column of a limit, in the order in which they are read.
LABELS = {
    "single": "One credit",
    "day_sum": "In 24 hours",
    "day_count": "Credits in 24 hours",
    "week_sum": "In 7 days",
    "week_count": "Credits in 7 days",
    "month_sum": "In 30 days",
    "month_count": "Credits in 30 days",
    "account_sum": "To one account in 30 days",
    "account_count": "Credits to one account in 30 days",
    "approves": "May approve for others, each",
}
FIELDS = tuple(LABELS)
# A longer window allows no less than the shorter one before it.
LONGER = [
    ("single", "day_sum"),
    ("day_sum", "week_sum"),
    ("week_sum", "month_sum"),
    ("day_count", "week_count"),
    ("week_count", "month_count"),
]
ROLES = [role for role in Role if Permission.GRANT_CREDITS in PERMISSIONS[role]]
NOTHING: Mapping[str, int] = dict.fromkeys(FIELDS, 0)


def is_count(field: str) -> bool:
    return field.endswith("_count")


def may_have(field: str, role: str) -> bool:
    """Who approves nothing has no limit for it."""
    return field != "approves" or Permission.APPROVE in PERMISSIONS[Role(role)]


def units() -> list[str]:
    """Those that limits can be set for: the currencies of the installation, and days."""
    return [*settings.CURRENCIES, DAYS]


def unit_name(unit: str) -> str:
    return "Premium days" if unit == DAYS else unit


def in_words(field: str, value: int, unit: str) -> str:
    return f"{value:,}" if is_count(field) else format_amount(value, unit)


def allowed(field: str, value: int, unit: str) -> str:
    """As a limit is read: what allows nothing says so."""
    return in_words(field, value, unit) if value else "None"


def matrix_of(policy: CreditPolicy) -> Matrix:
    return matrix_from(CreditLimit.objects.filter(policy=policy).order_by("pk").values("unit", "role", *FIELDS))


def matrix_from(rows: Iterable[Mapping[str, Any]]) -> Matrix:
    """From rows as `CreditLimit` has them, or as a request to change them does."""
    return {(row["unit"], row["role"]): {field: row[field] for field in FIELDS} for row in rows}


def rows_of(matrix: Matrix) -> list[dict[str, Any]]:
    return [{"unit": unit, "role": role, **limit} for (unit, role), limit in sorted(matrix.items())]


@dataclass(frozen=True, slots=True)
class Difference:
    unit: str
    role: Role
    field: str
    before: int
    after: int

    @property
    def unit_name(self) -> str:
        return unit_name(self.unit)

    @property
    def label(self) -> str:
        return LABELS[self.field]

    @property
    def was(self) -> str:
        return allowed(self.field, self.before, self.unit)

    @property
    def becomes(self) -> str:
        return allowed(self.field, self.after, self.unit)

    @property
    def widens(self) -> bool:
        return self.after > self.before


def differences(before: Matrix, after: Matrix) -> list[Difference]:
    """Unit by unit, role by role, in the order of the table. What a version has no limit for is nothing."""
    return [
        Difference(unit, role, field, old, new)
        for unit in _in_order({unit for unit, _ in [*before, *after]})
        for role in Role
        for field in FIELDS
        if (old := before.get((unit, role), NOTHING)[field]) != (new := after.get((unit, role), NOTHING)[field])
    ]


def _in_order(found: set[str]) -> list[str]:
    known = units()
    return sorted(found, key=lambda unit: (known.index(unit) if unit in known else len(known), unit))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a unit's table: a label, and for each role what it says (None: this role has none of it)."""

    field: str
    label: str
    cells: list[tuple[Role, str | None]]


@dataclass(frozen=True, slots=True)
class Table:
    unit: str
    name: str
    rows: list[Row]


def tables(matrix: Matrix) -> list[Table]:
    """To be read: one table for each unit that has limits or could have them."""
    found = _in_order({*units(), *(unit for unit, _ in matrix)})
    return [
        Table(
            unit,
            unit_name(unit),
            [
                Row(field, label, [(role, _cell(matrix, unit, role, field)) for role in ROLES])
                for field, label in LABELS.items()
            ],
        )
        for unit in found
    ]


def _cell(matrix: Matrix, unit: str, role: Role, field: str) -> str | None:
    if not may_have(field, role):
        return None
    return allowed(field, matrix.get((unit, role), NOTHING)[field], unit)
