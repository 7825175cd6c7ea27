"""Between looking and confirming: what the sealed code opens, for whom, how long; and what is said of the benefit."""

import re
import secrets
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from redemption.models import Attempt, Plan, PlanPrice, Redemption, Throttle
from redemption.next_steps import NEXT_STEPS
from redemption.refusals import Answer
from redemption.sealed_codes import SEALED_FOR, SealBrokenError, seal, unseal
from tests import factories, leak_search
from tests.redemption.test_answers import not_valid
from tests.redemption.test_redeem_page import (
    CONFIRM,
    PAGE,
    confirm,
    customer,
    live,
    post,
    redeem_by_page,
    reference_in,
    sealed_in,
    signed_in,
)
from tests.support.desk import shown

pytestmark = pytest.mark.django_db

NOON = factories.NOON
OVER = "This page was open for too long"


@pytest.fixture
def program():
    return factories.program()


def sealed_for(account, text, **fields):
    made = {"text": text, "account": account, "by": account.user, "key": "k", "confirmed": False, "now": NOON, **fields}
    return seal(**made)


# --- The seal


def test_a_seal_opens_for_its_person_for_a_quarter_of_an_hour():
    account = factories.account(user=factories.user())
    sealed = sealed_for(account, "A code", confirmed=True)
    opened = unseal(sealed, by=account.user, now=NOON + SEALED_FOR)
    assert (opened.account_id, opened.text, opened.key, opened.confirmed) == (account.pk, "A code", "k", True)
    assert "A code" not in repr(opened)
    for by, now in ((account.user, NOON + SEALED_FOR + timedelta(seconds=1)), (factories.user(), NOON)):
        with pytest.raises(SealBrokenError):
            unseal(sealed, by=by, now=now)


def test_a_seal_survives_the_rotation_of_the_secret_key(settings):
    account = factories.account(user=factories.user())
    sealed = sealed_for(account, "A code")
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "s" * 60
    assert unseal(sealed, by=account.user, now=NOON).text == "A code"
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(SealBrokenError):
        unseal(sealed, by=account.user, now=NOON)


@pytest.mark.parametrize("text", ["", "A", "7" * 300, "7" * 5000, "😀" * 400, "\ud800" * 400, '"\\\n' * 200])
def test_all_seals_are_of_one_length_and_hold_whatever_was_typed(text):
    account = factories.account(user=factories.user())
    sealed = sealed_for(account, text)
    assert len(sealed) == len(sealed_for(account, "SPOTIFY"))
    assert unseal(sealed, by=account.user, now=NOON).text == text[:301]


# --- Looking


def test_looking_redeems_nothing_and_counts(program):
    client, account = customer(program)
    seen = post(client, live(program).text)
    assert seen.status_code == HTTPStatus.OK
    assert "Redeem this code?" in shown(seen)
    assert not Redemption.objects.exists()
    assert [attempt.outcome for attempt in Attempt.objects.all()] == ["previewed"]
    assert len(Throttle.objects.get(scope="account").recent) == 1
    assert confirm(client, seen).status_code == HTTPStatus.OK
    assert Throttle.objects.get(scope="account").recent == []
    assert Redemption.objects.get().account == account


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (1199, "That is about 2½ months of your plan."),
        (1500, "That is about 2 months of your plan."),
        (1501, "That is about 1½ months of your plan."),
        (2999, "That is about a month of your plan."),
        (3000, "That is about a month of your plan."),
        (3001, "That is less than a month of your plan."),
        (999, "That is about 3 months of your plan."),
    ],
)
def test_credit_is_told_in_months_of_the_accounts_own_plan(program, price, words):
    client, account = customer(program, plan=Plan.INDIVIDUAL)
    for plan, currency, of in (
        (Plan.INDIVIDUAL, "GBP", program),
        (Plan.FAMILY, "GBP", program),
        (Plan.INDIVIDUAL, "USD", program),
        (Plan.INDIVIDUAL, "GBP", factories.program()),
    ):
        is_own = (plan, currency, of) == (account.plan, account.currency, program)
        PlanPrice.objects.create(program=of, plan=plan, currency=currency, price=price if is_own else 1)
    seen = shown(post(client, live(program).text))
    assert f"£30.00 credit. {words}" in seen


def test_without_a_price_credit_is_told_as_it_is(program):
    client, _ = customer(program)
    seen = shown(post(client, live(program).text))
    assert "£30.00 credit." in seen
    assert "of your plan" not in seen


def test_the_page_loaded_again_says_the_same(program):
    client, _ = customer(program)
    card = factories.card(factories.batch(factories.product(program, months=3)))
    first, again = post(client, card.text), post(client, card.text)
    assert "3 months of premium, until" in shown(first)
    assert shown(first) == shown(again)
    assert Attempt.objects.count() == 1


# --- Confirming


def test_a_page_that_was_open_for_too_long_redeems_nothing(program):
    client, account = customer(program)
    card = live(program)
    response = client.post(CONFIRM, {"sealed": sealed_for(account, card.text)})
    assert (response.status_code, OVER in shown(response)) == (HTTPStatus.CONFLICT, True)
    assert not Attempt.objects.exists()


@pytest.mark.parametrize("sealed", ["", "x", "\0", "\ud800", "gAAAAA", "7" * 20_000])
def test_what_no_page_of_ours_has_sealed_redeems_nothing(program, sealed):
    client, _ = customer(program)
    body = urlencode({"sealed": sealed.encode("utf-8", "replace")})
    posted = client.post(CONFIRM, body, content_type="application/x-www-form-urlencoded")
    assert posted.status_code == HTTPStatus.CONFLICT
    assert client.post(CONFIRM).status_code == HTTPStatus.CONFLICT
    assert not Attempt.objects.exists()


