"""Validating and redeeming for a platform's customers: what is answered, counted and told again."""

import json
import logging
import threading

import pytest
from django.db import connections

from redemption.models import (
    ApiRequest,
    Attempt,
    AttemptOutcome,
    Channel,
    CodeStatus,
    IdempotencyKey,
    Redemption,
    Restriction,
    Throttle,
    ThrottleScope,
    Transfer,
)
from redemption.refusals import Answer
from support.models import AuditAction, AuditEvent
from tests import factories
from tests.redemption.api.platforms import Platform, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch():
    return factories.batch(factories.product(months=3))


@pytest.fixture
def program(batch):
    return batch.product.program


@pytest.fixture
def platform(program):
    return Platform(program)


@pytest.fixture
def account(program):
    return factories.account(program)


def tries(account):
    row = Throttle.objects.filter(scope=ThrottleScope.ACCOUNT, key=str(account.pk)).first()
    return len(row.recent) if row else 0


def test_a_code_is_looked_at_and_then_redeemed(platform, batch, account):
    card = factories.card(batch)
    looked = platform.try_("/validate", account, card)
    assert looked.status_code == 200
    assert (card.row.status, tries(account)) == (CodeStatus.ACTIVE, 1)
    redeemed = platform.try_("/redeem", account, card)
    assert redeemed.status_code == 200
    # The look at it is given back with the try.
    assert (card.row.status, tries(account)) == (CodeStatus.REDEEMED, 0)
    told_before, told_after = looked.json(), redeemed.json()
    assert told_before.pop("reference") != told_after.pop("reference")
    assert told_before == told_after
    account.refresh_from_db()
    assert told_after == {
        "grant": {"benefit": "premium", "currency": "GBP", "days": 0, "months": 3, "value": 3000},
        "message": f"3 months of premium, until {account.premium_until:%-d %B %Y}.",
        "premium_until": account.premium_until.isoformat(),
        "serial": card.serial,
    }
    assert set(Attempt.objects.values_list("channel", flat=True)) == {Channel.API}


def test_a_look_is_told_to_the_trail_and_a_redemption_is_its_own_record(platform, batch, account):
    card = factories.card(batch)
    platform.try_("/validate", account, card, name="one")
    platform.try_("/validate", account, card, name="one")
    platform.try_("/validate", account, factories.card(factories.batch(factories.product())))
    platform.try_("/redeem", account, card)
    known, unknown = AuditEvent.objects.filter(action=AuditAction.CODE_VALIDATED).order_by("pk")
    first, second = Attempt.objects.exclude(outcome=AttemptOutcome.REDEEMED).order_by("pk")
    beside = [f"account:{account.pk}", f"api_key:{platform.key.pk}"]
    assert (known.target, known.details) == (f"code:{card.serial}", {"also": [f"attempt:{first.pk}", *beside]})
    assert (unknown.target, unknown.details) == (
        f"attempt:{second.pk}",
        {"also": [f"attempt:{second.pk}", *beside]},
    )


@pytest.mark.parametrize("path", ["/validate", "/redeem"])
def test_sent_again_the_first_answer_comes_again_to_the_byte(platform, batch, account, path):
    card = factories.card(batch)
    first = platform.try_(path, account, card, name="one")
    assert "Idempotent-Replayed" not in first.headers
    for _ in range(2):
        again = platform.try_(path, account, card, name="one")
        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"
    assert (Attempt.objects.count(), Redemption.objects.count()) == (1, path == "/redeem")
    assert Transfer.objects.filter(kind="redeem").count() == (path == "/redeem")
    # Under another key it is another request; the first answer stays the first answer.
    assert platform.try_("/redeem", account, card).status_code == (409 if path == "/redeem" else 200)
    assert platform.try_(path, account, card, name="one").content == first.content


