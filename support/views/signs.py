"""Signs of compromised cards that nobody has reported: what the nightly look at refused tries has raised, and one of
them, to be judged."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from redemption.models import Attempt, AttemptOutcome, Code, CodeStatus
from redemption.reasons import ReasonForm
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit, sign_words
from support.actions import signs as acts
from support.actions.judging import LONGEST_REASON
from support.actions.reports import ReportError
from support.addresses import LARGEST_ID
from support.card_signs import REASONS
from support.diagnosis import State, state_of, with_state
from support.models import AuditAction, CardSign, CardSignKind, CardSignState
from support.pages import older_than, page, see_other
from support.permissions import requires
from support.reported_lines import MOST_CARDS

PER_PAGE = 50
# Of one sign: cards, those beside a run on either side, and tries of a card.
MOST_CARDS_SHOWN, NEIGHBOURS, MOST_TRIES = 200, 5, 20


class DismissForm(ReasonForm):
    prefix = "dismiss"
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        widget=forms.Textarea({"rows": 2, "maxlength": LONGEST_REASON}),
        error_messages={"required": "Say why nothing is wrong with them: whoever sees them next reads it."},
    )


class ReportForm(ReasonForm):
    prefix = "report"
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        required=False,
        widget=forms.Textarea({"rows": 2, "maxlength": LONGEST_REASON}),
    )


_FORMS: dict[str, type[ReasonForm]] = {"dismiss": DismissForm, "report": ReportForm}


@dataclass(frozen=True, slots=True)
class Row:
    sign: CardSign
    where: str
    numbers: str
    by_chance: str


@dataclass(frozen=True, slots=True)
class Tab:
    label: str
    address: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A card of a run, or one beside it, with its tries of the sign's kind; `tries` are the latest of `tried`."""

    code: Code
    state: State
    is_neighbour: bool
    tried: int
    tries: list[Attempt]


def _row(sign: CardSign) -> Row:
    return Row(sign, sign_words.where(sign), sign_words.numbers(sign), sign_words.by_chance(sign))


@require_safe
@requires(Permission.VIEW_COMPROMISED)
@transaction.atomic
def signs(request: StaffRequest) -> HttpResponse:
    """Those raised last come first, and of one night those that chance explains least."""
    state = request.GET.get("state", CardSignState.OPEN)
    if state not in CardSignState.values:
        raise Http404
    of_state = CardSign.objects.filter(state=state).select_related("batch__retailer", "batch__product", "judged_by")
    ordered = of_state.order_by("-raised_at", "chance", "pk")
    found = list(_after(request, ordered)[: PER_PAGE + 1])
    shown = found[:PER_PAGE]
    audit.record(AuditAction.SIGNS_LISTED, by=request.user, state=state, also=[f"sign:{sign.pk}" for sign in shown])
    context = {
        "tabs": [_tab(each, state) for each in CardSignState],
        "state": state,
        "rows": [_row(sign) for sign in shown],
        "more": shown[-1].pk if len(found) > PER_PAGE else None,
        "is_first_page": "after" not in request.GET,
    }
    return page(request, "support/signs.html", context, title="Signs")


def _tab(state: CardSignState, chosen: str) -> Tab:
    query = "" if state == CardSignState.OPEN else f"?state={state}"
    return Tab(state.label, f"{reverse('signs')}{query}", state == chosen)


def _after(request: StaffRequest, ordered: "QuerySet[CardSign]") -> "QuerySet[CardSign]":
    pk = older_than(request, "after")
    if pk is None:
        return ordered
    last = CardSign.objects.filter(pk=pk).first()
    if not last:
        raise Http404
    same_night = Q(raised_at=last.raised_at)
    less_unlikely = Q(chance__gt=last.chance) | Q(chance=last.chance, pk__gt=last.pk)
    return ordered.filter(Q(raised_at__lt=last.raised_at) | same_night & less_unlikely)


