"""Digital cards on their way: each envelope for itself."""

import logging
import smtplib
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone

from redemption.models import OutboxCard, User
from redemption.outbox import deliver, send_card
from tests import factories

pytestmark = pytest.mark.django_db

NOBODY, NOWHERE = "nobody@example.com", "nowhere@example.com"


class Refusing(EmailBackend):
    """A server that knows two addresses too few; its answers quote what it was sent, as some do."""

    def send_messages(self, messages):
        for message in messages:
            if NOBODY in message.to:
                raise smtplib.SMTPDataError(550, message.body.encode())
            if NOWHERE in message.to:
                raise ConnectionRefusedError(message.body)
        return super().send_messages(messages)


@pytest.fixture(autouse=True)
def refusing(settings):
    settings.EMAIL_BACKEND = f"{__name__}.{Refusing.__name__}"


def send(*addresses):
    product, retailer = factories.product(), factories.retailer()
    for address in addresses:
        send_card(product=product, retailer=retailer, email=address, by=User.objects.system())


@pytest.mark.parametrize("address", [NOBODY, NOWHERE])
def test_an_address_that_is_refused_holds_up_nobody_else(address, caplog):
    caplog.set_level(logging.DEBUG)
    send(address, "ann@example.com", "bob@example.com")
    now = timezone.now()
    assert deliver(now) == 2
    assert [message.to for message in mail.outbox] == [["ann@example.com"], ["bob@example.com"]]
    waiting = OutboxCard.objects.get()
    assert (waiting.email, waiting.tries, waiting.not_before) == (address, 1, now + timedelta(minutes=1))
    assert f"The mail of card {waiting.code_id} failed (try 1" in caplog.text
    assert "SPOTIFY" not in caplog.text


def test_the_pauses_grow_up_to_six_hours():
    send(NOBODY)
    now = timezone.now()
    pauses = []
    for _ in range(12):
        deliver(now)
        due = OutboxCard.objects.get().not_before
        pauses.append(int((due - now).total_seconds()) // 60)
        # A moment too early: nothing is tried.
        deliver(due - timedelta(seconds=1))
        now = due
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]
    assert OutboxCard.objects.get().tries == 12


def test_a_card_goes_out_once_its_address_is_taken(settings):
    send(NOBODY)
    now = timezone.now()
    assert deliver(now) == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert deliver(now + timedelta(minutes=1)) == 1
    assert not OutboxCard.objects.exists()