@pytest.mark.parametrize("path", ["/validate", "/redeem"])
def test_a_refusal_comes_again_as_well(platform, account, path):
    unknown = factories.card(factories.batch(factories.product()))
    first = platform.try_(path, account, unknown, name="one")
    assert told(first) == (409, "code_not_valid")
    again = platform.try_(path, account, unknown, name="one")
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    assert (Attempt.objects.count(), tries(account)) == (1, 1)


def test_a_key_is_for_one_request_whatever_is_different(platform, batch, program, account):
    card, other, twin = *factories.cards(2, batch), factories.account(program)
    assert platform.try_("/redeem", account, card, name="one").status_code == 200
    reused = (422, "idempotency_key_reused")
    assert told(platform.try_("/redeem", account, other, name="one")) == reused
    assert told(platform.try_("/redeem", twin, card, name="one")) == reused
    assert told(platform.try_("/validate", account, card, name="one")) == reused
    assert told(platform.post("/invoices/IN-0000-0000-0000/settle", {"paid": True}, name="one")) == reused
    platform.post("/invoices/IN-0000-0000-0000/settle", {"paid": True}, name="two")
    assert told(platform.try_("/redeem", account, other, name="two")) == reused
    assert told(platform.try_("/validate", account, other, name="two")) == reused
    assert other.row.status == CodeStatus.ACTIVE


def test_keys_are_each_programs_own(platform, batch, account):
    card, foreign = factories.card(batch), factories.card()
    assert platform.try_("/redeem", account, card, name="one").status_code == 200
    program = foreign.batch.product.program
    answered = Platform(program).try_("/redeem", factories.account(program), foreign, name="one")
    assert answered.status_code == 200


@pytest.mark.parametrize(("name", "code"), [(None, "idempotency_key_missing"), ("a b", "idempotency_key_malformed")])
@pytest.mark.parametrize("path", ["/validate", "/redeem"])
def test_a_key_is_needed_and_has_its_form(platform, batch, account, path, name, code):
    content = {"account": account.reference, "code": factories.card(batch).text}
    assert told(platform.post(path, content, HTTP_IDEMPOTENCY_KEY=name)) == (400, code)
    assert tries(account) == 0


# --- Refusals


def refused(account, of):
    """A text, and the account as it must be, for each answer that one may meet."""
    batch = factories.batch(factories.product(of, months=3))
    match account:
        case "not_valid":
            return factories.card(batch, status=CodeStatus.FROZEN), {}
        case "restricted":
            return factories.card(batch), {"restriction": Restriction.UNUSUAL_ACTIVITY}
        case "unverified":
            return factories.card(batch), {"email_verified": False}
        case "billed_elsewhere":
            return factories.card(batch), {"billing_provider": "apple", "plan": "individual"}
        case "other_plan":
            return factories.card(factories.batch(factories.product(of, months=3, plans=["student"]))), {}
        case "new_subscribers":
            only = factories.product(of, months=1, new_subscribers_only=True)
            return factories.card(factories.batch(only)), {"had_premium": True}
        case "too_much_time":
            return factories.card(factories.batch(factories.product(of, months=24))), {}
    raise AssertionError(account)


@pytest.mark.parametrize(
    ("which", "code"),
    [
        ("not_valid", Answer.NOT_VALID),
        ("restricted", Answer.RESTRICTED),
        ("unverified", Answer.UNVERIFIED),
        ("billed_elsewhere", Answer.BILLED_ELSEWHERE),
        ("other_plan", Answer.OTHER_PLAN),
        ("new_subscribers", Answer.NEW_SUBSCRIBERS),
        ("too_much_time", Answer.TOO_MUCH_TIME),
    ],
)
@pytest.mark.parametrize("path", ["/validate", "/redeem"])
def test_a_refusal_says_what_the_customer_may_hear_in_the_programs_words(program, platform, path, which, code):
    program.wording = {code.value: "Our own words."}
    program.save()
    card, fields = refused(which, program)
    answered = platform.try_(path, factories.account(program, **fields), card)
    assert told(answered) == (409, code.value)
    assert answered.json()["message"] == "Our own words."
    assert answered.json()["reference"] == Attempt.objects.get().reference


