"""The limits as a form: every one a figure in its unit's decimals, none of a longer window below its shorter one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget

from redemption.money import to_major, to_minor
from redemption.reasons import ReasonForm
from redemption.roles import Role
from support.actions.limits import LARGEST, MOST
from support.limits import (
    FIELDS,
    LABELS,
    LONGER,
    NOTHING,
    ROLES,
    Matrix,
    in_words,
    is_count,
    may_have,
    unit_name,
    units,
)
from support.models import DAYS


@dataclass(frozen=True, slots=True)
class InputRow:
    label: str
    # None: this role has none of it.
    cells: list[tuple[Role, forms.BoundField | None]]


@dataclass(frozen=True, slots=True)
class InputTable:
    unit: str
    name: str
    rows: list[InputRow]

    @property
    def has_errors(self) -> bool:
        return any(cell.errors for row in self.rows for _, cell in row.cells if cell)


class LimitsForm(ReasonForm):
    """`base` is the version that is in force; `start` fills the form in. What it has no field for stays as it is."""

    base = forms.IntegerField(min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput)
    reason = forms.CharField(
        label="Why",
        max_length=500,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        help_text="Whoever approves it reads it, and everybody who looks at this version later.",
    )

    def __init__(self, data: Any = None, *, base: int, start: Matrix) -> None:
        super().__init__(data, initial={"base": base})
        self.start = start
        for unit, role, field in _cells():
            value = start.get((unit, role), NOTHING)[field]
            self.fields[_name(unit, role, field)] = forms.CharField(
                label=f"{unit_name(unit)}, {role.label}: {LABELS[field]}",
                max_length=20,
                initial=str(value) if _is_whole(unit, field) else f"{to_major(value, unit):f}",
                widget=forms.TextInput({"class": "limits-input", "autocomplete": "off", "inputmode": "decimal"}),
            )

    def clean(self) -> dict[str, Any]:
        for unit, role, field in _cells():
            name = _name(unit, role, field)
            if name in self.cleaned_data:
                try:
                    self.cleaned_data[name] = _read(self.cleaned_data[name], unit, field)
                except ValueError as wrong:
                    self.add_error(name, str(wrong))
        for unit in units():
            for role in ROLES:
                self._compare(unit, role)
        return self.cleaned_data

    def _compare(self, unit: str, role: Role) -> None:
        for shorter, longer in LONGER:
            low, high = (self.cleaned_data.get(_name(unit, role, field)) for field in (shorter, longer))
            if low is not None and high is not None and low > high:
                least = in_words(shorter, low, unit)
                self.add_error(_name(unit, role, longer), f"At least {least}, which “{LABELS[shorter]}” allows.")

    def matrix(self) -> Matrix:
        """What was typed, with what there is no field for."""
        typed = {
            (unit, role.value): {
                field: self.cleaned_data[_name(unit, role, field)] if may_have(field, role) else 0 for field in FIELDS
            }
            for unit in units()
            for role in ROLES
        }
        return {**self.start, **typed}

    def tables(self) -> list[InputTable]:
        return [
            InputTable(
                unit,
                unit_name(unit),
                [
                    InputRow(
                        label,
                        [(role, self[_name(unit, role, field)] if may_have(field, role) else None) for role in ROLES],
                    )
                    for field, label in LABELS.items()
                ],
            )
            for unit in units()
        ]


def _cells() -> Iterator[tuple[str, Role, str]]:
    for unit in units():
        for role in ROLES:
            for field in FIELDS:
                if may_have(field, role):
                    yield unit, role, field


def _name(unit: str, role: Role, field: str) -> str:
    return f"{unit}-{role.value}-{field}"


def _is_whole(unit: str, field: str) -> bool:
    return unit == DAYS or is_count(field)


def _read(text: str, unit: str, field: str) -> int:
    """ValueError, with a sentence, for what is no limit."""
    if _is_whole(unit, field):
        if not (text.isdecimal() and len(text) <= 15):
            raise ValueError("Write a whole number, zero or more.")
        value = int(text)
    else:
        value = to_minor(text, unit)
        if value < 0:
            raise ValueError("Write zero or more.")
    most = MOST if is_count(field) else LARGEST
    if value > most:
        raise ValueError(f"At most {in_words(field, most, unit)}.")
    return value
