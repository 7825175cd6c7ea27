"""redeem(): a code, an account, one answer. The only way in which a code is spent.

Three statements, each a transaction of its own. The first counts the try and takes the request's key; whatever happens
later, the try was counted. The second reads the facts; then the checks run. The third claims the code and writes
everything that follows from it, provided that what the facts said still holds, or it records the refusal.
"""

import logging
import secrets
from datetime import datetime
from traceback import extract_tb

import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption import breaker, claim
from redemption.admission import (
    Admission,
    KeyConflictError,
    KeyRefusedError,
    KeyRunningError,
    Request,
)
from redemption.code_format import Outcome
from redemption.eligibility import Facts, first_refusal
from redemption.facts import read_facts_typed
from redemption.locks import BATCH, share
from redemption.models import Account, AttemptOutcome, Benefit, Channel
from redemption.models.attempt import attempt_reference
from redemption.patterns import Typed, read_typed
from redemption.references import Untried
from redemption.refusals import RefusalReason
from redemption.results import Result, fits_from, granted_by, redeemed_at, stored_result

logger = logging.getLogger(__name__)

__all__ = ["KeyConflictError", "KeyRefusedError", "KeyRunningError", "Result", "preview", "redeem"]

# Times that the facts are read and decided on before we call it an outage. From the second on batch and account are
# locked first, so that hardly anything is left to lose against.
TRIES = 10


class _PausedError(Exception):
    """The program is switched off."""


@sensitive_variables("text")
def redeem(
    *,
    account: Account,
    text: str,
    channel: Channel,
    key: str | None = None,
    key_scope: str = "",
    address: str = "",
    apparent_country: str = "",
    now: datetime | None = None,
) -> Result:
    """Redeems the code in `text` for the account, or says why not.

    Guarantees: one redemption per code; the same `key` with the same request gives the first answer again and has one
    effect; a refusal writes one attempt and nothing else. `key_scope`, such as “program:2”, has one key mean one
    request for all accounts of a caller together, and not for each. Must not run inside a transaction: a caller's
    rollback would take the count of the try along. Raises KeyConflictError, KeyRunningError and KeyRefusedError.
    """
    request = Request(
        account, channel, address, apparent_country, now or timezone.now(), AttemptOutcome.REDEEMED, key_scope
    )
    return _run(request, text, key)


@sensitive_variables("text")
def preview(
    *,
    account: Account,
    text: str,
    channel: Channel,
    key: str | None = None,
    key_scope: str = "",
    address: str = "",
    apparent_country: str = "",
    now: datetime | None = None,
) -> Result:
    """What redeeming would give. Counts as an attempt, which redeeming that code gives back."""
    request = Request(
        account, channel, address, apparent_country, now or timezone.now(), AttemptOutcome.PREVIEWED, key_scope
    )
    return _run(request, text, key)


@sensitive_variables("text", "typed")
def _run(request: Request, text: str, key: str | None) -> Result:
    if not breaker.redeeming.admits():
        return _unavailable(request)
    try:
        typed = read_typed(request.account.program, text)
    except (OperationalError, InterfaceError) as error:
        return _unavailable(request, error)
    if typed.is_share_link:
        return request.untried(Untried.SHARE_LINK)
    if typed.outcome in {Outcome.SLIP, Outcome.BLANK}:
        return request.untried(Untried.SLIP)
    try:
        admission = Admission(request, typed, secrets.token_hex(16) if key is None else key)
    except (OperationalError, InterfaceError) as error:
        return _unavailable(request, error)
    if admission.finished:
        return stored_result(admission.finished)
    if admission.turned_away:
        breaker.redeeming.worked()
        return admission.turned_away
    try:
        result = _decide(request, typed, admission)
    except (_PausedError, DatabaseError, InterfaceError) as error:
        # An outage uses nothing up: neither the attempt nor the key.
        admission.undo()
        return _unavailable(request, error)
    breaker.redeeming.worked()
    return result


def _unavailable(request: Request, error: Exception | None = None) -> Result:
    """The answer in an outage; without an error the database was not even asked."""
    if error:
        logger.warning("Redeeming is unavailable: %s", _kind_of(error))
    if breaker.is_away(error):
        breaker.redeeming.failed()
    if error is None or breaker.is_away(error):
        breaker.redeeming.saw(request.account.program_id, request.now)
    if breaker.answered(error):
        # The server is there, and something of it works: perhaps it takes the outage's row.
        breaker.redeeming.note()
    return request.untried(Untried.UNAVAILABLE)


