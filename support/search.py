"""The desk's one box: whatever was typed is tried as everything that it could be.

Serial numbers, references and words of tickets are no secrets and always answered. Codes, last four symbols and e-mail
addresses can be guessed at, so look-ups that could be a guess and find nothing are counted, and beyond the limit these
three are not looked up for a while.

What was typed may be a code in every function here: error reports leave their variables out.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.views.decorators.debug import sensitive_variables

from redemption import throttle
from redemption.code_format import MAX_TYPED, Outcome
from redemption.finding import NearMiss, all_formats, find_code
from redemption.models import Account, Attempt, Batch, Code, CodeFormat, Program, Retailer, ThrottleScope, User
from redemption.near_misses import slips
from redemption.references import SignedReference, read_signed
from redemption.roles import Permission
from support import audit, ticket_search
from support.diagnosis import with_state
from support.models import AuditAction, CompromiseReport, ManualCredit, Ticket
from support.references import read_reference, read_serial

MOST_LISTED = 20
MOST_NEAR_MISSES = 10
# A longer text is a sentence: nobody names a retailer in so many words.
MOST_WORDS_WITH_LAST_FOUR = 10
# A signed reference stands for a try that left no row.
Record = Code | Account | Attempt | Batch | CompromiseReport | ManualCredit | SignedReference | Ticket


@dataclass(frozen=True, slots=True)
class NearCard:
    """A card that was perhaps meant, and what slipped. Its last four symbols are not for showing beside what was
    typed: together they could be the code."""

    code: Code
    slip: NearMiss


@dataclass(slots=True)
class Findings:
    """What a look-up found; `tried` and `hints` say the rest in words that hold nothing of what was typed.

    `records` are what the text names; `tickets` hold its words, or are of the cards and customers that it names.
    """

    records: list[Record] = field(default_factory=list)
    tickets: list[Ticket] = field(default_factory=list)
    near: list[NearCard] = field(default_factory=list)
    has_more: bool = False
    share_link_of: Program | None = None
    blocked_until: datetime | None = None
    is_blank: bool = False
    # Characters that no keyboard gives: nothing was looked up.
    is_unreadable: bool = False
    tried: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    @property
    def only(self) -> Record | None:
        """The one record to open, where there is no choice to make."""
        return self.records[0] if len(self.records) == 1 and not self.near else None


@sensitive_variables()
def search(text: str, *, by: User, now: datetime) -> Findings:
    """Everything that a typed text may name and `by` may see. Counts misses and writes the audit trail."""
    if not by.may(Permission.LOOK_UP):
        raise PermissionDenied
    findings = Findings(is_blank=not text.strip(), is_unreadable=not _is_readable(text))
    if findings.is_blank or findings.is_unreadable:
        return findings
    limit = throttle.Limit(settings.ATTEMPTS_PER_AGENT, timedelta(hours=settings.ATTEMPT_WINDOW_HOURS))
    formats = all_formats()
    four = _last_four(text)
    is_guess = bool(_email(text)) or four.is_guess or _could_be_code(text, formats)
    with transaction.atomic():
        # Counted beforehand and taken back when something was found: a check followed by a count would let a
        # script's parallel guesses through.
        blocked_until = throttle.hit(ThrottleScope.AGENT, str(by.pk), limit, now) if is_guess else None
        _by_serial(text, findings)
        _by_reference(text, findings, by)
        if not blocked_until:
            _by_email(text, findings, by)
            _by_code(text, findings)
            if not findings.records and not findings.near:
                _by_last_four(four, formats, findings)
            _by_tickets(text, findings, by)
            if is_guess and (findings.records or findings.tickets or findings.share_link_of):
                throttle.take_back(ThrottleScope.AGENT, str(by.pk), now)
        if blocked_until and not findings.records:
            findings.blocked_until = blocked_until
        else:
            _record(findings, by)
    return findings


@sensitive_variables()
def _is_readable(text: str) -> bool:
    """Whether the database can take it: no control characters, half characters or signs of broken encoding."""
    return not any(
        symbol == "\ufffd" or (unicodedata.category(symbol) in ("Cc", "Cs") and not symbol.isspace()) for symbol in text
    )


@sensitive_variables()
def _by_serial(text: str, findings: Findings) -> None:
    serial = read_serial(text)
    if serial is not None:
        findings.records += with_state(Code.objects.filter(pk=serial))
        findings.tried.append("as a serial number")


@sensitive_variables()
def _by_reference(text: str, findings: Findings, by: User) -> None:
    reference = read_reference(text)
    if reference is None or reference.startswith("TK"):
        _add_tickets(text, findings, by, is_whole=reference is not None)
        return
    found: Iterable[Record]
    match reference[:2]:
        case "AC":
            needs, kind = Permission.VIEW_ACCOUNTS, "accounts"
            found = Account.objects.filter(reference=reference).select_related("program")
        case "IN":
            # Its account's page lists it among the months billed.
            needs, kind = Permission.VIEW_ACCOUNTS, "accounts"
            found = Account.objects.filter(invoices__reference=reference).select_related("program")
        case "AT":
            needs, kind = Permission.VIEW_ACCOUNTS, "customers’ tries"
            found = Attempt.objects.filter(reference=reference).select_related("program")
        case "NO":
            needs, kind = Permission.VIEW_ACCOUNTS, "customers’ tries"
            signed = read_signed(reference)
            found = [signed] if signed else []
        case "CR":
            needs, kind = Permission.VIEW_ACCOUNTS, "credits"
            found = ManualCredit.objects.filter(reference=reference).select_related("account", "reason")
        case "RP":
            needs, kind = Permission.VIEW_COMPROMISED, "reports of compromised cards"
            found = CompromiseReport.objects.filter(reference=reference).select_related("retailer", "ticket")
        case _:
            needs, kind = Permission.VIEW_CATALOGUE, "batches"
            found = Batch.objects.filter(reference=reference).select_related("product__program", "retailer")
    _add(findings, found if by.may(needs) else None, kind, "as a reference")


@sensitive_variables()
def _add_tickets(text: str, findings: Findings, by: User, *, is_whole: bool) -> None:
    """A ticket's reference opens it also where it stands in a sentence, such as a mail's subject."""
    findings.records += ticket_search.named(text, by=by)
    if is_whole:
        findings.tried.append("as a reference")


@sensitive_variables()
def _by_email(text: str, findings: Findings, by: User) -> None:
    """Accounts of this address, and tickets that were asked from it: beside the accounts, whose pages list them too,
    or alone."""
    address = _email(text)
    if not address:
        return
    found = _accounts_of(address).select_related("program").order_by("program__name", "pk")[:MOST_LISTED]
    allowed = list(found) if by.may(Permission.VIEW_ACCOUNTS) else None
    _add(findings, allowed, "accounts", "as an e-mail address")
    tickets = ticket_search.asked_by(address, by=by, limit=MOST_LISTED)
    if allowed:
        findings.tickets = tickets
    else:
        findings.records += tickets


@sensitive_variables()
def _email(text: str) -> str:
    """The address that a text is, in small letters; empty where it is none."""
    address = unicodedata.normalize("NFKC", text[:MAX_TYPED]).strip().strip("<>").lower()
    return address if re.fullmatch(r"\S+@\S+", address) else ""


def _accounts_of(address: str) -> QuerySet[Account]:
    return Account.objects.annotate(lower_email=Lower("email")).filter(lower_email=address)


@sensitive_variables()
def account_named(text: str, *, program: Program) -> Account | None:
    """The program's account with this reference or e-mail address."""
    if not _is_readable(text):
        return None
    address = _email(text)
    accounts = _accounts_of(address) if address else Account.objects.filter(reference=read_reference(text))
    return accounts.filter(program=program).first()


