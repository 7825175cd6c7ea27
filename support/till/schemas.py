"""What the till's interface takes and gives. Serial numbers only, no codes; nothing of customers."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from django.utils import timezone
from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, ConfigDict, Field

from redemption.models import FIRST_SERIAL, LAST_SERIAL
from support.actions.reports import LONGEST
from support.models import Answer, CompromiseKind, Outcome, Problem, Stage

# Beyond, somebody's clock is wrong.
_EARLIEST, _AHEAD = timedelta(days=365 * 20), timedelta(days=1)


def _is_text(value: Any) -> Any:
    # A number would be taken for seconds since 1970.
    if not isinstance(value, str):
        raise ValueError("a date and time with its offset, such as 2026-06-15T14:05:00+02:00")
    return value


def _is_near(value: datetime) -> datetime:
    now = timezone.now()
    if not now - _EARLIEST <= value <= now + _AHEAD:
        raise ValueError("this time is in the future, or too long ago")
    return value


def _is_digits(value: Any) -> Any:
    if not (isinstance(value, str) and value.isascii() and value.isdecimal()):
        raise ValueError("ten digits")
    return value


SerialNumber = Annotated[int, Field(strict=True, ge=FIRST_SERIAL, le=LAST_SERIAL, examples=[1_000_000_123])]
# In an address all is text.
SerialInAddress = Annotated[int, Field(ge=FIRST_SERIAL, le=LAST_SERIAL), BeforeValidator(_is_digits)]
Moment = Annotated[AwareDatetime, BeforeValidator(_is_text), AfterValidator(_is_near)]


class _In(Schema):
    model_config = ConfigDict(extra="forbid")


class CardIn(_In):
    serial: SerialNumber


class RangeIn(_In):
    first: SerialNumber
    last: SerialNumber


class ReportIn(_In):
    """What is unspent of these cards is frozen at once. Name serial numbers, ranges, or both: up to 5,000 cards."""

    kind: CompromiseKind
    serials: list[SerialNumber] = []
    ranges: list[RangeIn] = []
    store: str = Field("", max_length=LONGEST["store"])
    till: str = Field("", max_length=LONGEST["till"])
    sold_at: Moment | None = None
    discovered_at: Moment | None = None
    receipt_number: str = Field("", max_length=LONGEST["receipt_number"])
    customer_present: Annotated[bool, Field(strict=True)] = False
    police_reference: str = Field("", max_length=LONGEST["police_reference"])
    note: str = Field("", max_length=4_000)


class PartIn(_In):
    after: int = Field(0, ge=0, le=2**63 - 1, description="The `next` of the part before; 0 for the first.")


class SaleOut(Schema):
    serial: int
    status: str
    changed: bool
    at: datetime


class CardOut(Schema):
    serial: int
    status: str
    activated_at: datetime | None
    expires_on: str | None = Field(description="The last day on which it can be redeemed.")
    reports: list[str] = Field(description="References of your reports on which it stands, the newest first.")


class ReportedCardOut(Schema):
    line: int = Field(description="Its place among the serial numbers and ranges that were sent, from 1.")
    serial: int | None = None
    answer: Answer
    problem: Problem | None = None
    redeemed_at: datetime | None = None
    outcome: Outcome | None = None
    decided_at: datetime | None = None


class ReportOut(Schema):
    reference: str
    kind: CompromiseKind
    stage: Stage
    received_at: datetime
    frozen_at: datetime | None
    answered_at: datetime | None
    total: int = Field(description="How many cards were named.")
    cards: list[ReportedCardOut] = Field(description="At most 5,000 of them.")
    next: int | None = Field(description="Pass it as `after` to get the cards that follow; null where there are none.")


class ReportMade(ReportOut):
    masked: bool = Field(description="A text held what looks like a code: it was taken out. Never send codes.")
