"""A report of compromised cards: taken down, its cards looked up and what is unspent frozen, before anybody judges it.

Up to SMALL cards are frozen within the transaction that takes the report down; more are left to the worker, in chunks
that commit one by one. Whatever is repeated, or goes on after a worker was killed, comes to the same end.
"""

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from zlib import crc32

from django.db import connection, transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from procrastinate.exceptions import AlreadyEnqueued

from redemption import locks
from redemption.listed_cards import freeze_listed, these
from redemption.models import ApiKey, Code, JobStatus, Retailer, User
from redemption.roles import Permission, Role
from support import audit
from support.actions.tickets import open_ticket, write
from support.models import (
    AuditAction,
    CompromiseKind,
    CompromiseReport,
    Outcome,
    Priority,
    ReportChannel,
    ReportedCard,
    Ticket,
    TicketChannel,
    TicketEventKind,
)
from support.redaction import redact
from support.reported_lines import Line
from support.told_back import GuessError, ToldBack, told_back

SMALL = 5_000
CHUNK = 5_000


class ReportError(Exception):
    """It cannot be reported or judged like this; the text says why."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a reporter says besides the cards. Texts as typed: codes are taken out of them here."""

    kind: CompromiseKind
    store: str = ""
    till: str = ""
    sold_at: datetime | None = None
    discovered_at: datetime | None = None
    receipt_number: str = ""
    customer_present: bool = False
    police_reference: str = ""
    note: str = ""


# Of Told: what may hold a code.
TEXTS = ("store", "till", "receipt_number", "police_reference", "note")
LONGEST = {"store": 80, "till": 40, "receipt_number": 60, "police_reference": 60}


@dataclass(frozen=True, slots=True)
class Opened:
    """`is_masked`: a code was typed, and taken out. `is_new`: not the same form once more."""

    report: CompromiseReport
    is_masked: bool = False
    is_new: bool = True


@sensitive_variables("told", "typed", "texts", "body")
def open_report(
    *,
    retailer: Retailer,
    lines: Iterable[Line],
    told: Told,
    by: User,
    channel: ReportChannel,
    api_key: ApiKey | None = None,
    send_key: str | None = None,
    now: datetime | None = None,
) -> Opened:
    """Takes a report down, opens its ticket, and freezes. The same `send_key` again gives the first report.

    Photos come afterwards, by attachments.attach(): reading them takes seconds, and the freeze waits for nothing.
    ReportError: it names no card, or `by` may not report for this retailer. LinesError from `lines` comes through.
    """
    from support.jobs import freeze_report_job

    now = now or timezone.now()
    _require_reporter(by, retailer, channel)
    key = f"report:{send_key}" if send_key else None
    typed = {name: getattr(told, name) for name in TEXTS}
    if channel == ReportChannel.DESK:
        redacted = {name: redact(text, is_told_back=True).text for name, text in typed.items()}
        is_masked = redacted != typed
    else:
        try:
            told_again = told_back(typed, retailer=retailer, now=now)
        except GuessError as refused:
            if channel != ReportChannel.TILL:
                raise ReportError(str(refused)) from None
            # Nobody is there who could leave a number out, and the freeze waits for nothing.
            told_again = ToldBack(dict.fromkeys(typed, ""), is_masked=True)
        redacted, is_masked = told_again.texts, told_again.is_masked
    texts = {name: text[: LONGEST.get(name, len(text))] for name, text in redacted.items()}
    with transaction.atomic():
        if key:
            # There is no row yet to wait for: of two at once, the second waits here and then finds the first's.
            locks.take(locks.SENDING, crc32(key.encode()) >> 1)
            if first := CompromiseReport.objects.select_related("retailer").filter(send_key=key).first():
                if (first.retailer_id, first.by_id) != (retailer.pk, by.pk):
                    raise ReportError("This form was sent already: open a new one.")
                return Opened(first, is_masked, is_new=False)
        every = list(lines)
        serials = [line.serial for line in every if line.serial]
        if not serials and not every:
            raise ReportError("Name the cards: type or scan their serial numbers, or choose a file.")
        card = _only_card(serials, retailer)
        name = _name_of(by, channel, api_key)
        ticket = open_ticket(
            channel=TicketChannel.RETAILER,
            subject=f"{told.kind.label}: {len(serials):,} card{'' if len(serials) == 1 else 's'} of {retailer}",
            body=_in_words(told, texts, len(serials)),
            requester_name=name if channel == ReportChannel.PORTAL else str(retailer),
            # Where questions go: to the member who reported it, or else to the retailer itself.
            requester_email=by.email if channel == ReportChannel.PORTAL else retailer.contact_email,
            code=card,
            retailer=retailer,
            priority=Priority.URGENT if told.customer_present else Priority.HIGH,
            now=now,
        )
        report = CompromiseReport.objects.create(
            retailer=retailer,
            ticket=ticket,
            channel=channel,
            api_key=api_key,
            kind=told.kind,
            reporter_name=name,
            sold_at=told.sold_at,
            discovered_at=told.discovered_at,
            customer_present=told.customer_present,
            send_key=key,
            by=by,
            total=len(serials),
            **texts,
        )
        _write_lines(report, every)
        audit.record(
            AuditAction.CARDS_REPORTED, by=by, target=f"report:{report.pk}", cards=len(serials), channel=channel
        )
        if len(serials) <= SMALL:
            freeze_next(report, now=now)
            report.refresh_from_db()
        else:
            freeze_report_job.defer(report_id=report.pk)
    return Opened(report, is_masked)


