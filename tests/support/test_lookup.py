"""The desk's first page, as a browser meets it."""

import logging

import pytest
from django.template.loader import render_to_string
from django.urls import reverse

from redemption.roles import PERMISSIONS, Permission, Role
from support.models import AuditEvent
from tests import factories
from tests.support.desk import at_the_desk, shown, wrong

pytestmark = pytest.mark.django_db


@pytest.fixture
def card():
    return factories.card()


def typed(client, text):
    return client.post("/", {"typed": text})


def test_the_box_is_focused_on_arrival_and_says_what_it_takes():
    client, _ = at_the_desk()
    response = client.get("/")
    assert response.status_code == 200
    box = response.content.decode().split('<input id="typed"')[1].split(">")[0]
    assert "autofocus" in box
    assert 'autocomplete="off"' in box
    assert "data-slash" in box
    assert response.headers["Cache-Control"] == "no-store"
    assert AuditEvent.objects.count() == 0


def test_one_record_is_opened_at_once(card):
    client, _ = at_the_desk()
    account = factories.account(email="mary@example.com")
    for text, address in (
        (card.text.lower(), f"/codes/{card.serial}/"),
        (str(card.serial), f"/codes/{card.serial}/"),
        ("mary@example.com", f"/customers/{account.reference}/"),
        (card.batch.reference, reverse("admin:redemption_batch_change", args=[card.batch.pk])),
    ):
        response = typed(client, text)
        assert (response.status_code, response.headers["Location"], response.content) == (303, address, b"")


def test_a_mistyped_code_offers_the_card_and_says_what_slipped(card):
    client, _ = at_the_desk()
    response = typed(client, wrong(card, 2))
    assert response.status_code == 200
    words = shown(response)
    assert "No card has this code. One is a single slip away:" in words
    assert "The 3rd symbol is wrong." in words
    assert f'<a href="/codes/{card.serial}/">' in response.content.decode()
    # Nor its last four: beside what was typed, they could be the code.
    slip_at_the_end = typed(client, wrong(card)).content.decode()
    assert f"/codes/{card.serial}/" in slip_at_the_end
    assert card.code[-4:] not in slip_at_the_end
    assert card.code not in slip_at_the_end


def test_several_are_listed_as_several(card):
    client, _ = at_the_desk()
    first, second = factories.account(email="mary@example.com"), factories.account(email="mary@example.com")
    response = typed(client, "mary@example.com")
    assert response.status_code == 200
    assert "There is more than one. Which is it?" in shown(response)
    for account in (first, second):
        assert f"/customers/{account.reference}/" in response.content.decode()


def test_nothing_found_says_what_was_tried(card):
    client, _ = at_the_desk()
    response = typed(client, "7K2M Saturn")
    assert response.status_code == 404
    words = shown(response)
    assert "Nothing found." in words
    assert f"As a code of {card.batch.product.program} (SPOTIFY-XXXX-XXXX-XXXX)" in words
    assert "As a code’s last four symbols, with a batch or a retailer" in words


def test_a_share_link_is_said_to_be_one(card):
    client, _ = at_the_desk()
    response = typed(client, "https://open.spotify.com/track/4uLU6hMC")
    assert (response.status_code, "This is a link for sharing, not a code." in shown(response)) == (200, True)


def test_too_many_misses_name_the_time_when_it_works_again(card, settings):
    settings.ATTEMPTS_PER_AGENT = 1
    client, _ = at_the_desk()
    typed(client, "nobody@example.com")
    response = typed(client, card.text)
    assert response.status_code == 429
    words = shown(response)
    assert "Too many look-ups found nothing." in words
    assert "can be looked up again from" in words
    assert typed(client, str(card.serial)).status_code == 303


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 200),
        ("   ", 200),
        ("7K2M\0", 400),
        (b"\xed\xa0\x80".decode(errors="surrogatepass"), 400),
        ("مرحبا ١٢٣", 404),
        ("\u202e7K2M", 404),
        ("\uff19" * 25, 404),
        ("9" * 100, 404),
        ("9" * 5000, 404),
        ("A" * 300_000, 404),
        ("1e309", 404),
        ("-1", 404),
        ("'; drop table redemption_code; --", 404),
        ("<script>alert(1)</script>", 404),
    ],
)
def test_bad_input_gets_a_sentence(text, status):
    client, _ = at_the_desk()
    body = b"typed=" + "".join(f"%{byte:02X}" for byte in text.encode(errors="surrogatepass")).encode()
    response = client.post("/", body, content_type="application/x-www-form-urlencoded")
    assert response.status_code == status
    assert "<script>alert" not in response.content.decode()


