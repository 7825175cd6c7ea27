"""Deciding about reported cards: a page that says what would happen, and to which cards; posted again from there, it is
done. And the question back to the retailer."""

from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from redemption.models import ApprovalRequest, Book
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.actions import judging
from support.actions.reports import ReportError
from support.judgements import MOST_CHOSEN, VERBS, WHICH, AskForm, Plan, Verb, plan, seen_of
from support.models import AuditAction, CompromiseReport
from support.pages import page, see_other
from support.permissions import requires
from support.views.compromise import MOST_NAMED, found_report, report_page


@sensitive_post_parameters()
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.VIEW_COMPROMISED)
def judge(request: StaffRequest, reference: str, verb: str) -> HttpResponse:
    """`which` of the report's cards, and the ticked ones; first a plan to look at, then, confirmed, it is done."""
    report = found_report(reference)
    if request.method != "POST":
        return see_other(reverse("compromise", args=[reference]))
    if verb == "ask":
        return _ask(request, report)
    chosen_verb = VERBS.get(verb)
    if chosen_verb is None or not request.user.may(chosen_verb.permission):
        raise Http404
    which, chosen = _which(request)
    if which == "chosen" and not chosen:
        messages.error(request, "Tick at least one card.")
        return see_other(f"{reverse('compromise', args=[reference])}#cards")
    planned = plan(report, chosen_verb, which=which, chosen=chosen, now=timezone.now())
    if "confirmed" not in request.POST:
        return _page(request, report, planned, which, chosen)
    form = planned.form(request.POST)
    # The cards may have changed since they were looked at: nobody decides about more, or others, than he has seen.
    if request.POST.get("seen") != seen_of(planned.serials):
        return _page(request, report, planned, which, chosen, form=form, refused=_CHANGED, status=409)
    if not form.is_valid():
        return _page(request, report, planned, which, chosen, form=form, status=422)
    try:
        done = chosen_verb.run(report, serials=planned.serials, by=request.user, **_arguments(chosen_verb, form))
    except ReportError as refused:
        return _page(request, report, planned, which, chosen, form=form, refused=str(refused), status=409)
    messages.success(request, _said(chosen_verb, planned, done))
    return see_other(reverse("compromise", args=[reference]))


_CHANGED = "Cards have changed since you looked: see what would happen now, and confirm it once more."


@sensitive_variables("form")
def _ask(request: StaffRequest, report: CompromiseReport) -> HttpResponse:
    if not request.user.may(Permission.ANSWER_TICKETS):
        raise Http404
    form = AskForm(request.POST)
    if not form.is_valid():
        return report_page(request, report, ask_form=form, status=422)
    try:
        judging.ask_information(report, text=form.cleaned_data["text"], by=request.user)
    except ReportError as refused:
        form.add_error(None, str(refused))
        return report_page(request, report, ask_form=form, status=409)
    messages.success(request, "Asked: the report waits for the retailer’s answer.")
    return see_other(reverse("compromise", args=[report.reference]))


def _which(request: StaffRequest) -> tuple[str, list[int]]:
    which = request.POST.get("which", "chosen")
    chosen = [*request.POST.getlist("chosen"), *request.POST.get("serials", "").split()]
    is_read = all(serial.isascii() and serial.isdecimal() and len(serial) <= 18 for serial in chosen)
    if which not in WHICH or len(chosen) > MOST_CHOSEN or not is_read:
        raise Http404
    return which, sorted({int(serial) for serial in chosen}) if which == "chosen" else []


def _arguments(verb: Verb, form: Form) -> dict[str, Any]:
    given = dict(form.cleaned_data)
    if verb.key == "replace":
        given["source"] = Book(given["source"]) if given.get("source") else None
    return given


def _said(verb: Verb, planned: Plan, done: int | ApprovalRequest) -> str:
    count = done if isinstance(done, int) else done.payload["count"]
    cards = f"{count:,} card{'' if count == 1 else 's'}"
    if verb.asks:
        return f"A second person is asked to {verb.label.lower()} {cards}."
    sent = f"Sent: the new {'card is' if count == 1 else f'{count:,} cards are'} on the way."
    return {"clear": f"Cleared: {cards}.", "close": f"Closed: {cards}.", "send": sent}[verb.key]


@sensitive_variables("form")
def _page(
    request: StaffRequest,
    report: CompromiseReport,
    planned: Plan,
    which: str,
    chosen: list[int],
    *,
    form: Form | None = None,
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    count = len(planned.serials)
    audit.record(
        AuditAction.COMPROMISE_OPENED,
        by=request.user,
        target=f"report:{report.pk}",
        did=planned.verb.key,
        cards=count,
        also=[f"code:{serial}" for serial in planned.serials[:MOST_NAMED]],
    )
    context = {
        "report": report,
        "looked_at": f"report:{report.pk}",
        "verb": planned.verb,
        "planned": planned,
        "count": count,
        "left_out": [(why, serials[:20], len(serials)) for why, serials in planned.skipped.items()],
        "which": which,
        "serials": " ".join(map(str, chosen)),
        "seen": seen_of(planned.serials),
        "first_few": planned.serials[:50],
        "form": form or planned.form(),
        "refused": refused,
    }
    title = f"{planned.verb.question} {count:,} card{'' if count == 1 else 's'}?"
    return page(request, "support/judge.html", context, title=title, status=status)
