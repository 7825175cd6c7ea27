"""Judging what was reported: cards cleared, ended, replaced, credited, or closed with nothing more done.

Each verb takes, of the cards it is given, those that wait for it and leaves the rest as they are; where none does, a
ReportError says so. Whoever judges a retailer's cards has its reports to himself (locks.REPORTS): of two at once, the
second finds what the first has decided. What becomes of a card is written on every report that still waits for it, and
by how the card stands by now, whoever brought that about.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption import approvals, locks
from redemption.cards import CardError
from redemption.code_spotting import CodeSpotter
from redemption.listed_cards import Listed, thaw_listed, these, void_listed
from redemption.models import (
    Approval,
    ApprovalAction,
    ApprovalRequest,
    Book,
    Code,
    CodeStatus,
    RequestStatus,
    User,
)
from redemption.outbox import seal
from redemption.replacing import hindrances, replace_card
from redemption.roles import Permission
from redemption.standing import NewCard
from redemption.victims import relieve
from support import audit
from support.actions.messages import write_staff_message
from support.actions.reports import ReportError, settle
from support.actions.tickets import TicketError
from support.models import (
    TO_BE_JUDGED,
    Answer,
    AuditAction,
    CardSign,
    CardSignState,
    CompromiseReport,
    ManualCredit,
    Message,
    MessageKind,
    Outcome,
    ReportedCard,
    TicketStatus,
)

# It becomes the reason of each card's event.
LONGEST_REASON = 200
_WAS_CREDITED = "A credit was given for this card: take that back first."
# New cards in one go: whoever presses the button waits for them.
MOST_SENT = 100
# Who pays for what a thief has redeemed.
PAYERS = (Book.RECEIVABLE, Book.GOODWILL)


def target_of(report: CompromiseReport) -> str:
    return f"report:{report.pk}"


def clear(
    report: CompromiseReport, *, serials: Collection[int], by: User, reason: str, now: datetime | None = None
) -> int:
    """Frozen cards with which nothing is wrong work again. Returns how many; one that somebody thawed before counts,
    and one that was ended or redeemed since is left to be judged."""
    now = now or timezone.now()
    _require(by, Permission.FREEZE)
    reason = _checked(reason)
    with transaction.atomic():
        waiting = _waiting(report, serials, [Answer.FROZEN], now)
        if waiting:
            thaw_listed(serials=waiting, retailer=report.retailer, by=by, reason=reason, now=now)
        cleared = _in_status(waiting, CodeStatus.INACTIVE, CodeStatus.ACTIVE)
        if not cleared:
            raise ReportError("None of these cards waits to be cleared.")
        settle(retailer=report.retailer, serials=cleared, outcome=Outcome.CLEARED, by=by, now=now)
        audit.record(AuditAction.CARDS_CLEARED, by=by, target=target_of(report), cards=len(cleared))
    return len(cleared)


def request_void(
    report: CompromiseReport, *, serials: Collection[int], by: User, reason: str, now: datetime | None = None
) -> ApprovalRequest:
    """Asks a second person to end these cards for good, as far as they are unspent. The request is for exactly the
    cards that wait for it; a card waits in one request at a time."""
    now = now or timezone.now()
    with transaction.atomic():
        waiting = _waiting(report, serials, [Answer.FROZEN], now)
        unspent = _in_status(waiting, *(status for status in CodeStatus if status.is_unspent))
        if not unspent:
            raise ReportError("None of these cards waits to be voided.")
        return _ask(ApprovalAction.VOID, report, unspent, by=by, reason=reason, now=now)


def request_replacement(
    report: CompromiseReport,
    *,
    serials: Collection[int],
    source: Book | None,
    by: User,
    reason: str,
    now: datetime | None = None,
) -> ApprovalRequest:
    """Asks a second person to allow these cards' replacement, each once. `source` pays for those that a thief has
    redeemed, as far as his wallet does not. Nothing happens to a card before hand_over()."""
    now = now or timezone.now()
    with transaction.atomic():
        waiting = _waiting(report, serials, TO_BE_JUDGED, now)
        why_not = not_replaceable(waiting, now=now)
        replaceable = [serial for serial, hindrance in why_not.items() if not hindrance]
        if not replaceable:
            raise ReportError(next(iter(why_not.values()), "None of these cards waits to be replaced."))
        is_any_spent = bool(_in_status(replaceable, CodeStatus.REDEEMED))
        if is_any_spent and source not in PAYERS:
            raise ReportError("Say who pays for cards that were redeemed: the retailer, or goodwill.")
        payer = source if is_any_spent else None
        return _ask(ApprovalAction.REPLACE, report, replaceable, by=by, reason=reason, now=now, source=payer)


def void_approved(approval: Approval, *, now: datetime | None = None) -> None:
    """Ends the cards of a request that a second person has just approved, exactly those, as far as they are unspent;
    what was spent meanwhile stays to be judged. ReportError where nothing of it is left to void."""
    now = now or timezone.now()
    asked, by = approval.request, approval.requested_by
    with transaction.atomic():
        report = report_of(asked)
        hold(report)
        listed = _listed(asked)
        try:
            void_listed(listed, retailer=report.retailer, by=by, approval=approval, reason=asked.reason, now=now)
        except CardError as refused:
            raise ReportError(str(refused)) from None
        void = _in_status(_undecided(report, listed.serials), CodeStatus.VOID)
        if not void:
            raise ReportError("None of these cards is left to be voided.")
        settle(retailer=report.retailer, serials=void, outcome=Outcome.CONFIRMED, by=by, now=now)
        confirm(report, void, by, now)
        audit.record(AuditAction.CARDS_VOIDED, by=by, target=asked.target, cards=len(void), approval=approval.pk)


@sensitive_variables("card")
def hand_over(
    report: CompromiseReport, *, serial: int, by: User, email: str = "", now: datetime | None = None
) -> NewCard | None:
    """Replaces a card whose replacement was approved. Returns the new one, to be shown once to whoever hands it over;
    None where it goes to `email` instead. Of two people at once, one has it and the other gets a ReportError."""
    now = now or timezone.now()
    _require(by, Permission.REQUEST)
    with transaction.atomic():
        hold(report)
        row = ReportedCard.objects.select_related("request__approval").filter(report=report, serial=serial).first()
        if row is None:
            raise ReportError("This card is not on the report.")
        if row.outcome:
            raise ReportError(f"This card was decided before: {row.get_outcome_display().lower()}.")
        asked = row.request
        if asked is None or (asked.action, asked.status) != (ApprovalAction.REPLACE, RequestStatus.APPROVED):
            raise ReportError("Nobody has approved this card's replacement.")
        if credited([serial]):
            raise ReportError(_WAS_CREDITED)
        source = asked.payload["source"]
        try:
            card = replace_card(
                serial=serial,
                by=by,
                approval=asked.approval,
                reason=asked.reason,
                source=Book(source) if source else None,
                among=_listed(asked),
                now=now,
            )
        except (CardError, approvals.ApprovalError) as refused:
            raise ReportError(str(refused)) from None
        if email:
            seal(card, email=email, by=by, now=now)
        settle(retailer=report.retailer, serials=[serial], outcome=Outcome.REPLACED, by=by, now=now)
        confirm(report, [serial], by, now)
        audit.record(
            AuditAction.CARD_REPLACED,
            by=by,
            target=f"code:{serial}",
            report=report.pk,
            successor=card.serial,
            approval=asked.approval.pk,
        )
    return None if email else card


def send_over(
    report: CompromiseReport, *, serials: Collection[int], by: User, email: str, now: datetime | None = None
) -> int:
    """Hands over several at once, all or none: each new card goes to `email` in a mail of its own. Returns how many."""
    if len(serials) > MOST_SENT:
        raise ReportError(f"At most {MOST_SENT} new cards are sent at once.")
    with transaction.atomic():
        for serial in serials:
            hand_over(report, serial=serial, by=by, email=email, now=now)
    return len(serials)


def close(
    report: CompromiseReport, *, serials: Collection[int], by: User, reason: str, now: datetime | None = None
) -> int:
    """Cards that were redeemed, and for which nothing is given. Returns how many. A card that was frozen, and somebody
    ended elsewhere meanwhile, is written down as what it became."""
    now = now or timezone.now()
    _require(by, Permission.FREEZE)
    _checked(reason)
    with transaction.atomic():
        waiting = _waiting(report, serials, TO_BE_JUDGED, now)
        became = {
            outcome: _in_status(waiting, status)
            for status, outcome in (
                (CodeStatus.REDEEMED, Outcome.CLOSED),
                (CodeStatus.VOID, Outcome.CONFIRMED),
                (CodeStatus.REPLACED, Outcome.REPLACED),
            )
        }
        closed = sum(len(found) for found in became.values())
        if not closed:
            raise ReportError("None of these cards waits to be closed.")
        # Whoever drew a card before it was sold was a thief, whatever is given for it. Of others nobody has said so.
        stolen = _undecided(report, waiting, [Answer.BEFORE_SALE])
        for outcome, found in became.items():
            settle(retailer=report.retailer, serials=found, outcome=outcome, by=by, now=now)
        confirm(report, [*stolen, *became[Outcome.CONFIRMED], *became[Outcome.REPLACED]], by, now)
        audit.record(AuditAction.CARDS_CLOSED, by=by, target=target_of(report), cards=closed)
    return closed


@sensitive_variables("text")
def ask_information(report: CompromiseReport, *, text: str, by: User, now: datetime | None = None) -> Message:
    """Asks the retailer, in the ticket's thread; the report then waits for its answer."""
    _require(by, Permission.ANSWER_TICKETS)
    with transaction.atomic():
        try:
            message = write_staff_message(
                ticket=report.ticket,
                kind=MessageKind.REPLY,
                body=text,
                by=by,
                status=TicketStatus.WAITING_FOR_RETAILER,
                now=now,
            )
        except TicketError as refused:
            raise ReportError(str(refused)) from None
        audit.record(AuditAction.INFORMATION_REQUESTED, by=by, target=target_of(report), message=message.pk)
    return message