def _add(findings: Findings, found: Iterable[Record] | None, kind: str, way: str) -> None:
    """What was found; None: the role does not look this kind up, and is told so whether it exists or not."""
    if found is None:
        findings.hints.append(f"Your role does not open {kind}: ask a support agent.")
    else:
        findings.tried.append(way)
        findings.records += found


@sensitive_variables()
def _by_code(text: str, findings: Findings) -> None:
    found = find_code(text, limit=MOST_NEAR_MISSES)
    findings.share_link_of = found.share_link_of
    if found.share_link_of or found.outcome is Outcome.BLANK:
        return
    wanted = {*found.serials, *(near.serial for near in found.near)}
    codes = {code.pk: code for code in with_state(Code.objects.filter(pk__in=wanted))} if wanted else {}
    known = {record.pk for record in findings.records if isinstance(record, Code)}
    findings.records += [codes[serial] for serial in found.serials if serial not in known]
    findings.near = [NearCard(codes[near.serial], near) for near in found.near]
    findings.has_more = found.has_more
    for code_format in found.tried:
        shape = code_format.pattern.display("X" * code_format.length)
        findings.tried.append(f"as a code of {code_format.program} ({shape})")
    if found.near or found.serials:
        return
    if found.outcome is Outcome.SLIP:
        findings.hints.append("It has the shape of a code, with a slip in it: have it read out once more.")
    elif found.outcome is Outcome.WELL_FORMED:
        findings.hints.append("It is well-formed, and no card of ours has it: ask for the serial number.")


