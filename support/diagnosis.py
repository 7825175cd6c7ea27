"""What a code is and why it would fail: a verdict in one sentence, and redeem's own list of checks, explained."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from django.db.models import QuerySet

from redemption.eligibility import (
    AccountFacts,
    CodeFacts,
    Facts,
    Finding,
    RuleFacts,
    Verdict,
    explain,
    first_refusal,
)
from redemption.facts import read_facts
from redemption.models import (
    LAST_SERIAL,
    Account,
    BillingProvider,
    CardEvent,
    CardEventKind,
    Code,
    CodeStatus,
    Plan,
    Program,
    Redemption,
    Replacement,
    Restriction,
)
from redemption.models.product import benefit_text
from redemption.refusals import RefusalReason


class State(Enum):
    """What a card is to whoever holds it: word, icon (each of another shape) and tone. One place for all screens."""

    WORKS = "Works", "check_circle", "good"
    REDEEMED = "Redeemed", "redeem", "spent"
    NOT_ACTIVATED = "Not activated", "hourglass_empty", "waiting"
    FROZEN = "Frozen", "ac_unit", "blocked"
    EXPIRED = "Expired", "event_busy", "ended"
    VOID = "Void", "block", "ended"
    REPLACED = "Replaced", "swap_horiz", "ended"
    CLOSED = "Batch closed", "lock", "ended"

    def __init__(self, word: str, icon: str, tone: str) -> None:
        self.word, self.icon, self.tone = word, icon, tone


_STATES = {
    None: State.WORKS,
    RefusalReason.REDEEMED_BY_ANOTHER: State.REDEEMED,
    RefusalReason.VOID: State.VOID,
    RefusalReason.REPLACED: State.REPLACED,
    RefusalReason.BATCH_NOT_ISSUED: State.NOT_ACTIVATED,
    RefusalReason.BATCH_NOT_ACTIVE: State.NOT_ACTIVATED,
    RefusalReason.BATCH_FROZEN: State.FROZEN,
    RefusalReason.BATCH_CLOSED: State.CLOSED,
    RefusalReason.NOT_ACTIVATED: State.NOT_ACTIVATED,
    RefusalReason.FROZEN: State.FROZEN,
    RefusalReason.EXPIRED: State.EXPIRED,
}


# --- The card by itself


def with_state(codes: QuerySet[Code]) -> QuerySet[Code]:
    """Cards with all that their state and their benefit are read from, in the same query."""
    return codes.select_related(
        "batch__product__program",
        "batch__retailer",
        "batch__code_format",
        "redemption__account",
        "replaces",
        "replaced_by",
    )


def card_of(serial: int | None) -> Code | None:
    """The card of a serial number, with_state(). None where there is none, whatever the number."""
    return with_state(Code.objects.filter(pk=serial)).first() if serial and serial <= LAST_SERIAL else None


def replacement_of(code: Code) -> Replacement | None:
    """The replacement that this card is the successor of."""
    return getattr(code, "replaces", None)


def redemption_of(code: Code) -> Redemption | None:
    return getattr(code, "redemption", None)


def expiry_of(code: Code) -> date | None:
    """The last day on which it works. A successor's stands on its replacement."""
    inherited = replacement_of(code) if code.batch.is_replacement else None
    return inherited.expires_on if inherited else code.batch.expires_on


def value_of(code: Code) -> int:
    inherited = replacement_of(code) if code.batch.is_replacement else None
    return inherited.value if inherited else code.batch.value


def benefit_of(code: Code) -> str:
    """What this card grants, at the value that was frozen when it was made."""
    product, batch = code.batch.product, code.batch
    return benefit_text(product.benefit, value_of(code), batch.currency, product.months, product.days)


def state_of(code: Code, now: datetime) -> State:
    """The state by redeem's own checks, for an account that everything about the card fits."""
    return _STATES[_refusal(code, now)]


def _refusal(code: Code, now: datetime) -> RefusalReason | None:
    product = code.batch.product
    fitting = Hypothetical(country=product.countries[0], plan=Plan(product.plans[0]) if product.plans else Plan.FREE)
    reason = first_refusal(facts_of(code, fitting, now))
    return reason if reason in _STATES else None


@dataclass(frozen=True, slots=True)
class CardVerdict:
    """The one sentence, with what to open next: a successor, where there is one."""

    state: State
    sentence: str
    successor: int | None = None


