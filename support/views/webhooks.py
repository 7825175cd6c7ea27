"""Webhooks of programs' platforms: administrators make them, watch what is delivered, and have it sent again."""

import json
from datetime import datetime, time
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from redemption.code_spotting import CodeSpotter
from redemption.models import WEBHOOK_KINDS, DeliveryStatus, Program, WebhookDelivery, WebhookEndpoint, WebhookKind
from redemption.requests import StaffRequest
from redemption.roles import Permission
from redemption.webhooks.sending import KEPT, body_of
from support import audit
from support.actions import webhooks as acts
from support.actions.webhooks import NewSecret, WebhookError
from support.addresses import LARGEST_ID
from support.models import AuditAction
from support.pages import older_than, page, see_other
from support.permissions import requires

PER_PAGE = 50
# Beside an endpoint; more is many.
MOST_COUNTED = 999
_TONES = {
    DeliveryStatus.WAITING: ("waiting", "schedule"),
    DeliveryStatus.DELIVERED: ("good", "check_circle"),
    DeliveryStatus.GIVEN_UP: ("ended", "cancel"),
}
_KINDS = [(kind.value, kind.label) for kind in WEBHOOK_KINDS]


class KindsForm(forms.Form):
    kinds = forms.MultipleChoiceField(
        label="What it hears",
        choices=_KINDS,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        error_messages={"required": "Choose what it hears."},
    )


class WebhookForm(KindsForm):
    program = forms.ModelChoiceField(
        Program.objects.order_by("name", "pk"), label="Whose platform", widget=UnfoldAdminSelectWidget
    )
    url = forms.URLField(
        max_length=500,
        assume_scheme="https",
        label="Address",
        help_text="Of the platform’s server, beginning with https.",
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off", "spellcheck": "false", "inputmode": "url"}),
    )
    field_order = ["program", "url", "kinds"]

    @sensitive_variables()
    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        if CodeSpotter().holds_code([url]):
            raise forms.ValidationError("There is a code in it: addresses stand in logs along the way.")
        return url


class AgainForm(forms.Form):
    since = forms.DateField(
        label="What happened since",
        widget=UnfoldAdminTextInputWidget({"type": "date"}),
        help_text="The first day (UTC). What was given up since then is sent again.",
    )

    def clean_since(self) -> datetime:
        return datetime.combine(self.cleaned_data["since"], time.min, tzinfo=timezone.get_default_timezone())


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.MANAGE_INTERFACES)
def webhooks(request: StaffRequest) -> HttpResponse:
    """All of them, how they stand, and a form for the next."""
    if request.method != "POST":
        return _list(request, WebhookForm(initial={"kinds": [kind.value for kind in WEBHOOK_KINDS]}))
    form = WebhookForm(request.POST)
    if not form.is_valid():
        return _list(request, form, status=422)
    given = form.cleaned_data
    try:
        made = acts.make_webhook(
            program=given["program"],
            url=given["url"],
            kinds=[WebhookKind(kind) for kind in given["kinds"]],
            by=request.user,
        )
    except WebhookError as refused:
        form.add_error(None, str(refused))
        return _list(request, form, status=409)
    return _shown_once(request, made)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.MANAGE_INTERFACES)
def webhook(request: StaffRequest, pk: int) -> HttpResponse:
    """One, with what became of its deliveries; posted, `do` says what happens to it."""
    found = _found(pk)
    if request.method != "POST":
        return _page(request, found)
    kinds = again = None
    try:
        match request.POST.get("do"):
            case "rotate":
                return _shown_once(request, acts.rotate_secret(found, by=request.user))
            case "end-former":
                acts.end_former_secret(found, by=request.user)
                said = "Only the newest secret signs from now on."
            case "off":
                acts.switch(found, on=False, by=request.user)
                said = "It is switched off."
            case "on":
                acts.switch(found, on=True, by=request.user)
                said = "It is switched on."
            case "test":
                acts.send_test(found, by=request.user)
                said = "A test is on its way: look again in some seconds."
            case "kinds":
                kinds = KindsForm(request.POST)
                if not kinds.is_valid():
                    return _page(request, found, kinds=kinds, status=422)
                chosen = [WebhookKind(kind) for kind in kinds.cleaned_data["kinds"]]
                acts.change_kinds(found, kinds=chosen, by=request.user)
                said = "From now on it hears what you have chosen."
            case "again":
                again = AgainForm(request.POST)
                if not again.is_valid():
                    return _page(request, found, again=again, status=422)
                count = acts.send_given_up_again(found, since=again.cleaned_data["since"], by=request.user)
                said = f"{count} sent again: look in some seconds." if count else "None was given up since then."
            case _:
                raise Http404
    except WebhookError as refused:
        return _page(request, found, refused=str(refused), status=409)
    messages.success(request, said)
    return see_other(reverse("webhook", args=[found.pk]))


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.MANAGE_INTERFACES)
def webhook_delivery(request: StaffRequest, pk: int, delivery: int) -> HttpResponse:
    """One event on its way to one endpoint, as it is sent; posted, it is sent again."""
    rows = WebhookDelivery.objects.select_related("event", "endpoint__program")
    found = rows.filter(pk=min(delivery, LARGEST_ID), endpoint=min(pk, LARGEST_ID)).first()
    if not found:
        raise Http404
    if request.method == "POST":
        acts.send_again(found, by=request.user)
        messages.success(request, "It is on its way again: look in some seconds.")
        return see_other(reverse("webhook_delivery", args=[found.endpoint_id, found.pk]))
    with transaction.atomic():
        audit.record(
            AuditAction.RECORD_OPENED, by=request.user, target=f"webhook:{found.endpoint_id}", delivery=found.pk
        )
        context = {
            "delivery": found,
            "state": _state(found),
            "kind": found.event.get_kind_display(),
            "body": json.dumps(json.loads(body_of(found.event)), indent=2, ensure_ascii=False),
            "kept_until": found.event.happened_at + KEPT,
        }
        return page(request, "support/webhook_delivery.html", context, title=f"Webhook {found.event.reference}")