def not_replaceable(serials: Collection[int], *, now: datetime) -> dict[int, str]:
    """Why each of these cards cannot be replaced, in a sentence; "" where it can: what the card itself says, and that a
    credit was given for it. Its worth is given once, whoever named the card in whatever report, or in none."""
    why_not = hindrances(serials, now=now)
    for serial in credited(serials):
        why_not[serial] = why_not.get(serial) or _WAS_CREDITED
    return why_not


def credited(serials: Collection[int]) -> set[int]:
    """Those of these cards for which a credit was given that nobody has taken back."""
    credits = ManualCredit.objects.filter(code__in=these(serials), reversal=None, moves=None)
    return set(credits.order_by().values_list("code_id", flat=True))


# --- What the verbs share


def _require(by: User, permission: Permission) -> None:
    if not (by.may(permission) and by.may(Permission.VIEW_COMPROMISED)):
        raise ReportError("Your role may not do this.")


def _checked(reason: str) -> str:
    """Kept for good, and read by many: it fits, and holds no code."""
    reason = reason.strip()
    if not reason:
        raise ReportError("Say why: whoever sees the cards next needs to know.")
    if len(reason) > LONGEST_REASON:
        raise ReportError(f"Say it in at most {LONGEST_REASON} characters.")
    if CodeSpotter().holds_code([reason]):
        raise ReportError("There is a code in it: name the card by its serial number.")
    return reason


