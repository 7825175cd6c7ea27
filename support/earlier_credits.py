"""Credits that were granted before, as they stand beside the form: to this account, for this card, for these files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from redemption.models import Account, ApprovalAction, ApprovalRequest, Code, RequestStatus
from support.attachments import Shown
from support.models import ManualCredit, Ticket
from support.policy import ACCOUNT_WINDOW

MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Warned:
    """One thing to know before crediting, in plain words, and the credit that it is about."""

    sentence: str
    credit: ManualCredit


@dataclass(frozen=True, slots=True)
class Earlier:
    """Newest first, at most ten each. `has_more`: the account has got more than are listed."""

    of_account: list[ManualCredit] = field(default_factory=list)
    of_card: list[ManualCredit] = field(default_factory=list)
    of_files: list[ManualCredit] = field(default_factory=list)
    has_more: bool = False
    warnings: list[Warned] = field(default_factory=list)


def with_all(credits: QuerySet[ManualCredit]) -> QuerySet[ManualCredit]:
    """All that a line about a credit names, in one query."""
    return credits.select_related("reason", "ticket", "account", "granted_by", "reversal")


def of_account(account: Account) -> QuerySet[ManualCredit]:
    return with_all(ManualCredit.objects.filter(account=account)).order_by("-granted_at", "-pk")


def of_card(code: Code) -> QuerySet[ManualCredit]:
    # An expression: for the plain key PostgreSQL may walk the whole table backwards, hoping for ten soon.
    return with_all(ManualCredit.objects.filter(code=code.pk)).order_by((F("pk") + 0).desc())


def of_ticket(ticket: Ticket) -> QuerySet[ManualCredit]:
    """With those of tickets merged into it."""
    of = Q(ticket=ticket.pk) | Q(ticket__in=Ticket.objects.filter(merged_into=ticket.pk).values("pk"))
    return with_all(ManualCredit.objects.filter(of)).order_by((F("pk") + 0).desc())


def _of_files(files: Sequence[Shown]) -> QuerySet[ManualCredit]:
    """For the same file, wherever it was sent; and on the tickets that have it, or one that looks like it."""
    digests = [file.attachment.digest for file in files if file.attachment.size]
    tickets = {ticket.pk for file in files for ticket in (*file.same, *file.alike)}
    of = Q(receipt_digest__in=digests) | Q(ticket__in=tickets)
    return with_all(ManualCredit.objects.filter(of)).order_by((F("pk") + 0).desc())


def earlier(account: Account, *, card: Code | None, files: Sequence[Shown], now: datetime) -> Earlier:
    """Three queries at most, and warnings from what they found."""
    got = list(of_account(account)[: MOST_SHOWN + 1])
    by_card = list(of_card(card)[:MOST_SHOWN]) if card else []
    by_file = list(_of_files(files)[:MOST_SHOWN]) if files else []
    warnings = [
        *_about_account(got, now),
        *(Warned(_sentence(f"Card {credit.code_id} was credited before", credit), credit) for credit in by_card),
        *(Warned(_about_file(credit, files), credit) for credit in by_file),
    ]
    return Earlier(got[:MOST_SHOWN], by_card, by_file, len(got) > MOST_SHOWN, warnings)


def _about_account(got: Sequence[ManualCredit], now: datetime) -> list[Warned]:
    recent = [credit for credit in got if credit.granted_at > now - ACCOUNT_WINDOW]
    if not recent:
        return []
    newest = recent[0]
    many = len(recent) > MOST_SHOWN
    count = (
        "one credit" if len(recent) == 1 else f"{'more than ' if many else ''}{min(len(recent), MOST_SHOWN)} credits"
    )
    return [Warned(_sentence(f"This account got {count} in the last 30 days, the latest", newest), newest)]


def _about_file(credit: ManualCredit, files: Sequence[Shown]) -> str:
    if credit.receipt_digest:
        digest = bytes(credit.receipt_digest)
        for file in files:
            if bytes(file.attachment.digest) == digest:
                return _sentence(f"{file.attachment.name} was the receipt of a credit before", credit)
    for file in files:
        if credit.ticket_id in {ticket.pk for ticket in file.same}:
            told = f"{file.attachment.name} is on {credit.ticket} too, which was credited"
            return _sentence(told, credit)
    alike = next(file for file in files if credit.ticket_id in {ticket.pk for ticket in file.alike})
    return _sentence(f"{alike.attachment.name} looks like a file of {credit.ticket}, which was credited", credit)


def _sentence(beginning: str, credit: ManualCredit) -> str:
    back = ", taken back since" if hasattr(credit, "reversal") else ""
    return (
        f"{beginning}: {credit.shown} on {credit.granted_at:%-d %B %Y} by {credit.granted_by}, {credit.reason}{back}."
    )


def pending(account: Account) -> list[ApprovalRequest]:
    """Credits to this account that wait for a second person."""
    target = f"account:{account.pk}"
    waiting = _waiting(ApprovalAction.CREDIT).filter(Q(target=target) | Q(target__startswith=f"{target} "))
    return list(waiting.order_by("pk"))


def pending_about(action: ApprovalAction, target: str) -> ApprovalRequest | None:
    """What waits for a second person about one credit or one card: there is at most one."""
    return _waiting(action).filter(target=target).first()


def _waiting(action: ApprovalAction) -> QuerySet[ApprovalRequest]:
    """What nobody decided in time waits no more, also before the hourly job says so."""
    waiting = ApprovalRequest.objects.filter(action=action, status=RequestStatus.PENDING, expires_at__gt=timezone.now())
    return waiting.select_related("requested_by")