def test_where_the_customer_appears_to_be_is_passed_on(platform, batch, account):
    card = factories.card(batch)
    assert told(platform.try_("/redeem", account, card, apparent_country="US")) == (409, "location_differs")
    assert platform.try_("/redeem", account, card, apparent_country="GB").status_code == 200


def test_dead_codes_are_one_answer_and_only_the_reference_differs(platform, program, account):
    batch = factories.batch(factories.product(program))
    cards = [factories.card(batch, status=status) for status in (CodeStatus.FROZEN, CodeStatus.VOID)]
    cards += [factories.card(batch, status=CodeStatus.INACTIVE), factories.card()]
    cards.append(factories.card(factories.batch(factories.product(program, countries=["US"]))))
    answers = []
    for card in cards:
        content = platform.try_("/validate", factories.account(program), card).json()
        assert content.pop("reference").startswith("AT-")
        answers.append(content)
    assert answers == [answers[0]] * 5


@pytest.mark.parametrize("path", ["/validate", "/redeem"])
def test_slips_and_links_cost_nothing_and_keep_no_key(platform, batch, account, path):
    card = factories.card(batch)
    slip = card.text[:-1] + ("2" if card.text[-1] != "2" else "3")
    assert told(platform.try_(path, account, slip, name="one")) == (409, "check_the_code")
    assert told(platform.try_(path, account, "spotify:track:4iV5W9uYEdYUVa79Axb7Rh", name="one")) == (409, "share_link")
    assert (tries(account), Attempt.objects.count(), AuditEvent.objects.count()) == (0, 0, 0)
    assert not IdempotencyKey.objects.exists()
    assert platform.try_(path, account, card, name="one").status_code == 200


def test_too_many_tries_are_turned_away_for_as_long_as_it_says(platform, program, account, batch, settings):
    settings.ATTEMPTS_PER_ACCOUNT = 2
    for _ in range(2):
        platform.try_("/redeem", account, factories.card())
    card = factories.card(batch)
    answered = platform.try_("/redeem", account, card, name="one")
    assert told(answered) == (429, "too_many_attempts")
    assert 86_000 < int(answered.headers["Retry-After"]) <= 86_400
    # It was not kept: once the block is over, the same request works.
    Throttle.objects.all().delete()
    assert platform.try_("/redeem", account, card, name="one").status_code == 200


def test_a_look_that_was_the_last_try_may_still_be_redeemed_and_nothing_else(platform, batch, account):
    for _ in range(3):
        platform.try_("/redeem", account, factories.card())
    card, other = factories.cards(2, batch)
    assert platform.try_("/validate", account, card).status_code == 200
    assert told(platform.try_("/redeem", account, other)) == (429, "too_many_attempts")
    assert platform.try_("/redeem", account, card).status_code == 200


def test_the_customers_address_is_counted_and_not_ours(platform, program, settings):
    settings.ATTEMPTS_PER_ADDRESS = 2
    answers = [
        told(platform.try_("/redeem", factories.account(program), factories.card(), address=address))[0]
        for address in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2")
    ]
    assert answers == [409, 409, 429, 409]


def test_a_program_that_is_switched_off_answers_503_and_uses_nothing_up(platform, program, batch, account):
    program.is_paused = True
    program.save()
    card = factories.card(batch)
    for path in ("/validate", "/redeem"):
        answered = platform.try_(path, account, card, name=path)
        assert told(answered) == (503, "unavailable")
        assert answered.headers["Retry-After"]
        assert answered.json()["reference"].startswith("NO-")
    assert (tries(account), Attempt.objects.count(), ApiRequest.objects.count()) == (0, 0, 0)
    program.is_paused = False
    program.save()
    assert platform.try_("/redeem", account, card, name="/redeem").status_code == 200