def _kind_of(error: Exception) -> str:
    """What happened and where, for the log: never the error's text, which may quote what was typed."""
    cause = error.__cause__ or error
    kind = type(cause).__name__
    if isinstance(cause, psycopg.Error) and cause.sqlstate:
        return f"{kind} {cause.sqlstate} from {cause.diag.source_function}"
    frames = extract_tb(cause.__traceback__) or extract_tb(error.__traceback__)
    return f"{kind} from {frames[-1].name}"


def _decide(request: Request, typed: Typed, admission: Admission) -> Result:
    """Reads, decides and writes, again for as long as somebody else was faster."""
    for number in range(TRIES):
        try:
            return _decide_undisturbed(request, typed, admission) if number else _decide_once(request, typed, admission)
        except OperationalError as error:
            if not _is_lost_race(error):
                raise
        if answered := admission.answered():
            return stored_result(answered)
    raise _PausedError


def _decide_undisturbed(request: Request, typed: Typed, admission: Admission) -> Result:
    """Once the batch and the account are ours: batch first, as everybody locks them."""
    with transaction.atomic(durable=True):
        if code := _read(request, typed).code:
            share(BATCH, code.batch_id)
        Account.objects.select_for_update(no_key=True).get(pk=request.account.pk)
        return _decide_once(request, typed, admission)


def _is_lost_race(error: OperationalError) -> bool:
    """Class 40: the database undid a statement that may well succeed when it is run again."""
    return (getattr(error.__cause__, "sqlstate", None) or "").startswith("40")


def _decide_once(request: Request, typed: Typed, admission: Admission) -> Result:
    facts = _read(request, typed)
    if facts.rules.is_paused:
        raise _PausedError
    reason = first_refusal(facts)
    if reason or request.wanted == AttemptOutcome.PREVIEWED:
        return _write_refusal(request, facts, reason, admission)
    return _write_redemption(request, facts, admission)


def _read(request: Request, typed: Typed) -> Facts:
    return read_facts_typed(request.account.pk, typed, request.now, request.apparent_country, is_admitted=True)


def _write_redemption(request: Request, facts: Facts, admission: Admission) -> Result:
    code = facts.code
    assert code
    stretch = facts.stretch() if code.benefit == Benefit.PREMIUM else None
    reference = attempt_reference()
    with connection.cursor() as cursor:
        cursor.execute(
            claim.CLAIM,
            {
                "account": facts.account.id,
                "account_version": facts.account.version,
                "serial": code.serial,
                "batch": code.batch_id,
                "batch_version": code.batch_version,
                "value": code.value,
                "currency": code.code_currency,
                "months": code.months,
                "days": code.days,
                "start": stretch.start if stretch else None,
                "end": stretch.end if stretch else None,
                "anchor_day": stretch.anchor_day if stretch else None,
                "reference": reference,
                "channel": request.channel,
                "apparent_country": facts.account.apparent_country,
                "now": request.now,
                "tried_at": admission.counted_at,
                "key_id": admission.key_id,
                "address_key": admission.address_key,
                "program_key": admission.program_key,
                "previews": facts.previews,
            },
        )
    return Result(
        AttemptOutcome.REDEEMED,
        reference,
        serial=code.serial,
        granted=granted_by(code),
        premium_until=stretch.end if stretch else None,
    )


def _write_refusal(request: Request, facts: Facts, reason: RefusalReason | None, admission: Admission) -> Result:
    """A refusal, or with no reason a preview that found nothing in the way."""
    code = facts.code
    outcome = AttemptOutcome.REFUSED if reason else AttemptOutcome.PREVIEWED
    reference = attempt_reference()
    burns = reason is None or reason.burns_an_attempt
    with connection.cursor() as cursor:
        cursor.execute(
            claim.REFUSE,
            {
                "reference": reference,
                "account": facts.account.id,
                "program": request.account.program_id,
                "serial": code.serial if code else None,
                "near_serial": None if code else facts.near_serial,
                "outcome": outcome,
                "reason": reason or "",
                "channel": request.channel,
                "apparent_country": facts.account.apparent_country,
                "now": request.now,
                "tried_at": admission.counted_at,
                "key_id": admission.key_id,
                "address_key": admission.address_key,
                "program_key": admission.program_key,
                "previews": 0,
                "gives_back": not burns and not admission.lent_by,
            },
        )
        (attempt_id,) = cursor.fetchone()
    if not burns:
        admission.return_place()
    previewed = code if reason is None else None
    stretch = facts.stretch() if previewed and previewed.benefit == Benefit.PREMIUM else None
    return Result(
        outcome,
        reference,
        attempt_id=attempt_id,
        reason=reason,
        serial=code.serial if code else None,
        granted=granted_by(previewed) if previewed else None,
        premium_until=stretch.end if stretch else None,
        redeemed_at=redeemed_at(reason, code.serial if code else None),
        fits_from=fits_from(reason, facts),
    )
