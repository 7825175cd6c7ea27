"""The account's page: what a customer has, owes, redeemed and may still try, and nobody else's of it."""

from datetime import date, timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from redemption.models import (
    BillingProvider,
    Book,
    Channel,
    Invoice,
    InvoiceStatus,
    Plan,
    PlanPrice,
    Restriction,
    Throttle,
    ThrottleScope,
    Transfer,
    TransferKind,
    Wallet,
)
from redemption.redeem import redeem
from support.customers.billing import WHERE_TO_END, billing
from support.customers.signed_in import what_of
from support.customers.statement import TAKEN_BACK, WORDS, statement
from support.models import AuditAction, AuditEvent
from support.tries import Tries, tries_of
from tests import factories
from tests.factories import PASSWORD
from tests.mails import delivered
from tests.support.customers.people import customer
from tests.support.desk import shown

pytestmark = pytest.mark.django_db
TODAY = date(2026, 6, 15)


def redeemed(account, **product):
    card = factories.card(factories.batch(factories.product(account.program, **product)))
    assert redeem(account=account, text=card.text, channel=Channel.WEB).is_redeemed
    return card


def invoice(account, starts_on, **fields):
    """Paid from credit as a month is: the row, the movement and the wallet."""
    made = Invoice.objects.create(
        account=account,
        starts_on=starts_on,
        ends_on=starts_on + timedelta(days=30),
        currency=account.currency,
        at=timezone.now(),
        **{"plan": Plan.INDIVIDUAL, "price": 1099, "from_credit": 1099, "due": 0, "status": InvoiceStatus.PAID,
           "settled_at": Now(), **fields},
    )  # fmt: skip
    wallet = Wallet.objects.get(account=account, currency=account.currency)
    wallet.balance -= made.from_credit
    wallet.save()
    Transfer.objects.create(
        debit=Book.CUSTOMER_CREDIT,
        credit=Book.REVENUE,
        wallet=wallet,
        amount=made.from_credit,
        currency=account.currency,
        kind=TransferKind.RENEWAL,
        source=f"invoice:{account.pk}:{starts_on.isoformat()}",
        program=account.program,
        effective_at=timezone.now(),
        recorded_at=timezone.now(),
    )
    return made


# --- The page


def test_the_page_shows_credit_premium_time_codes_and_the_next_payment():
    client, user = customer()
    account = factories.account(
        user=user,
        plan=Plan.INDIVIDUAL,
        billing_provider=BillingProvider.DIRECT,
        renews_on=date(2030, 3, 4),
        renewal_anchor_day=4,
        has_payment_method=True,
    )
    PlanPrice.objects.create(program=account.program, plan=Plan.INDIVIDUAL, currency="GBP", price=1099)
    credit, time = redeemed(account, name="Card of thirty"), redeemed(account, name="Three months", months=3)
    invoice(account, date(2026, 5, 4))
    page = shown(client.get("/account/"))
    for words in (
        "Individual, £10.99 a month",
        "Next payment 4 March 2030",
        "the payment method on file is asked for the rest",
        "£19.01 , about 1½ months of your plan",
        "Month of your plan: Individual, 4 May 2026 to 3 June 2026",
        "\N{MINUS SIGN}£10.99 £19.01 left",
        "Code redeemed: Card of thirty",
        "+£30.00 £30.00 left",
        f"card {credit.serial}",
        f"card {time.serial}",
        "Three months",
        "4 attempts left",
        account.reference,
    ):
        assert words in page, words
    account.refresh_from_db()
    assert f"until {account.premium_until:%-d %B %Y}" in page


@pytest.mark.parametrize("provider", [provider for provider in BillingProvider if provider.is_third_party])
def test_whoever_is_billed_elsewhere_is_told_where_to_end_it(provider):
    client, user = customer()
    factories.account(user=user, plan=Plan.INDIVIDUAL, billing_provider=provider)
    assert WHERE_TO_END[provider] in shown(client.get("/account/"))