def hold(report: CompromiseReport) -> None:
    """Nobody else judges cards of this retailer to the end of the transaction."""
    locks.take(locks.REPORTS, report.retailer_id)


def _undecided(
    report: CompromiseReport, serials: Collection[int], answers: Collection[Answer] = TO_BE_JUDGED
) -> list[int]:
    rows = ReportedCard.objects.undecided(answers).filter(report=report, serial__in=these(serials))
    return [serial for serial in rows.order_by("serial").values_list("serial", flat=True) if serial]


def waiting_for_a_second_person(now: datetime) -> Q:
    """Reported cards that stand in a request that nobody has decided; one that was decided, withdrawn or left to
    expire frees its cards by that."""
    return Q(request__status=RequestStatus.PENDING, request__expires_at__gt=now)


def _waiting(
    report: CompromiseReport, serials: Collection[int], answers: Collection[Answer], now: datetime
) -> list[int]:
    """Those of these cards that nobody has judged, or asked anything for, on this report or another one of the
    retailer's. Nobody else judges them to the end of the transaction."""
    hold(report)
    asked = ReportedCard.objects.filter(waiting_for_a_second_person(now), report__retailer=report.retailer_id)
    busy = set(asked.filter(serial__in=these(serials)).order_by().values_list("serial", flat=True))
    return [serial for serial in _undecided(report, serials, answers) if serial not in busy]


