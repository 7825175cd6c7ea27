"""Webhooks on their way: at least once, to a real server of this machine."""

import json
import logging
import random
import signal
from datetime import timedelta

import pytest
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from redemption.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from redemption.webhooks import sending, signing
from redemption.webhooks.sending import send
from tests import factories
from tests.redemption.webhooks.receiving import SECRET, Sender, delivery, drips, endpoint, receiver, states
from tests.simulation.crowd import all_at_once, errors

OTHER = signing.make_secret()


@pytest.fixture(autouse=True)
def private_targets(settings):
    settings.WEBHOOK_PRIVATE_TARGETS = True


@pytest.mark.django_db
def test_a_webhook_arrives_as_another_implementation_reads_it():
    with receiver(204) as platform:
        waits = delivery(endpoint(platform, former_secret=signing.seal_secret(OTHER)))
        assert send() == 1
    ((headers, body),) = platform.got
    told = {
        "id": waits.event.reference,
        "type": "frozen",
        "timestamp": waits.event.happened_at.isoformat(timespec="milliseconds"),
        "data": {"program": waits.endpoint.program.slug, "first_serial": 1, "last_serial": 2},
    }
    # While the secret changes, whoever has either is convinced.
    assert Webhook(SECRET).verify(body, headers) == told
    assert Webhook(OTHER).verify(body, headers) == told
    assert headers["webhook-id"] == waits.event.reference
    assert headers["content-type"] == "application/json"
    waits.refresh_from_db()
    assert (waits.status, waits.tries, waits.last_answer) == ("delivered", 1, "204")
    assert waits.delivered_at


@pytest.mark.django_db
@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 410, 429, 500, 503])
def test_whatever_is_no_success_is_tried_again_and_no_redirect_is_followed(status):
    def answer(handler):
        handler.send_response(status)
        handler.send_header("location", elsewhere.url)
        handler.send_header("content-length", "0")
        handler.end_headers()

    now = timezone.now()
    with receiver() as elsewhere, receiver(answer, 200) as platform:
        waits = delivery(endpoint(platform), now=now)
        assert send(now) == 0
        waits.refresh_from_db()
        assert (waits.status, waits.tries, waits.last_answer) == ("waiting", 1, str(status))
        assert now < waits.not_before <= now + timedelta(seconds=13)
        assert send(now) == 0
        assert len(platform.got) == 1
        assert send(now + timedelta(seconds=13)) == 1
    assert elsewhere.got == []
    assert states() == {"delivered": 1}
    # The same event to the letter, so that the platform can tell it came before.
    first, second = platform.got
    assert (first[0]["webhook-id"], first[1]) == (second[0]["webhook-id"], second[1])
    assert not WebhookEndpoint.objects.get().failures


@pytest.mark.django_db
def test_a_server_that_asks_for_time_gets_it():
    def busy(handler):
        handler.send_response(429)
        handler.send_header("retry-after", "3600")
        handler.send_header("content-length", "0")
        handler.end_headers()

    now = timezone.now()
    with receiver(busy) as platform:
        waits = delivery(endpoint(platform), now=now)
        send(now)
    waits.refresh_from_db()
    assert waits.not_before == now + timedelta(hours=1)


def test_pauses_double_up_to_six_hours_and_do_not_come_in_step():
    random.seed(1)
    for tries, seconds in [(1, 10), (2, 20), (3, 40), (10, 5120), (12, 20480), (13, 21600), (32767, 21600)]:
        found = [sending.pause(tries).total_seconds() for _ in range(200)]
        assert seconds * 0.75 <= min(found) < seconds * 0.8
        assert seconds * 1.2 < max(found) <= seconds * 1.25
    assert [sending.rest(failures).total_seconds() for failures in (1, 2, 6, 7, 30000)] == [5, 10, 160, 300, 300]


@pytest.mark.django_db
def test_after_days_a_webhook_is_given_up(settings):
    now = timezone.now()
    with receiver(500) as platform:
        waits = delivery(endpoint(platform), now=now)
        seen = []
        while waits.status == "waiting":
            now = max(now, waits.not_before, WebhookEndpoint.objects.get().rests_until or now)
            send(now)
            waits.refresh_from_db()
            seen.append(now - waits.waiting_since)
    assert waits.status == "given_up"
    assert seen[-2] < timedelta(days=settings.WEBHOOK_GIVE_UP_DAYS) <= seen[-1]
    # Often at first, seldom later, and not for ever.
    assert 18 <= len(platform.got) == len(seen) <= 32
    assert WebhookDelivery.objects.get().tries == len(seen)