def test_invalid_utf_8_gets_a_sentence():
    client, _ = at_the_desk()
    response = client.post("/", b"typed=%FF%FE", content_type="application/x-www-form-urlencoded")
    assert response.status_code == 400
    assert "no letters, digits or signs" in shown(response)


@pytest.mark.parametrize("kind", ["form", "multipart"])
def test_five_megabytes_get_a_sentence_and_are_not_read(kind):
    client, _ = at_the_desk()
    if kind == "form":
        response = client.post("/", b"typed=" + b"A" * 5_000_000, content_type="application/x-www-form-urlencoded")
    else:
        response = client.post("/", {"typed": "A" * 5_000_000})
    assert response.status_code == 413
    assert "more than fits into one form" in shown(response)


def test_neither_address_nor_log_nor_session_holds_what_was_typed(card, caplog):
    client, _ = at_the_desk()
    mistyped = wrong(card, 4)
    with caplog.at_level(logging.DEBUG):
        for text in (card.text, mistyped, card.code.lower(), f"x{mistyped}x"):
            response = typed(client, text)
            assert card.code not in response.headers.get("Location", "").upper()
            client.get(response.headers.get("Location", "/"))
    records = " ".join(
        f"{record.getMessage()} {record.__dict__}" for record in caplog.records if record.name != "django.db.backends"
    )
    queries = " ".join(record.getMessage() for record in caplog.records if record.name == "django.db.backends")
    kept = f"{records} {queries} {dict(client.session)}".upper()
    for secret in (card.code, card.text, mistyped, mistyped.replace("-", "")):
        assert secret not in kept


def test_the_typed_text_is_escaped_in_the_box():
    client, _ = at_the_desk()
    page = typed(client, '"><img src=x>').content.decode()
    assert '"><img' not in page
    assert 'value="&quot;&gt;&lt;img src=x&gt;"' in page


@pytest.mark.parametrize("role", list(Role))
def test_only_roles_that_look_up_have_the_page(role, card):
    client, _ = at_the_desk(role)
    may = Permission.LOOK_UP in PERMISSIONS[role]
    # Customers are led to their own page; posted, it is nobody else's.
    assert client.get("/").status_code == (200 if may else 302 if role == Role.CUSTOMER else 404)
    assert typed(client, card.text).status_code == (303 if may else 404)


def test_who_is_not_signed_in_is_asked_to(client, card):
    for response in (client.get("/"), typed(client, card.text)):
        assert response.status_code == 302
        assert response.headers["Location"].startswith(reverse("account_login"))


def test_staff_without_a_second_factor_get_nothing(client, card, settings):
    settings.STAFF_SECOND_FACTOR = True
    client.force_login(factories.user(Role.AGENT), backend="django.contrib.auth.backends.ModelBackend")
    response = typed(client, card.text)
    assert (response.status_code, response.headers["Location"]) == (302, reverse("mfa_index"))
    assert AuditEvent.objects.count() == 0


def test_every_error_has_its_page():
    for name in ("400", "403", "403_csrf", "404", "413", "500"):
        page = render_to_string(f"{name}.html")
        assert "Redemption Desk" in page
        assert "<h1>" in page
    client, _ = at_the_desk()
    response = client.get("/codes/1/")
    assert (response.status_code, "There is no such page" in shown(response)) == (404, True)