def _require_reporter(by: User, retailer: Retailer, channel: ReportChannel) -> None:
    match channel:
        case ReportChannel.PORTAL:
            may = by.is_active and retailer.members.filter(user=by).exists()
        case ReportChannel.TILL:
            may = by.role == Role.SYSTEM
        case ReportChannel.DESK:
            may = by.may(Permission.FREEZE) and by.may(Permission.VIEW_COMPROMISED)
    if not may:
        raise ReportError("You report no cards of this retailer.")


def _name_of(by: User, channel: ReportChannel, api_key: ApiKey | None) -> str:
    """What the retailer's people read: an agent is nobody's name to them."""
    match channel:
        case ReportChannel.PORTAL:
            return str(by)
        case ReportChannel.TILL:
            return str(api_key or by)
        case ReportChannel.DESK:
            return channel.label


def _only_card(serials: list[int], retailer: Retailer) -> Code | None:
    if len(serials) != 1:
        return None
    return Code.objects.filter(pk=serials[0], batch__retailer=retailer).select_related("batch__product").first()


@sensitive_variables()
def _in_words(told: Told, texts: dict[str, str], count: int) -> str:
    """The ticket's first message: what agents and the retailer's people read."""
    rows = [
        f"{told.kind.label}: {count:,} card{'' if count == 1 else 's'} reported.",
        f"Store: {texts['store']}" if texts["store"] else "",
        f"Till: {texts['till']}" if texts["till"] else "",
        f"Sold: {told.sold_at:%-d %B %Y %H:%M %Z}" if told.sold_at else "",
        f"Discovered: {told.discovered_at:%-d %B %Y %H:%M %Z}" if told.discovered_at else "",
        f"Activation receipt: {texts['receipt_number']}" if texts["receipt_number"] else "",
        "The customer is present." if told.customer_present else "",
        f"Police reference: {texts['police_reference']}" if texts["police_reference"] else "",
        # Apart from what stands before it: two halves of a number make no whole.
        f"\nNote: {texts['note']}" if texts["note"] else "",
    ]
    return "\n".join(row for row in rows if row)


def _write_lines(report: CompromiseReport, lines: list[Line]) -> None:
    rest = iter(lines)
    while part := list(islice(rest, 10_000)):
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO support_reportedcard (report_id, line, serial, problem, answer, outcome)"
                " SELECT %(report)s::bigint, line, serial, problem,"
                " CASE WHEN serial IS NULL THEN 'bad' ELSE 'pending' END, ''"
                " FROM unnest(%(lines)s::int[], %(serials)s::bigint[], %(problems)s::text[])"
                " AS given (line, serial, problem)",
                {
                    "report": report.pk,
                    "lines": [line.number for line in part],
                    "serials": [line.serial for line in part],
                    "problems": [str(line.problem) for line in part],
                },
            )


# What was found, once everything that can be frozen is: read in a statement of its own, which sees the redemptions that
# the freeze waited for.
_FIND = """
    UPDATE support_reportedcard r SET answer = found.answer, redeemed_at = found.redeemed_at
    FROM (
        SELECT given.serial, d.at AS redeemed_at, CASE
            WHEN b.id IS NULL THEN 'unknown'
            WHEN d.id IS NOT NULL AND d.at < coalesce(%(sold_at)s::timestamptz, c.activated_at) THEN 'before_sale'
            WHEN d.id IS NOT NULL THEN 'after_sale'
            WHEN c.status = 3 THEN 'frozen'
            ELSE 'ended' END AS answer
        FROM unnest(%(serials)s::bigint[]) AS given (serial)
        LEFT JOIN redemption_code c ON c.serial = given.serial
        LEFT JOIN redemption_batch b ON b.id = c.batch_id AND b.retailer_id = %(retailer)s::bigint
        LEFT JOIN redemption_redemption d ON d.code_id = c.serial AND b.id IS NOT NULL
    ) AS found
    WHERE r.report_id = %(report)s::bigint AND r.serial = found.serial AND r.answer = 'pending'
"""


