"""What a page of figures is asked for, all of it in the address: a stretch of days, a unit, a program, and what narrows
a list down. Days begin and end in UTC, weeks on Mondays."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

import moneyed
from django.utils import timezone

from support.addresses import is_id
from support.models import DAYS
from support.references import read_reference, read_serial

DEFAULT_WEEKS = 13
PERIODS = {"4": "4 weeks", "13": "13 weeks", "26": "26 weeks", "52": "52 weeks"}
ALL = "all"
FIRST_DAY = date(2000, 1, 1)
# A picture of more weeks is read by nobody.
_LONGEST = timedelta(days=5 * 366)
# Tenths of the limit for one credit; the last of them is just under it.
TENTHS = range(10)
JUST_UNDER = TENTHS[-1]


class FilterError(ValueError):
    """Something typed cannot be read; the text says what. `field` is the form's."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class UnknownFilterError(FilterError):
    """The address asks for what no form of ours offers."""

    def __init__(self, field: str) -> None:
        super().__init__(f"There is no such “{field}”.", field)


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days, both ends included."""

    first: date
    last: date

    @property
    def since(self) -> datetime:
        return datetime.combine(self.first, time.min, UTC)

    @property
    def before(self) -> datetime:
        return datetime.combine(self.last + timedelta(days=1), time.min, UTC)

    @property
    def weeks(self) -> list[date]:
        """The Mondays of every week that it touches."""
        monday, mondays = monday_of(self.first), []
        while monday <= self.last:
            mondays.append(monday)
            monday += timedelta(days=7)
        return mondays

    def part(self, monday: date) -> "Period":
        """As much of a week as belongs to it."""
        return Period(max(self.first, monday), min(self.last, monday + timedelta(days=6)))

    def __str__(self) -> str:
        return f"{self.first:%-d %B %Y} to {self.last:%-d %B %Y}"


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def today() -> date:
    return timezone.now().astimezone(UTC).date()


@dataclass(frozen=True, slots=True)
class Filters:
    """An empty text: no such filter. The names are the address's own, but `first` for “from”."""

    # Weeks up to today, or “all”; own dates come before it.
    period: str = ""
    first: str = ""
    until: str = ""
    # As of the end of that day.
    on: str = ""
    unit: str = ""
    program: str = ""
    agent: str = ""
    # A reason's slug: of credits or of failed tries.
    reason: str = ""
    # An id or “none”.
    retailer: str = ""
    account: str = ""
    card: str = ""
    # The digest of its file, in hexadecimal.
    receipt: str = ""
    # yes or no.
    approved: str = ""
    reversed: str = ""
    contact: str = ""
    # Which tenth of the limit for one credit, 0 to 9, of those that nobody approved.
    tenth: str = ""
    # Minor units, or days.
    amount: str = ""
    # What comes after the @ of the account's address.
    domain: str = ""

    @classmethod
    def read(cls, address: Mapping[str, str]) -> "Filters":
        """Of the parameters of an address; others than these are not ours. Raises FilterError."""
        given = {field.name: address.get(_PARAMETERS.get(field.name, field.name), "") for field in fields(cls)}
        filters = cls(**{name: value.strip() for name, value in given.items()})
        filters._check()
        return filters

    def _check(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in {"", *known}:
                raise UnknownFilterError(name)
        for name in ("program", "agent", "amount", "retailer"):
            value = getattr(self, name)
            if value and not is_id(value) and (name, value) != ("retailer", "none"):
                raise UnknownFilterError(name)
        if self.unit and self.unit != DAYS and self.unit not in moneyed.CURRENCIES:
            raise UnknownFilterError("unit")
        if self.reason and not (self.reason.isascii() and self.reason.replace("_", "").replace("-", "").isalnum()):
            raise UnknownFilterError("reason")
        if self.receipt and not (len(self.receipt) == 64 and set(self.receipt) <= set("0123456789abcdef")):
            raise UnknownFilterError("receipt")
        if self.domain and not (self.domain.isascii() and self.domain.isprintable() and len(self.domain) < 254):
            raise UnknownFilterError("domain")
        if self.card and not self.serial:
            raise FilterError("A serial number has ten digits.", "card")
        if self.account and not self.account_reference.startswith("AC-"):
            raise FilterError("Write the account’s reference, such as AC-7K2M-90QX-T4WD.", "account")
        period = self.days
        if period.first > period.last:
            raise FilterError("The first day comes after the last one.", "from")
        if not FIRST_DAY <= period.first <= period.last <= today() + timedelta(days=366):
            raise FilterError("Choose days from 2000 up to now.", "from")
        if self.as_of < FIRST_DAY:
            raise FilterError("Choose a day from 2000 on.", "on")

    @property
    def days(self) -> Period:
        """The period; 13 weeks up to today unless told otherwise. All days where one account, card or receipt is
        asked for: what came earlier matters then."""
        weeks = int(self.period) if self.period in PERIODS else DEFAULT_WEEKS
        if self.first or self.until:
            last = _day(self.until, "until") if self.until else today()
            return Period(_day(self.first, "from") if self.first else last - timedelta(days=7 * weeks - 1), last)
        if self.is_of_all_days:
            return Period(FIRST_DAY, today())
        return Period(monday_of(today()) - timedelta(days=7 * (weeks - 1)), today())

    @property
    def is_of_all_days(self) -> bool:
        if self.first or self.until:
            return False
        return self.period == ALL or (not self.period and bool(self.account or self.card or self.receipt))

    @property
    def weeks(self) -> Period:
        """The period for pictures, which have room for five years."""
        days = self.days
        return days if days.last - days.first <= _LONGEST else Period(days.last - _LONGEST, days.last)

    @property
    def serial(self) -> int | None:
        return read_serial(self.card)

    @property
    def account_reference(self) -> str:
        return read_reference(self.account) or ""

    @property
    def as_of(self) -> date:
        return _day(self.on, "on") if self.on else today()

    @property
    def as_of_moment(self) -> datetime:
        """As `reconcile --as-of` takes a day."""
        return datetime.combine(self.as_of, time.max, UTC)

    @property
    def address(self) -> str:
        """The query string that reads as these filters, always the same one."""
        given = {_PARAMETERS.get(field.name, field.name): getattr(self, field.name) for field in fields(self)}
        return urlencode({name: value for name, value in given.items() if value})

    def but(self, **others: object) -> "Filters":
        """The same with other values; a Period as `days` stands for its two dates."""
        days = others.pop("days", None)
        if isinstance(days, Period):
            others |= {"period": "", "first": days.first.isoformat(), "until": days.last.isoformat()}
        return replace(self, **{name: str(value) for name, value in others.items()})

    def only(self, *names: str) -> "Filters":
        """These alone: what another page understands."""
        return Filters(**{name: getattr(self, name) for name in names})

    @property
    def of_time(self) -> "Filters":
        return self.only("period", "first", "until", "program")


# The address's names where Python has the word for itself.
_PARAMETERS = {"first": "from"}
_CHOICES = {
    "period": {*PERIODS, ALL},
    "approved": {"yes", "no"},
    "reversed": {"yes", "no"},
    "contact": {"yes", "no"},
    "tenth": {str(tenth) for tenth in TENTHS},
}


def _day(text: str, field: str) -> date:
    try:
        # It reads other spellings as well, such as weeks, which no browser sends.
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise FilterError("Write a day like 2026-12-31.", field) from None
