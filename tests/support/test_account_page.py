"""A customer's account and his tries, as agents see them."""

from datetime import date, timedelta

import pytest
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from redemption.models import (
    Account,
    Attempt,
    AttemptOutcome,
    BillingProvider,
    Book,
    Channel,
    Invoice,
    InvoiceStatus,
    Plan,
    Transfer,
    TransferKind,
    Wallet,
)
from redemption.redeem import redeem
from redemption.references import Untried, sign
from redemption.refusals import RefusalReason
from redemption.roles import PERMISSIONS, Permission, Role
from support.actions.messages import write_staff_message
from support.models import AuditAction, AuditEvent, MessageKind
from support.statement import statement
from support.timeline import account_timeline
from support.views.account import PER_PAGE
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def mary():
    return factories.account(email="mary@example.com", plan=Plan.INDIVIDUAL, billing_provider=BillingProvider.DIRECT)


def refusals(account, count):
    start = timezone.now() - timedelta(days=2)
    return Attempt.objects.bulk_create(
        Attempt(
            account=account,
            program=account.program,
            outcome=AttemptOutcome.REFUSED,
            reason=RefusalReason.UNKNOWN,
            channel=Channel.WEB,
            at=start + timedelta(seconds=number),
        )
        for number in range(count)
    )


def page_of(account, client, **query):
    return client.get(f"/customers/{account.reference}/", query)


def test_the_account_with_all_that_bears_on_redeeming(mary):
    credit = factories.card(factories.batch(factories.product(mary.program)))
    months = factories.card(factories.batch(factories.product(mary.program, months=3, name="Three months")))
    for card in (credit, months):
        redeem(account=mary, text=card.text, channel=Channel.WEB)
    stranger = factories.account(mary.program, email="bob@example.com")
    other = factories.card(factories.batch(factories.product(mary.program)))
    redeem(account=stranger, text=other.text, channel=Channel.WEB)
    client, agent = at_the_desk()
    response = page_of(mary, client)
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")
    words = shown(response)
    mary.refresh_from_db()
    for text in (
        "mary@example.com",
        "Individual",
        "United Kingdom, GBP",
        "The service itself",
        "Credit £30.00",
        f"Premium until {mary.premium_until:%-d %B %Y}",
        "Attempts left 4",
        f"Card {credit.serial}",
        f"Card {months.serial}",
    ):
        assert text in words
    assert str(other.serial) not in words
    assert "bob" not in words
    event = AuditEvent.objects.get()
    assert (event.action, event.target, event.actor_id) == (
        AuditAction.ACCOUNT_OPENED,
        f"account:{mary.pk}",
        agent.pk,
    )


def test_failures_are_counted_down_and_a_block_names_its_end(mary, settings):
    client, _ = at_the_desk()
    foreign = factories.card(factories.batch(factories.product(mary.program, countries=["DE"])))
    assert page_of(mary, client).context["attempts_left"] == settings.ATTEMPTS_PER_ACCOUNT
    now = timezone.now()
    redeem(account=mary, text=foreign.text, channel=Channel.WEB, now=now)
    assert page_of(mary, client).context["attempts_left"] == settings.ATTEMPTS_PER_ACCOUNT - 1
    for _ in range(settings.ATTEMPTS_PER_ACCOUNT - 1):
        redeem(account=mary, text=foreign.text, channel=Channel.WEB, now=now)
    response = page_of(mary, client)
    until = now + timedelta(hours=settings.ATTEMPT_WINDOW_HOURS)
    assert (response.context["attempts_left"], response.context["blocked_until"]) == (0, until)
    assert f"None until {until.astimezone(mary.program.zone):%-d %B %Y, %H:%M %Z}" in shown(response)


def test_attempts_are_paged_without_counting(mary):
    tries = refusals(mary, PER_PAGE + 2)
    client, _ = at_the_desk()
    first = page_of(mary, client)
    assert [attempt.pk for attempt in first.context["attempts"]] == [attempt.pk for attempt in tries[:1:-1]]
    second = page_of(mary, client, before=first.context["older"])
    assert [attempt.pk for attempt in second.context["attempts"]] == [tries[1].pk, tries[0].pk]
    assert second.context["older"] is None


@pytest.mark.parametrize("before", ["x", "-1", "", "1.5", "9" * 30, "\uff19", "0x1"])
def test_a_page_that_cannot_be_is_not_found(mary, before):
    client, _ = at_the_desk()
    assert page_of(mary, client, before=before).status_code == 404


def test_three_attempts_cost_as_many_queries_as_one(mary, django_assert_num_queries):
    client, _ = at_the_desk()
    page_of(mary, client)
    for _ in range(2):
        card = factories.card(factories.batch(factories.product(mary.program)))
        redeem(account=mary, text=card.text, channel=Channel.WEB)
        refusals(mary, 1)
        with django_assert_num_queries(21):
            page_of(mary, client)


