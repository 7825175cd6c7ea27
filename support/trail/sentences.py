"""An event as people read it: a sentence, and its details in words."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from redemption.models import ApprovalAction, MemberRole, User
from redemption.roles import Role
from support.models import AuditAction, AuditEvent, AuditPersonal, ReportChannel, Stage, format_amount
from support.trail.groups import GROUPS
from support.trail.names import Name, Names
from support.trail.query import BESIDE
from support.trail.tickets import unticketed

# Of a list's rows beside an event; the event by itself shows all.
FEW = 3


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a sentence. `target` is what to ask the trail for, about what it names; `person`, whom."""

    text: str
    address: str = ""
    target: str = ""
    person: int | None = None

    @property
    def html(self) -> SafeString:
        """Without any space of its own: commas follow."""
        address = self.address or (f"{reverse('audit')}?{urlencode({'person': self.person})}" if self.person else "")
        text = format_html('<a href="{}">{}</a>', address, self.text) if address else format_html("{}", self.text)
        if not self.target:
            return text
        return format_html(
            '{}<a class="audit-more" href="{}?{}" title="Who looked at it?" aria-label="Who looked at {}?">'
            '<span class="material-symbols-outlined" aria-hidden="true">manage_search</span></a>',
            text,
            reverse("audit"),
            urlencode({"target": self.target}, safe=":"),
            self.text,
        )


@dataclass(frozen=True, slots=True)
class Line:
    event: AuditEvent
    parts: list[Part]
    role: str
    facts: list[list[Part]] = field(default_factory=list)
    # Empty where the event has none; “erased” in its place is the template's to say.
    personal: str = ""
    is_erased: bool = False
    # A look at a customer by somebody who touched no ticket of his around then.
    has_no_ticket: bool = False

    @property
    def sentence(self) -> str:
        return "".join(part.text for part in self.parts)

    @property
    def day(self) -> date:
        return self.event.at.date()


def lines(events: Iterable[AuditEvent], *, shown_to: User, of: str = "", few: int | None = FEW) -> list[Line]:
    """`of` is the target whose trail is read: it is not offered again.

    Constant in queries: one for each kind of record that is named, one for the personal details, and those that say
    which looks had a ticket."""
    events = list(events)
    names = Names((target for event in events for target in _targets(event, few)), shown_to=shown_to)
    kept = AuditPersonal.objects.in_bulk([event.pk for event in events if event.personal_hash is not None])
    without = unticketed(events)
    return [
        Line(
            event=event,
            parts=_without(of, _parts(event, names)),
            role=_role(event.actor_role),
            facts=[_without(of, fact) for fact in _facts(event, names, few)],
            personal=kept[event.pk].text if event.pk in kept else "",
            is_erased=event.personal_hash is not None and event.pk not in kept,
            has_no_ticket=event.pk in without,
        )
        for event in events
    ]


def _without(target: str, parts: Iterable[Part]) -> list[Part]:
    return [replace(part, target="") if part.target == target else part for part in parts]


def _role(value: str) -> str:
    if value in Role.values:
        return str(Role(value).label)
    return str(MemberRole(value).label) if value in MemberRole.values else value


def _targets(event: AuditEvent, few: int | None) -> Iterator[str]:
    """Whatever has a name in what will be shown."""
    yield f"user:{event.actor_id}"
    yield event.target
    yield from event.details.get("also", [])[:few]
    for name, value in event.details.items():
        if kind := _KIND_OF.get(name):
            yield f"{kind}:{value}"


def _parts(event: AuditEvent, names: Names) -> Iterator[Part]:
    action = AuditAction(event.action)
    text = _INSTEAD[action](event) if action in _INSTEAD else str(action.label)
    for piece in re.split(r"(\{actor\}|\{target\})", text):
        if piece == "{actor}":
            yield Part(names.person(event.actor_id), person=event.actor_id)
        elif piece == "{target}":
            yield _named(event.target, names)
        elif piece:
            yield Part(piece)