def _in_status(serials: Collection[int], *statuses: CodeStatus) -> list[int]:
    rows = Code.objects.filter(pk__in=these(serials), status__in=statuses)
    return list(rows.order_by("pk").values_list("pk", flat=True)) if serials else []


def _ask(
    action: ApprovalAction,
    report: CompromiseReport,
    serials: Collection[int],
    *,
    by: User,
    reason: str,
    now: datetime,
    **more: Any,
) -> ApprovalRequest:
    _require(by, Permission.REQUEST)
    listed = Listed(target_of(report), sorted(serials))
    try:
        asked = approvals.request(
            action=action,
            target=listed.target,
            payload=listed.payload(**more),
            reason=_checked(reason),
            by=by,
            now=now,
        )
    except approvals.ApprovalError as refused:
        raise ReportError(str(refused)) from None
    rows = ReportedCard.objects.filter(report=report, serial__in=these(listed.serials))
    # An approval is for its cards to the letter: where one of them is asked for anew, what is left of it is as well.
    earlier = set(rows.exclude(request=None).order_by().values_list("request", flat=True))
    ReportedCard.objects.undecided().filter(report=report, request__in=earlier).update(request=None)
    rows.update(request=asked)
    kind = AuditAction.VOID_REQUESTED if action == ApprovalAction.VOID else AuditAction.REPLACEMENT_REQUESTED
    audit.record(kind, by=by, target=listed.target, cards=len(serials), request=asked.pk)
    return asked


def _listed(asked: ApprovalRequest) -> Listed:
    rows = ReportedCard.objects.filter(request=asked).order_by("serial").values_list("serial", flat=True)
    return Listed(asked.target, [serial for serial in rows if serial])


def report_of(asked: ApprovalRequest) -> CompromiseReport:
    return CompromiseReport.objects.select_related("retailer").get(pk=asked.target.removeprefix("report:"))


def confirm(report: CompromiseReport, serials: Collection[int], by: User, now: datetime) -> None:
    """These cards were compromised: their victims are relieved, and what was a sign of it is answered by the report."""
    if not serials:
        return
    relieve(serials, by, among=report.cards.exclude(serial=None).values("serial"))
    batches = Code.objects.filter(pk__in=these(serials)).order_by().values("batch")
    seen = RawSQL(
        "EXISTS (SELECT FROM unnest(%s::bigint[]) AS serial WHERE serial BETWEEN first_serial AND last_serial)",
        ([*serials],),
        BooleanField(),
    )
    # A whole batch's sign is answered by nobody's single card.
    signs = CardSign.objects.filter(seen, state=CardSignState.OPEN, is_run=True, batch__in=batches)
    signs.update(state=CardSignState.REPORTED, judged_at=now, judged_by=by, report=report)
