"""The one list of checks that decides a redemption: `redeem` stops at the first that fails, `explain` runs them all.

`Facts` is plain data, read beforehand in one query: no check asks the database, and a hypothetical account or time is
as good as a real one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from zoneinfo import ZoneInfo

from redemption.models import BatchStatus, Benefit, BillingProvider, CodeStatus, Plan, Restriction
from redemption.premium_time import Stretch, extend, fits_from, is_within_cap
from redemption.refusals import REFUSALS, Fixer, RefusalReason


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """The program's rules."""

    stacking_cap_months: int
    refuses_third_party_billing: bool
    checks_location: bool
    time_zone: str
    is_paused: bool = False

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


@dataclass(frozen=True, slots=True)
class AccountFacts:
    id: int
    version: int
    country: str
    currency: str
    email_verified: bool
    plan: str
    billing_provider: str
    restriction: str
    had_premium: bool
    premium_until: date | None
    premium_anchor_day: int | None
    apparent_country: str
    blocked_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class CodeFacts:
    serial: int
    status: int
    activated_at: datetime | None
    redeemed_by: int | None
    batch_id: int
    batch_version: int
    batch_status: str
    retailer_id: int
    expires_on: date | None
    value: int
    code_currency: str
    benefit: str
    months: int
    days: int
    countries: tuple[str, ...]
    plans: tuple[str, ...]
    new_subscribers_only: bool


@dataclass(frozen=True, slots=True)
class Facts:
    now: datetime
    rules: RuleFacts
    account: AccountFacts
    code: CodeFacts | None
    # Whether what was typed has the shape of a code of this program at all.
    recognised: bool = True
    # Customers' previews of this code that still count as attempts: redeeming it gives them back.
    previews: int = 0
    # The one card a slip away from what was typed, where the code format has no check symbol.
    near_serial: int | None = None

    @property
    def today(self) -> date:
        return self.now.astimezone(self.rules.zone).date()

    def stretch(self) -> Stretch:
        """The premium time that the code would add."""
        assert self.code
        return extend(
            today=self.today,
            until=self.account.premium_until,
            anchor_day=self.account.premium_anchor_day,
            months=self.code.months,
            days=self.code.days,
        )


# --- What concerns the account, whatever the code


def attempts_left(facts: Facts) -> RefusalReason | None:
    blocked_until = facts.account.blocked_until
    return RefusalReason.ATTEMPTS_SPENT if blocked_until and blocked_until > facts.now else None


def good_standing(facts: Facts) -> RefusalReason | None:
    return RefusalReason.ACCOUNT_RESTRICTED if facts.account.restriction != Restriction.NONE else None


def email_verified(facts: Facts) -> RefusalReason | None:
    return None if facts.account.email_verified else RefusalReason.EMAIL_UNVERIFIED


def location(facts: Facts) -> RefusalReason | None:
    apparent = facts.account.apparent_country
    differs = facts.rules.checks_location and apparent and apparent != facts.account.country
    return RefusalReason.LOCATION_DIFFERS if differs else None


def billing(facts: Facts) -> RefusalReason | None:
    third_party = BillingProvider(facts.account.billing_provider).is_third_party
    return RefusalReason.BILLED_ELSEWHERE if third_party and facts.rules.refuses_third_party_billing else None


# --- The code. From `known` on, the list below calls a check only when there is one.


def recognised(facts: Facts) -> RefusalReason | None:
    return None if facts.recognised else RefusalReason.NOT_RECOGNISED


def known(facts: Facts) -> RefusalReason | None:
    return None if facts.code else RefusalReason.UNKNOWN


def not_redeemed(facts: Facts) -> RefusalReason | None:
    assert facts.code
    if facts.code.status != CodeStatus.REDEEMED:
        return None
    by_you = facts.code.redeemed_by == facts.account.id
    return RefusalReason.REDEEMED_BY_YOU if by_you else RefusalReason.REDEEMED_BY_ANOTHER


