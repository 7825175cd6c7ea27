"""Work in the background. Arguments hold ids only; every job may be delivered twice and may die half-way.

The worker runs it at least once: what is done twice must be the same as once.
"""

import logging
from datetime import timedelta

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from redemption.connections import second_connection
from redemption.models import ApiRequest, BatchJob, IdempotencyKey, JobStatus

logger = logging.getLogger(__name__)

# A client that has not repeated its request for a month will not any more.
_KEYS_ARE_KEPT = timedelta(days=30)


# A database that is gone or overloaded says nothing about the batch: then the job comes again.
@app.task(name="redemption.issue_batch", retry=RetryStrategy(wait=30, retry_exceptions={OperationalError}))
def issue_batch_job(batch_job_id: int) -> None:
    """Issue the job's batch, and say on the job how far it is, or in a sentence why it failed.

    A batch is issued in one transaction, so a worker that is killed leaves a draft, and the next one begins anew; one
    that was issued already ends the job well. A job that has failed stays failed: people start another.
    """
    from redemption.issuing import AlreadyIssuedError, IssuingError, issue_batch

    job = BatchJob.objects.select_related("batch", "by").get(pk=batch_job_id)
    if job.status not in {JobStatus.QUEUED, JobStatus.RUNNING}:
        return
    job.move_to(JobStatus.RUNNING, done=0)
    try:
        with second_connection() as second:
            issue_batch(batch=job.batch, by=job.by, progress=lambda done: _show_progress(second, job.pk, done))
    except AlreadyIssuedError:
        # Delivered twice, or killed between the batch's commit and the next line.
        pass
    except IssuingError as refused:
        job.move_to(JobStatus.FAILED, done=0, message=str(refused))
        return
    except OperationalError:
        # The queue brings it again, and finds it running.
        raise
    except Exception:
        job.move_to(JobStatus.FAILED, done=0, message="Something unexpected stopped it: nothing was issued.")
        raise
    job.move_to(JobStatus.DONE, done=job.total)


def _show_progress(second: BaseDatabaseWrapper, batch_job_id: int, done: int) -> None:
    with second.cursor() as cursor:
        cursor.execute(
            "UPDATE redemption_batchjob SET done = %s, updated_at = now() WHERE id = %s", [done, batch_job_id]
        )


# Somebody waits for it: before whatever else is in the queue.
@app.task(
    name="redemption.send_sealed_mail",
    priority=100,
    retry=RetryStrategy(wait=30, retry_exceptions={OperationalError}),
)
def send_sealed_mail_job(sealed_mail_id: int, tries: int = 0) -> None:
    """Send a mail. One that could not be sent comes again, later each time, as a job of its own."""
    from redemption.sealed_mail import send

    pause = send(sealed_mail_id, tries=tries)
    if pause is not None:
        later = send_sealed_mail_job.configure(schedule_at=timezone.now() + pause)
        later.defer(sealed_mail_id=sealed_mail_id, tries=tries + 1)


# --- Again and again. A queueing lock keeps a slow worker from piling them up; no task has a lock that a killed
# worker would leave behind.


@app.periodic(cron="*/2 * * * *")
@app.task(name="redemption.retry_stalled_jobs", queueing_lock="retry_stalled_jobs")
async def retry_stalled_jobs(timestamp: int) -> None:
    """Give the jobs of workers that were killed to another worker."""
    for job in await app.job_manager.get_stalled_jobs():
        logger.warning("Job %s (%s) is retried: its worker is gone.", job.id, job.task_name)
        await app.job_manager.retry_job(job)


@app.periodic(cron="* * * * *")
@app.task(name="redemption.roll_up_tallies", queueing_lock="roll_up_tallies")
def roll_up_tallies(timestamp: int) -> None:
    from redemption import day_tallies, tallies

    tallies.roll_up()
    day_tallies.roll_up()


@app.periodic(cron="* * * * *")
@app.task(name="redemption.deliver_cards", queueing_lock="deliver_cards")
def deliver_cards(timestamp: int) -> None:
    from redemption.outbox import deliver

    deliver()


@app.periodic(cron="* * * * *")
@app.task(name="redemption.end_quiet_outages", queueing_lock="end_quiet_outages")
def end_quiet_outages(timestamp: int) -> None:
    from redemption import outages

    outages.end_quiet()


# The last field is seconds. A run ends within some, whatever the platforms' servers do.
@app.periodic(cron="* * * * * */5")
@app.task(name="redemption.send_webhooks", queueing_lock="send_webhooks")
def send_webhooks(timestamp: int) -> None:
    from redemption.webhooks import gathering, sending

    gathering.gather()
    sending.send()


# Each hour, because programs' days end in their own time zones.
@app.periodic(cron="5 * * * *")
@app.task(name="redemption.post_breakage", queueing_lock="post_breakage")
def post_breakage(timestamp: int) -> None:
    from redemption import ledger

    ledger.post_breakage()


# Each hour for the same reason: a program's months end when its day does. Nothing is billed twice.
@app.periodic(cron="25 * * * *")
@app.task(name="redemption.renew_subscriptions", queueing_lock="renew_subscriptions")
def renew_subscriptions(timestamp: int) -> None:
    from redemption import billing

    billing.renew()
    if count := billing.without_price():
        logger.warning("%d accounts are due on plans without a price in their currency: nobody bills them.", count)


@app.periodic(cron="40 3 * * *")
@app.task(name="redemption.clean_up", queueing_lock="clean_up")
def clean_up(timestamp: int) -> None:
    """Forget answers to requests that nobody repeats any more, and remove what crashes left of print files."""
    from redemption.print_files import remove_strays
    from redemption.webhooks import sending

    too_old = timezone.now() - _KEYS_ARE_KEPT
    IdempotencyKey.objects.filter(created_at__lt=too_old).delete()
    ApiRequest.objects.filter(at__lt=too_old).delete()
    remove_strays()
    sending.give_up_old()
    sending.clean_up()
