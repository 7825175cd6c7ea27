"""What the platforms' interface takes and gives. Nothing that names a person: accounts are references."""

from datetime import date, datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Annotated, Any

from ninja import Schema
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, SecretStr

from redemption.api.errors import ErrorCode
from redemption.code_format import MAX_TYPED
from redemption.models import (
    FIRST_SERIAL,
    LAST_SERIAL,
    BatchStatus,
    Benefit,
    BillingProvider,
    InvoiceStatus,
    Plan,
    TransferKind,
)
from redemption.refusals import Answer


def _is_address(value: str) -> str:
    if value:
        ip_address(value)
    return value


def _is_digits(value: Any) -> Any:
    if not (isinstance(value, str) and value.isascii() and value.isdecimal()):
        raise ValueError("ten digits")
    return value


# Typed as the customer typed it; it stands in no repr.
CodeText = Annotated[SecretStr, Field(max_length=MAX_TYPED, description="As the customer typed it, in any spelling.")]
AccountReference = Annotated[str, Field(max_length=40, examples=["AC-7K2M-93QD-X0VT"])]
# In an address all is text.
SerialInAddress = Annotated[int, Field(ge=FIRST_SERIAL, le=LAST_SERIAL), BeforeValidator(_is_digits)]
Minor = Annotated[int, Field(description="Minor units of the currency: 3000 are £30.00.")]


class _In(Schema):
    model_config = ConfigDict(extra="forbid")


class TryIn(_In):
    """A code for an account of yours. Say where the customer is: rules and limits are about him, not about you."""

    account: AccountReference
    code: CodeText
    apparent_country: str = Field(
        "", pattern="^([A-Z]{2})?$", description="Where the customer appears to be, in two letters; empty: unknown."
    )
    address: Annotated[str, AfterValidator(_is_address)] = Field(
        "", max_length=45, description="The customer's internet address, whose failed tries are counted; not kept."
    )


class CodeIn(_In):
    code: CodeText


class SettleIn(_In):
    paid: Annotated[bool, Field(strict=True, description="Whether the payment method on file paid what was due.")]


class PageIn(Schema):
    before: int | None = Field(None, ge=1, le=2**63 - 1, description="The `next` of the part before.")
    limit: int = Field(50, ge=1, le=100)


class CardStatus(StrEnum):
    INACTIVE = "inactive"
    ACTIVE = "active"
    REDEEMED = "redeemed"
    FROZEN = "frozen"
    VOID = "void"
    REPLACED = "replaced"


class GrantOut(Schema):
    """What a code gives: either credit, or premium time in months or days."""

    benefit: Benefit
    value: Minor
    currency: str
    months: int
    days: int


class TriedOut(Schema):
    reference: str = Field(description="Of this try; support finds it by that.")
    message: str = Field(description="A sentence to show to the customer.")
    serial: int
    grant: GrantOut
    premium_until: date | None = Field(description="The first day without premium; null for credit.")


class CreditOut(Schema):
    currency: str
    balance: Minor


class AccountOut(Schema):
    reference: str
    country: str
    currency: str
    plan: Plan
    billed_by: BillingProvider
    has_payment_method: bool
    renews_on: date | None = Field(description="When the next month of the plan is paid; null: not here.")
    premium_until: date | None = Field(description="The first day without premium time; null: it never had any.")
    email_verified: bool
    credit: list[CreditOut]


class MovementOut(Schema):
    at: datetime
    kind: TransferKind
    amount: int = Field(description="Minor units; below 0 where credit was used or taken back.")
    currency: str
    balance: int = Field(description="What was left after it, in that currency.")
    serial: int | None = Field(description="Of the card that it came from.")


class StatementOut(Schema):
    account: str
    movements: list[MovementOut] = Field(description="The newest first.")
    next: int | None = Field(description="Pass it as `before` to get older ones; null where there are none.")


class CardOut(Schema):
    """For your own services, and not for customers: exactly how a card stands."""

    serial: int
    status: CardStatus
    batch_status: BatchStatus
    sku: str
    grant: GrantOut
    countries: list[str]
    activated_at: datetime | None
    expires_on: date | None = Field(description="The last day on which it can be redeemed.")
    redeemed_at: datetime | None
    redeemed_by: str | None = Field(description="The account's reference.")
    replaced_by: int | None = Field(description="The serial number of the card that has its value now.")


class InvoiceOut(Schema):
    reference: str
    account: str
    status: InvoiceStatus
    plan: Plan
    starts_on: date
    ends_on: date = Field(description="The first day after the month.")
    currency: str
    price: Minor
    from_credit: Minor
    due: Minor
    settled_at: datetime | None


class InvoicesOut(Schema):
    invoices: list[InvoiceOut]
    next: int | None = Field(description="For `before`: the next part; null where this is the last.")


ERROR_CODES = [*(str(code) for code in ErrorCode), *(a for a in Answer.values if a not in set(ErrorCode))]


class Problem(Schema):
    """Every answer that is no success. A refusal's code is one of those from `code_not_valid` on."""

    code: Annotated[str, Field(json_schema_extra={"enum": ERROR_CODES})]
    message: str = Field(description="A sentence: a refusal’s for the customer, any other for whoever reads the log.")
    reference: str = Field(description="What to quote when you ask us about it; empty where there is nothing to find.")
