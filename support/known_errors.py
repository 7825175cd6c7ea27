"""What lies behind the message that a customer saw, on his ticket: the causes in the order of what the checks found."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from django import forms
from django.db.models import Q
from django.views.decorators.debug import sensitive_variables
from unfold.widgets import UnfoldAdminSelectWidget

from redemption.models import Code, User
from redemption.refusals import REFUSALS, RefusalReason
from redemption.roles import Permission
from support import audit
from support.diagnosis import card_of
from support.evidence import REDEEMED, Evidence, gather
from support.models import AuditAction, Cause, KnownError, MessageKind, Ticket
from support.recognising import Recognised, recognise
from support.reply_variables import Filled, fill, moment, values


class Standing(Enum):
    """How a cause stands after the checks: word, icon (each of another shape) and tone. In the order of the page."""

    PROVED = "This is it", "task_alt", "good"
    STOPS = "Redeeming stops here", "front_hand", "ended"
    WAS = "It was so when they tried", "history", "waiting"
    FITS = "Fits: ask which", "rule", "waiting"
    UNCHECKED = "Not checked yet", "hourglass_empty", "blocked"
    OPEN = "No check can know: ask", "help", "spent"
    RULED_OUT = "Ruled out", "do_not_disturb_on", "ended"

    def __init__(self, word: str, icon: str, tone: str) -> None:
        self.word, self.icon, self.tone = word, icon, tone


_ORDER = list(Standing)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A cause on this ticket: how it stands, what the checks found of it, and its reply as it would be sent."""

    cause: Cause
    standing: Standing
    detail: str
    reply: Filled
    works_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """`error` is None where nothing was recognised. `is_chosen`: it stands on the ticket already."""

    error: KnownError | None
    is_chosen: bool
    likely: list[Recognised]
    suspects: list[Suspect]
    stranger: Suspect | None
    sentence: str
    missing: list[str]
    form: "KnownErrorForm | None"
    replies: bool
    edits: bool

    @property
    def stranger_first(self) -> bool:
        """Whether none of the message's own causes holds."""
        held = {Standing.PROVED, Standing.WAS, Standing.FITS}
        return self.stranger is not None and not any(suspect.standing in held for suspect in self.suspects)

    @property
    def near(self) -> list[Suspect]:
        return [suspect for suspect in self.suspects if suspect.standing is not Standing.RULED_OUT]

    @property
    def ruled_out(self) -> list[Suspect]:
        return [suspect for suspect in self.suspects if suspect.standing is Standing.RULED_OUT]


