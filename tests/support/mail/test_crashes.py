"""Between saving and mailing: a killed worker loses no answer, and an answer is taken back or sent, never both."""

import os
import subprocess
import sys
import threading
import time
from email import message_from_bytes

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as django_settings
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.utils import timezone

from redemption import jobs
from redemption.roles import Role
from support.actions.messages import UNDO, unsend, write_staff_message
from support.actions.tickets import TicketError
from support.mail.outgoing import send
from support.models import MailState, Message, MessageKind
from tests import factories
from tests.support.mail.smtp_server import MailServer

pytestmark = pytest.mark.django_db(transaction=True)


def reply(now):
    ticket = factories.ticket(requester_email="ada@example.com", mail_id="<first@example.com>")
    return write_staff_message(
        ticket=ticket, kind=MessageKind.REPLY, body="Which country?", by=factories.user(Role.AGENT), now=now
    )


def start_worker(server):
    command = [sys.executable, "manage.py", "procrastinate", "worker", "--one-shot", "--no-listen-notify"]
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.support.mail.worker_settings",
        "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
        "TEST_SMTP_PORT": str(server.port),
    }
    return subprocess.Popen(command, cwd=django_settings.BASE_DIR, env=environment)


@pytest.fixture
def server():
    # Only ours: the queue's own tables are not emptied after a transactional test.
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE status = 'todo'")
    started = MailServer()
    yield started
    started.close()


def test_a_worker_that_is_killed_between_mail_and_commit_sends_the_same_mail_again(server):
    message = reply(timezone.now() - UNDO)
    server.answers = False
    worker = start_worker(server)
    assert server.taken.wait(60)
    worker.kill()
    worker.wait()
    message.refresh_from_db()
    assert message.mail_state == MailState.QUEUED

    # Its heart does not beat any more; half a minute later the job counts as stalled.
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
    async_to_sync(jobs.retry_stalled_jobs.func)(0)
    server.answers = True
    assert start_worker(server).wait(120) == 0
    message.refresh_from_db()
    assert message.mail_state == MailState.SENT
    ids = [message_from_bytes(taken)["Message-ID"] for taken in server.mails]
    assert ids == [message.mail_id, message.mail_id]
    assert Message.objects.filter(kind=MessageKind.REPLY).count() == 1


class WithUnsending(EmailBackend):
    """While the mail is on its way, its author takes it back."""

    ended: list[str] = []
    message: Message
    thread: threading.Thread

    def send_messages(self, messages):
        self.__class__.thread = threading.Thread(target=self.take_back)
        self.thread.start()
        deadline = time.monotonic() + 60
        while not waits_for_a_row():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return super().send_messages(messages)

    def take_back(self):
        try:
            unsend(message=self.message, by=self.message.author, now=self.message.at)
            self.ended.append("taken back")
        except TicketError as refused:
            self.ended.append(str(refused))
        finally:
            connection.close()


def waits_for_a_row():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
        return cursor.fetchone() != (0,)


def test_an_answer_that_is_just_being_mailed_is_not_taken_back(settings):
    settings.EMAIL_BACKEND = f"{__name__}.{WithUnsending.__name__}"
    WithUnsending.ended = []
    WithUnsending.message = message = reply(factories.NOON)
    assert send(message_id=message.pk, tries=0, now=factories.NOON + UNDO) is None
    WithUnsending.thread.join(60)
    message.refresh_from_db()
    assert (message.mail_state, len(mail.outbox)) == (MailState.SENT, 1)
    assert WithUnsending.ended == ["It is out already: write another answer."]