def not_ended(facts: Facts) -> RefusalReason | None:
    assert facts.code
    ended = {CodeStatus.VOID: RefusalReason.VOID, CodeStatus.REPLACED: RefusalReason.REPLACED}
    return ended.get(CodeStatus(facts.code.status))


def batch_active(facts: Facts) -> RefusalReason | None:
    assert facts.code
    return {
        BatchStatus.DRAFT: RefusalReason.BATCH_NOT_ISSUED,
        BatchStatus.ISSUED: RefusalReason.BATCH_NOT_ACTIVE,
        BatchStatus.FROZEN: RefusalReason.BATCH_FROZEN,
        BatchStatus.CLOSED: RefusalReason.BATCH_CLOSED,
    }.get(BatchStatus(facts.code.batch_status))


def activated(facts: Facts) -> RefusalReason | None:
    assert facts.code
    return None if facts.code.activated_at else RefusalReason.NOT_ACTIVATED


def not_frozen(facts: Facts) -> RefusalReason | None:
    assert facts.code
    return RefusalReason.FROZEN if facts.code.status == CodeStatus.FROZEN else None


def not_expired(facts: Facts) -> RefusalReason | None:
    assert facts.code
    expires_on = facts.code.expires_on
    return RefusalReason.EXPIRED if expires_on and facts.today > expires_on else None


def country(facts: Facts) -> RefusalReason | None:
    assert facts.code
    return None if facts.account.country in facts.code.countries else RefusalReason.COUNTRY_DIFFERS


def currency(facts: Facts) -> RefusalReason | None:
    assert facts.code
    differs = facts.code.benefit == Benefit.CREDIT and facts.code.code_currency != facts.account.currency
    return RefusalReason.CURRENCY_DIFFERS if differs else None


# --- The match


def plan_allowed(facts: Facts) -> RefusalReason | None:
    assert facts.code
    allowed = not facts.code.plans or facts.account.plan in facts.code.plans
    return None if allowed else RefusalReason.PLAN_NOT_ALLOWED


def new_subscriber(facts: Facts) -> RefusalReason | None:
    assert facts.code
    too_late = facts.code.new_subscribers_only and facts.account.had_premium
    return RefusalReason.NOT_A_NEW_SUBSCRIBER if too_late else None


def stacking(facts: Facts) -> RefusalReason | None:
    assert facts.code
    if facts.code.benefit != Benefit.PREMIUM:
        return None
    fits = is_within_cap(facts.stretch().end, facts.today, facts.rules.stacking_cap_months)
    return None if fits else RefusalReason.STACKING_CAP


class Group(StrEnum):
    ACCOUNT = "The account"
    CODE = "The code"
    MATCH = "The two together"


@dataclass(frozen=True, slots=True)
class Check:
    label: str
    group: Group
    run: Callable[[Facts], RefusalReason | None]


CHECKS = (
    Check("Attempts left", Group.ACCOUNT, attempts_left),
    Check("Account in good standing", Group.ACCOUNT, good_standing),
    Check("E-mail verified", Group.ACCOUNT, email_verified),
    Check("Where the account is", Group.ACCOUNT, location),
    Check("Billed by the service itself", Group.ACCOUNT, billing),
    Check("Has a code's shape", Group.CODE, recognised),
    Check("One of our codes", Group.CODE, known),
    Check("Not redeemed yet", Group.CODE, not_redeemed),
    Check("Not voided or replaced", Group.CODE, not_ended),
    Check("Batch active", Group.CODE, batch_active),
    Check("Activated at the till", Group.CODE, activated),
    Check("Not frozen", Group.CODE, not_frozen),
    Check("Not expired", Group.CODE, not_expired),
    Check("For the account's country", Group.CODE, country),
    Check("In the account's currency", Group.CODE, currency),
    Check("Plan allowed", Group.MATCH, plan_allowed),
    Check("New subscribers' rule", Group.MATCH, new_subscriber),
    Check("Room for more premium time", Group.MATCH, stacking),
)
_NEEDS_NO_CODE = 7


