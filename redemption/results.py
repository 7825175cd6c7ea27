"""What came of a try, and the same once more from what it wrote."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from redemption.eligibility import CodeFacts, Facts, works_from
from redemption.facts import read_facts
from redemption.models import Attempt, AttemptOutcome, Benefit, Program, Redemption, Replacement
from redemption.models.product import benefit_text
from redemption.references import Untried
from redemption.refusals import Answer, RefusalReason


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a try. `attempt_id` is None where nothing was tried (a slip, a throttled try, an outage)."""

    outcome: AttemptOutcome
    reference: str
    attempt_id: int | None = None
    reason: RefusalReason | None = None
    untried: Untried | None = None
    serial: int | None = None
    # What was granted, or would be: the arguments of benefit_text.
    granted: tuple[str, int, str, int, int] | None = None
    premium_until: date | None = None
    blocked_until: datetime | None = None
    # Only where the account that asks has redeemed the code itself.
    redeemed_at: datetime | None = None
    # Where the account has too much premium time ahead: the first day on which it has not.
    fits_from: date | None = None
    # Told before, to a request with the same key; not part of what is told.
    is_repeated: bool = field(default=False, compare=False)

    @property
    def is_redeemed(self) -> bool:
        return self.outcome == AttemptOutcome.REDEEMED

    @property
    def benefit(self) -> str:
        """“3 months of premium”; empty where nothing was granted."""
        return benefit_text(*self.granted) if self.granted else ""

    @property
    def answer(self) -> Answer | None:
        """None where it was redeemed or may be."""
        if self.untried:
            return {
                Untried.SLIP: Answer.CHECK_THE_CODE,
                Untried.SHARE_LINK: Answer.SHARE_LINK,
                Untried.THROTTLED: Answer.TOO_MANY_ATTEMPTS,
                Untried.UNAVAILABLE: Answer.UNAVAILABLE,
                Untried.CHALLENGE: Answer.CHALLENGE,
            }[self.untried]
        return self.reason.answer if self.reason else None

    def customer_text(self, program: Program | None = None) -> str:
        if self.answer:
            text = self.answer.text(program)
            if not self.redeemed_at:
                return text
            return f"{text} It was on {self.redeemed_at.astimezone(program.zone if program else UTC):%-d %B %Y}."
        until = f", until {self.premium_until:%-d %B %Y}" if self.premium_until else ""
        return f"{self.benefit}{until}."


def redeemed_at(reason: RefusalReason | None, serial: int | None) -> datetime | None:
    """When the account that asks redeemed the code; nobody else is told."""
    if reason != RefusalReason.REDEEMED_BY_YOU:
        return None
    return Redemption.objects.values_list("at", flat=True).get(code=serial)


def fits_from(reason: RefusalReason | None, facts: Facts) -> date | None:
    works = works_from(reason, facts) if reason == RefusalReason.STACKING_CAP else None
    return works.date() if works else None


def granted_by(code: CodeFacts) -> tuple[str, int, str, int, int]:
    return (code.benefit, code.value, code.code_currency, code.months, code.days)


def stored_result(attempt_id: int) -> Result:
    """The answer that an attempt was given, from what it wrote: what a repeated key gets."""
    attempt = Attempt.objects.select_related("account", "redemption__premium_grant", "code__batch__product").get(
        pk=attempt_id
    )
    redemption = getattr(attempt, "redemption", None)
    grant = getattr(redemption, "premium_grant", None)
    granted = None
    if attempt.outcome == AttemptOutcome.PREVIEWED and attempt.code:
        batch = attempt.code.batch
        inherited = Replacement.objects.filter(successor=attempt.code).first()
        product, value = batch.product, inherited.value if inherited else batch.value
        granted = (product.benefit, value, batch.currency, product.months, product.days)
    if redemption and attempt.code:
        benefit = attempt.code.batch.product.benefit
        granted = (benefit, redemption.value, redemption.currency, redemption.months, redemption.days)
    reason = RefusalReason(attempt.reason) if attempt.reason else None
    fits = None
    until = grant.period.upper if grant else None
    if reason == RefusalReason.STACKING_CAP:
        fits = fits_from(reason, read_facts(attempt.account, serial=attempt.code_id, now=attempt.at))
    elif attempt.outcome == AttemptOutcome.PREVIEWED and granted and granted[0] == Benefit.PREMIUM:
        until = read_facts(attempt.account, serial=attempt.code_id, now=attempt.at).stretch().end
    return Result(
        AttemptOutcome(attempt.outcome),
        attempt.reference,
        attempt_id=attempt.pk,
        reason=reason,
        serial=attempt.code_id,
        granted=granted,
        premium_until=until,
        redeemed_at=redeemed_at(reason, attempt.code_id),
        fits_from=fits,
        is_repeated=True,
    )
