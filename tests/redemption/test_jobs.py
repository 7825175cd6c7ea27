"""Work in the background: once, however often it is delivered, and seen while it runs."""

import os
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as django_settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from redemption import issuing, jobs
from redemption.issuing import AlreadyIssuedError, IssuingError, enqueue, issue_batch
from redemption.jobs import issue_batch_job
from redemption.models import BatchJob, BatchStatus, CardEvent, Code, IdempotencyKey, JobStatus, Program
from redemption.print_files import folder
from redemption.roles import Role
from tests import factories
from tests.redemption.batch_world import draft, manager, printer


@pytest.fixture(autouse=True)
def private_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def queued():
    # Only those: the queue's own tables are not emptied after a transactional test.
    return ProcrastinateJob.objects.filter(task_name="redemption.issue_batch", status="todo")


def job_for(batch, **fields):
    return BatchJob.objects.create(batch=batch, total=batch.quantity, by=manager(), **fields)


# --- Enqueueing


@pytest.mark.django_db
def test_a_job_holds_ids_only():
    batch = draft(quantity=3)
    job = enqueue(batch=batch, by=manager())
    assert (job.batch, job.status, job.done, job.total) == (batch, JobStatus.QUEUED, 0, 3)
    assert [row.args for row in queued()] == [{"batch_job_id": job.pk}]


@pytest.mark.django_db
def test_a_job_is_enqueued_only_if_the_caller_commits():
    batch = draft()
    with transaction.atomic():
        enqueue(batch=batch, by=manager())
        assert queued().count() == 1
        transaction.set_rollback(True)
    assert not queued().exists()
    assert not BatchJob.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.RUNNING])
def test_two_clicks_make_one_job(status):
    batch = draft()
    job = enqueue(batch=batch, by=manager())
    BatchJob.objects.update(status=status)
    assert enqueue(batch=batch, by=manager()) == job
    assert queued().count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_click_does_not_wait_for_the_worker_that_issues_the_batch():
    batch = draft()
    job = enqueue(batch=batch, by=manager())
    worker = connection.copy()
    try:
        with worker.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT FROM redemption_batch FOR UPDATE")
            with transaction.atomic():
                # LOCAL, because the connection goes back to the pool.
                with connection.cursor() as impatient:
                    impatient.execute("SET LOCAL lock_timeout = '100ms'")
                assert enqueue(batch=batch, by=manager()) == job
            cursor.execute("ROLLBACK")
    finally:
        worker.close()


@pytest.mark.django_db
def test_after_a_failure_another_job_is_made():
    batch = draft()
    failed = job_for(batch, status=JobStatus.FAILED)
    assert enqueue(batch=batch, by=manager()) != failed


@pytest.mark.django_db
def test_what_cannot_be_issued_is_not_enqueued():
    batch = draft()
    with pytest.raises(IssuingError, match="Your role"):
        enqueue(batch=batch, by=factories.user(Role.AGENT))
    issue_batch(batch=batch, by=manager())
    with pytest.raises(AlreadyIssuedError):
        enqueue(batch=batch, by=manager())
    assert not queued().exists()


# --- Running


@pytest.mark.django_db
def test_a_job_issues_its_batch():
    job = job_for(draft(quantity=3))
    issue_batch_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.done, job.percent, job.message) == (JobStatus.DONE, 3, 100, "")
    assert job.batch.status == BatchStatus.ISSUED
    assert CardEvent.objects.get().by == job.by


@pytest.mark.django_db
@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.DONE])
def test_a_job_that_comes_again_changes_nothing(status):
    job = job_for(draft(quantity=3))
    issue_batch_job(job.pk)
    # RUNNING: the worker was killed after the batch had committed.
    BatchJob.objects.update(status=status)
    issue_batch_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.done) == (JobStatus.DONE, 3)
    assert Code.objects.count() == 3
    assert len(list(folder().iterdir())) == 1


@pytest.mark.django_db
def test_a_job_whose_worker_was_killed_begins_anew():
    job = job_for(draft(quantity=3), status=JobStatus.RUNNING, done=2)
    issue_batch_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.done) == (JobStatus.DONE, 3)


@pytest.mark.django_db
def test_a_refused_batch_ends_its_job_with_the_sentence():
    job = job_for(draft(printer_key=""))
    issue_batch_job(job.pk)
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert "has no printer's key" in job.message
    Program.objects.update(printer_key=printer()[1])
    issue_batch_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.batch.status) == (JobStatus.FAILED, BatchStatus.DRAFT)


@pytest.mark.django_db
def test_an_unexpected_end_is_said_on_the_job_and_raised(monkeypatch):
    job = job_for(draft(quantity=3))

    def load(rows):
        raise ZeroDivisionError("1000000000,SPOTIFY-SECR-ETSE-CRET")

    monkeypatch.setattr(issuing, "load", load)
    with pytest.raises(ZeroDivisionError):
        issue_batch_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.message) == (JobStatus.FAILED, "Something unexpected stopped it: nothing was issued.")
    assert not Code.objects.exists()