def first_refusal(facts: Facts) -> RefusalReason | None:
    """The first check that fails, or None: the code redeems."""
    for check in CHECKS[: len(CHECKS) if facts.code else _NEEDS_NO_CODE]:
        if reason := check.run(facts):
            return reason
    return None


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome as an agent reads it. `works_from`: when it will pass by itself, where that is known."""

    check: Check
    verdict: Verdict
    detail: str
    reason: RefusalReason | None = None
    works_from: datetime | None = None

    @property
    def remedy(self) -> str:
        return REFUSALS[self.reason].remedy if self.reason else ""

    @property
    def fixer(self) -> Fixer | None:
        return REFUSALS[self.reason].fixer if self.reason else None


def explain(facts: Facts, *, groups: frozenset[Group] = frozenset(Group)) -> list[Finding]:
    """Every check in order. Those that need a code stay “not reached” when there is none."""
    findings = []
    for position, check in enumerate(CHECKS):
        if check.group not in groups:
            continue
        if not facts.code and position >= _NEEDS_NO_CODE:
            findings.append(Finding(check, Verdict.NOT_REACHED, "There is no code to look at."))
        elif reason := check.run(facts):
            detail = f"{REFUSALS[reason].agent}{_exactly(reason, facts)}"
            findings.append(Finding(check, Verdict.FAILED, detail, reason, works_from(reason, facts)))
        else:
            findings.append(Finding(check, Verdict.PASSED, ""))
    return findings


def works_from(reason: RefusalReason, facts: Facts) -> datetime | None:
    """When waiting alone would be enough; None where it would not, or nobody knows."""
    if reason == RefusalReason.ATTEMPTS_SPENT:
        return facts.account.blocked_until
    if reason == RefusalReason.STACKING_CAP:
        assert facts.code
        day = fits_from(
            today=facts.today,
            until=facts.account.premium_until,
            anchor_day=facts.account.premium_anchor_day,
            months=facts.code.months,
            days=facts.code.days,
            cap_months=facts.rules.stacking_cap_months,
        )
        return datetime.combine(day, time(), facts.rules.zone) if day else None
    return None


def _exactly(reason: RefusalReason, facts: Facts) -> str:
    """The two values that do not fit, in brackets, where the reason is about two values."""
    account, code = facts.account, facts.code
    match reason:
        case RefusalReason.LOCATION_DIFFERS:
            return f" (appears in {account.apparent_country}, account in {account.country})"
        case RefusalReason.BILLED_ELSEWHERE:
            return f" ({BillingProvider(account.billing_provider).label})"
        case RefusalReason.ACCOUNT_RESTRICTED:
            return f" ({Restriction(account.restriction).label})"
        case RefusalReason.ATTEMPTS_SPENT if account.blocked_until:
            return f" (until {account.blocked_until:%d %B %Y, %H:%M %Z})"
    if not code:
        return ""
    match reason:
        case RefusalReason.EXPIRED if code.expires_on:
            return f" (it was {code.expires_on:%d %B %Y})"
        case RefusalReason.COUNTRY_DIFFERS:
            return f" (card {', '.join(code.countries)}, account {account.country})"
        case RefusalReason.CURRENCY_DIFFERS:
            return f" (card {code.code_currency}, account {account.currency})"
        case RefusalReason.PLAN_NOT_ALLOWED:
            allowed = ", ".join(Plan(plan).label for plan in code.plans)
            return f" (works with {allowed}; the account has {Plan(account.plan).label})"
        case RefusalReason.STACKING_CAP:
            return f" (until {facts.stretch().end:%d %B %Y}, more than {facts.rules.stacking_cap_months} months ahead)"
        case _:
            return ""
