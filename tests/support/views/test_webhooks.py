"""The desk's pages of platforms' webhooks."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from redemption.models import WebhookDelivery, WebhookEndpoint, WebhookEvent, WebhookMark
from redemption.roles import Role
from redemption.webhooks import signing
from redemption.webhooks.sending import send
from support.actions import webhooks as acts
from support.actions.webhooks import WebhookError
from support.models import AuditAction, AuditEvent
from tests import factories
from tests.redemption.webhooks.receiving import SECRET, delivery, endpoint, receiver
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db
URL = "https://platform.example.com/hooks"
HOME = "/platforms/webhooks/"


@pytest.fixture
def admin():
    return at_the_desk(Role.ADMINISTRATOR)


def made(client, of, **changes):
    return client.post(HOME, {"program": of.pk, "url": URL, "kinds": ["redeemed", "frozen"], **changes})


def told(action):
    return [(event.target, event.details) for event in AuditEvent.objects.filter(action=action).order_by("pk")]


def secret_in(response):
    return next(word for word in shown(response).split() if word.startswith("whsec_"))


# --- Making


def test_a_webhook_is_made_and_its_secret_shown_once_and_kept_nowhere_in_clear(admin):
    client, person = admin
    program = factories.program()
    response = made(client, program)
    assert response.status_code == 201
    assert response.headers["Cache-Control"] == "no-store"
    secret, row = secret_in(response), WebhookEndpoint.objects.get()
    assert signing.open_secret(row.secret) == secret
    assert (row.program, row.url, row.kinds, row.is_active, row.created_by) == (
        program, URL, ["redeemed", "frozen"], True, person,
    )  # fmt: skip
    assert told(AuditAction.WEBHOOK_MADE) == [
        (f"program:{program.pk}", {"also": [f"webhook:{row.pk}"], "kinds": ["redeemed", "frozen"]})
    ]
    # From now on it is looked what happens.
    assert WebhookMark.objects.count() == 1
    with connection.cursor() as cursor:
        for table in ("redemption_webhookendpoint", "support_auditevent", "support_auditpersonal", "django_session"):
            cursor.execute(f"SELECT t::text FROM {table} t")
            assert secret not in str(cursor.fetchall())
    for page in (HOME, f"{HOME}{row.pk}/"):
        again = client.get(page)
        assert again.status_code == 200
        assert secret not in again.content.decode()
        assert URL in shown(again)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"url": "http://platform.example.com/"}, "Nothing can be sent there: it is not https."),
        ({"url": "https://127.0.0.1/"}, "Nothing can be sent there: it is a private address."),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "Nothing can be sent there: it is a private address."),
        ({"url": "https://me:x@platform.example.com/"}, "Nothing can be sent there: it is a password in the address."),
        ({"url": "ftp://platform.example.com/"}, "Nothing can be sent there: it is not https."),
        ({"url": "no address"}, "Enter a valid URL."),
        ({"kinds": []}, "Choose what it hears."),
        ({"kinds": ["test"]}, "Select a valid choice."),
        ({"program": "0"}, "Select a valid choice."),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence_and_keeps_what_was_typed(admin, changes, sentence):
    client, _ = admin
    response = made(client, factories.program(), **changes)
    assert response.status_code in {409, 422}
    assert sentence in shown(response)
    assert not WebhookEndpoint.objects.exists()
    assert changes.get("url", URL) in response.content.decode()


def test_a_code_in_an_address_is_refused_and_said_again_nowhere(admin):
    client, _ = admin
    card = factories.card()
    response = made(client, card.batch.product.program, url=f"{URL}?code={card.text}")
    assert response.status_code == 422
    assert "There is a code in it" in shown(response)
    assert not WebhookEndpoint.objects.exists()


def test_a_program_has_so_many_webhooks_and_each_address_once(admin):
    _, person = admin
    program = factories.program()
    for number in range(acts.MOST_ENDPOINTS):
        acts.make_webhook(program=program, url=f"{URL}/{number}", kinds=["redeemed"], by=person)
    with pytest.raises(WebhookError, match="has 10 webhooks already"):
        acts.make_webhook(program=program, url=URL, kinds=["redeemed"], by=person)
    acts.switch(WebhookEndpoint.objects.first(), on=False, by=person)
    with pytest.raises(WebhookError, match="to this address already"):
        acts.make_webhook(program=program, url=f"{URL}/3", kinds=["redeemed"], by=person)
    acts.make_webhook(program=program, url=f"{URL}/0", kinds=["redeemed"], by=person)
    acts.make_webhook(program=factories.program(), url=URL, kinds=["redeemed"], by=person)


@pytest.mark.parametrize("role", set(Role) - {Role.ADMINISTRATOR})
def test_nobody_else_changes_webhooks_through_any_door(role):
    person, of = factories.user(role), endpoint(URL)
    waits = delivery(of, status="given_up")
    for act in (
        lambda: acts.make_webhook(program=of.program, url=f"{URL}/2", kinds=["redeemed"], by=person),
        lambda: acts.rotate_secret(of, by=person),
        lambda: acts.end_former_secret(of, by=person),
        lambda: acts.switch(of, on=False, by=person),
        lambda: acts.change_kinds(of, kinds=["redeemed"], by=person),
        lambda: acts.send_test(of, by=person),
        lambda: acts.send_again(waits, by=person),
        lambda: acts.send_given_up_again(of, since=timezone.now() - timedelta(days=9), by=person),
    ):
        with pytest.raises(WebhookError, match="You change no webhooks"):
            act()
    assert WebhookEndpoint.objects.count() == WebhookEvent.objects.count() == 1
    assert WebhookDelivery.objects.get().status == "given_up"


# --- Changing


def test_a_secret_is_rotated_and_the_former_one_signs_until_it_is_ended(admin):
    client, _ = admin
    of = endpoint(URL)
    page = f"{HOME}{of.pk}/"
    response = client.post(page, {"do": "rotate"})
    assert response.status_code == 201
    of.refresh_from_db()
    assert (signing.open_secret(of.secret), signing.open_secret(of.former_secret)) == (secret_in(response), SECRET)
    assert "Two secrets, while the platform changes over" in shown(client.get(page))
    refused = client.post(page, {"do": "rotate"})
    assert refused.status_code == 409
    assert "Two secrets sign already" in shown(refused)
    assert client.post(page, {"do": "end-former"}).status_code == 303
    of.refresh_from_db()
    assert (signing.open_secret(of.secret), of.former_secret) == (secret_in(response), "")
    assert [details["change"] for _, details in told(AuditAction.WEBHOOK_CHANGED)] == [
        "secret_rotated",
        "former_secret_ended",
    ]


def test_it_is_switched_off_and_on_and_hears_something_else(admin):
    client, _ = admin
    of = endpoint(URL, failures=4, rests_until=timezone.now())
    page = f"{HOME}{of.pk}/"
    assert "Does not answer" in shown(client.get(page))
    for do in ("off", "off"):
        assert client.post(page, {"do": do}).status_code == 303
    assert "It is switched off" in shown(client.get(page))
    refused = client.post(page, {"do": "test"})
    assert refused.status_code == 409
    assert "nothing is sent" in shown(refused)
    client.post(page, {"do": "on"})
    of.refresh_from_db()
    assert (of.is_active, of.failures, of.rests_until) == (True, 0, None)
    assert client.post(page, {"do": "kinds"}).status_code == 422
    client.post(page, {"do": "kinds", "kinds": ["frozen"]})
    client.post(page, {"do": "kinds", "kinds": ["frozen"]})
    of.refresh_from_db()
    assert of.kinds == ["frozen"]
    changes = [details["change"] for _, details in told(AuditAction.WEBHOOK_CHANGED)]
    assert changes == ["switched_off", "switched_on", "kinds"]


def test_a_test_goes_the_way_of_all_others(admin, settings):
    settings.WEBHOOK_PRIVATE_TARGETS = True
    client, _ = admin
    with receiver(204) as platform:
        of = endpoint(platform, kinds=["frozen"])
        page = f"{HOME}{of.pk}/"
        assert client.post(page, {"do": "test"}).status_code == 303
        assert "A test is on its way" in shown(client.get(page))
        assert send() == 1
    event = WebhookEvent.objects.get()
    assert event.data == {"program": of.program.slug}
    assert platform.ids == [event.reference]
    assert event.reference in shown(client.get(page))


# --- Watching, and again


def test_deliveries_are_narrowed_down_by_state_and_paged(admin, monkeypatch):
    from support.views import webhooks

    monkeypatch.setattr(webhooks, "PER_PAGE", 2)
    client, _ = admin
    of = endpoint(URL)
    rows = [delivery(of, status=status) for status in ("waiting", "given_up", "delivered", "given_up", "given_up")]
    delivery(endpoint(URL), status="given_up")
    page = f"{HOME}{of.pk}/"

    def listed(query):
        text = shown(client.get(page + query))
        return [at for at, row in enumerate(rows) if row.event.reference in text]

    assert listed("") == [3, 4]
    assert listed(f"?before={rows[3].pk}") == [1, 2]
    assert listed("?state=given_up") == [3, 4]
    assert listed(f"?state=given_up&before={rows[3].pk}") == [1]
    assert listed("?state=waiting") == [0]
    for wrong in ("?state=lost", "?before=x", f"?before={10**19}"):
        assert client.get(page + wrong).status_code == 404


def test_a_delivery_shows_what_is_sent_and_is_sent_again(admin):
    client, _ = admin
    of = endpoint(URL)
    row = delivery(of, status="delivered", tries=3, last_answer="200", delivered_at=timezone.now())
    page = f"{HOME}{of.pk}/{row.pk}/"
    text = shown(client.get(page))
    assert f'"id": "{row.event.reference}"' in text
    assert '"first_serial": 1' in text
    assert client.post(page).status_code == 303
    row.refresh_from_db()
    assert (row.status, row.tries, row.last_answer, row.delivered_at) == ("waiting", 0, "", None)
    assert told(AuditAction.WEBHOOK_SENT_AGAIN) == [
        (f"program:{of.program_id}", {"also": [f"webhook:{of.pk}"], "count": 1})
    ]


def test_all_that_was_given_up_since_a_day_is_sent_again(admin):
    client, _ = admin
    of, now = endpoint(URL), timezone.now().replace(hour=12)
    page = f"{HOME}{of.pk}/"
    old, first, second = (delivery(of, status="given_up", now=now - timedelta(days=days)) for days in (9, 5, 1))
    done, others = delivery(of, status="delivered"), delivery(endpoint(URL), status="given_up")
    since = (now - timedelta(days=5)).date().isoformat()
    assert client.post(page, {"do": "again", "since": since}).status_code == 303
    assert "2 sent again" in shown(client.get(page))
    states = {row.pk: row.status for row in WebhookDelivery.objects.all()}
    assert states == {
        old.pk: "given_up", first.pk: "waiting", second.pk: "waiting", done.pk: "delivered", others.pk: "given_up",
    }  # fmt: skip
    assert [details["count"] for _, details in told(AuditAction.WEBHOOK_SENT_AGAIN)] == [2]
    client.post(page, {"do": "again", "since": since})
    assert "None was given up since then" in shown(client.get(page))
    for wrong in ("", "yesterday", "0000-00-00", "99999-01-01"):
        assert client.post(page, {"do": "again", "since": wrong}).status_code == 422
    assert len(told(AuditAction.WEBHOOK_SENT_AGAIN)) == 1


def test_what_does_not_exist_is_not_found(admin):
    client, _ = admin
    of, other = endpoint(URL), endpoint(URL)
    row = delivery(of)
    for path in (f"{HOME}{10**30}/", f"{HOME}{other.pk}/{row.pk}/", f"{HOME}{of.pk}/{10**30}/", f"{HOME}{of.pk}/0/"):
        assert client.get(path).status_code == 404


def test_pages_ask_as_much_of_the_database_whatever_is_on_them(admin):
    client, _ = admin

    def asked(path):
        client.get(path)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        return len(queries)

    of = endpoint(URL)
    delivery(of)
    page = f"{HOME}{of.pk}/"
    one = asked(HOME), asked(page)
    for _ in range(2):
        endpoint(URL)
        delivery(of, status="given_up")
    assert (asked(HOME), asked(page)) == one


def test_what_is_shown_once_is_in_no_repr():
    assert SECRET not in repr(acts.NewSecret(endpoint(URL), SECRET))
