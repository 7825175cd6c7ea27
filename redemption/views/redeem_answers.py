"""The pages that a try to redeem ends or goes on with."""

from datetime import timedelta
from math import ceil

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption.models import Account, AttemptOutcome, Benefit, PlanPrice
from redemption.next_steps import NEXT_STEPS
from redemption.patterns import patterns
from redemption.references import Untried
from redemption.refusals import Answer
from redemption.requests import StaffRequest
from redemption.results import Result
from redemption.sealed_codes import SealedCode, seal

# Whatever is wrong with the code or the account, it is the same to the browser.
REFUSED = 422


@sensitive_variables("tried")
def answer(request: StaffRequest, account: Account, result: Result, tried: SealedCode) -> HttpResponse:
    if result.outcome == AttemptOutcome.PREVIEWED:
        context = {
            "account": account,
            "result": result,
            "text": result.customer_text(account.program),
            "months_of_plan": _months_of_plan(account, result),
            "sealed": _seal(request, account, tried),
        }
        return render(request, "redemption/redeem_preview.html", context)
    if result.untried == Untried.CHALLENGE:
        context = {
            "account": account,
            "result": result,
            "text": result.customer_text(account.program),
            "sealed": _seal(request, account, tried),
        }
        return render(request, "redemption/redeem_challenge.html", context, status=403)
    return _final(request, account, result)


def _final(request: StaffRequest, account: Account, result: Result) -> HttpResponse:
    blocked_until = result.blocked_until if result.untried == Untried.THROTTLED else None
    retry_after = ceil((blocked_until - timezone.now()).total_seconds()) if blocked_until else 0
    if blocked_until:
        # To the minute that is certainly over.
        blocked_until = blocked_until.astimezone(account.program.zone) + timedelta(minutes=1)
    context = {
        "account": account,
        "result": result,
        "text": result.customer_text(account.program),
        "steps": NEXT_STEPS[result.answer] if result.answer else (),
        "fits_from": f"{result.fits_from:%-d %B %Y}" if result.fits_from else "",
        "free_from": f"{blocked_until:%-d %B %Y, %H:%M %Z}" if blocked_until else "",
        "leads_to_account": result.answer in {Answer.UNVERIFIED, Answer.BILLED_ELSEWHERE, Answer.REDEEMED_BY_YOU},
    }
    response = render(request, "redemption/redeem_answer.html", context, status=_status(result))
    if retry_after > 0:
        response["Retry-After"] = str(retry_after)
    return response


def _status(result: Result) -> int:
    if result.is_redeemed:
        return 200
    if result.untried == Untried.THROTTLED:
        return 429
    return 503 if result.untried == Untried.UNAVAILABLE else REFUSED


@sensitive_variables("tried")
def _seal(request: StaffRequest, account: Account, tried: SealedCode) -> str:
    return seal(text=tried.text, account=account, by=request.user, key=tried.key, confirmed=tried.confirmed)


def _months_of_plan(account: Account, result: Result) -> str:
    """“about 2 months of your plan”: what the credit would pay for; empty where no price is known."""
    if not result.granted or result.granted[0] != Benefit.CREDIT:
        return ""
    _, value, currency, _, _ = result.granted
    price = PlanPrice.objects.filter(program=account.program_id, plan=account.plan, currency=currency).first()
    return price.covers(value) if price else ""


def shapes(program_id: int) -> str:
    """How the program prints its codes, for the script that groups what is typed: “SPOTIFY:12:4:i”, prefix, length,
    group, and whether case does not matter."""
    return " ".join(
        f"{pattern.prefix}:{pattern.length}:{pattern.group}:{'' if pattern.case_sensitive else 'i'}"
        for pattern in patterns(program_id)
    )


def sentence(request: StaffRequest, title: str, text: str, *, status: int) -> HttpResponse:
    """A page that says why nothing was tried, with the way back to the form."""
    return render(request, "redemption/redeem_sentence.html", {"title": title, "sentence": text}, status=status)