def test_its_tickets_stand_on_the_page_and_in_its_story(mary):
    card = factories.card(factories.batch(factories.product(mary.program)))
    client, agent = at_the_desk()
    own = factories.ticket(account=mary, subject="It does not work", body="I scratched it")
    unclaimed = factories.ticket(requester_email="MARY@example.com", subject="From her address")
    factories.ticket(subject="A stranger’s")
    write_staff_message(ticket=own, kind=MessageKind.REPLY, body="Try again, please", by=agent)
    redeem(account=mary, text=card.text, channel=Channel.WEB)
    page = page_of(mary, client)
    words = shown(page)
    for text in ("It does not work", "From her address", "Ticket opened", "I scratched it", "Public reply", "Redeemed"):
        assert text in words
    for ticket in (own, unclaimed):
        assert f'href="/tickets/{ticket.reference}/"' in page.content.decode()
    assert f"?account={mary.reference}" in page.content.decode()
    assert "A stranger’s" not in words
    told = [entry.title for entry in page.context["timeline"].entries]
    assert told == [
        "Ticket opened",
        "Ticket opened",
        "Customer",
        "Customer",
        "Public reply",
        "Redeemed",
        "Code redeemed",
    ]


def test_three_tickets_cost_as_many_queries_as_one(mary, django_assert_num_queries):
    client, _ = at_the_desk()
    factories.ticket(account=mary)
    page_of(mary, client)
    for number in range(2):
        with django_assert_num_queries(22):
            assert len(page_of(mary, client).context["tickets"].rows) == 1 + 2 * number
        for _ in range(2):
            factories.ticket(account=mary)


# --- Credit


def test_the_statement_says_what_came_in_what_went_out_and_what_was_left(mary):
    euros = factories.product(mary.program, currency="EUR", value=500, countries=["GB"])
    Account.objects.filter(pk=mary.pk).update(currency="EUR")
    redeem(account=mary, text=factories.card(factories.batch(euros)).text, channel=Channel.WEB)
    Account.objects.filter(pk=mary.pk).update(currency="GBP")
    cards = [factories.card(factories.batch(factories.product(mary.program))) for _ in range(2)]
    for card in cards:
        redeem(account=mary, text=card.text, channel=Channel.WEB)
    wallet = Wallet.objects.get(account=mary, currency="GBP")
    Transfer.objects.create(
        debit=Book.CUSTOMER_CREDIT,
        credit=Book.REVENUE,
        wallet=wallet,
        amount=999,
        currency="GBP",
        kind=TransferKind.RENEWAL,
        source="renewal:1",
        program=mary.program,
        effective_at=timezone.now(),
        recorded_at=timezone.now(),
    )
    Wallet.objects.filter(pk=wallet.pk).update(balance=F("balance") - 999)
    told = statement(mary, limit=9)
    assert told.balances == ["€5.00", "£50.01"]
    assert [(line.what, line.amount, line.left, line.serial) for line in told.lines] == [
        ("Month's plan paid", "\N{MINUS SIGN}£9.99", "£50.01", None),
        ("Code redeemed", "+£30.00", "£60.00", cards[1].serial),
        ("Code redeemed", "+£30.00", "£30.00", cards[0].serial),
        ("Code redeemed", "+€5.00", "€5.00", euros.batches.get().serials.lower),
    ]
    assert not told.has_older
    # Shorter, each line still says what was left then.
    cut = statement(mary, limit=2)
    assert (cut.lines, cut.has_older) == (told.lines[:2], True)
    words = shown(page_of(mary, at_the_desk()[0]))
    assert f"Code redeemed, card {cards[1].serial} +£30.00 £60.00" in words


# --- A try


def test_a_refused_try_says_exactly_why_and_what_the_customer_was_told(mary):
    foreign = factories.card(factories.batch(factories.product(mary.program, countries=["DE"])))
    result = redeem(account=mary, text=foreign.text, channel=Channel.MOBILE)
    client, agent = at_the_desk()
    response = client.get(f"/attempts/{result.reference}/")
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")
    words = shown(response)
    for text in (
        "The card is for another country than the account's.",
        "Another country's card",
        RefusalReason.COUNTRY_DIFFERS.answer.text(mary.program),
        "The retailer",
        f"card {foreign.serial}",
        mary.reference,
        "Mobile app",
    ):
        assert text in words
    event = AuditEvent.objects.get()
    attempt = Attempt.objects.get()
    assert (event.action, event.target, event.actor_id) == (
        AuditAction.ATTEMPT_OPENED,
        f"attempt:{attempt.pk}",
        agent.pk,
    )


