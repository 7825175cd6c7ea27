"""The desk's work in the background. Arguments hold ids only; every job may be delivered twice."""

import logging
from datetime import timedelta

from django.db import OperationalError
from django.utils import timezone
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from redemption.models import JobStatus
from support.models import CompromiseReport, Ticket

logger = logging.getLogger(__name__)

_WHEN_THE_DATABASE_IS_AWAY = RetryStrategy(wait=30, retry_exceptions={OperationalError})
_WHEN_THE_MAIL_IS_AWAY = RetryStrategy(max_attempts=10, wait=600, retry_exceptions={OSError, OperationalError})
_ACKNOWLEDGEMENTS_TRIED = 5
_STOPPED = "Something unexpected stopped it. Report the cards once more: nothing changes for those that are frozen."


@app.task(name="support.send_message", retry=_WHEN_THE_DATABASE_IS_AWAY)
def send_message_job(message_id: int, tries: int = 0) -> None:
    """Mail an answer. A refused one comes again, later each time, as a job of its own."""
    from support.mail.outgoing import send

    pause = send(message_id=message_id, tries=tries)
    if pause is not None:
        send_message_job.configure(schedule_at=timezone.now() + pause).defer(message_id=message_id, tries=tries + 1)


@app.task(name="support.send_acknowledgement", retry=_WHEN_THE_DATABASE_IS_AWAY)
def send_acknowledgement_job(ticket_id: int, tries: int = 0) -> None:
    """Tell a customer that his message is here. Nobody misses it much: tried a few times, then left."""
    from support.mail.outgoing import acknowledgement
    from support.mail.servers import may_pass

    ticket = Ticket.objects.get(pk=ticket_id)
    try:
        acknowledgement(ticket).send()
    # As with answers: only the error's kind is said.
    except Exception as error:
        logger.warning("The acknowledgement of %s failed (try %d, %s).", ticket, tries + 1, type(error).__name__)
        if may_pass(error) and tries + 1 < _ACKNOWLEDGEMENTS_TRIED:
            later = timezone.now() + timedelta(minutes=2**tries)
            send_acknowledgement_job.configure(schedule_at=later).defer(ticket_id=ticket_id, tries=tries + 1)


@app.task(name="support.make_export", retry=_WHEN_THE_DATABASE_IS_AWAY)
def make_export_job(export_id: int) -> None:
    from support.exports.making import make

    make(export_id)


@app.task(name="support.freeze_report", retry=_WHEN_THE_DATABASE_IS_AWAY)
def freeze_report_job(report_id: int) -> None:
    """Look a large report's cards up, chunk by chunk. Killed, it goes on with the first that had not committed."""
    from support.actions.reports import freeze_next

    report = CompromiseReport.objects.get(pk=report_id)
    try:
        while freeze_next(report):
            pass
    except OperationalError:
        # The queue brings it again, and it goes on where it was.
        raise
    except Exception:
        report.refresh_from_db(fields=["done"])
        report.move_to(JobStatus.FAILED, done=report.done, message=_STOPPED)
        raise


@app.task(name="support.tell_retailer", retry=_WHEN_THE_MAIL_IS_AWAY)
def tell_retailer_job(report_id: int) -> None:
    from support.mail.reports import tell

    tell(report_id)


@app.task(name="support.send_invitation", retry=_WHEN_THE_MAIL_IS_AWAY)
def send_invitation_job(invitation_id: int) -> None:
    from support.mail.invitations import send

    send(invitation_id)


# --- Again and again, as redemption.jobs does it.


# Each hour: what day it is where the desk is, the report itself looks, and whom it reached already.
@app.periodic(cron="20 * * * *")
@app.task(name="support.mail_weekly_report", queueing_lock="mail_weekly_report")
def mail_weekly_report(timestamp: int) -> None:
    from support.weekly_report import send

    send()


@app.periodic(cron="10 3 * * *")
@app.task(name="support.remove_exports", queueing_lock="remove_exports")
def remove_exports(timestamp: int) -> None:
    from support.exports.making import remove_old

    remove_old()


@app.periodic(cron="50 3 * * *")
@app.task(name="support.raise_card_signs", queueing_lock="raise_card_signs", retry=_WHEN_THE_DATABASE_IS_AWAY)
def raise_card_signs(timestamp: int) -> None:
    from support.card_signs import raise_signs

    raise_signs()


@app.periodic(cron="* * * * *")
@app.task(name="support.poll_mail", queueing_lock="poll_mail")
def poll_mail(timestamp: int) -> None:
    from support.mail.imap import MailboxError, poll

    try:
        poll()
    except MailboxError as refused:
        # In a minute it is tried again; the mails wait in the mailbox.
        logger.warning("%s", refused)


@app.periodic(cron="20 * * * *")
@app.task(name="support.expire_requests", queueing_lock="expire_requests")
def expire_requests(timestamp: int) -> None:
    """End what nobody decided in time. Nothing waits for it: who decides or asks anew finds it over as well."""
    from redemption import approvals

    approvals.expire()


# The last field is seconds: twice a minute.
@app.periodic(cron="* * * * * 0,30")
@app.task(name="support.seal_rows", queueing_lock="seal_rows")
def seal_rows(timestamp: int) -> None:
    """Seal what was written since, write the seals out of the database, and say in the log where either is behind."""
    from support.seal_exports import export
    from support.sealing import raise_alarm, seal, standing

    seal()
    try:
        export()
    # Whatever storage comes up with: in half a minute it is tried again, and the alarm says how long it has not worked.
    except Exception as error:
        logger.warning("Seals were not written outside the database (%s).", type(error).__name__)
    raise_alarm(standing())


@app.periodic(cron="15 5 * * *")
@app.task(name="support.mail_seal", queueing_lock="mail_seal", retry=_WHEN_THE_MAIL_IS_AWAY)
def mail_seal(timestamp: int) -> None:
    from support.seal_exports import mail

    mail()


@app.periodic(cron="* * * * *")
@app.task(name="support.gather_incidents", queueing_lock="gather_incidents")
def gather_incidents(timestamp: int) -> None:
    from support.incidents import gather_late

    gather_late()