@sensitive_post_parameters()
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.VIEW_COMPROMISED)
def sign(request: StaffRequest, pk: int) -> HttpResponse:
    """One sign with its cards; posted, it is judged."""
    if request.method != "POST":
        return _page(request, pk)
    verdict = request.POST.get("verdict", "")
    if verdict not in _FORMS or not request.user.may(Permission.FREEZE):
        raise Http404
    form = _FORMS[verdict](request.POST)
    if not form.is_valid():
        return _page(request, pk, bound={verdict: form}, status=422)
    found, reason = _found(pk), form.cleaned_data["reason"]
    try:
        if verdict == "dismiss":
            acts.dismiss(found, by=request.user, reason=reason)
            messages.success(request, "Nothing to it: raised again when clearly more of these cards are tried.")
            return see_other(reverse("signs"))
        report = acts.report_run(found, by=request.user, reason=reason)
    except ReportError as refused:
        return _page(request, pk, bound={verdict: form}, refused=str(refused), status=409)
    messages.success(request, "Reported: what is unspent is frozen, and waits to be judged.")
    return see_other(reverse("compromise", args=[report.reference]))


def _found(pk: int) -> CardSign:
    rows = CardSign.objects.select_related("batch__retailer", "batch__product__program", "judged_by", "report")
    found = rows.filter(pk=min(pk, LARGEST_ID)).first()
    if not found:
        raise Http404
    return found


@sensitive_variables("bound")
@transaction.atomic
def _page(
    request: StaffRequest,
    pk: int,
    *,
    bound: dict[str, ReasonForm] | None = None,
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    found, user, bound = _found(pk), request.user, bound or {}
    shows_people = user.may(Permission.SEE_PERSONAL_DATA)
    cards, has_more = _cards(found, timezone.now())
    seen = [f"code:{card.code.pk}" for card in cards]
    if shows_people:
        seen += sorted({f"account:{attempt.account_id}" for card in cards for attempt in card.tries})
    audit.record(AuditAction.RECORD_OPENED, by=user, target=f"sign:{found.pk}", also=seen)
    judges = found.state == CardSignState.OPEN and user.may(Permission.FREEZE)
    unspent = _unspent(found) if found.cards <= MOST_CARDS else None
    context: dict[str, Any] = {
        "row": _row(found),
        "sign": found,
        "batch": found.batch,
        "cards": cards,
        "has_more": has_more,
        "unspent": unspent,
        "shows_people": shows_people,
        "opens_batches": user.may(Permission.VIEW_CATALOGUE),
        "refused": refused,
        "unsent": "" if judges else next((form["reason"].value() for form in bound.values()), ""),
        "dismiss_form": bound.get("dismiss") or DismissForm() if judges else None,
        "report_form": bound.get("report") or ReportForm() if judges and unspent else None,
    }
    title = f"{found.get_kind_display()}: {sign_words.where(found)}"
    return page(request, "support/sign.html", context, title=title, status=status)


def _unspent(sign: CardSign) -> int:
    run = Code.objects.filter(batch=sign.batch_id, pk__range=(sign.first_serial, sign.last_serial))
    return run.filter(status__in=[status for status in CodeStatus if status.is_unspent]).count()


def _cards(sign: CardSign, now: datetime) -> tuple[list[Card], bool]:
    """All of a short run and those beside it; of a long one, or a batch, those that were tried. Whether there are more
    than are shown."""
    tries = Attempt.objects.filter(
        outcome=AttemptOutcome.REFUSED, reason__in=REASONS[CardSignKind(sign.kind)], at__gte=sign.since
    )
    codes = with_state(Code.objects.filter(batch=sign.batch_id)).order_by("pk")
    if sign.is_run and sign.cards <= MOST_CARDS_SHOWN:
        codes = codes.filter(pk__range=(sign.first_serial - NEIGHBOURS, sign.last_serial + NEIGHBOURS))
    else:
        codes = codes.filter(Exists(tries.filter(code=OuterRef("pk"))))
        codes = codes.filter(pk__range=(sign.first_serial, sign.last_serial))
    found = list(codes[: MOST_CARDS_SHOWN + 2 * NEIGHBOURS + 1])
    shown = found[: MOST_CARDS_SHOWN + 2 * NEIGHBOURS]
    by_card: dict[int | None, list[Attempt]] = defaultdict(list)
    for attempt in tries.filter(code__in=shown).select_related("account").order_by("-pk"):
        by_card[attempt.code_id].append(attempt)
    cards = [
        Card(
            code,
            state_of(code, now),
            not sign.first_serial <= code.pk <= sign.last_serial,
            len(by_card[code.pk]),
            by_card[code.pk][:MOST_TRIES],
        )
        for code in shown
    ]
    return cards, len(found) > len(shown)