def test_a_try_that_won(mary):
    card = factories.card(factories.batch(factories.product(mary.program)))
    result = redeem(account=mary, text=card.text, channel=Channel.WEB)
    client, _ = at_the_desk()
    assert "The code was redeemed." in shown(client.get(f"/attempts/{result.reference}/"))


def test_a_reference_without_a_row_describes_itself(mary):
    client, _ = at_the_desk()
    for kind in Untried:
        response = client.get(f"/attempts/{sign(kind, mary.pk, timezone.now())}/")
        assert response.status_code == 200
        assert kind.sentence in shown(response)
        assert mary.reference in shown(response)
    events = AuditEvent.objects.filter(action=AuditAction.ATTEMPT_OPENED, target=f"account:{mary.pk}")
    assert events.count() == len(Untried)


@pytest.mark.parametrize(
    "reference", ["x", "AC-0000-0000-0000", "AT-0000-0000-0000", "NO-" + "0" * 32, "AT-" + "U" * 12]
)
def test_references_of_nothing_are_not_found(reference):
    client, _ = at_the_desk()
    assert client.get(f"/attempts/{reference}/").status_code == 404
    assert client.get(f"/customers/{reference}/").status_code == 404
    assert AuditEvent.objects.count() == 0


@pytest.mark.parametrize("role", list(Role))
def test_only_roles_that_see_accounts_have_these_pages(role, mary):
    attempt = refusals(mary, 1)[0]
    client, _ = at_the_desk(role)
    expected = 200 if Permission.VIEW_ACCOUNTS in PERMISSIONS[role] else 404
    assert page_of(mary, client).status_code == expected
    assert client.get(f"/attempts/{attempt.reference}/").status_code == expected


def test_who_is_not_signed_in_gets_nothing(client, mary):
    response = page_of(mary, client)
    assert (response.status_code, response.headers["Location"].split("?")[0]) == (302, reverse("account_login"))


# --- Months billed


def billed(account, **fields):
    """One invoice, two thirds of it due, asked for in June and not settled."""
    fields = {
        "starts_on": date(2026, 6, 15), "ends_on": date(2026, 7, 15), "plan": Plan.INDIVIDUAL, "currency": "GBP",
        "price": 900, "from_credit": 300, "due": 600, "status": InvoiceStatus.DUE, "at": factories.NOON, **fields,
    }  # fmt: skip
    return Invoice.objects.create(account=account, **fields)


def test_months_stand_on_the_page_with_who_paid_what(mary):
    client, _ = at_the_desk(Role.AGENT)
    later = factories.NOON + timedelta(hours=3)
    due = billed(mary)
    billed(mary, starts_on=date(2026, 5, 15), ends_on=date(2026, 6, 15), status=InvoiceStatus.FAILED, settled_at=later)
    billed(
        mary, starts_on=date(2026, 12, 15), ends_on=date(2027, 1, 15), from_credit=0, due=900,
        status=InvoiceStatus.FAILED, settled_at=factories.NOON,
    )  # fmt: skip
    page = shown(page_of(mary, client))
    assert f"15 June to 14 July 2026 Due Individual, £9.00: £3.00 from credit, £6.00 due. {due.reference}" in page
    assert "15 May to 14 June 2026 Not paid Individual, £9.00: £3.00 from credit, £6.00 due, settled 15 June" in page
    fell = "15 December 2026 to 14 January 2027 Not paid: no payment method, fell to Free Individual, £9.00: £0.00 from"
    assert fell in page
    story = [(entry.title, entry.detail) for entry in account_timeline(mary).entries]
    # The newest row first where the moment is the same.
    assert story == [
        (
            "Fell to Free",
            "Individual, 15 December 2026 to 14 January 2027: neither credit nor a payment method paid it",
        ),
        ("£6.00 due from the payment method", "Individual, 15 May to 14 June 2026"),
        ("£6.00 due from the payment method", "Individual, 15 June to 14 July 2026"),
        ("£6.00 not paid", "Individual, 15 May to 14 June 2026"),
    ]


def test_when_the_next_month_is_paid(mary):
    client, _ = at_the_desk(Role.AGENT)
    assert "Next month Not billed here" in shown(page_of(mary, client))
    Account.objects.update(renews_on=date(2026, 7, 15))
    assert "Next month 15 July 2026 (no payment method)" in shown(page_of(mary, client))
    Account.objects.update(has_payment_method=True)
    assert "Next month 15 July 2026 (payment method on file)" in shown(page_of(mary, client))


def test_three_months_cost_as_many_queries_as_one(mary, django_assert_num_queries):
    client, _ = at_the_desk(Role.AGENT)
    for month in (1, 2, 3):
        billed(mary, starts_on=date(2026, month, 1), ends_on=date(2026, month + 1, 1))
        with django_assert_num_queries(21):
            page_of(mary, client)
