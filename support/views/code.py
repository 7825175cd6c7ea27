"""A code's page: what it is, whether it works, who redeemed it and when, and why it would fail for an account."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from redemption.cards import CardError
from redemption.models import Account, ApprovalAction, Code
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit, ticket_search
from support.card_actions import ACTIONS, open_to
from support.credit_panel import credit_panel
from support.diagnosis import benefit_of, card_of, diagnose, expiry_of, replacement_of, verdict
from support.earlier_credits import of_card, pending_about
from support.forms import AccountForm, HypotheticalForm
from support.models import AuditAction
from support.pages import page, part, see_other
from support.permissions import requires
from support.references import read_reference
from support.report_panels import about_card
from support.timeline import timeline


@require_safe
@requires(Permission.LOOK_UP)
@transaction.atomic
def code(request: StaffRequest, serial: int) -> HttpResponse:
    found = _code(serial)
    return _page(request, found, AccountForm(program=found.batch.product.program))


@sensitive_post_parameters()
@sensitive_variables("form")
@require_POST
@requires(Permission.DIAGNOSE)
@transaction.atomic
def diagnose_account(request: StaffRequest, serial: int) -> HttpResponse:
    """Takes an account's address or reference, and leads to the page that shows the checks for it."""
    found = _code(serial)
    form = AccountForm(request.POST, program=found.batch.product.program)
    if form.is_valid():
        query = urlencode({"account": form.cleaned_data["account"].reference})
        return see_other(f"{reverse('code', args=[serial])}?{query}#diagnosis")
    return _page(request, found, form, status=422)


@sensitive_post_parameters()
@sensitive_variables("form")
@require_POST
@requires(Permission.LOOK_UP)
def act(request: StaffRequest, serial: int, verb: str) -> HttpResponse:
    """Does one thing to the card, and leads back to its page, which says what came of it."""
    found = _code(serial)
    action = ACTIONS.get(verb)
    if action is None or not request.user.may(action.permission):
        raise Http404
    form = action.form(request.POST)
    if not form.is_valid():
        program = found.batch.product.program
        return _page(request, found, AccountForm(program=program), action_form=form, status=422)
    try:
        with transaction.atomic():
            touched = action.run(first=found.pk, by=request.user, **form.cleaned_data)
            audit.record(
                AuditAction.CARD_CHANGED,
                by=request.user,
                target=f"code:{found.pk}",
                change=verb,
                changed=touched.changed,
            )
    except CardError as refused:
        messages.error(request, str(refused))
    else:
        (messages.success if touched.changed else messages.warning)(request, touched.sentence)
    return see_other(reverse("code", args=[serial]))


def _code(serial: int) -> Code:
    found = card_of(serial)
    if not found:
        raise Http404
    return found


def _page(
    request: StaffRequest,
    found: Code,
    account_form: AccountForm,
    *,
    action_form: forms.Form | None = None,
    status: int = 200,
) -> HttpResponse:
    now = timezone.now()
    may = request.user.may
    shows_people = may(Permission.SEE_PERSONAL_DATA)
    tickets = part(request, "tickets", ticket_search.of_card(found, by=request.user))
    story = timeline(found, tickets.rows, with_credits=may(Permission.VIEW_ACCOUNTS))
    audit.record(AuditAction.CODE_OPENED, by=request.user, target=f"code:{found.pk}")
    context = {
        "code": found,
        "looked_at": f"code:{found.pk}",
        "batch": found.batch,
        "product": found.batch.product,
        "program": found.batch.product.program,
        "masked": found.batch.code_format.pattern.mask(found.last_four),
        "verdict": verdict(found, story.events, shows_people=shows_people, now=now),
        "benefit": benefit_of(found),
        "expires_on": expiry_of(found),
        "replaces": replacement_of(found),
        "timeline": story,
        "tickets": tickets,
        "new_ticket_query": urlencode({"card": found.pk}),
        "opens_tickets": may(Permission.ANSWER_TICKETS),
        "actions": [
            (action, action_form if type(action_form) is action.form else action.form())
            for action in open_to(request.user, found)
        ],
        "shows_people": shows_people,
        "opens_accounts": may(Permission.VIEW_ACCOUNTS),
        "opens_batches": may(Permission.VIEW_CATALOGUE),
        "may_diagnose": may(Permission.DIAGNOSE),
        **about_card(found, by=request.user),
    }
    if may(Permission.VIEW_ACCOUNTS):
        context |= credit_panel(
            request,
            of_card(found),
            waiting=[pending_about(ApprovalAction.MOVE, f"code:{found.pk}")],
            query={"card": str(found.pk)},
            moves_card=found.pk if hasattr(found, "redemption") else None,
        )
    if may(Permission.DIAGNOSE):
        context.update(_diagnosis(request, found), account_form=account_form)
    return page(request, "support/code.html", context, title=f"Card {found.pk}", status=status)


def _diagnosis(request: StaffRequest, found: Code) -> dict[str, Any]:
    """For the account that the address names, or else for the hypothetical one that it describes."""
    reference = read_reference(request.GET.get("account", ""))
    program = found.batch.product.program
    account = Account.objects.filter(program=program, reference=reference).first() if reference else None
    described = HypotheticalForm(request.GET if "country" in request.GET else None, code=found)
    context: dict[str, Any] = {"hypothetical_form": described, "diagnosed_account": account, "diagnosis": None}
    subject = account or (described.hypothetical() if described.is_valid() else None)
    if subject:
        context["diagnosis"] = diagnose(found, subject, now=described.moment(timezone.now()))
        audit.record(
            AuditAction.DIAGNOSED,
            by=request.user,
            target=f"code:{found.pk}",
            account=account.pk if account else None,
        )
    return context