@pytest.mark.django_db
def test_a_server_that_drips_is_cut_off_and_holds_nobody_up(settings):
    settings.WEBHOOK_TIMEOUT = 1
    with receiver(drips) as slow, receiver(200) as quick:
        to_slow, to_quick = endpoint(slow), endpoint(quick)
        for _ in range(9):
            delivery(to_slow)
        for _ in range(20):
            delivery(to_quick)
        assert send() == 20
    # Its own lanes and no more; the others wait for the next run.
    assert len(slow.got) == 4
    assert {row.last_answer for row in to_slow.deliveries.filter(tries=1)} == {"timeout"}
    assert to_slow.deliveries.filter(tries=0, status="waiting").count() == 5
    assert set(quick.ids) == {row.event.reference for row in to_quick.deliveries.select_related("event")}


@pytest.mark.django_db
def test_a_server_that_is_away_is_asked_for_one_at_a_time_and_ever_more_seldom():
    now = timezone.now()
    with receiver(503) as platform:
        of = endpoint(platform)
        for _ in range(12):
            delivery(of, now=now)
        send(now)
        assert len(platform.got) == 4
        of.refresh_from_db()
        # Four that failed together are one failure.
        assert (of.failures, of.rests_until) == (1, now + timedelta(seconds=5))
        send(now + timedelta(seconds=4))
        assert len(platform.got) == 4
        send(now + timedelta(seconds=5))
        assert len(platform.got) == 5
        of.refresh_from_db()
        assert (of.failures, of.rests_until) == (2, now + timedelta(seconds=15))
        platform.answers = [200]
        send(now + timedelta(seconds=60))
    assert states() == {"delivered": 12}
    of.refresh_from_db()
    assert (of.failures, of.rests_until) == (0, None)


@pytest.mark.django_db
def test_one_event_that_a_server_refuses_does_not_keep_it_from_others():
    now = timezone.now()
    with receiver(400, 200) as platform:
        of = endpoint(platform)
        for _ in range(9):
            delivery(of, now=now)
        assert send(now) == 8
    assert states() == {"waiting": 1, "delivered": 8}
    of.refresh_from_db()
    assert (of.failures, of.rests_until) == (0, None)


@pytest.mark.django_db
def test_nothing_goes_to_an_endpoint_that_is_switched_off():
    with receiver(200) as platform:
        of = endpoint(platform, is_active=False)
        delivery(of)
        assert send() == 0
        WebhookEndpoint.objects.update(is_active=True)
        assert send() == 1
    assert len(platform.got) == 1


@pytest.mark.django_db
def test_a_secret_that_cannot_be_read_keeps_nobody_else_waiting(settings):
    with receiver(200) as one, receiver(200) as other:
        lost, kept = endpoint(one), endpoint(other)
        WebhookEndpoint.objects.filter(pk=lost.pk).update(secret="gAAAAA")
        delivery(lost)
        delivery(kept)
        assert send() == 1
    assert one.got == []
    assert lost.deliveries.get().last_answer == "its secret cannot be read"


@pytest.mark.django_db
def test_the_log_says_which_and_why_and_neither_address_nor_answer(caplog):
    def answer(handler):
        handler.send_response(500, "SPOTIFY-7C4K")
        handler.end_headers()

    caplog.set_level(logging.DEBUG)
    with receiver(answer) as platform:
        waits = delivery(endpoint(platform))
        send()
    assert f"Webhook {waits.event.reference} to endpoint {waits.endpoint_id} failed (try 1, 500)." in caplog.messages
    assert "from=desk" not in caplog.text
    assert "SPOTIFY" not in caplog.text
    assert SECRET not in caplog.text
    assert SECRET not in repr(WebhookEndpoint.objects.values()[0])


# --- Killed, several at once


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("dies_after", "sent"), [(4, 0), (5, 0), (6, 1)])
def test_a_sender_that_is_killed_leads_to_another_sending(settings, dies_after, sent):
    """After taking one on a lease, after reading it, and after sending it, before that is committed."""
    with receiver(200) as platform:
        waits = delivery(endpoint(platform))
        assert Sender(dies_after=dies_after).join() == -signal.SIGKILL
        assert len(platform.got) == sent
        assert states() == {"waiting": 1}
        now = timezone.now()
        assert send(now) == 0
        assert send(now + timedelta(seconds=settings.WEBHOOK_TIMEOUT + 30)) == 1
    assert platform.ids == [waits.event.reference] * (sent + 1)
    assert states() == {"delivered": 1}