def _named(target: str, names: Names) -> Part:
    name: Name = names[target] if target else Name("nothing")
    return Part(name.text, name.address, target if ":" in target else "")


# --- Sentences that their details change


def _looked_up(event: AuditEvent) -> str:
    if event.target:
        return str(AuditAction.LOOKED_UP.label)
    return f"{{actor}} looked something up and found {len(event.details.get('also', []))} records"


def _failed(event: AuditEvent) -> str:
    if event.details.get("known") == 0:
        return "Somebody tried to sign in with an address that nobody has here"
    if event.details.get("did") in {"second_factor", "confirming"}:
        return "Somebody signing in as {actor} failed at the " + (
            "second factor" if event.details["did"] == "second_factor" else "password, asked for once more"
        )
    return str(AuditAction.SIGN_IN_FAILED.label)


def _catalogue(event: AuditEvent) -> str:
    return {
        "added": "{actor} added {target} to the catalogue",
        "imported": "{actor} imported the codes of {target}",
        "issue": "{actor} had the codes of {target} made",
        "activate": "{actor} activated {target}",
        "freeze": "{actor} froze {target}",
        "thaw": "{actor} thawed {target}",
        "extend": "{actor} extended the expiry of {target}",
        "close": "{actor} closed {target}",
        "destroy-print-file": "{actor} had the print file of {target} destroyed",
    }.get(event.details.get("did", ""), str(AuditAction.CATALOGUE_CHANGED.label))


def _card(event: AuditEvent) -> str:
    verbs = {"activate": "activated", "freeze": "froze", "thaw": "thawed", "void": "voided"}
    verb = verbs.get(event.details.get("change", ""))
    last = event.details.get("last")
    cards = "{target}" if not last or event.target == f"code:{last}" else f"{{target}} to {last}"
    return f"{{actor}} {verb} {cards}" if verb else str(AuditAction.CARD_CHANGED.label)


def _opened_report(event: AuditEvent) -> str:
    """A look at what a judgement would do says of which."""
    verb = {"clear": "clearing", "void": "voiding", "replace": "replacing", "close": "closing"}.get(
        event.details.get("did", "")
    )
    return f"{{actor}} looked at {verb} cards of {{target}}" if verb else str(AuditAction.COMPROMISE_OPENED.label)


def _invited(event: AuditEvent) -> str:
    return {
        "again": "{actor} invited somebody to {target} once more",
        "withdrawn": "{actor} withdrew an invitation to {target}",
    }.get(event.details.get("did", ""), str(AuditAction.MEMBER_INVITED.label))


_INSTEAD: Mapping[AuditAction, Callable[[AuditEvent], str]] = {
    AuditAction.LOOKED_UP: _looked_up,
    AuditAction.SIGN_IN_FAILED: _failed,
    AuditAction.CATALOGUE_CHANGED: _catalogue,
    AuditAction.CARD_CHANGED: _card,
    AuditAction.COMPROMISE_OPENED: _opened_report,
    AuditAction.MEMBER_INVITED: _invited,
}

# --- Details in words

# Details that are ids, by the kind of record.
_KIND_OF = {word: kind for kind, words in BESIDE.items() for word in words}
_BEFORE = {
    "account": "account",
    "to": "to",
    "into": "with",
    "ticket": "on",
    "code": "for",
    "credit": "as",
    "request": "by",
    "report": "on",
    "successor": "by",
    "user": "for",
}
_DID = {
    "added": "added",
    "deleted": "deleted",
    "sent_password_link": "sent a link to set a password",
    "removed_second_factor": "removed the second factor and ended all sessions",
    "ended_sessions": "ended all sessions",
    "signed_up": "signed up",
    "verified": "showed that the address is his",
    "linked": "got it by his address",
    "password": "set a new password",
    "password_by_mail": "set a new password by a link from a mail",
    "factor_added": "added a second factor",
    "factor_removed": "removed a second factor",
    "factor_renewed": "made new ones",
    "sessions_ended": "ended other sessions",
    "all_sessions_ended": "signed out everywhere",
}
# Said by the sentence, or nothing to a reader.
_UNSAID = {"also", "unit", "approval", "known", "stop", "last", "change", "invitation", "message"}
_WORDS = {
    "is_active": "may sign in",
    "plan": "plan",
    "country": "country",
}