@dataclass(frozen=True, slots=True)
class _FourSymbols:
    """Ways to read a text as a code's last four symbols with a batch or a retailer before or after them."""

    # The four symbols, and what else stands there.
    readings: list[tuple[str, str]] = field(default_factory=list, repr=False)
    # Whether what else stands there names anything: if not, no card can be guessed by it.
    is_guess: bool = False

    @property
    def are_alone(self) -> bool:
        return any(not rest for _, rest in self.readings)


@sensitive_variables()
def _last_four(text: str) -> _FourSymbols:
    """A masked code counts as its last four."""
    words = re.sub(r"\S*[•*·.…]\W*(?=\w{4}\b)", "", text[:MAX_TYPED]).replace(",", " ").split()
    if len(words) > MOST_WORDS_WITH_LAST_FOUR:
        return _FourSymbols()
    readings = [
        (word, " ".join(words[:place] + words[place + 1 :]))
        for place, word in enumerate(words)
        if len(word) == 4 and word.isalnum()
    ]
    named = Q(pk__in=[])
    for _, rest in readings:
        named |= _batches_named(rest)
    is_guess = any(not rest for _, rest in readings) or Batch.objects.filter(named).exists()
    return _FourSymbols(readings, is_guess)


@sensitive_variables()
def _batches_named(text: str) -> Q:
    """The batches of this reference or of retailers of this name."""
    if reference := read_reference(text):
        return Q(reference=reference)
    name = unicodedata.normalize("NFKC", text)
    return Q(retailer__in=Retailer.objects.filter(Q(name__icontains=name) | Q(slug=name.lower())))


@sensitive_variables()
def _by_last_four(four: _FourSymbols, formats: Sequence[CodeFormat], findings: Findings) -> None:
    if not four.readings:
        return
    if four.are_alone:
        findings.tried.append("as a code’s last four symbols")
        findings.hints.append("Add the batch or the retailer to the last four symbols: “7K2M Saturn”.")
    else:
        findings.tried.append("as a code’s last four symbols, with a batch or a retailer")
    if not four.is_guess:
        return
    patterns = {code_format.pattern for code_format in formats}
    places = Q(pk__in=[])
    for symbols, rest in four.readings:
        typed = Q(last_four__in={pattern.meant(pattern.symbols(symbols) or "") for pattern in patterns})
        places |= typed & Q(batch__in=Batch.objects.filter(_batches_named(rest))) if rest else typed
    codes = list(with_state(Code.objects.filter(places)).order_by("-serial")[: MOST_LISTED + 1])
    findings.records += codes[:MOST_LISTED]
    findings.has_more = len(codes) > MOST_LISTED


@sensitive_variables()
def _could_be_code(text: str, formats: Iterable[CodeFormat]) -> bool:
    """Whether it reads as a code or as one with a slip: if not, no card can be guessed by it."""
    return any(
        code_format.pattern.read(text).outcome in (Outcome.WELL_FORMED, Outcome.SLIP)
        or slips(code_format.pattern, text)
        for code_format in formats
    )


@sensitive_variables()
def _by_tickets(text: str, findings: Findings, by: User) -> None:
    """Tickets of the cards that were found, where there is a choice to make; else those that hold the words."""
    if findings.records:
        codes = [record for record in findings.records if isinstance(record, Code)]
        if codes and not findings.only:
            findings.tickets = ticket_search.beside(codes, by=by, limit=MOST_LISTED)
        return
    # An address in a message would tell those who may not see addresses whose it is.
    is_hidden = bool(_email(text)) and not by.may(Permission.SEE_PERSONAL_DATA)
    if not findings.near and not findings.share_link_of and not is_hidden:
        findings.tickets = ticket_search.find(text[:MAX_TYPED], by=by, limit=MOST_LISTED)
        findings.tried.append("as words of tickets")


def target(record: Record) -> str:
    """How an audit event names a record."""
    if isinstance(record, SignedReference):
        return f"account:{record.account_id}"
    if isinstance(record, ManualCredit):
        return f"credit:{record.pk}"
    if isinstance(record, CompromiseReport):
        return f"report:{record.pk}"
    return f"{type(record).__name__.lower()}:{record.pk}"


def _record(findings: Findings, by: User) -> None:
    for near in findings.near:
        audit.record(
            AuditAction.NEAR_MISS_SHOWN,
            by=by,
            target=target(near.code),
            position=near.slip.position,
            slip=near.slip.kind.value,
        )
    targets = [target(record) for record in (*findings.records, *findings.tickets)]
    if len(targets) == 1:
        audit.record(AuditAction.LOOKED_UP, by=by, target=targets[0])
    elif targets:
        audit.record(AuditAction.LOOKED_UP, by=by, also=targets)
    elif not findings.near and not findings.share_link_of:
        audit.record(AuditAction.LOOKED_UP_NOTHING, by=by)