@pytest.mark.django_db
def test_a_job_whose_database_gave_up_comes_again(monkeypatch):
    job = job_for(draft(quantity=3))

    def load(rows):
        monkeypatch.undo()
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(issuing, "load", load)
    with pytest.raises(OperationalError):
        issue_batch_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.message) == (JobStatus.RUNNING, "")
    issue_batch_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.done) == (JobStatus.DONE, 3)


@pytest.mark.django_db(transaction=True)
def test_progress_is_seen_while_the_transaction_is_open(monkeypatch):
    monkeypatch.setattr(issuing, "CHUNK", 2)
    job = job_for(draft(quantity=5))
    seen = []
    show = jobs._show_progress
    other = connection.copy()

    def show_and_look(second, batch_job_id, done):
        show(second, batch_job_id, done)
        with other.cursor() as cursor:
            cursor.execute(
                "SELECT status, done, (SELECT count(*) FROM redemption_code) FROM redemption_batchjob WHERE id = %s",
                [batch_job_id],
            )
            seen.append(cursor.fetchone())

    monkeypatch.setattr(jobs, "_show_progress", show_and_look)
    try:
        issue_batch_job(job.pk)
    finally:
        other.close()
    assert seen == [("running", 2, 0), ("running", 4, 0), ("running", 5, 0)]


@pytest.mark.django_db(transaction=True)
def test_the_second_connection_is_given_back():
    def connections_in_use():
        stats = connection.pool.get_stats()
        return stats["pool_size"] - stats["pool_available"]

    connection.ensure_connection()
    before = connections_in_use()
    issue_batch_job(job_for(draft(quantity=3)).pk)
    assert connections_in_use() == before


# --- With real workers


def worker_environment(tmp_path):
    """The environment of a process that works on the test's database."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.redemption.worker_settings",
        "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
        "PRIVATE_FILES_DIR": str(tmp_path),
    }


def start_worker(tmp_path):
    command = [sys.executable, "manage.py", "procrastinate", "worker", "--one-shot", "--no-listen-notify"]
    return subprocess.Popen(command, cwd=django_settings.BASE_DIR, env=worker_environment(tmp_path))


def waits_for(table):
    """Whether some session waits for a lock on the table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass", [table])
        return cursor.fetchone() != (0,)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["redemption_code", "redemption_printfile", "redemption_batchtally"])
def test_a_worker_that_is_killed_half_way_leaves_a_draft_and_the_next_one_issues_it(tmp_path, table):
    batch = draft(quantity=3)
    job = enqueue(batch=batch, by=manager())
    # The worker is stopped where it writes to this table.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        worker = start_worker(tmp_path)
        deadline = time.monotonic() + 60
        while not waits_for(table):
            assert worker.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        worker.kill()
        worker.wait()
    job.refresh_from_db()
    assert job.status == JobStatus.RUNNING
    assert not Code.objects.exists()
    batch.refresh_from_db()
    assert batch.status == BatchStatus.DRAFT

    # Its heart does not beat any more; half a minute later the job counts as stalled.
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
    deferred = ProcrastinateJob.objects.get(args__batch_job_id=job.pk)
    assert deferred.status == "doing"
    async_to_sync(jobs.retry_stalled_jobs.func)(0)
    deferred.refresh_from_db()
    assert deferred.status == "todo"
    assert start_worker(tmp_path).wait(120) == 0
    job.refresh_from_db()
    assert (job.status, job.done) == (JobStatus.DONE, 3)
    assert Code.objects.filter(batch=batch).count() == 3
    assert CardEvent.objects.filter(batch=batch).count() == 1


# --- Again and again


def test_every_periodic_task_is_registered_without_a_lock():
    periodic = {task.task.name: task for task in app.periodic_registry.periodic_tasks.values()}
    ours = {name: task for name, task in periodic.items() if name.startswith("redemption.")}
    assert {name: task.cron for name, task in ours.items()} == {
        "redemption.retry_stalled_jobs": "*/2 * * * *",
        "redemption.roll_up_tallies": "* * * * *",
        "redemption.deliver_cards": "* * * * *",
        "redemption.post_breakage": "5 * * * *",
        "redemption.renew_subscriptions": "25 * * * *",
        "redemption.send_webhooks": "* * * * * */5",
        "redemption.end_quiet_outages": "* * * * *",
        "redemption.clean_up": "40 3 * * *",
    }
    assert all(task.task.lock is None and task.task.queueing_lock for task in ours.values())


@pytest.mark.django_db
@pytest.mark.parametrize("task", [jobs.roll_up_tallies, jobs.deliver_cards, jobs.post_breakage, jobs.clean_up])
def test_every_periodic_task_runs_on_an_empty_database(task):
    task.func(timestamp=0)


@pytest.mark.django_db
def test_answers_are_kept_for_a_month():
    now = timezone.now()
    for days in (29, 31):
        IdempotencyKey.objects.create(
            scope="test", key=str(days), request_hash=b"", lease_until=now, created_at=now - timedelta(days=days)
        )
    jobs.clean_up.func(timestamp=0)
    assert IdempotencyKey.objects.get().key == "29"
