"""Fetching mails from a mailbox: each leaves it when it is stored, and not before."""

import ssl
from datetime import timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone
from procrastinate.contrib.django import app

from support import jobs
from support.mail import imap
from support.mail.imap import MailboxError, poll
from support.mail.receiving import receive
from support.models import Message
from tests.support.mail.imap_server import Mailbox
from tests.support.mail.mails import mail

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailbox(settings):
    opened = []

    def start(*mails, **options):
        box = Mailbox(*mails, **options)
        opened.append(box)
        settings.IMAP_URL = f"{box.scheme}://desk%40example.com:{box.password}@127.0.0.1:{box.port}/INBOX"
        return box

    yield start
    for box in opened:
        box.close()


def mails(*bodies):
    return [mail(body, message_id=f"<{number}@example.com>") for number, body in enumerate(bodies)]


def bodies():
    return list(Message.objects.order_by("pk").values_list("body", flat=True))


def test_unread_mails_are_stored_in_their_order_and_marked(mailbox):
    box = mailbox(*mails("One", "Two", "Three"))
    assert poll() == 3
    assert bodies() == ["One", "Two", "Three"]
    assert box.unread == []
    assert poll() == 0
    assert len(bodies()) == 3


def test_fetching_leaves_a_mail_unread_until_it_is_stored(mailbox, monkeypatch):
    box = mailbox(*mails("One"))

    def receive_and_look(raw, **keywords):
        assert box.unread == [7]
        return receive(raw, **keywords)

    monkeypatch.setattr(imap, "receive", receive_and_look)
    assert poll() == 1
    assert not [command for command in box.commands if "FETCH" in command and "PEEK" not in command]


@pytest.mark.parametrize("moves", [True, False])
def test_stored_mails_are_moved_where_they_shall_go(mailbox, settings, moves):
    settings.IMAP_DONE_FOLDER = 'Done "2026"'
    box = mailbox(*mails("One"), moves=moves)
    assert poll() == 1
    assert box.moved == {7: r'"Done \"2026\""'}
    assert moves or box.flags[7] == {r"\Seen", r"\Deleted"}
    assert poll() == 0


def test_a_mail_that_cannot_be_stored_stays_and_holds_up_nobody_else(mailbox, monkeypatch, caplog):
    box = mailbox(*mails("One", "Two", "Three"))

    def receive_not_two(raw, **keywords):
        if b"Two" in raw:
            raise ZeroDivisionError("Two")
        return receive(raw, **keywords)

    monkeypatch.setattr(imap, "receive", receive_not_two)
    monkeypatch.setattr(imap, "_AT_ONCE", 1)
    assert [poll(), poll(), poll()] == [1, 1, 0]
    assert (bodies(), box.unread) == (["One", "Three"], [8])
    assert "Mail 8 of the mailbox could not be stored and stays there (ZeroDivisionError)." in caplog.text
    monkeypatch.undo()
    assert poll() == 1
    assert bodies() == ["One", "Three", "Two"]


def test_without_a_database_all_mails_stay(mailbox, monkeypatch):
    box = mailbox(*mails("One", "Two"))

    def receive_nothing(raw, **keywords):
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(imap, "receive", receive_nothing)
    with pytest.raises(OperationalError):
        poll()
    assert box.unread == [7, 8]


def test_a_crash_between_commit_and_mark_makes_no_second_message(mailbox, monkeypatch):
    box = mailbox(*mails("One"))

    def dies(mailbox, uid):
        raise ConnectionResetError

    with monkeypatch.context() as crash:
        crash.setattr(imap, "_put_away", dies)
        with pytest.raises(MailboxError):
            poll()
    assert box.unread == [7]
    assert poll() == 1
    assert (bodies(), box.unread) == (["One"], [])


# --- In the open, and not


@pytest.fixture
def certificate(tmp_path):
    """A server's side of TLS, and the file that a client must trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mailbox")])
    now = timezone.now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, private = tmp_path / "trusted.pem", tmp_path / "private.pem"
    trusted.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(trusted, private)
    return server_side, trusted


@pytest.mark.parametrize("scheme", ["imaps", "imap+tls"])
def test_the_password_travels_encrypted_and_to_the_right_server_only(mailbox, monkeypatch, certificate, scheme):
    server_side, trusted = certificate
    box = mailbox(*mails("One"), scheme=scheme, tls=server_side)
    with pytest.raises(MailboxError, match="SSLCertVerificationError"):
        poll()
    assert not any(box.password in command for command in box.commands)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    assert poll() == 1
    assert bodies() == ["One"]


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("imap://desk:wrong@127.0.0.1:{port}/INBOX", "cannot be read"),
        ("imap://desk:secret@127.0.0.1:{port}/Elsewhere", "no such folder"),
        ("pop3://desk:secret@127.0.0.1:{port}/INBOX", "begins with imaps://"),
        ("imap://desk:secret@127.0.0.1:1/INBOX", "cannot be read"),
    ],
)
def test_a_mailbox_that_does_not_open_is_a_sentence_without_its_password(mailbox, settings, address, sentence):
    box = mailbox()
    settings.IMAP_URL = address.format(port=box.port)
    with pytest.raises(CommandError, match=sentence) as refused:
        call_command("poll_mail")
    assert "secret" not in str(refused.value)


def test_without_a_mailbox_the_worker_does_nothing_and_the_command_says_so():
    jobs.poll_mail.func(timestamp=0)
    with pytest.raises(CommandError, match="names no mailbox"):
        call_command("poll_mail")


def test_the_worker_waits_for_a_mailbox_that_is_away(settings, caplog):
    settings.IMAP_URL = "imap://desk:secret@127.0.0.1:1/INBOX"
    jobs.poll_mail.func(timestamp=0)
    assert "The mailbox cannot be read (ConnectionRefusedError)." in caplog.text
    assert "secret" not in caplog.text


def test_polling_is_registered_without_a_lock_that_a_killed_worker_would_leave_behind():
    periodic = {task.task.name: task for task in app.periodic_registry.periodic_tasks.values()}
    assert periodic["support.poll_mail"].cron == "* * * * *"
    assert (jobs.poll_mail.lock, jobs.poll_mail.queueing_lock) == (None, "poll_mail")


def test_the_command_says_how_many(mailbox, capsys):
    mailbox(*mails("One", "Two"))
    call_command("poll_mail")
    assert capsys.readouterr().out == "2 mails taken.\n"
