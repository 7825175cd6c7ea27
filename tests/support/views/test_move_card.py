"""A card that was redeemed to the wrong account: both are shown, and a second person is asked."""

import pytest
from django.utils import timezone

from redemption.models import ApprovalRequest, Channel, Wallet
from redemption.redeem import redeem
from redemption.roles import Role
from support.actions import decisions
from support.models import AuditAction, AuditEvent, CreditStop, ManualCredit
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def card():
    return factories.card()


@pytest.fixture
def wrong(card):
    """The account that redeemed it."""
    account = factories.account(card.batch.product.program, email="mary.old@example.com")
    redeem(account=account, text=card.text, channel=Channel.WEB)
    return account


@pytest.fixture
def right(card):
    return factories.account(card.batch.product.program, email="mary@example.com")


@pytest.fixture
def ticket(card, right, wrong):
    return factories.ticket(card.batch.product.program, account=right, code=card.row)


def errors(response):
    return {name: list(found) for name, found in response.context["form"].errors.items()}


def test_both_accounts_are_seen_before_anybody_is_asked(card, wrong, right, ticket):
    client, agent = at_the_desk()
    address = f"/codes/{card.serial}/move/"
    assert f'href="{address}"' in client.get(f"/codes/{card.serial}/").content.decode()
    first = client.get(address)
    words = shown(first)
    assert "mary.old@example.com" in words
    assert "Left of what it gave: £30.00" in words
    assert "mary@example.com" not in words
    assert "Ask a second person to move it" not in words
    # The card's only open ticket.
    assert f'value="{ticket.reference}"' in first.content.decode()
    second = client.post(address, {"do": "look", "to": "Mary@Example.com", "ticket": ticket.reference, "why": ""})
    words = shown(second)
    assert second.status_code == 200
    assert "Now £30.00. Then £0.00" in words
    assert "Now £0.00. Then £30.00" in words
    assert not ApprovalRequest.objects.exists()
    assert AuditEvent.objects.filter(
        action=AuditAction.ACCOUNT_OPENED, actor_id=agent.pk, target=f"account:{right.pk}"
    ).exists()
    fields = {"do": "ask", "to": right.reference, "ticket": ticket.reference, "why": "Same name, same bank card."}
    done = client.post(address, fields)
    asked = ApprovalRequest.objects.get()
    assert (done.status_code, done.headers["Location"]) == (303, f"/approvals/{asked.pk}/")
    assert (asked.reason, asked.payload["to"], asked.payload["amount"]) == (fields["why"], right.pk, 3000)
    waits = client.get(address)
    assert "A move of what this card gave waits for a second person." in shown(waits)
    assert 'name="to"' not in waits.content.decode()
    decisions.approve(asked, by=factories.user(Role.MANAGER))
    credit = ManualCredit.objects.get()
    assert Wallet.objects.get(account=right).balance == 3000
    over = client.get(address)
    assert "What this card gave was moved before." in shown(over)
    assert f'href="/credits/{credit.reference}/"' in over.content.decode()
    assert f"Moved here from {wrong.reference}" in shown(client.get(f"/credits/{credit.reference}/"))
    for account in (wrong, right):
        told = [entry.title for entry in client.get(f"/customers/{account.reference}/").context["timeline"].entries]
        expected = "Moved to another account" if account == wrong else f"£30.00 moved here: {credit.reason}"
        assert expected in told


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"to": ""}, "to", "Write the other account’s reference, or its e-mail address."),
        ({"to": "mary.old@example.com"}, "to", "This is the account that redeemed it."),
        ({"ticket": ""}, "ticket", "Write the reference of the ticket that asks for it."),
        ({"ticket": "TK-0000-0000-0000"}, "ticket", "No ticket has this reference."),
        ({"why": ""}, "why", "Say why: whoever decides needs to know."),
        ({"to": "\x00"}, "to", "Null characters are not allowed."),
    ],
)
def test_whatever_is_wrong_stands_beside_its_field(card, wrong, right, ticket, fields, field, sentence):
    given = {"do": "ask", "to": right.reference, "ticket": ticket.reference, "why": "Same name."} | fields
    answer = at_the_desk()[0].post(f"/codes/{card.serial}/move/", given)
    assert answer.status_code == 422
    assert sentence in errors(answer)[field]
    assert sentence in shown(answer)
    assert not ApprovalRequest.objects.exists()


def test_an_account_of_another_program_or_currency_is_told(card, wrong, ticket):
    elsewhere = factories.account(email="mary@example.com")
    dollars = factories.account(card.batch.product.program, currency="USD")
    client, _ = at_the_desk()
    for account, sentence in (
        (elsewhere, f"{card.batch.product.program} has no such account."),
        (dollars, "This account is in USD."),
    ):
        given = {"do": "ask", "to": account.reference, "ticket": ticket.reference, "why": "Same name."}
        answer = client.post(f"/codes/{card.serial}/move/", given)
        assert (answer.status_code, errors(answer)["to"]) == (422, [sentence])
    look = {"do": "look", "to": dollars.reference, "ticket": ticket.reference}
    assert client.post(f"/codes/{card.serial}/move/", look).status_code == 200


def test_a_code_stands_in_no_request(card, wrong, right, ticket):
    given = {"do": "ask", "to": right.reference, "ticket": ticket.reference, "why": f"He has {card.text}"}
    answer = at_the_desk()[0].post(f"/codes/{card.serial}/move/", given)
    assert errors(answer) == {"why": ["There is a code in it: name the card by its serial number."]}


def test_premium_time_is_moved_in_days():
    card = factories.card(factories.batch(factories.product(months=3)))
    wrong, right = (factories.account(card.batch.product.program) for _ in range(2))
    redeem(account=wrong, text=card.text, channel=Channel.WEB)
    wrong.refresh_from_db()
    ticket = factories.ticket(card.batch.product.program, account=right)
    look = {"do": "look", "to": right.reference, "ticket": ticket.reference}
    words = shown(at_the_desk()[0].post(f"/codes/{card.serial}/move/", look))
    assert f"Now until {wrong.premium_until:%-d %B %Y}" in words
    assert f"Now none. Then until {wrong.premium_until:%-d %B %Y}" in words


def test_a_card_that_nobody_redeemed_has_nothing_to_move(card):
    client, _ = at_the_desk()
    assert client.get(f"/codes/{card.serial}/move/").status_code == 404
    assert client.get("/codes/99999999999999999999/move/").status_code == 404
    assert "/move/" not in client.get(f"/codes/{card.serial}/").content.decode()


def test_while_credits_are_stopped_nothing_is_asked_for(card, wrong, right, ticket):
    CreditStop.objects.create(is_on=True, reason="Stop.", by=factories.user(Role.MANAGER), at=timezone.now())
    client, _ = at_the_desk()
    assert 'name="to"' not in client.get(f"/codes/{card.serial}/move/").content.decode()
    given = {"do": "ask", "to": right.reference, "ticket": ticket.reference, "why": "Same name."}
    assert client.post(f"/codes/{card.serial}/move/", given).status_code == 422
    assert not ApprovalRequest.objects.exists()
