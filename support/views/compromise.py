"""One report of compromised cards: all that somebody needs to judge it, and what he can do with its cards."""

from typing import Any

from django import forms
from django.db import transaction
from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from redemption.models import ApprovalRequest, RequestStatus, User
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit, report_cards, report_case
from support.addresses import UnknownFilterError
from support.attachments import shown
from support.judgements import AskForm, open_to
from support.models import Answer, AuditAction, CompromiseReport
from support.pages import older_than, page
from support.permissions import requires
from support.queue import span_in_words
from support.references import read_reference
from support.report_cards import ALLOWED, FROZEN, TOO_LATE, UNDECIDED, Filters, Group, Line
from support.stages import STAGES

# Cards that were replaced on paper and wait for whoever hands the new one over.
MOST_ALLOWED = 50
# Records that an event of the trail names beside the report.
MOST_NAMED = 200


@require_safe
@requires(Permission.VIEW_COMPROMISED)
def compromise(request: StaffRequest, reference: str) -> HttpResponse:
    return report_page(request, found_report(reference))


def found_report(reference: str) -> CompromiseReport:
    related = ("retailer", "ticket__assignee", "ticket__account", "ticket__program", "by", "api_key")
    written = read_reference(reference)
    found = CompromiseReport.objects.select_related(*related).filter(reference=written or "").first()
    if not found:
        raise Http404
    return found


@transaction.atomic
def report_page(
    request: StaffRequest, report: CompromiseReport, *, ask_form: forms.Form | None = None, status: int = 200
) -> HttpResponse:
    """`ask_form`: what was typed to ask the retailer, and refused."""
    now, user = timezone.now(), request.user
    filters, after = _filters(request), older_than(request, "after")
    lines, has_more = report_cards.lines(report, filters, after=after, now=now)
    case = _case(report)
    waiting = _requests(report)
    audit.record(
        AuditAction.COMPROMISE_OPENED, by=user, target=f"report:{report.pk}", also=_seen(report, lines, case, user)
    )
    may_see, hands_over = user.may(Permission.SEE_PERSONAL_DATA), user.may(Permission.REQUEST)
    groups = report_cards.groups(report, filters, now=now)
    is_any_allowed = any(group.filters.decision == ALLOWED for group in groups)
    verbs = open_to(user) if report.frozen_at and report.undecided else []
    context: dict[str, Any] = {
        "report": report,
        "looked_at": f"report:{report.pk}",
        "stage": STAGES[report.stage],
        "waits": span_in_words(now - report.created_at),
        "groups": groups,
        "every": sum(group.count for group in groups),
        "undecided": _undecided(groups),
        "filters": filters,
        "lines": lines,
        "has_more": has_more,
        "last": lines[-1].pk if lines else None,
        "is_first_page": after is None,
        "verbs": verbs,
        "ask_form": (ask_form or AskForm()) if user.may(Permission.ANSWER_TICKETS) else None,
        "requests": waiting,
        "allowed": report_cards.allowed(report, now=now, limit=MOST_ALLOWED) if hands_over and is_any_allowed else [],
        "shows_people": may_see,
        "opens_accounts": user.may(Permission.VIEW_ACCOUNTS),
        "grants_credits": user.may(Permission.GRANT_CREDITS),
        "credit_query": _credit_query(report),
        "hands_over": hands_over,
        "reports_cards": user.may(Permission.FREEZE),
        "ticket": report.ticket,
        **case,
        **shown(report.ticket, user),
    }
    if not may_see:
        context["takers"] = None
    return page(request, "support/compromise.html", context, title=f"Report {report.reference}", status=status)


def _filters(request: StaffRequest) -> Filters:
    try:
        return Filters.read(request.GET.dict())
    except UnknownFilterError:
        raise Http404 from None


def _case(report: CompromiseReport) -> dict[str, Any]:
    others = report_case.other_reports(report)
    return {
        "takers": report_case.takers(report),
        "early": report_case.early_tries(report),
        "runs": report_case.runs(report),
        "others": [(other, STAGES[other.stage]) for other in others[: report_case.MOST]],
        "has_more_others": len(others) > report_case.MOST,
    }


def _requests(report: CompromiseReport) -> list[ApprovalRequest]:
    """What waits for a second person, about this report's cards: one of each kind at most."""
    waiting = ApprovalRequest.objects.filter(target=f"report:{report.pk}", status=RequestStatus.PENDING)
    return list(waiting.filter(expires_at__gt=timezone.now()).select_related("requested_by").order_by("pk"))


def _undecided(groups: list[Group]) -> dict[str, int]:
    """How many each “all of them” is about."""
    counts = {FROZEN: 0, TOO_LATE: 0}
    for group in groups:
        if group.filters.decision == UNDECIDED:
            counts[FROZEN if group.filters.answer == Answer.FROZEN else TOO_LATE] += group.count
    return counts


def _credit_query(report: CompromiseReport) -> str:
    """Names the ticket, and the account where the ticket knows whose loss it is; never whoever took the money."""
    account = report.ticket.account
    return f"ticket={report.ticket.reference}" + (f"&account={account.reference}" if account else "")


def _seen(report: CompromiseReport, lines: list[Line], case: dict[str, Any], user: User) -> list[str]:
    """What else the page shows: whoever asks who looked at an account or a card finds this as well."""
    cards = [f"code:{line.serial}" for line in lines if line.card]
    accounts = [line.card.redemption.account_id for line in lines if line.card and hasattr(line.card, "redemption")]
    accounts += [taker.account.pk for taker in case["takers"].rows]
    seen = [f"ticket:{report.ticket_id}"]
    if user.may(Permission.SEE_PERSONAL_DATA):
        seen += [f"account:{pk}" for pk in dict.fromkeys(accounts)]
    return [*seen, *cards][:MOST_NAMED]