def test_somebody_elses_seal_opens_nothing(program):
    client, _ = customer(program)
    sealed = sealed_in(post(client, live(program).text))
    stranger, _ = customer(program)
    assert OVER in shown(stranger.post(CONFIRM, {"sealed": sealed}))
    assert not Redemption.objects.exists()


def test_an_account_that_is_no_longer_his_is_not_redeemed_to(program):
    client, account = customer(program)
    seen = post(client, live(program).text)
    account.user = factories.user()
    account.save()
    assert OVER in shown(confirm(client, seen))
    assert not Redemption.objects.exists()


def test_it_goes_to_the_account_that_was_shown_whatever_else_the_form_says(program):
    client, account = customer(program)
    other = factories.account(program, user=account.user, email="second@example.com")
    seen = post(client, live(program).text, account=account.reference)
    client.post(CONFIRM, {"sealed": sealed_in(seen), "account": other.reference, "code": live(program).text})
    assert Redemption.objects.get().account == account


def test_whoever_comes_without_a_form_begins_anew(program, client):
    assert client.get(CONFIRM).url.startswith("/accounts/login/")
    own, _ = customer(program)
    assert own.get(CONFIRM).url == PAGE


def test_what_happened_meanwhile_is_said(program):
    client, _ = customer(program)
    other, _ = customer(program)
    card = live(program)
    seen = post(client, card.text)
    assert redeem_by_page(other, card.text).status_code == HTTPStatus.OK
    late = confirm(client, seen)
    assert late.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert Answer.ALREADY_REDEEMED.label in shown(late)


def test_codes_that_are_not_valid_any_more_are_one_page_when_they_are_confirmed(program):
    """Whatever became of the code between the two steps: the same bytes, by the same queries."""
    pages = set()
    for card in [live(program), *not_valid(program).values()]:
        client, account = customer(program)
        sealed = seal(text=card.text, account=account, by=account.user, key="k", confirmed=False)
        with CaptureQueriesContext(connection) as queries:
            response = client.post(CONFIRM, {"sealed": sealed})
        if response.status_code == HTTPStatus.OK:
            continue
        reference = reference_in(response)
        pages.add((response.content.decode().replace(reference, "x"), len(queries)))
    assert len(pages) == 1


# --- What he can do


@pytest.mark.parametrize("answer", Answer)
def test_every_answer_has_its_next_steps(answer):
    assert NEXT_STEPS[answer]
    for step in NEXT_STEPS[answer]:
        assert step[0].isupper()
        assert step.endswith((".", "?"))
        assert "'" not in step


def test_a_refusal_says_what_to_do_and_leads_to_support_with_its_reference(program):
    client, _ = customer(program)
    program.wording = {"code_not_valid": "Our own words for it."}
    program.save()
    response = post(client, not_valid(program)["void"].text)
    assert "Our own words for it." in shown(response)
    assert all(step in shown(response) for step in NEXT_STEPS[Answer.NOT_VALID])
    assert f'href="/account/requests/new/?answer={reference_in(response)}"' in response.content.decode()


def test_who_has_too_much_premium_ahead_hears_from_which_day_it_fits(program):
    client, _ = customer(program)
    batch = factories.batch(factories.product(program, months=12))
    first, second = factories.cards(2, batch)
    redeem_by_page(client, first.text)
    responses = [post(client, second.text, key="again") for _ in range(2)]
    assert responses[0].content == responses[1].content
    (day,) = re.findall(r"It can be redeemed from (\d+ \w+ 20\d\d)\.", shown(responses[0]))
    assert day
    assert Answer.TOO_MUCH_TIME.label.replace("'", "’") in shown(responses[0]).replace("'", "’")


def test_a_proxy_of_ours_says_where_the_customer_appears_to_be(program, settings):
    client, _ = customer(program, last_seen_country="FR")
    card = live(program)

    def seen(said=None):
        headers = {"CF-IPCountry": said} if said else {}
        return client.post(PAGE, {"code": card.text, "key": secrets.token_hex(8)}, headers=headers).status_code

    # Without the setting customers can say what they like, and where the account was seen counts.
    assert [seen("GB"), seen()] == [HTTPStatus.UNPROCESSABLE_ENTITY] * 2
    settings.COUNTRY_HEADER = "CF-IPCountry"
    assert [seen("FR"), seen("XX"), seen("T1"), seen()] == [HTTPStatus.UNPROCESSABLE_ENTITY] * 4
    assert seen("gb") == HTTPStatus.OK


def test_no_page_of_the_two_steps_holds_the_code(program):
    client, _ = customer(program)
    card = live(program)
    seen = post(client, card.text)
    done = confirm(client, seen)
    said = seen.content + str(seen.headers).encode() + done.content + str(done.headers).encode()
    needles = leak_search.spellings(card.code, card.text) | leak_search.parts(card.code, 10)
    assert leak_search.Search(needles)([("the pages", said), *leak_search.sessions()]) == set()


def test_a_person_with_one_account_and_with_three_costs_as_many_queries(program):
    counts = set()
    for number in (1, 3):
        person = factories.user()
        for _ in range(number):
            factories.account(program, user=person)
        client = signed_in(person)
        client.get(PAGE)
        with CaptureQueriesContext(connection) as queries:
            client.get(PAGE)
        counts.add(len(queries))
    assert len(counts) == 1