def test_premium_time_puts_the_next_payment_off():
    account = factories.account(
        plan=Plan.INDIVIDUAL,
        billing_provider=BillingProvider.DIRECT,
        renews_on=date(2026, 7, 1),
        premium_until=date(2026, 9, 5),
    )
    assert billing(account, TODAY).renews_on == date(2026, 9, 5)
    account.premium_until = TODAY
    assert (billing(account, TODAY).renews_on, billing(account, TODAY).premium_until) == (date(2026, 7, 1), None)


@pytest.mark.parametrize(
    ("balance", "said"),
    [
        (0, ""),
        (999, "less than a month of your plan"),
        (1000, "about a month of your plan"),
        (1499, "about a month of your plan"),
        (2500, "about 2½ months of your plan"),
    ],
)
def test_credit_is_told_in_months(balance, said):
    account = factories.account(plan=Plan.DUO)
    PlanPrice.objects.create(program=account.program, plan=Plan.DUO, currency="GBP", price=1000)
    Wallet.objects.create(account=account, currency="GBP", balance=balance)
    assert billing(account, TODAY).covers == said


def test_a_restricted_account_says_so_and_nothing_more():
    client, user = customer()
    factories.account(user=user, restriction=Restriction.PAYMENT_DISPUTE)
    page = shown(client.get("/account/"))
    assert "cannot redeem codes at present" in page
    assert "dispute" not in page


def test_each_account_has_its_own_page_and_nobody_elses_exists():
    client, user = customer()
    one, two = (factories.account(factories.program(name), user=user) for name in ("Aaa", "Bbb"))
    theirs = factories.account()
    assert f"E-mail {one.email}" in shown(client.get("/account/"))
    assert f"E-mail {two.email}" in shown(client.get("/account/", {"account": two.reference.lower()}))
    nothing = client.get("/account/?account=AC-0000-0000-0000")
    for path in ("/account/", "/account/statement/"):
        for reference in (theirs.reference, "", "x", str(theirs.pk)):
            found = client.get(path, {"account": reference})
            assert (found.status_code, found.content) == (404, nothing.content)


def test_without_an_account_there_is_a_way_to_start_one():
    client, _ = customer()
    for path in ("/account/", "/account/statement/"):
        assert client.get(path).status_code == 200
    assert 'href="/account/start/"' in client.get("/account/").content.decode()


def test_nothing_is_kept_by_browsers_and_nobody_comes_in_unsigned():
    client, _ = customer()
    for path in ("/account/", "/account/statement/", "/account/requests/", "/account/requests/new/"):
        assert "no-store" in client.get(path)["Cache-Control"], path
        assert Client().get(path).status_code == 302, path


def test_the_page_asks_the_same_number_of_questions_whatever_there_is():
    counts = []
    for rows in (1, 3):
        client, user = customer()
        account = factories.account(user=user)
        for number in range(rows):
            redeemed(account)
            redeemed(account, months=1)
            invoice(account, date(2026, 1 + number, 1))
            factories.ticket(account.program, account=account, requester_email=user.email)
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/account/").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- The statement


def test_the_statement_is_paged_and_its_balances_go_on_from_page_to_page():
    client, user = customer()
    account = factories.account(user=user)
    for _ in range(30):
        redeemed(account, value=100)
    first, left = statement(account, most=25), [f"£{number}.00" for number in range(30, 0, -1)]
    assert [line.left for line in first.movements] == left[:25]
    second = statement(account, most=25, before=first.older)
    assert ([line.left for line in second.movements], second.older) == (left[25:], None)
    page = client.get("/account/statement/").content.decode()
    assert f"before={first.older}" in page
    assert "£5.00 left" in shown(client.get(f"/account/statement/?before={first.older}"))
    for address in ("?before=x", "?before=-1", f"?before={10**30}"):
        assert client.get(f"/account/statement/{address}").status_code == 404


def test_a_credit_from_support_and_its_reversal_name_nobody():
    account = factories.account()
    credit = factories.credit(account)
    (line,) = statement(account, most=5).movements
    assert (line.what, line.amount, line.left) == ("Credit from support", "+£5.00", "£5.00")
    assert str(credit.reason) not in f"{line}"


