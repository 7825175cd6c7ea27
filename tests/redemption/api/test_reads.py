"""Accounts, statements, cards and invoices: what a platform reads of its own, and that all else is not there."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from redemption.api.errors import ErrorCode
from redemption.api.v1.schemas import ERROR_CODES
from redemption.models import (
    PLATFORM_SCOPES,
    Account,
    ApiScope,
    CodeStatus,
    InvoiceStatus,
    Throttle,
    Wallet,
)
from redemption.refusals import Answer
from support.models import AuditAction, AuditEvent
from tests import factories
from tests.redemption.api.platforms import ADDRESS, Platform, due, key, told
from tests.support.till import tills

pytestmark = pytest.mark.django_db


@pytest.fixture
def program():
    return factories.program()


@pytest.fixture
def batch(program):
    return factories.batch(factories.product(program))


@pytest.fixture
def platform(program):
    return Platform(program)


@pytest.fixture
def account(program):
    return factories.account(program)


def code_of(platform, card):
    return platform.post("/codes/status", {"code": getattr(card, "text", card)}, HTTP_IDEMPOTENCY_KEY=None)


# --- Accounts


def test_an_account_is_read_with_its_credit(platform, batch, account):
    for card in factories.cards(2, batch):
        platform.try_("/redeem", account, card)
    assert platform.get(f"/accounts/{account.reference}").json() == {
        "reference": account.reference,
        "country": "GB",
        "currency": "GBP",
        "plan": "free",
        "billed_by": "none",
        "has_payment_method": False,
        "renews_on": None,
        "premium_until": None,
        "email_verified": True,
        "credit": [{"currency": "GBP", "balance": 6000}],
    }


def test_a_statement_is_read_part_by_part_and_its_balances_are_the_wallets(platform, batch, account):
    cards = factories.cards(3, batch)
    for card in cards:
        platform.try_("/redeem", account, card)
    factories.credit(account)
    path, found, before = f"/accounts/{account.reference}/statement", [], {}
    while True:
        part = platform.get(path, limit=2, **before).json()
        found += part["movements"]
        if part["next"] is None:
            break
        before = {"before": part["next"]}
    assert found == platform.get(path).json()["movements"]
    assert [(one["kind"], one["amount"], one["balance"], one["serial"]) for one in found] == [
        ("manual_credit", 500, 9500, None),
        *(("redeem", 3000, 3000 * number, cards[number - 1].serial) for number in (3, 2, 1)),
    ]
    assert Wallet.objects.get().balance == 9500


def test_a_statement_asks_no_more_for_three_movements_than_for_one(platform, batch, account):
    path, counts = f"/accounts/{account.reference}/statement", []
    for number in (1, 2):
        for card in factories.cards(number, batch):
            platform.try_("/redeem", account, card)
        with CaptureQueriesContext(connection) as asked:
            assert len(platform.get(path).json()["movements"]) == number * (number + 1) / 2
        counts.append(len(asked))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    "part", [{"before": "x"}, {"before": "0"}, {"before": "9" * 30}, {"limit": "0"}, {"limit": 101}]
)
def test_a_part_that_is_none_is_refused(platform, account, part):
    assert told(platform.get(f"/accounts/{account.reference}/statement", **part)) == (422, "invalid")


# --- Cards


@pytest.mark.parametrize("status", [CodeStatus.INACTIVE, CodeStatus.ACTIVE, CodeStatus.FROZEN, CodeStatus.VOID])
def test_a_card_is_told_exactly_and_told_to_the_trail(platform, batch, status):
    card = factories.card(batch, status=status)
    by_code, by_serial = code_of(platform, card), platform.get(f"/cards/{card.serial}")
    assert (by_code.status_code, by_code.content) == (200, by_serial.content)
    told_of = by_code.json()
    assert told_of["status"] == status.name.lower()
    assert (told_of["serial"], told_of["redeemed_at"], told_of["redeemed_by"]) == (card.serial, None, None)
    assert told_of["grant"] == {"benefit": "credit", "value": 3000, "currency": "GBP", "months": 0, "days": 0}
    events = AuditEvent.objects.filter(action=AuditAction.CODE_STATUS_ASKED)
    assert [(event.target, event.details) for event in events] == [
        (f"code:{card.serial}", {"also": [f"api_key:{platform.key.pk}"]})
    ] * 2


def test_a_redeemed_card_says_when_and_for_whom(platform, batch, account):
    card = factories.card(batch)
    platform.try_("/redeem", account, card)
    told_of = code_of(platform, card).json()
    assert (told_of["status"], told_of["redeemed_by"]) == ("redeemed", account.reference)
    assert told_of["redeemed_at"]


def test_what_is_no_code_is_told_without_a_look(platform, batch, settings):
    settings.ATTEMPTS_PER_PLATFORM = 1
    card = factories.card(batch)
    slip = card.text[:-1] + ("2" if card.text[-1] != "2" else "3")
    for _ in range(2):
        assert told(code_of(platform, slip)) == (409, "check_the_code")
        assert told(code_of(platform, "https://open.spotify.com/track/1")) == (409, "share_link")
    assert code_of(platform, card).status_code == 200


def test_unknown_codes_are_counted_and_known_ones_are_not(platform, batch, settings):
    settings.ATTEMPTS_PER_PLATFORM = 2
    card = factories.card(batch)
    for _ in range(3):
        assert code_of(platform, card).status_code == 200
    for _ in range(2):
        assert told(code_of(platform, factories.card())) == (404, "unknown_code")
    # Neither does a good guess tell itself apart, nor another key of the program.
    for one in (platform, Platform(batch.product.program)):
        answered = code_of(one, card)
        assert told(answered) == (429, "too_many_requests")
        assert int(answered.headers["Retry-After"]) > 80_000
    assert Platform().get("/cards/1000000000").status_code == 404


# --- Invoices


def test_a_paid_invoice_is_settled_once(platform, account):
    invoice = due(account)
    first = platform.post(f"/invoices/{invoice.reference}/settle", {"paid": True}, name="one")
    assert first.status_code == 200
    assert (first.json()["status"], first.json()["due"], first.json()["account"]) == ("paid", 1099, account.reference)
    again = platform.post(f"/invoices/{invoice.reference}/settle", {"paid": True}, name="one")
    assert (again.status_code, again.content) == (200, first.content)
    assert told(platform.post(f"/invoices/{invoice.reference}/settle", {"paid": False})) == (409, "refused")
    invoice.refresh_from_db()
    assert invoice.status == InvoiceStatus.PAID
    assert AuditEvent.objects.filter(action=AuditAction.INVOICE_SETTLED).count() == 1


def test_what_is_due_is_listed_and_nothing_of_a_stranger(platform, account):
    months = [due(account, starts_on=f"2026-0{month}-01") for month in (1, 2, 3)]
    due(factories.account())
    platform.post(f"/invoices/{months[2].reference}/settle", {"paid": True})
    first = platform.get("/invoices?limit=1").json()
    assert [one["reference"] for one in first["invoices"]] == [months[1].reference]
    rest = platform.get(f"/invoices?limit=1&before={first['next']}").json()
    assert ([one["reference"] for one in rest["invoices"]], rest["next"]) == ([months[0].reference], None)


def test_an_invoice_that_was_not_paid_ends_the_plan(platform, program):
    account = factories.account(program, plan="individual", billing_provider="direct", has_payment_method=True)
    invoice = due(account)
    answered = platform.post(f"/invoices/{invoice.reference}/settle", {"paid": False})
    assert (answered.status_code, answered.json()["status"]) == (200, "failed")
    assert Account.objects.get().plan == "free"


@pytest.mark.parametrize("body", [{}, {"paid": "yes"}, {"paid": 1}, {"paid": None}, {"paid": True, "more": 1}])
def test_whether_it_was_paid_is_said_plainly(platform, account, body):
    invoice = due(account)
    assert told(platform.post(f"/invoices/{invoice.reference}/settle", body)) == (422, "invalid")


# --- What is another's is not there


def probes(platform, world):
    """Every operation about what `world` names."""
    invoice, account, card = world
    return [
        platform.try_("/validate", account, "SPOTIFY-0000-0000-0000"),
        platform.try_("/redeem", account, "SPOTIFY-0000-0000-0000"),
        platform.get(f"/accounts/{account.reference}"),
        platform.get(f"/accounts/{account.reference}/statement"),
        code_of(platform, card),
        platform.get(f"/cards/{card.serial}"),
        platform.post(f"/invoices/{invoice.reference}/settle", {"paid": True}),
    ]


def test_a_strangers_account_card_and_invoice_are_answered_like_none(platform, batch):
    """Byte for byte: headers too."""
    foreign = factories.account()
    theirs = (due(foreign), foreign, factories.card(factories.batch(factories.product(foreign.program))))
    none = (
        due(factories.account()),
        Account(reference="AC-0000-0000-0000"),
        factories.card(factories.batch(factories.product(factories.program()))),
    )
    none[0].reference = "IN-0000-0000-0000"
    object.__setattr__(none[2], "serial", 9_000_000_000)
    found, missing = probes(platform, theirs), probes(platform, none)
    assert [(one.status_code, one.content, sorted(one.headers.items())) for one in found] == [
        (one.status_code, one.content, sorted(one.headers.items())) for one in missing
    ]
    assert [told(one)[1] for one in found] == [
        "unknown_account", "unknown_account", "unknown_account", "unknown_account", "unknown_code", "unknown_card",
        "unknown_invoice",
    ]  # fmt: skip
    theirs[0].refresh_from_db()
    assert theirs[0].status == InvoiceStatus.DUE
    assert not AuditEvent.objects.filter(action=AuditAction.CODE_STATUS_ASKED).exists()


def test_a_code_of_another_program_is_answered_like_one_that_never_was(platform, account):
    foreign = factories.card(factories.batch(factories.product(factories.program())))
    answers = []
    for text in (foreign.text, factories.card().text):
        content = platform.try_("/redeem", account, text).json()
        content.pop("reference")
        answers.append(content)
    assert answers[0] == answers[1]
    assert foreign.row.status == CodeStatus.ACTIVE


# --- Keys, scopes, limits


@pytest.mark.parametrize("scope", PLATFORM_SCOPES)
def test_every_operation_needs_its_scope(program, account, batch, scope):
    platform = Platform(program, scopes=[scope])
    invoice, card = due(account), factories.card(batch)
    opened = {
        ApiScope.VALIDATE: [platform.try_("/validate", account, card)],
        ApiScope.REDEEM: [platform.try_("/redeem", account, card)],
        ApiScope.ACCOUNTS: [
            platform.get(f"/accounts/{account.reference}"),
            platform.get(f"/accounts/{account.reference}/statement"),
        ],
        ApiScope.CODES: [code_of(platform, card), platform.get(f"/cards/{card.serial}")],
        ApiScope.BILLING: [
            platform.get("/invoices"),
            platform.post(f"/invoices/{invoice.reference}/settle", {"paid": True}),
        ],
    }
    assert {one: {answered.status_code for answered in answers} for one, answers in opened.items()} == {
        one: {200 if one == scope else 403} for one in PLATFORM_SCOPES
    }


def test_a_tills_key_opens_nothing_here_and_a_platforms_nothing_there(platform, batch):
    till = tills.key(batch.retailer)[1]
    assert told(Platform(token=till).get(f"/cards/{batch.first_serial}")) == (403, "missing_scope")
    assert told(tills.Till(token=platform.token).get(f"/cards/{batch.first_serial}")) == (403, "missing_scope")
    assert told(Platform(token="none").get("/cards/1000000000")) == (401, "unauthorized")


def test_a_key_asks_about_so_often_in_a_minute(program, settings):
    settings.PLATFORM_REQUESTS_PER_MINUTE = 16
    platform = Platform(program)
    answers = [platform.get("/accounts/AC-0000-0000-0000") for _ in range(60)]
    turned_away = [one for one in answers if one.status_code == 429]
    # One for each counter: a few are not met among so many.
    assert 8 <= 60 - len(turned_away) <= 16
    assert all(0 < int(one.headers["Retry-After"]) <= 60 for one in turned_away)
    assert Throttle.objects.filter(key__startswith=f"{platform.key.pk}:").count() <= 16
    assert Platform(program).get("/accounts/AC-0000-0000-0000").status_code == 404


# --- The description


def test_every_operation_documents_the_shape_of_its_errors_and_all_their_codes(client):
    schema = client.get(f"{ADDRESS}/openapi.json").json()
    problem = schema["components"]["schemas"]["Problem"]
    assert set(problem["required"]) == {"code", "message", "reference"}
    assert problem["properties"]["code"]["enum"] == ERROR_CODES
    assert set(ERROR_CODES) == {*ErrorCode, *Answer.values}
    assert len(ERROR_CODES) == len(set(ERROR_CODES))
    operations = {one["operationId"]: one for path in schema["paths"].values() for one in path.values()}
    assert set(operations) == {
        "validate", "redeem", "read_account", "read_statement", "read_code", "read_card", "list_due_invoices",
        "settle_invoice",
    }  # fmt: skip
    shape = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operation in operations.values():
        errors = {status: one["content"] for status, one in operation["responses"].items() if int(status) >= 400}
        assert {400, 401, 403, 404, 405, 413, 414, 422, 429, 500, 503} <= set(map(int, errors))
        assert list(errors.values()) == [shape] * len(errors)


def test_no_key_is_told_apart_from_another_that_is_none(platform, program):
    gone = key(program, revoked_at=platform.key.created_at)[1]
    over = key(program, expires_at=platform.key.created_at)[1]
    answers = [Platform(token=token).get("/cards/1000000000") for token in (gone, over, platform.token + "x", "")]
    assert {(one.status_code, one.content) for one in answers} == {(401, answers[0].content)}