def test_a_flood_of_tries_asks_for_a_number_first(platform, program, batch, settings):
    settings.ATTEMPTS_PER_PROGRAM = 1
    card, answers = factories.card(batch), []
    for _ in range(200):
        answers.append(platform.try_("/validate", factories.account(program), card))
        if answers[-1].status_code == 403:
            break
    assert told(answers[-1]) == (403, "challenge_required")


# --- Bodies


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": None},
        {"code": 5},
        {"code": "x" * 301},
        {"account": None},
        {"account": "x" * 41},
        {"apparent_country": "gb"},
        {"apparent_country": "GBR"},
        {"address": "somewhere"},
        {"address": "192.0.2.256"},
        {"more": 1},
    ],
)
@pytest.mark.parametrize("path", ["/validate", "/redeem"])
def test_a_wrong_field_is_refused_and_never_says_what_the_code_was(platform, batch, account, path, wrong):
    content = {"account": account.reference, "code": factories.card(batch).text, **wrong}
    assert told(platform.post(path, content)) == (422, "invalid")
    assert tries(account) == 0


def test_a_code_anywhere_else_is_refused(platform, batch, account):
    card = factories.card(batch)
    looks = (422, "looks_like_a_code")
    assert told(platform.try_("/redeem", account, card, apparent_country=card.text)) == looks
    assert told(platform.post("/redeem", {"account": card.text, "code": card.text, "more": card.text})) == looks
    assert told(platform.get(f"/cards/{card.text}")) == looks
    assert told(platform.get(f"/accounts/{card.text}")) == looks


def test_no_code_and_no_key_is_in_any_log_or_row(platform, batch, account, caplog):
    caplog.set_level(logging.DEBUG)
    cards = factories.cards(3, batch)
    for card, path in zip(cards, ("/validate", "/redeem", "/codes/status"), strict=True):
        content = {"code": card.text} if "status" in path else {"account": account.reference, "code": card.text}
        assert platform.post(path, content, name=card.text).status_code == 200
    platform.post("/redeem", {"account": account.reference, "code": cards[0].text, "address": "x"})
    said = " ".join([record.getMessage() + str(record.exc_info or "") for record in caplog.records])
    kept = json.dumps([*ApiRequest.objects.values("key", "answer"), *IdempotencyKey.objects.values("scope", "key")])
    kept += repr(list(AuditEvent.objects.values()))
    for secret in [platform.token, *(text for card in cards for text in (card.text, card.code))]:
        assert secret not in said
        assert secret not in kept


# --- With real connections


def at_once(*calls):
    barrier, answers = threading.Barrier(len(calls)), [None] * len(calls)

    def run(number, call):
        barrier.wait()
        try:
            answers[number] = call()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/validate", "/redeem"])
def test_of_the_same_request_many_times_at_once_one_has_an_effect(platform, batch, account, path):
    card = factories.card(batch)
    answers = at_once(*[lambda: platform.try_(path, account, card, name="one")] * 6)
    done = [one for one in answers if one.status_code == 200]
    assert done
    assert {told(one) for one in answers if one not in done} <= {(409, "still_running")}
    assert all("Retry-After" in one.headers for one in answers if one not in done)
    last = platform.try_(path, account, card, name="one")
    assert {one.content for one in (*done, last)} == {last.content}
    assert Attempt.objects.count() == 1
    assert AuditEvent.objects.filter(action=AuditAction.CODE_VALIDATED).count() == (path == "/validate")


@pytest.mark.django_db(transaction=True)
def test_of_many_guesses_at_once_so_many_are_verified_as_one_by_one(platform, program, account):
    cards = factories.cards(12)
    answers = at_once(*[lambda card=card: platform.try_("/validate", account, card) for card in cards])
    assert sorted(one.status_code for one in answers) == [409] * 4 + [429] * 8
    assert Attempt.objects.count() == 4
