"""What can be decided about reported cards, by whom, and of which cards: planned before it is done, so that nobody ends
a card that he did not mean."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django import forms
from django.views.decorators.debug import sensitive_variables

from redemption.listed_cards import Listed
from redemption.models import ApprovalRequest, Book, CodeStatus, User
from redemption.reasons import ReasonForm
from redemption.roles import Permission
from support import report_cards
from support.actions import judging
from support.models import Answer, CompromiseReport
from support.report_cards import ALLOWED, ASKED, DECISIONS, FROZEN, TOO_LATE, UNDECIDED, Worth, worth

# Ticked on pages; more is “all of them”.
MOST_CHOSEN = 1_000
WHICH = {
    "chosen": "the ticked cards",
    FROZEN: "all that are frozen",
    TOO_LATE: "all that are too late",
    ALLOWED: "all that are to be handed over",
}


class JudgeForm(ReasonForm):
    reason = forms.CharField(
        label="Why",
        max_length=judging.LONGEST_REASON,
        widget=forms.Textarea({"rows": 2, "maxlength": judging.LONGEST_REASON}),
        error_messages={"required": "Say why: whoever sees the cards next needs to know."},
    )


class ReplaceForm(JudgeForm):
    """`asks_source`: cards are among them that a thief has redeemed."""

    source = forms.ChoiceField(
        label="Who pays for what was redeemed",
        choices=[(Book.RECEIVABLE.value, "The retailer"), (Book.GOODWILL.value, "We do, out of goodwill")],
        widget=forms.RadioSelect,
        error_messages={"required": "Say who pays for cards that were redeemed: the retailer, or goodwill."},
    )

    def __init__(self, *args: Any, asks_source: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not asks_source:
            del self.fields["source"]


class SendForm(forms.Form):
    email = forms.EmailField(
        label="E-mail address",
        widget=forms.EmailInput({"autocomplete": "off"}),
        error_messages={"required": "Say where to."},
    )


class AskForm(forms.Form):
    prefix = "ask"
    text = forms.CharField(
        label="What we need to know",
        widget=forms.Textarea({"rows": 3}),
        error_messages={"required": "Write what we need to know."},
    )


@dataclass(frozen=True, slots=True)
class Verb:
    """`run` takes the report, the serial numbers, the actor and the form's fields, and raises ReportError; it gives how
    many cards it was, or the request that it made. `takes`: the statuses that a card can have for it, with the sentence
    for the others."""

    key: str
    label: str
    # As the page that asks says it, before “… 998 cards?”
    question: str
    effect: str
    icon: str
    tone: str
    permission: Permission
    takes: frozenset[CodeStatus]
    why_not: str
    run: Callable[..., int | ApprovalRequest]
    asks: bool = False
    form: type[forms.Form] = JudgeForm


_UNSPENT = frozenset(status for status in CodeStatus if status.is_unspent)
VERBS = {
    verb.key: verb
    for verb in (
        Verb(
            "clear", "Clear", "Clear", "They work again at once, as before the report.",
            "check_circle", "good", Permission.FREEZE, _UNSPENT, "It is spent or ended: nothing can be cleared.",
            judging.clear,
        ),
        Verb(
            "void", "Void", "Ask to void",
            "A second person decides. Approved, they are ended for good, and what was sold of them goes back to the "
            "retailer’s account.",
            "block", "ended", Permission.REQUEST, _UNSPENT, "It is spent or ended: nothing is left to void.",
            judging.request_void, asks=True,
        ),
        Verb(
            "replace", "Replace", "Ask to replace",
            "A second person decides. Approved, each may be replaced once: the new one is made when it is handed over.",
            "swap_horiz", "waiting", Permission.REQUEST, frozenset(CodeStatus), "",
            judging.request_replacement, asks=True, form=ReplaceForm,
        ),
        Verb(
            "close", "Close", "Close", "Nothing is given for them. The retailer reads “too late”.",
            "lock", "ended", Permission.FREEZE, frozenset(CodeStatus) - _UNSPENT,
            "It is not redeemed: clear, void or replace it.", judging.close,
        ),
        Verb(
            "send", "Send new cards for", "Send new cards for",
            "The replacements are made, and each new card goes out in a mail of its own. It cannot be called back.",
            "outgoing_mail", "good", Permission.REQUEST, frozenset(CodeStatus), "",
            judging.send_over, form=SendForm,
        ),
    )
}  # fmt: skip


def open_to(user: User) -> list[Verb]:
    """For cards that are to be judged; “send” is for those whose replacement is allowed."""
    return [verb for verb in VERBS.values() if verb.key != "send" and user.may(verb.permission)]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a verb would do: the cards that it takes, what they are worth, and those that it leaves, with why."""

    verb: Verb
    serials: list[int]
    skipped: Mapping[str, list[int]] = field(default_factory=dict)
    worth: list[Worth] = field(default_factory=list)
    # An approval is for its cards to the letter: asked anew for one of them, the others’ ends as well.
    ends_approvals: bool = False

    @property
    def skips(self) -> int:
        return sum(map(len, self.skipped.values()))

    @property
    def asks_source(self) -> bool:
        return any(part.status == CodeStatus.REDEEMED for part in self.worth)

    @sensitive_variables()
    def form(self, data: Any = None) -> forms.Form:
        if issubclass(self.verb.form, ReplaceForm):
            return self.verb.form(data, asks_source=self.asks_source)
        return self.verb.form(data)