class KnownErrorForm(forms.Form):
    """Which of the known errors it is, by hand; empty: none of them."""

    known_error = forms.ModelChoiceField(
        KnownError.objects.none(),
        label="The customer saw",
        required=False,
        empty_label="None of these",
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, ticket: Ticket, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = Q(is_active=True)
        if ticket.program_id:
            offered &= Q(program=None) | Q(program=ticket.program_id)
        field: Any = self.fields["known_error"]
        field.queryset = KnownError.objects.filter(offered | Q(pk=ticket.known_error_id)).select_related("program")
        field.label_from_instance = lambda error: f"{error} ({error.program})" if error.program else str(error)


@sensitive_variables("likely", "words")
def panel(ticket: Ticket, user: User, now: datetime) -> dict[str, Panel]:
    """For support/_known_error.html. The checks run for those who may diagnose, under record; without the right to see
    who customers are, their findings are told without an account's values."""
    likely = [] if ticket.known_error else _likely(ticket)
    error = ticket.known_error or (likely[0].known_error if likely else None)
    code = card_of(ticket.code_id)
    found = _evidence(ticket, code, user, now) if error else None
    words = values(ticket, user, card=code)
    suspects, stranger = [], None
    if error:
        suspects = _suspects(list(error.causes.order_by("rank", "pk")), found or Evidence(), ticket, user, words)
        stranger = _stranger(suspects, found or Evidence(), ticket, user, words)
    answers = user.may(Permission.ANSWER_TICKETS) and not ticket.merged_into_id
    return {
        "known": Panel(
            error=error,
            is_chosen=bool(ticket.known_error),
            likely=likely,
            suspects=suspects,
            stranger=stranger,
            sentence=_sentence(suspects, stranger, found, ticket),
            missing=_missing(ticket) if found is not None else [],
            form=KnownErrorForm(ticket=ticket, initial={"known_error": error}) if answers else None,
            replies=answers,
            edits=user.may(Permission.MANAGE_DESK),
        )
    }


@sensitive_variables()
def reply_to(ticket: Ticket, cause: Cause, user: User, now: datetime) -> Filled:
    """A cause's ready reply, as the panel shows it."""
    known = panel(ticket, user, now)["known"]
    for suspect in [*known.suspects, *([known.stranger] if known.stranger else [])]:
        if suspect.cause == cause:
            return suspect.reply
    return fill(cause.reply, values(ticket, user))


@sensitive_variables()
def _likely(ticket: Ticket) -> list[Recognised]:
    """From what the customer saw; where nobody wrote that down, from what he wrote first."""
    if ticket.error_message:
        return recognise(ticket.error_message, ticket.program)
    first = ticket.messages.filter(kind=MessageKind.CUSTOMER).order_by("pk").first()
    return recognise(f"{ticket.subject}\n{first.body if first else ''}", ticket.program)


def _evidence(ticket: Ticket, code: Code | None, user: User, now: datetime) -> Evidence | None:
    """None for those who may not diagnose."""
    if not user.may(Permission.DIAGNOSE):
        return None
    if code or ticket.account:
        target = f"code:{code.pk}" if code else f"account:{ticket.account_id}"
        audit.record(AuditAction.DIAGNOSED, by=user, target=target, account=ticket.account_id)
    return gather(code, ticket.account, now=now)


# --- The causes


def _suspects(causes: list[Cause], found: Evidence, ticket: Ticket, user: User, words: dict[str, str]) -> list[Suspect]:
    suspects = [_suspect(cause, causes, found, ticket, user, words) for cause in causes]
    places = {reason.value: place for place, reason in enumerate(found.failed)}

    def order(suspect: Suspect) -> tuple[int, int, int]:
        place = min((places[reason] for reason in suspect.cause.reasons if reason in places), default=len(places))
        return _ORDER.index(suspect.standing), place, suspect.cause.rank

    return sorted(suspects, key=order)


def _suspect(
    cause: Cause, causes: list[Cause], found: Evidence, ticket: Ticket, user: User, words: dict[str, str]
) -> Suspect:
    reasons = [RefusalReason(reason) for reason in cause.reasons]
    holds = [reason for reason in reasons if reason in found.failed]
    if holds:
        if found.is_redeemed_by_somebody and REDEEMED.issuperset(holds):
            detail = "It is redeemed. Whether by the customer, his account tells."
            return _made(cause, Standing.FITS, detail, ticket, words)
        others = [other for other in causes if other != cause and set(other.reasons) & set(holds)]
        standing = Standing.FITS if others else Standing.PROVED
        return _made(cause, standing, _detail(holds[0], found, user), ticket, words, found.failed[holds[0]].works_from)
    if found.slip and RefusalReason.NOT_RECOGNISED in reasons and RefusalReason.UNKNOWN not in reasons:
        detail = f"A code one slip away from this card’s was typed on {found.slip.at:%-d %B %Y}."
        return _made(cause, Standing.PROVED, detail, ticket, words)
    if found.before and found.before.reason in cause.reasons:
        agent = REFUSALS[RefusalReason(found.before.reason)].agent
        detail = f"{agent} So it was on {found.before.at:%-d %B %Y}, and is no more."
        return _made(cause, Standing.WAS, detail, ticket, words)
    if reasons and found.tested.issuperset(reasons):
        return _made(cause, Standing.RULED_OUT, "The checks find nothing of it.", ticket, words)
    if not reasons or RefusalReason.NOT_RECOGNISED in reasons:
        return _made(cause, Standing.OPEN, "", ticket, words)
    return _made(cause, Standing.UNCHECKED, "", ticket, words)


def _made(
    cause: Cause,
    standing: Standing,
    detail: str,
    ticket: Ticket,
    words: dict[str, str],
    works_from: datetime | None = None,
) -> Suspect:
    if works_from:
        words = {**words, "works_from": moment(works_from, ticket.program)}
    return Suspect(cause, standing, detail, fill(cause.reply, words), works_from)


def _detail(reason: RefusalReason, found: Evidence, user: User) -> str:
    """With both values, for those who may see the account's."""
    return found.failed[reason].detail if user.may(Permission.SEE_PERSONAL_DATA) else REFUSALS[reason].agent


def _stranger(
    suspects: list[Suspect], found: Evidence, ticket: Ticket, user: User, words: dict[str, str]
) -> Suspect | None:
    """What redeeming stops at now, where it is none of this message's causes: another message would be told today."""
    if not found.first or not found.first.reason:
        return None
    reason = found.first.reason
    if any(reason in suspect.cause.reasons for suspect in suspects):
        return None
    causes = Cause.objects.filter(reasons__contains=[reason.value], known_error__is_active=True)
    cause = causes.filter(known_error__answer=reason.answer).order_by("rank", "pk").first() or causes.first()
    if not cause:
        return None
    return _made(cause, Standing.STOPS, _detail(reason, found, user), ticket, words, found.first.works_from)


# --- What the panel says


def _sentence(suspects: list[Suspect], stranger: Suspect | None, found: Evidence | None, ticket: Ticket) -> str:
    if not suspects or found is None:
        return ""
    if ticket.program and ticket.program.is_paused:
        return f"Redeeming is paused at {ticket.program}: whatever the cause, every try is told to come back later."
    causes = f"Of its {len(suspects)} causes" if len(suspects) > 1 else "Of its one cause"
    count = {standing: sum(one.standing is standing for one in suspects) for standing in Standing}
    if count[Standing.PROVED] == 1:
        return f"{causes}, this one:"
    if count[Standing.PROVED]:
        return f"{causes}, these {count[Standing.PROVED]}:"
    if count[Standing.WAS]:
        return f"{causes}, this one held when they tried, and holds no more:"
    if count[Standing.FITS]:
        return f"{causes}, {count[Standing.FITS]} fit what the checks found:"
    if stranger:
        return "None of its causes was found, and redeeming stops at something else now:"
    if _missing(ticket):
        return ""
    return "Every check passes: it would be redeemed now. What remains is what no check can know:"


def _missing(ticket: Ticket) -> list[str]:
    """What the checks still need."""
    return [name for name, known in [("card", ticket.code_id), ("account", ticket.account_id)] if not known]
