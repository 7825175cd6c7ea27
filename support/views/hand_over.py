"""The new card of an allowed replacement: made when it is handed over, and shown once to whoever does that, or sent."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from redemption.models import Code
from redemption.requests import StaffRequest
from redemption.roles import Permission
from redemption.standing import NewCard
from support import audit, report_cards
from support.actions import judging
from support.actions.reports import ReportError
from support.diagnosis import benefit_of, card_of, state_of
from support.models import AuditAction, CompromiseReport
from support.pages import page, see_other
from support.permissions import requires
from support.report_cards import ALLOWED
from support.views.compromise import found_report


class HandOverForm(forms.Form):
    """`do` says whether it is shown here or sent."""

    email = forms.EmailField(
        label="E-mail address",
        required=False,
        widget=forms.EmailInput({"autocomplete": "off"}),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if self.data.get("do") == "send" and not data.get("email") and "email" not in self.errors:
            self.add_error("email", "Say where to.")
        return data


@sensitive_post_parameters()
@sensitive_variables("form", "card")
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.VIEW_COMPROMISED)
def hand_over(request: StaffRequest, reference: str, serial: int) -> HttpResponse:
    """Posted, it answers with the new card itself: the code is kept nowhere, so there is no page to come back to. Sent
    once more, it is refused, because the card was replaced."""
    if not request.user.may(Permission.REQUEST):
        raise Http404
    report = found_report(reference)
    old = _card(report, serial)
    if request.method != "POST":
        return _page(request, report, old, HandOverForm())
    form = HandOverForm(request.POST)
    if not form.is_valid():
        return _page(request, report, old, form, status=422)
    email = form.cleaned_data["email"] if request.POST.get("do") == "send" else ""
    try:
        card = judging.hand_over(report, serial=serial, by=request.user, email=email)
    except ReportError as refused:
        return _page(request, report, _card(report, serial), form, refused=str(refused), status=409)
    if card is None:
        messages.success(request, f"Sent: the new card for {serial} is on its way to {email}.")
        return see_other(reverse("compromise", args=[report.reference]))
    return _shown(request, report, old, card)


def _card(report: CompromiseReport, serial: int) -> Code:
    """A card of the report; others do not exist here."""
    found = card_of(serial)
    if not found or not report.cards.filter(serial=serial).exists():
        raise Http404
    return found


@sensitive_variables("form")
@transaction.atomic
def _page(
    request: StaffRequest,
    report: CompromiseReport,
    old: Code,
    form: HandOverForm,
    *,
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    now = timezone.now()
    (row,) = report_cards.to_judge(report, [old.pk], now=now)
    audit.record(AuditAction.COMPROMISE_OPENED, by=request.user, target=f"report:{report.pk}", also=[f"code:{old.pk}"])
    replaced = getattr(old, "replaced_by", None)
    context = {
        "report": report,
        "looked_at": f"report:{report.pk}",
        "old": old,
        "state": state_of(old, now),
        "benefit": benefit_of(old),
        "successor": replaced.successor_id if replaced else None,
        "is_allowed": row.decision == ALLOWED,
        "form": form,
        "refused": refused,
    }
    return page(request, "support/hand_over.html", context, title=f"Hand over for {old.pk}", status=status)


@sensitive_variables("card", "context")
def _shown(request: StaffRequest, report: CompromiseReport, old: Code, card: NewCard) -> HttpResponse:
    context = {"report": report, "old": old, "card": card, "benefit": benefit_of(old)}
    return page(request, "support/handed_over.html", context, title=f"New card {card.serial}")
