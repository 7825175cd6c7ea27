"""Mails that leave in the background: sealed until then, sent at least once while they are of use, and then gone."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from email import message_from_bytes
from smtplib import SMTPRecipientsRefused

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.db import connection, transaction
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from redemption import sealed_mail
from redemption.jobs import send_sealed_mail_job
from redemption.models import SealedMail
from tests import factories, leak_search
from tests.mails import delivered, waiting
from tests.support.mail.smtp_server import MailServer

pytestmark = pytest.mark.django_db

NOON = factories.NOON
SECOND = timedelta(seconds=1)
QUARTER = timedelta(minutes=15)
SECRETS = ("WXYZ-QRST", "ada@example.com", "Your code to sign in")


class Away:
    """A mail server that takes nothing, and says to whom."""

    def __init__(self, **options):
        pass

    def send_messages(self, messages):
        raise SMTPRecipientsRefused({"ada@example.com": (450, b"WXYZ-QRST is refused")})


@pytest.fixture
def away(settings):
    settings.EMAIL_BACKEND = f"{__name__}.{Away.__name__}"


def a_mail(**fields):
    return EmailMultiAlternatives(
        **{"subject": "Your code to sign in", "body": "It is WXYZ-QRST, Zoë.", "to": ["ada@example.com"], **fields}
    )


def posted(message=None, now=None):
    sealed_mail.post(message or a_mail(), good_for=QUARTER, now=now)
    return SealedMail.objects.latest("pk").pk


def test_nothing_of_it_rests_in_the_clear_and_its_job_knows_only_its_row():
    pk = posted()
    assert [job.args for job in waiting()] == [{"sealed_mail_id": pk}]
    needles = [secret.encode() for secret in SECRETS] + [json.dumps(secret).encode() for secret in SECRETS]
    content = dict(leak_search.tables())
    assert content["public.redemption_sealedmail.sealed"].strip()
    assert [place for place, text in content.items() if any(needle in text for needle in needles)] == []


def test_it_arrives_as_it_was_written_once_and_its_row_is_gone():
    message = a_mail(from_email="Desk <desk@example.com>", headers={"X-Kind": "code"})
    message.attach_alternative("<p>WXYZ-QRST</p>", "text/html")
    pk = posted(message)
    assert mail.outbox == []
    for _ in range(2):
        send_sealed_mail_job(sealed_mail_id=pk)
    (sent,) = mail.outbox
    assert vars(sent) | {"connection": None} == vars(message) | {"connection": None}
    assert not SealedMail.objects.exists()


def test_what_is_rolled_back_is_not_mailed():
    with transaction.atomic():
        posted()
        transaction.set_rollback(True)
    assert (SealedMail.objects.count(), waiting(), delivered()) == (0, [], [])


def test_without_a_recipient_it_goes_nowhere(away):
    posted(a_mail(to=[]))
    assert len(waiting()) == 1
    assert delivered() == []
    assert not SealedMail.objects.exists()


def test_while_the_mail_server_is_away_it_is_tried_later_each_time_and_then_gone(away, caplog):
    pk, now, pauses = posted(now=NOON), NOON, []
    while (pause := sealed_mail.send(pk, tries=len(pauses), now=now)) is not None:
        assert SealedMail.objects.exists()
        pauses.append(pause.total_seconds())
        now += pause
    assert pauses == [15, 30, 60, 120, 240]
    assert not SealedMail.objects.exists()
    said = [record.getMessage() for record in caplog.records if record.name == sealed_mail.__name__]
    assert said == [
        *(f"Mail {pk} failed (try {number}, SMTPRecipientsRefused)." for number in range(1, 7)),
        f"Mail {pk} is given up (SMTPRecipientsRefused).",
    ]
    assert not any(secret in caplog.text for secret in SECRETS)


def test_the_next_try_is_a_job_of_its_own(away, settings):
    pk = posted()
    send_sealed_mail_job(sealed_mail_id=pk, tries=2)
    first, again = waiting()
    assert (first.args, again.args) == ({"sealed_mail_id": pk}, {"sealed_mail_id": pk, "tries": 3})
    assert timedelta(seconds=50) < again.scheduled_at - timezone.now() <= timedelta(seconds=60)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert len(delivered()) == 1


def test_once_it_is_of_no_use_it_is_not_sent_any_more():
    last, late = posted(now=NOON), posted(now=NOON)
    assert sealed_mail.send(last, tries=0, now=NOON + QUARTER - SECOND) is None
    assert sealed_mail.send(late, tries=0, now=NOON + QUARTER) is None
    assert len(mail.outbox) == 1
    assert not SealedMail.objects.exists()


def test_a_key_that_was_rotated_still_opens_it_and_one_that_is_gone_ends_it(settings, caplog):
    pk = posted(now=NOON)
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another key"
    assert sealed_mail.send(pk, tries=0, now=NOON) == timedelta(seconds=15)
    assert "InvalidToken" in caplog.text
    settings.SECRET_KEY_FALLBACKS = [old]
    assert sealed_mail.send(pk, tries=1, now=NOON) is None
    assert len(mail.outbox) == 1


@pytest.mark.django_db(transaction=True)
def test_a_worker_sends_it():
    # Only ours: the queue's own tables are not emptied after a transactional test.
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE status = 'todo'")
    pk = posted()
    server = MailServer()
    command = [sys.executable, "manage.py", "procrastinate", "worker", "--one-shot", "--no-listen-notify"]
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.support.mail.worker_settings",
        "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
        "TEST_SMTP_PORT": str(server.port),
    }
    try:
        subprocess.run(command, cwd=django_settings.BASE_DIR, env=environment, check=True, timeout=120)
    finally:
        server.close()
    (taken,) = server.mails
    assert message_from_bytes(taken)["To"] == "ada@example.com"
    assert not SealedMail.objects.exists()
    assert ProcrastinateJob.objects.get(args__sealed_mail_id=pk).status == "succeeded"