def _facts(event: AuditEvent, names: Names, few: int | None) -> Iterator[list[Part]]:
    details = event.details
    if beside := details.get("also"):
        yield list(_beside(beside, names, few))
    for name in sorted(details):
        value = details[name]
        if name in _KIND_OF and value:
            named = _named(f"{_KIND_OF[name]}:{value}", names)
            first = "" if _BEFORE[name] == _KIND_OF[name] else f"{_BEFORE[name]} "
            yield [Part(first), named] if first else [named]
        elif name not in _UNSAID and value is not None and (text := _fact(name, value, details)):
            yield [Part(text)]


def _beside(targets: list[str], names: Names, few: int | None) -> Iterator[Part]:
    shown = targets if few is None else targets[:few]
    for place, target in enumerate(shown):
        if place:
            yield Part(", ")
        yield _named(target, names)
    if len(targets) > len(shown):
        yield Part(f" and {len(targets) - len(shown)} more")


def _fact(name: str, value: Any, details: Mapping[str, Any]) -> str:
    match name:
        case "fields":
            return "changed " + ", ".join(word.replace("_", " ") for word in value.split()) if value else ""
        case "changes":
            return "; ".join(_change(field, *change) for field, change in sorted(value.items())) if isinstance(
                value, dict
            ) else f"{value} changes"  # fmt: skip
        case "did":
            return "" if value in _SAID_BY_SENTENCE else _DID.get(value, str(value).replace("_", " "))
        case "role":
            return f"role: {_role(value)}"
        case "old":
            return f"from {_role(value)} to {_role(details.get('new', ''))}"
        case "new":
            return ""
        case "is_active":
            return "may sign in" if value else "may no longer sign in"
        case "amount":
            return format_amount(value, details.get("unit", ""))
        case "asked":
            return str(ApprovalAction(value).label).lower() if value in ApprovalAction.values else str(value)
        case "position":
            return f"symbol {value}"
        case "slip":
            return f"{value} symbol"
        case "attachment":
            return f"file {value}"
        case "factor":
            return _FACTORS.get(value, str(value))
        case "searched":
            return "searched" if value else ""
        case "filters":
            return _filters(value)
        case "cards":
            return f"{value:,} card{'' if value == 1 else 's'}" if isinstance(value, int) else str(value)
        case "channel" if value in ReportChannel.values:
            return f"by {str(ReportChannel(value).label).lower()}"
        case "stage":
            return f"only “{Stage(value).label}”" if value in Stage.values else ""
    return f"{name.replace('_', ' ')}: {_value(value)}"


_FACTORS = {"totp": "authenticator app", "webauthn": "passkey", "recovery_codes": "recovery codes"}
_SAID_BY_SENTENCE = {
    "added", "imported", "issue", "activate", "freeze", "thaw", "extend", "close", "destroy-print-file",
    "second_factor", "confirming", "clear", "void", "replace", "again", "withdrawn",
}  # fmt: skip


def _filters(asked: Mapping[str, str]) -> str:
    """But for the target and the person, who are named beside."""
    said = []
    if action := asked.get("action"):
        named = GROUPS[action][0] if action in GROUPS else action.replace("_", " ")
        said.append(f"only “{named.lower()}”")
    for word in ("from", "until"):
        if word in asked:
            said.append(f"{word} {date.fromisoformat(asked[word]):%-d %B %Y}")
    if "ticket" in asked:
        said.append("without a ticket")
    return ", ".join(said)


def _change(name: str, before: Any, after: Any) -> str:
    return f"{name.replace('_', ' ')} from {_value(before)} to {_value(after)}"


def _value(value: Any) -> str:
    if value in (None, "", []):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return str(value)
