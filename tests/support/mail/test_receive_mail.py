"""The mail server's pipe: what is taken ends with 0, everything else stays with the mail server."""

import io
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import OperationalError

from support.management.commands import receive_mail
from support.models import Message, Ticket
from tests.support.mail.mails import mail


def pipe(monkeypatch, raw):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(raw)))
    call_command("receive_mail")


@pytest.mark.django_db
def test_a_mail_is_taken(monkeypatch):
    pipe(monkeypatch, mail("Hello"))
    assert Message.objects.get().body == "Hello"


@pytest.mark.django_db
@pytest.mark.parametrize("raw", [mail(auto_submitted="auto-replied"), mail(sender="support@localhost")])
def test_what_is_dropped_on_purpose_is_not_tried_again(monkeypatch, raw):
    pipe(monkeypatch, raw)
    assert not Ticket.objects.exists()


@pytest.mark.django_db
def test_even_an_empty_mail_is_a_ticket_that_somebody_looks_at(monkeypatch):
    pipe(monkeypatch, b"")
    assert Message.objects.get().body == "(The mail is empty.)"


@pytest.mark.parametrize("error", [OperationalError("secret"), OSError("secret"), ZeroDivisionError("secret")])
def test_what_could_not_be_stored_stays_with_the_mail_server(monkeypatch, error, caplog):
    def fails(raw):
        raise error

    monkeypatch.setattr(receive_mail, "receive", fails)
    with pytest.raises(SystemExit) as ended:
        pipe(monkeypatch, mail("secret"))
    assert ended.value.code == os.EX_TEMPFAIL == 75
    assert "secret" not in caplog.text


def test_without_a_database_the_process_ends_with_75():
    ended = subprocess.run(
        [sys.executable, "manage.py", "receive_mail"],
        cwd=django_settings.BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.support.mail.away_settings",
            "DATABASE_URL": "postgres://desk:pw@127.0.0.1:1/desk",
        },
        input=mail("Hello secret"),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 75
    assert b"not taken (OperationalError)" in ended.stderr
    assert b"secret" not in ended.stdout + ended.stderr