def _found(pk: int) -> WebhookEndpoint:
    rows = WebhookEndpoint.objects.select_related("program", "created_by")
    found = rows.filter(pk=min(pk, LARGEST_ID)).first()
    if not found:
        raise Http404
    return found


def _state(delivery: WebhookDelivery) -> dict[str, str]:
    status = DeliveryStatus(delivery.status)
    tone, icon = _TONES[status]
    return {"tone": tone, "icon": icon, "word": status.label}


def _standing(endpoint: WebhookEndpoint) -> dict[str, str]:
    if not endpoint.is_active:
        return {"tone": "ended", "icon": "toggle_off", "word": "Switched off"}
    if endpoint.failures:
        return {"tone": "waiting", "icon": "warning", "word": "Does not answer"}
    return {"tone": "good", "icon": "check_circle", "word": "On"}


def _hears(endpoint: WebhookEndpoint) -> list[str]:
    return [WebhookKind(kind).label for kind in endpoint.kinds]


def _how_many(endpoint: WebhookEndpoint, status: DeliveryStatus) -> str:
    found = len(endpoint.deliveries.filter(status=status).order_by().values("pk")[: MOST_COUNTED + 1])
    return str(found) if found <= MOST_COUNTED else f"{MOST_COUNTED}+"


@sensitive_variables("form")
@transaction.atomic
def _list(request: StaffRequest, form: WebhookForm, *, status: int = 200) -> HttpResponse:
    # Few: of each program so many are switched on.
    found = list(WebhookEndpoint.objects.select_related("program", "created_by").order_by("program__name", "pk")[:500])
    audit.record(
        AuditAction.REPORT_OPENED,
        by=request.user,
        target="report:webhooks",
        also=[f"webhook:{endpoint.pk}" for endpoint in found],
    )
    context = {
        "form": form,
        "rows": [(endpoint, _standing(endpoint), _hears(endpoint)) for endpoint in found],
    }
    return page(request, "support/webhooks.html", context, title="Webhooks", status=status)


@transaction.atomic
def _page(
    request: StaffRequest,
    found: WebhookEndpoint,
    *,
    kinds: KindsForm | None = None,
    again: AgainForm | None = None,
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    state = request.GET.get("state", "")
    if state and state not in DeliveryStatus.values:
        raise Http404
    before = older_than(request)
    deliveries = found.deliveries.select_related("event").order_by("-pk")
    if state:
        deliveries = deliveries.filter(status=state)
    if before is not None:
        deliveries = deliveries.filter(pk__lt=before)
    rows = list(deliveries[: PER_PAGE + 1])
    audit.record(AuditAction.RECORD_OPENED, by=request.user, target=f"webhook:{found.pk}")
    context: dict[str, Any] = {
        "endpoint": found,
        "standing": _standing(found),
        "hears": _hears(found),
        "waiting": _how_many(found, DeliveryStatus.WAITING),
        "given_up": _how_many(found, DeliveryStatus.GIVEN_UP),
        "kinds_form": kinds or KindsForm(initial={"kinds": found.kinds}),
        "again_form": again or AgainForm(initial={"since": timezone.now().date()}),
        "refused": refused,
        "state": state,
        "tabs": [("", "All"), *DeliveryStatus.choices],
        "rows": [(row, _state(row), WebhookKind(row.event.kind).label) for row in rows[:PER_PAGE]],
        "older": rows[PER_PAGE - 1].pk if len(rows) > PER_PAGE else None,
        "is_first_page": before is None,
    }
    return page(request, "support/webhook.html", context, title=f"Webhook of {found.program}", status=status)


@sensitive_variables()
def _shown_once(request: StaffRequest, made: NewSecret) -> HttpResponse:
    """The answer to the post itself: at no address could it be seen again."""
    context = {
        "endpoint": made.endpoint,
        "secret": made.secret,
        "has_former": bool(made.endpoint.former_secret),
    }
    return page(request, "support/new_webhook.html", context, title="The webhook’s secret", status=201)