def verdict(code: Code, events: Iterable[CardEvent], *, shows_people: bool, now: datetime) -> CardVerdict:
    """The card in one sentence. `events` are the card's and its batch's, oldest first."""
    reason = _refusal(code, now)
    zone = code.batch.product.program.zone
    last: dict[str, CardEvent] = {event.kind: event for event in events}

    def done(kind: CardEventKind, word: str = "since") -> str:
        if not (event := last.get(kind)):
            return ""
        because = f", because: {event.reason}" if event.reason else ""
        return f" {word} {_time(event.at.astimezone(zone))} by {event.by}{because}"

    redemption, expires_on = redemption_of(code), expiry_of(code)
    replaced = getattr(code, "replaced_by", None)
    successor = replaced.successor_id if replaced else None
    match reason:
        case None:
            until = f", until {_day(expires_on)}" if expires_on else ""
            sentence = f"It works: {benefit_of(code)} in {' or '.join(code.batch.product.countries)}{until}."
        case RefusalReason.REDEEMED_BY_ANOTHER:
            at = f" on {_time(redemption.at.astimezone(zone))}" if redemption else ""
            who = f" by {redemption.account.email}" if redemption and shows_people else ""
            made_good = f" Card {successor} was made in its place." if successor else ""
            sentence = f"It was redeemed{at}{who}.{made_good}"
        case RefusalReason.VOID:
            sentence = f"It is void{done(CardEventKind.VOIDED)}. It never works again."
        case RefusalReason.REPLACED:
            sentence = f"It was replaced{done(CardEventKind.REPLACED, 'on')}. Its value is on card {successor}."
        case RefusalReason.FROZEN:
            sentence = f"It is frozen{done(CardEventKind.FROZEN)}."
        case RefusalReason.BATCH_FROZEN:
            sentence = f"Its whole batch is frozen{done(CardEventKind.BATCH_FROZEN)}."
        case RefusalReason.BATCH_CLOSED:
            sentence = f"Its batch is closed{done(CardEventKind.BATCH_CLOSED)}."
        case RefusalReason.EXPIRED:
            sentence = f"It has expired: its last day was {_day(expires_on)}."
        case RefusalReason.NOT_ACTIVATED:
            sentence = "It is not activated: no till has told us that it was sold."
        case _:
            sentence = "It does not work yet: its batch has not been activated."
    return CardVerdict(_STATES[reason], sentence, successor)


def _time(at: datetime) -> str:
    return f"{at:%-d %B %Y, %H:%M %Z}"


def _day(day: date | None) -> str:
    return f"{day:%-d %B %Y}" if day else ""


# --- The card and an account


@dataclass(frozen=True, slots=True)
class Hypothetical:
    """An account as it might be, in good standing in all that is not named here."""

    country: str
    plan: Plan = Plan.FREE
    billing_provider: BillingProvider = BillingProvider.DIRECT
    had_premium: bool = False

    def facts(self, currency: str) -> AccountFacts:
        return AccountFacts(
            id=0,
            version=0,
            country=self.country,
            currency=currency,
            email_verified=True,
            plan=self.plan,
            billing_provider=self.billing_provider,
            restriction=Restriction.NONE,
            had_premium=self.had_premium,
            premium_until=None,
            premium_anchor_day=None,
            apparent_country="",
        )


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Every check in order. `first` is the one that redeem would stop at, `answer` what the customer is told then."""

    findings: list[Finding]
    first: Finding | None
    answer: str
    # When waiting alone puts everything right; None where it does not, or nothing is wrong.
    works_from: datetime | None


def diagnose(code: Code, account: Account | Hypothetical, *, now: datetime) -> Diagnosis:
    """Runs redeem's own checks for a card and an account, real or not. Costs nobody an attempt."""
    if isinstance(account, Account):
        facts = read_facts(account, serial=code.pk, now=now)
    else:
        facts = facts_of(code, account, now)
    return _diagnosis(explain(facts), code.batch.product.program)


def _diagnosis(findings: list[Finding], program: Program) -> Diagnosis:
    failed = [finding for finding in findings if finding.verdict is Verdict.FAILED]
    if not failed:
        return Diagnosis(findings, None, "", None)
    first = failed[0]
    assert first.reason
    waits = [finding.works_from for finding in failed if finding.works_from]
    works_from = max(waits) if len(waits) == len(failed) else None
    return Diagnosis(findings, first, first.reason.answer.text(program), works_from)


def facts_of(code: Code, account: Hypothetical, now: datetime) -> Facts:
    """The same facts that read_facts gives for a real account; a test holds the two together."""
    batch, product, program = code.batch, code.batch.product, code.batch.product.program
    redemption = redemption_of(code)
    return Facts(
        now=now,
        rules=RuleFacts(
            program.stacking_cap_months,
            program.refuses_third_party_billing,
            program.checks_location,
            program.time_zone,
            program.is_paused,
        ),
        account=account.facts(batch.currency),
        code=CodeFacts(
            serial=code.serial,
            status=CodeStatus(code.status),
            activated_at=code.activated_at,
            redeemed_by=redemption.account_id if redemption else None,
            batch_id=batch.pk,
            batch_version=batch.version,
            batch_status=batch.status,
            retailer_id=batch.retailer_id,
            expires_on=expiry_of(code),
            value=value_of(code),
            code_currency=batch.currency,
            benefit=product.benefit,
            months=product.months,
            days=product.days,
            countries=tuple(product.countries),
            plans=tuple(product.plans),
            new_subscribers_only=product.new_subscribers_only,
        ),
    )