@pytest.mark.django_db
def test_a_sender_that_wakes_up_after_its_lease_writes_nothing_over_the_next_ones():
    now = timezone.now()
    with receiver(200) as platform:
        delivery(endpoint(platform), now=now)
        (slow,) = sending._take({WebhookEndpoint.objects.get().pk: 4}, 16, now)
        assert send(now + timedelta(minutes=5)) == 1
        sending._settle(slow, "timeout", now + timedelta(minutes=6))
    assert states() == {"delivered": 1}
    assert WebhookDelivery.objects.get().last_answer == "200"


@pytest.mark.django_db(transaction=True)
def test_several_senders_at_once_send_each_webhook_once():
    with receiver(200) as platform:
        endpoints = [endpoint(platform) for _ in range(3)]
        wanted = {delivery(of).event.reference for of in endpoints for _ in range(30)}
        outcomes = all_at_once([send] * 4)
    assert errors(outcomes) == []
    assert sum(outcomes) == 90
    assert sorted(platform.ids) == sorted(wanted)
    assert states() == {"delivered": 90}


# --- Again by hand


@pytest.mark.django_db
def test_what_is_sent_again_waits_anew_with_short_pauses_and_carries_the_same_id():
    now = timezone.now()
    with receiver(500) as platform:
        of = endpoint(platform)
        waits = delivery(of, now=now - timedelta(days=4), tries=25, not_before=now)
        send(now)
        assert states() == {"given_up": 1}
        platform.answers = [500, 200]
        assert sending.send_again(of.deliveries.filter(status="given_up"), now=now) == 1
        # At once, although the server rested.
        send(now)
        waits.refresh_from_db()
        assert (waits.status, waits.tries) == ("waiting", 1)
        assert waits.not_before < now + timedelta(seconds=13)
        assert send(now + timedelta(seconds=30)) == 1
    assert platform.ids == [waits.event.reference] * 3


@pytest.mark.django_db
def test_what_is_sent_again_while_it_is_under_way_goes_out_once_more():
    now = timezone.now()
    with receiver(200) as platform:
        of = endpoint(platform)
        delivery(of, now=now)
        (under_way,) = sending._take({of.pk: 4}, 16, now)
        assert sending.send_again(of.deliveries.all(), now=now) == 1
        sending._settle(under_way, "timeout", now)
        WebhookEndpoint.objects.update(rests_until=None)
        assert send(now) == 1
    assert states() == {"delivered": 1}


# --- Over


@pytest.mark.django_db
def test_what_waited_for_too_long_at_a_server_that_is_away_is_given_up_each_night():
    now = timezone.now()
    away, well = endpoint("https://away.example.com/", failures=3), endpoint("https://well.example.com/")
    old = now - timedelta(days=3, seconds=1)
    for of in (away, well):
        delivery(of, now=old)
        delivery(of, now=now)
    delivery(away, now=old, not_before=now + timedelta(hours=1))
    assert sending.give_up_old(now) == 1
    assert [row.status for row in away.deliveries.order_by("pk")] == ["given_up", "waiting", "waiting"]
    assert [row.status for row in well.deliveries.order_by("pk")] == ["waiting", "waiting"]


@pytest.mark.django_db
def test_events_are_forgotten_after_a_month_with_their_deliveries(monkeypatch):
    monkeypatch.setattr(sending, "_CHUNK", 2)
    now, of = timezone.now(), endpoint("https://platform.example.com/")
    for days in (29, 30, 31, 32, 33):
        delivery(of, now=now - timedelta(days=days))
    assert sending.clean_up(now) == 3
    assert WebhookEvent.objects.count() == WebhookDelivery.objects.count() == 2


@pytest.mark.django_db
def test_a_body_is_the_same_bytes_whatever_the_database_does_with_it():
    of = endpoint("https://platform.example.com/", factories.program())
    event = delivery(of).event
    body = sending.body_of(event)
    assert sending.body_of(WebhookEvent.objects.get(pk=event.pk)) == body
    assert json.loads(body)["data"] == event.data
