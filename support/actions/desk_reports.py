"""A report that an agent takes down, with a shop or a customer on the telephone."""

from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption.models import Retailer, User
from support.actions.messages import write_staff_message
from support.actions.reports import Opened, ReportError, Told, open_report
from support.models import MessageKind, ReportChannel, Ticket
from support.reported_lines import Line

# Of several retailers' cards, so many are named.
_MOST_NAMED = 5
_WHOSE = """
    SELECT b.retailer_id, count(*), min(c.serial)
    FROM unnest(%(serials)s::bigint[]) AS given (serial)
    JOIN redemption_code c ON c.serial = given.serial
    JOIN redemption_batch b ON b.id = c.batch_id
    GROUP BY b.retailer_id ORDER BY count(*) DESC, b.retailer_id
"""


@sensitive_variables("told")
def report_from_desk(
    *,
    lines: list[Line],
    told: Told,
    by: User,
    send_key: str,
    from_ticket: Ticket | None = None,
    now: datetime | None = None,
) -> Opened:
    """Opens the report of the one retailer whose cards these are. A note on each leads from the ticket in which they
    came up to the report's own, and back. ReportError: there are no such cards, or they are of several retailers."""
    now = now or timezone.now()
    retailer = _retailer_of([line.serial for line in lines if line.serial])
    with transaction.atomic():
        opened = open_report(
            retailer=retailer,
            lines=lines,
            told=told,
            by=by,
            channel=ReportChannel.DESK,
            send_key=send_key,
            now=now,
        )
        report = opened.report
        if from_ticket and opened.is_new:
            for ticket, text in (
                (from_ticket, f"Reported as {report.reference}, in {report.ticket.reference}."),
                (report.ticket, f"It came up in {from_ticket.reference}."),
            ):
                write_staff_message(ticket=ticket, kind=MessageKind.NOTE, body=text, by=by, now=now)
    return opened


def _retailer_of(serials: list[int]) -> Retailer:
    with connection.cursor() as cursor:
        cursor.execute(_WHOSE, {"serials": serials})
        found: list[tuple[int, int, int]] = cursor.fetchall()
    if not found:
        raise ReportError("No card has such a serial number: compare it with the one on the card.")
    names = Retailer.objects.in_bulk([retailer for retailer, _, _ in found[:_MOST_NAMED]])
    if len(found) == 1:
        return names[found[0][0]]
    said = [
        f"{names[retailer]}: {count:,} card{'' if count == 1 else 's'}, such as {serial}"
        for retailer, count, serial in found[:_MOST_NAMED]
    ]
    raise ReportError(
        f"These cards are of {len(found):,} retailers: make a report for each. {'; '.join(said)}"
        f"{' …' if len(found) > _MOST_NAMED else '.'}"
    )