def freeze_next(report: CompromiseReport, *, now: datetime | None = None) -> bool:
    """Looks up the next CHUNK cards of a report and freezes what is unspent, in one transaction. Whether more are left.

    Of two workers at once, the second waits and goes on where the first one is.
    """
    now = now or timezone.now()
    with transaction.atomic():
        # Before the report's row, as everywhere: nobody judges the retailer's cards meanwhile.
        locks.share(locks.REPORTS, report.retailer_id)
        report = CompromiseReport.objects.select_for_update(no_key=True, of=("self",)).get(pk=report.pk)
        pending = ReportedCard.objects.filter(report=report, answer="pending").order_by("pk")
        found = [serial for serial in pending.values_list("serial", flat=True)[: CHUNK + 1] if serial]
        serials, is_more = found[:CHUNK], len(found) > CHUNK
        if serials:
            retailer, reason = report.retailer, f"Reported as compromised: {report.reference}"
            freeze_listed(serials=serials, retailer=retailer, by=report.by, reason=reason, now=now)
            with connection.cursor() as cursor:
                cursor.execute(
                    _FIND,
                    {
                        "serials": serials,
                        "sold_at": report.sold_at,
                        "retailer": report.retailer_id,
                        "report": report.pk,
                    },
                )
        done = report.done + len(serials)
        if is_more:
            report.move_to(JobStatus.RUNNING, done=done)
        elif report.frozen_at is None:
            report.frozen_at = now
            _count_undecided(report, now)
            report.move_to(JobStatus.DONE, done=done, also=["frozen_at", "undecided", "answered_at"])
            _tell_retailer(report)
    return is_more


def take_over(*, reporter: User, retailer: Retailer, by: User, now: datetime) -> None:
    """Whoever has left the retailer is asked no more about what he reported: the retailer itself is."""
    tickets = Ticket.objects.filter(
        report__retailer=retailer, report__by=reporter, requester_email__iexact=reporter.email
    )
    for ticket in tickets.select_for_update(no_key=True, of=("self",)).order_by("pk"):
        ticket.requester_email = retailer.contact_email
        write(ticket, by=by, kind=TicketEventKind.CHANGED, changes={"requester_email": []}, now=now)


def settle(*, retailer: Retailer, serials: Collection[int], outcome: Outcome, by: User, now: datetime) -> int:
    """Writes down what came of these cards, on every report of the retailer that still waits for it. Needs the
    transaction of what happened to them, and locks.REPORTS; returns how many lines it was."""
    waiting = ReportedCard.objects.undecided().filter(serial__in=these(serials), report__retailer=retailer)
    keys = sorted(set(waiting.order_by().values_list("report", flat=True)))
    # Locked in the order of their keys, so that two judgements at once wait for each other.
    rows = CompromiseReport.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=keys)
    reports = list(rows.order_by("pk"))
    changed = waiting.update(outcome=outcome, decided_by=by, decided_at=now)
    for report in reports:
        _count_undecided(report, now)
        report.save(update_fields=["undecided", "answered_at", "updated_at"])
        _tell_retailer(report)
    return changed


def reopen(*, retailer: Retailer, serials: Collection[int], outcome: Outcome, now: datetime) -> None:
    """Takes this outcome of these cards back, on every report of the retailer. Needs the transaction of what undid it,
    and locks.REPORTS."""
    rows = ReportedCard.objects.filter(serial__in=these(serials), report__retailer=retailer, outcome=outcome)
    keys = set(rows.order_by().values_list("report", flat=True))
    reports = CompromiseReport.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=keys).order_by("pk")
    held = list(reports)
    rows.update(outcome="", decided_by=None, decided_at=None)
    for report in held:
        _count_undecided(report, now)
        report.save(update_fields=["undecided", "answered_at", "updated_at"])
        _tell_retailer(report)


def _count_undecided(report: CompromiseReport, now: datetime) -> None:
    report.undecided = ReportedCard.objects.undecided().filter(report=report).count()
    # Until all are looked up, those that were found may be judged: that does not answer the report.
    is_open = report.undecided or report.frozen_at is None
    report.answered_at = None if is_open else report.answered_at or now


def _tell_retailer(report: CompromiseReport) -> None:
    """By mail, soon: what changes within a minute goes out as one."""
    from support.jobs import tell_retailer_job

    soon = tell_retailer_job.configure(queueing_lock=f"tell_retailer:{report.pk}", schedule_in={"seconds": 60})
    # A part of its own: a refused row would end the whole transaction.
    with suppress(AlreadyEnqueued), transaction.atomic():
        soon.defer(report_id=report.pk)
