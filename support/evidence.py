"""What the checks can say about a ticket's card and account: which refusals hold, which do not, which nobody knows."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from redemption.eligibility import Finding, Group, Verdict, explain
from redemption.facts import read_facts
from redemption.models import Account, Attempt, AttemptOutcome, Code, Plan
from redemption.refusals import ABOUT_THE_ACCOUNT, RefusalReason
from support.diagnosis import Hypothetical, diagnose, facts_of

# What only the account and the card together tell; and what only he who typed can know.
_MATCH = frozenset(
    {
        RefusalReason.COUNTRY_DIFFERS,
        RefusalReason.CURRENCY_DIFFERS,
        RefusalReason.PLAN_NOT_ALLOWED,
        RefusalReason.NOT_A_NEW_SUBSCRIBER,
        RefusalReason.STACKING_CAP,
    }
)
_TYPING = RefusalReason.NOT_RECOGNISED
REDEEMED = frozenset({RefusalReason.REDEEMED_BY_YOU, RefusalReason.REDEEMED_BY_ANOTHER})


@dataclass(frozen=True, slots=True)
class Evidence:
    """`failed`: reasons that hold now, in the order of the checks. `tested`: all that the checks could decide.
    `before`: the last refused try of this account with this card. `slip`: a try one slip away from the card's code.
    `is_redeemed_by_somebody`: redeemed, and without the customer's account nobody knows whether by him."""

    failed: dict[RefusalReason, Finding] = field(default_factory=dict)
    tested: frozenset[RefusalReason] = frozenset()
    first: Finding | None = None
    before: Attempt | None = None
    slip: Attempt | None = None
    is_redeemed_by_somebody: bool = False


def gather(code: Code | None, account: Account | None, *, now: datetime) -> Evidence:
    """As much as is known: with the card alone its own state, with the account alone what concerns the account, with
    both all that redeem checks. `code` comes with its state loaded."""
    slip = _slip(code, account) if code else None
    if code and account:
        if code.batch.product.program_id != account.program_id:
            # At another service the card is unknown, and redeem looks no further.
            findings = diagnose(code, account, now=now).findings
            return _evidence(findings, ABOUT_THE_ACCOUNT | {RefusalReason.UNKNOWN}, slip=slip)
        everything = frozenset(RefusalReason) - {_TYPING}
        return _evidence(
            diagnose(code, account, now=now).findings, everything, before=_before(code, account), slip=slip
        )
    if code:
        found = _evidence(_of_card(code, now), _CARD, slip=slip)
        if not REDEEMED & found.failed.keys():
            return found
        finding = found.failed[RefusalReason.REDEEMED_BY_ANOTHER]
        failed = {**found.failed, RefusalReason.REDEEMED_BY_YOU: finding}
        return replace(found, failed=failed, is_redeemed_by_somebody=True)
    if account:
        facts = read_facts(account, serial=0, now=now)
        return _evidence(explain(facts, groups=frozenset({Group.ACCOUNT})), ABOUT_THE_ACCOUNT)
    return Evidence()


_CARD = frozenset(RefusalReason) - ABOUT_THE_ACCOUNT - _MATCH - {_TYPING}


def _of_card(code: Code, now: datetime) -> list[Finding]:
    """For an account that fits everything about the card."""
    product = code.batch.product
    fitting = Hypothetical(country=product.countries[0], plan=Plan(product.plans[0]) if product.plans else Plan.FREE)
    return explain(facts_of(code, fitting, now), groups=frozenset({Group.CODE}))


def _evidence(
    findings: list[Finding],
    tested: frozenset[RefusalReason],
    *,
    before: Attempt | None = None,
    slip: Attempt | None = None,
) -> Evidence:
    failed = {
        finding.reason: finding
        for finding in findings
        if finding.verdict is Verdict.FAILED and finding.reason and finding.reason in tested
    }
    return Evidence(failed, tested, next(iter(failed.values()), None), before, slip)


def _before(code: Code, account: Account) -> Attempt | None:
    tries = Attempt.objects.filter(account=account, code=code, outcome=AttemptOutcome.REFUSED)
    return tries.order_by("-pk").first()


def _slip(code: Code, account: Account | None) -> Attempt | None:
    tries = Attempt.objects.filter(near_code=code)
    return (tries.filter(account=account) if account else tries).order_by("-pk").first()