def plan(report: CompromiseReport, verb: Verb, *, which: str, chosen: Collection[int] = (), now: datetime) -> Plan:
    """Of the cards that `chosen` names, or of all of a kind."""
    found = report_cards.to_judge(report, None if which != "chosen" else chosen, now=now)
    if which == ALLOWED:
        found = [row for row in found if row.decision == ALLOWED]
    if which in {FROZEN, TOO_LATE}:
        of = [answer for answer in Answer if (answer == Answer.FROZEN) == (which == FROZEN)]
        found = [row for row in found if row.answer in of and row.decision == UNDECIDED]
    takes: list[int] = []
    skipped: dict[str, list[int]] = {}
    for row in found:
        if why := _why_not(verb, row):
            skipped.setdefault(why, []).append(row.serial)
        else:
            takes.append(row.serial)
    if verb.key == "replace" and takes:
        for serial, why in judging.not_replaceable(takes, now=now).items():
            if why:
                skipped.setdefault(why, []).append(serial)
        left = {serial for serials in skipped.values() for serial in serials}
        takes = [serial for serial in takes if serial not in left]
    if verb.key == "send" and len(takes) > judging.MOST_SENT:
        skipped[f"At most {judging.MOST_SENT} new cards are sent at once: send these afterwards."] = takes[
            judging.MOST_SENT :
        ]
        takes = takes[: judging.MOST_SENT]
    if missing := sorted(set(chosen) - {row.serial for row in found}):
        skipped["It does not stand on this report."] = missing
    ends_approvals = verb.asks and bool({row.serial for row in found if row.decision == ALLOWED} & set(takes))
    return Plan(verb, takes, skipped, worth(takes) if takes else [], ends_approvals)


def seen_of(serials: Sequence[int]) -> str:
    """Stands for the cards that a plan has shown: how many, and which, without naming 100,000 of them."""
    shown = Listed("", serials).payload()
    return f"{shown['count']}-{shown['cards']}"


def _why_not(verb: Verb, row: report_cards.Judged) -> str:
    if row.decision == ASKED:
        return "It waits for a second person."
    if verb.key == "send":
        return "" if row.decision == ALLOWED else "Nobody has allowed its replacement."
    if row.decision == ALLOWED and verb.key == "replace":
        return "Its replacement was allowed: hand the new card over."
    if row.decision not in {UNDECIDED, ALLOWED}:
        return f"Decided before: {meta.word}." if (meta := DECISIONS.get(row.decision)) else "It was not found."
    return "" if row.status in verb.takes else verb.why_not