def test_every_movement_of_a_customers_credit_has_words():
    """What moves between the house's own books alone is in no statement."""
    ours = {TransferKind.ACTIVATE, TransferKind.BREAKAGE}
    assert set(WORDS) == set(TransferKind) - ours - {TransferKind.REVERSAL}
    assert set(TAKEN_BACK) <= set(TransferKind)


# --- Attempts left


def test_attempts_left_and_when_there_are_more(settings):
    settings.ATTEMPTS_PER_ACCOUNT = 3
    account, now = factories.account(), timezone.now()
    day, hour = timedelta(hours=settings.ATTEMPT_WINDOW_HOURS), timedelta(hours=1)
    assert tries_of(account, now) == Tries(3)
    row = Throttle.objects.create(
        scope=ThrottleScope.ACCOUNT, key=str(account.pk), recent=[now - 30 * hour, now - hour], admitted=True
    )
    assert tries_of(account, now) == Tries(2, more_at=now - hour + day)
    row.blocked_until = now + hour
    row.save()
    assert tries_of(account, now) == Tries(0, now + hour, now + hour)
    # A block that is over has wiped the slate.
    assert tries_of(account, now + 2 * hour) == Tries(3)
    settings.ATTEMPTS_PER_ACCOUNT = 0
    assert tries_of(account, now) == Tries(None)


def test_failed_tries_are_told_on_the_page():
    client, user = customer()
    account = factories.account(user=user)
    for left in ("3 attempts left", "2 attempts left", "1 attempt left", "No attempts left until"):
        redeem(account=account, text=factories.card().text, channel=Channel.WEB)
        assert left in shown(client.get("/account/")), left


# --- Signing in


def test_the_confirmation_is_sent_again_so_often_and_no_more(settings):
    settings.VERIFICATIONS_PER_CUSTOMER = 2
    settings.ACCOUNT_RATE_LIMITS = False
    client, user = customer(confirmed=False)
    assert "Not confirmed" in shown(client.get("/account/"))
    for _ in range(3):
        assert client.post("/account/email/").status_code == 303
    assert [message.to for message in delivered()] == [[user.email]] * 2
    assert "several times in this hour" in shown(client.get("/account/"))


def test_what_is_confirmed_is_not_sent_again():
    client, _ = customer()
    client.post("/account/email/")
    assert delivered() == []
    page = shown(client.get("/account/"))
    assert "confirmed already" in page
    assert "Not confirmed" not in page


def test_an_address_that_was_changed_is_not_confirmed_by_the_old_one():
    client, user = customer()
    EmailAddress.objects.filter(user=user).update(email="old@example.com")
    assert "Not confirmed" in shown(client.get("/account/"))


def test_signing_out_everywhere_ends_every_session_and_is_recorded():
    _, user = customer()
    browsers = []
    for _ in range(2):
        browser = Client(headers={"user-agent": "Mozilla/5.0 (Android 15; Mobile) Firefox/140.0"})
        browser.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
        browsers.append(browser)
    here, there = browsers
    other, _ = customer()
    page = shown(here.get("/account/"))
    assert page.count("Firefox, Android") == 2
    assert page.count("(here)") == 1
    ended = here.post("/account/sessions/end/")
    assert (ended.status_code, ended["Location"]) == (303, "/accounts/login/")
    assert [browser.get("/account/").status_code for browser in (here, there, other)] == [302, 302, 200]
    assert not UserSession.objects.filter(user=user).exists()
    events = AuditEvent.objects.filter(action=AuditAction.SIGN_IN_CHANGED, actor_id=user.pk)
    assert [event.details for event in events] == [{"did": "all_sessions_ended"}]


def test_nothing_ends_by_looking():
    client, _ = customer()
    for path in ("/account/sessions/end/", "/account/email/"):
        assert client.get(path).status_code == 405


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari, iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge, Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36", "Chrome, Linux"),
        ("curl/8", "Unknown browser"),
        ("<script>alert(1)</script>", "Unknown browser"),
    ],
)  # fmt: skip
def test_a_browser_is_called_by_its_name(agent, said):
    assert what_of(agent) == said
