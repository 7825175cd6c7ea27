"""Granting a credit from its form, with all that stands beside it."""

import re
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from redemption import premium
from redemption.models import ApprovalRequest, Channel, PremiumGrant, Wallet
from redemption.redeem import redeem
from redemption.roles import Role
from support.actions.links import merge
from support.models import AuditAction, AuditEvent, CreditReason, CreditStop, ManualCredit, Proof, TicketStatus
from tests import factories
from tests.support.desk import at_the_desk, shown
from tests.support.test_attachments import again, attached, bought

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


@pytest.fixture
def mary():
    return factories.account(email="mary@example.com")


@pytest.fixture
def ticket(mary):
    return factories.ticket(mary.program, account=mary, subject="I lost an evening")


def posted(asked, /, **fields):
    return {
        "account": asked.account.reference,
        "amount": "5",
        "unit": "GBP",
        "reason": "technical_failure",
        "ticket": asked.reference,
        "key": str(uuid.uuid4()),
        **fields,
    }


def send(client, asked, /, **fields):
    return client.post("/credits/new/", posted(asked, **fields))


def errors(response):
    return {name: list(found) for name, found in response.context["form"].errors.items()}


# --- From where it is opened


def test_from_a_ticket_everything_but_the_amount_and_the_reason_is_there(mary, ticket):
    card = factories.card(factories.batch(factories.product(mary.program)))
    type(ticket).objects.filter(pk=ticket.pk).update(code=card.serial)
    receipt = attached(bought(), ticket=ticket)
    client, agent = at_the_desk()
    link = re.search(r'href="(/credits/new/\?[^"]*)"', client.get(f"/tickets/{ticket.reference}/").content.decode())
    page = client.get(link[1].replace("&amp;", "&"))
    form = page.content.decode()
    words = shown(page)
    assert "mary@example.com" in words
    assert f"Card {card.serial}" in words
    assert f'value="{ticket.reference}" checked' in form
    assert f'value="{card.serial}"' in form
    assert f'src="/tickets/{ticket.reference}/files/{receipt.pk}/1/small/"' in form
    assert 'name="unit" value="GBP" checked' in form
    assert "Now £0.00" in words
    event = AuditEvent.objects.get(action=AuditAction.CREDIT_STARTED)
    assert (event.actor_id, event.target) == (agent.pk, f"account:{mary.pk}")
    # And so it is granted in two gestures.
    key = re.search(r'name="key" value="([^"]+)"', form)[1]
    done = send(client, ticket, key=key, code=str(card.serial), receipt=str(receipt.pk))
    credit = ManualCredit.objects.get()
    assert (done.status_code, done.headers["Location"]) == (303, f"/credits/{credit.reference}/")
    assert (credit.code_id, credit.receipt, credit.ticket, credit.granted_by) == (card.serial, receipt, ticket, agent)
    assert Wallet.objects.get(account=mary).balance == 500
    assert "Credited: £5.00. Credit in GBP: now £5.00." in shown(client.get(done.headers["Location"]))


def test_an_account_without_an_open_ticket_leads_to_a_new_one(mary):
    page = at_the_desk()[0].get(f"/credits/new/?account={mary.reference}")
    assert "This account has no open ticket." in shown(page)
    assert f'href="/tickets/new/?account={mary.reference}"' in page.content.decode()


def test_from_an_account_its_open_tickets_are_offered_and_the_only_one_is_chosen(mary, ticket):
    client, _ = at_the_desk()
    assert f"/credits/new/?account={mary.reference}" in client.get(f"/customers/{mary.reference}/").content.decode()
    address = f"/credits/new/?account={mary.reference}"
    assert f'value="{ticket.reference}" checked' in client.get(address).content.decode()
    another = factories.ticket(requester_email="mary@example.com", subject="And another")
    factories.ticket(subject="Somebody else’s")
    finished = factories.ticket(mary.program, account=mary, subject="Long over")
    type(finished).objects.filter(pk=finished.pk).update(status=TicketStatus.CLOSED)
    page = client.get(address)
    assert [one.reference for one in page.context["tickets"]] == [another.reference, ticket.reference]
    assert 'name="ticket" value="TK' in page.content.decode()
    assert 'checked> <span><strong class="mono">TK' not in page.content.decode()


def test_from_a_redeemed_card_its_account_is_found(mary):
    card = factories.card(factories.batch(factories.product(mary.program)))
    redeem(account=mary, text=card.text, channel=Channel.WEB)
    client, _ = at_the_desk()
    assert f"/credits/new/?card={card.serial}" in client.get(f"/codes/{card.serial}/").content.decode()
    led = client.get(f"/credits/new/?card={card.serial}")
    assert led.status_code == 303
    assert led.headers["Location"] == f"/credits/new/?account={mary.reference}&card={card.serial}"
    page = client.get(led.headers["Location"])
    assert "redeemed by this account on" in shown(page)


def test_where_nothing_tells_the_account_it_is_asked_for_and_the_address_stays_out_of_the_address():
    card = factories.card()
    mary = factories.account(card.batch.product.program, email="mary@example.com")
    elsewhere = factories.account(email="Mary@example.com")
    client, _ = at_the_desk()
    assert "Whose account is it?" in shown(client.get(f"/credits/new/?card={card.serial}"))
    found = client.post("/credits/new/", {"card": str(card.serial), "who": "mary@EXAMPLE.com"})
    assert found.status_code == 200
    assert {account for account, _ in found.context["choices"]} == {mary, elsewhere}
    found = client.post("/credits/new/", {"card": str(card.serial), "who": mary.reference.lower()})
    assert found.headers["Location"] == f"/credits/new/?account={mary.reference}&card={card.serial}"
    for who in ("", "nobody@example.com", "AC-0000-0000-0000", "\x00", "x" * 301):
        assert client.post("/credits/new/", {"who": who}).status_code == 422


def test_a_ticket_without_an_account_offers_its_requesters():
    spotify, netflix = factories.program(), factories.program("Netflix")
    mine = factories.account(spotify, email="mary@example.com")
    factories.account(netflix, email="mary@example.com")
    client, _ = at_the_desk()
    asked = factories.ticket(spotify, requester_email="Mary@Example.com", account=None)
    type(asked).objects.filter(pk=asked.pk).update(account=None)
    led = client.get(f"/credits/new/?ticket={asked.reference}")
    assert led.headers["Location"] == f"/credits/new/?account={mine.reference}&ticket={asked.reference}"
    anywhere = factories.ticket(None, requester_email="mary@example.com")
    type(anywhere).objects.filter(pk=anywhere.pk).update(account=None)
    assert len(client.get(f"/credits/new/?ticket={anywhere.reference}").context["choices"]) == 2


@pytest.mark.parametrize(
    "query", ["", "account=AC-", "account=%ED%A0%80", "ticket=TK-0000-0000-0000", "card=" + "9" * 400]
)
def test_an_address_that_names_nothing_asks_for_the_account(query):
    assert "Whose account is it?" in shown(at_the_desk()[0].get(f"/credits/new/?{query}"))


# --- What is typed


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [
        ("", "Write an amount."),
        ("0", "Write an amount above zero."),
        ("-1", "Write an amount above zero."),
        ("NaN", "Write an amount in figures, such as 5.00."),
        ("1e309", "Write an amount in figures, such as 5.00."),
        ("5.001", "GBP has 2 decimals."),
        ("€5", "This account is in GBP."),
        ("5,00", "Write it without commas, and decimals after a point: 5.00."),
    ],
)
def test_a_wrong_amount_is_a_field_error_and_nothing_typed_is_lost(ticket, amount, sentence):
    client, _ = at_the_desk()
    answer = send(client, ticket, amount=amount, note="She called twice.", reason="goodwill")
    assert (answer.status_code, errors(answer)) == (422, {"amount": [sentence]})
    assert sentence in shown(answer)
    form = answer.content.decode()
    assert "She called twice." in form
    assert 'value="goodwill" checked' in form
    assert f'value="{ticket.reference}" checked' in form
    assert not ManualCredit.objects.exists()


def test_days_beyond_what_the_program_stacks_are_a_field_error(ticket):
    client, _ = at_the_desk()
    answer = send(client, ticket, amount="600", unit="days")
    assert answer.status_code == 422
    assert errors(answer)["amount"][0].startswith("Nobody has more than 18 months of premium time ahead: ")


def test_premium_days_are_granted_and_the_page_says_until_when(ticket, mary):
    factories.credit_policy(unit="days")
    premium.grant_days(mary, 10)
    mary.refresh_from_db()
    client, _ = at_the_desk()
    looked = send(client, ticket, amount="14", unit="days", do="look")
    assert f"Now until {mary.premium_until:%-d %B %Y}" in shown(looked)
    assert f"Then until {mary.premium_until + timedelta(14):%-d %B %Y}" in shown(looked)
    assert not ManualCredit.objects.exists()
    assert send(client, ticket, amount="14", unit="days").status_code == 303
    before = mary.premium_until
    mary.refresh_from_db()
    assert mary.premium_until == before + timedelta(14)
    assert PremiumGrant.objects.filter(account=mary).count() == 2


def test_what_the_account_would_then_have_is_told_before(ticket, mary):
    factories.credit(mary, amount=700, ticket=ticket)
    looked = send(at_the_desk()[0], ticket, amount="5.50", do="look")
    assert "Now £7.00" in shown(looked)
    assert "Then £12.50" in shown(looked)
    assert ManualCredit.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"unit": "EUR"}, "unit", "This account is in GBP."),
        ({"unit": ""}, "unit", "This field is required."),
        ({"reason": ""}, "reason", "Choose a reason."),
        ({"reason": "nothing-like-it"}, "reason", "There is no such reason."),
        ({"reason": "moved_card"}, "reason", "There is no such reason."),
        ({"ticket": ""}, "ticket", "Choose the ticket that asks for it."),
        ({"ticket": "other"}, "ticket", "Choose the ticket that asks for it."),
        ({"ticket": "other", "other_ticket": "TK-0000-0000-0000"}, "ticket", "No ticket has this reference."),
        ({"ticket": "\x00"}, "ticket", "Null characters are not allowed."),
        ({"code": "12"}, "code", "No card has this serial number: it has ten digits."),
        ({"code": "9" * 300}, "code", "No card has this serial number: it has ten digits."),
        ({"receipt": "1"}, "receipt", "Choose one of the ticket’s files."),
        ({"receipt": "9" * 19}, "receipt", "Choose one of the ticket’s files."),
        ({"receipt": "x"}, "receipt", "Choose one of the ticket’s files."),
        ({"note": "x" * 1001}, "note", "Ensure this value has at most 1000 characters (it has 1001)."),
        ({"key": ""}, "key", "Load the page again: something of this form is missing."),
        ({"key": "x"}, "key", "Load the page again: something of this form is missing."),
    ],
)
def test_whatever_is_wrong_stands_beside_its_field(ticket, fields, field, sentence):
    answer = send(at_the_desk()[0], ticket, **fields)
    assert answer.status_code == 422
    assert sentence in errors(answer)[field]
    assert sentence in shown(answer)
    assert not ManualCredit.objects.exists()


@pytest.mark.parametrize(
    ("proof", "sentence"),
    [
        (Proof.CARD, "This reason needs the card: give its serial number."),
        (Proof.RECEIPT, "This reason needs a receipt: choose one of the ticket’s files."),
        (Proof.EITHER, "This reason needs the card’s serial number or a receipt."),
    ],
)
def test_what_the_reason_demands_is_asked_for_and_was_told_before(ticket, proof, sentence):
    factories.credit_reason("stolen_before_sale", proof=proof, name="Stolen", description="Before the sale.")
    client, _ = at_the_desk()
    told = shown(client.get(f"/credits/new/?ticket={ticket.reference}&account={ticket.account.reference}"))
    assert f"Stolen Before the sale. Needs: {proof.label.lower()}." in told
    answer = send(client, ticket, reason="stolen_before_sale")
    assert answer.status_code == 422
    assert sentence in shown(answer)


def test_a_retired_reason_is_not_offered_and_not_taken(ticket):
    CreditReason.objects.filter(slug="goodwill").update(is_retired=True)
    client, _ = at_the_desk()
    assert 'value="goodwill"' not in client.get(f"/credits/new/?account={ticket.account.reference}").content.decode()
    answer = send(client, ticket, reason="goodwill")
    assert errors(answer) == {"reason": ["This reason is not used any more: choose another."]}


def test_a_card_of_another_program_and_a_ticket_of_another_account_are_told(ticket):
    foreign, other = factories.card(), factories.ticket(account=factories.account())
    client, _ = at_the_desk()
    assert errors(send(client, ticket, code=str(foreign.serial))) == {"code": ["This card is of another program."]}
    answer = send(client, ticket, ticket="other", other_ticket=other.reference)
    assert errors(answer) == {"ticket": ["This ticket is about another account."]}


def test_a_receipt_of_another_ticket_is_told_and_one_that_a_merged_ticket_brought_counts(ticket, mary):
    other = factories.ticket(mary.program, account=mary)
    receipt = attached(bought(), ticket=other)
    client, agent = at_the_desk()
    answer = send(client, ticket, receipt=str(receipt.pk))
    assert errors(answer) == {"receipt": ["This receipt is not on the ticket."]}
    merge(ticket=other, into=ticket, by=agent)
    assert send(client, ticket, receipt=str(receipt.pk)).status_code == 303


def test_a_code_is_kept_out_of_what_is_kept(ticket):
    card = factories.card(factories.batch(factories.product(ticket.program)))
    client, _ = at_the_desk()
    sentence = "There is a code in it: name the card by its serial number."
    assert errors(send(client, ticket, note=f"It was {card.text}")) == {"note": [sentence]}
    assert errors(send(client, ticket, why=f"It was {card.text}")) == {"why": [sentence]}
    assert not any(card.code in str(vars(event)) for event in AuditEvent.objects.all())


# --- Once


def test_the_same_form_sent_twice_makes_one_credit(ticket):
    client, _ = at_the_desk()
    fields = posted(ticket)
    first, second = (client.post("/credits/new/", fields) for _ in range(2))
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.headers["Location"] == second.headers["Location"]
    assert ManualCredit.objects.count() == 1
    changed = client.post("/credits/new/", fields | {"amount": "6"})
    assert changed.status_code == 422
    assert "This form has granted a credit before: open a new one." in shown(changed)
    assert ManualCredit.objects.count() == 1
    # Nor does another's form.
    assert at_the_desk()[0].post("/credits/new/", fields).status_code == 422


# --- Above the limits


def test_above_the_limits_the_page_says_why_and_offers_a_second_person(ticket):
    factories.credit_policy(single=499)
    client, agent = at_the_desk()
    fresh = shown(client.get(f"/credits/new/?account={ticket.account.reference}"))
    assert "Alone you may credit up to £4.99 here now, and nothing in days; above it, a second person decides." in fresh
    assert "Ask a second person" not in fresh
    fields = posted(ticket, note="She called twice.")
    answer = client.post("/credits/new/", fields)
    assert answer.status_code == 422
    assert "It is more than £4.99, your limit for one credit." in shown(answer)
    assert "Ask a second person" in shown(answer)
    assert "She called twice." in answer.content.decode()
    assert f'value="{fields["key"]}"' in answer.content.decode()
    silent = client.post("/credits/new/", fields | {"do": "ask"})
    assert errors(silent) == {"why": ["Say why: whoever decides needs to know."]}
    assert "It is more than £4.99" in shown(silent)
    asked = client.post("/credits/new/", fields | {"do": "ask", "why": "An outage of ours."})
    waiting = ApprovalRequest.objects.get()
    assert (asked.status_code, asked.headers["Location"]) == (303, f"/approvals/{waiting.pk}/")
    assert (waiting.requested_by, waiting.reason, waiting.payload["amount"]) == (agent, "An outage of ours.", 500)
    assert waiting.payload["note"] == "She called twice."
    assert not ManualCredit.objects.exists()
    # Sent twice, it asks once.
    again = client.post("/credits/new/", fields | {"do": "ask", "why": "An outage of ours."})
    assert (again.status_code, again.headers["Location"]) == (303, f"/approvals/{waiting.pk}/")
    another = send(client, ticket, do="ask", why="Once more.")
    assert "Somebody has asked for this already, and it waits to be decided." in shown(another)
    page = client.get(f"/credits/new/?account={ticket.account.reference}")
    assert "A credit to this account waits for a second person." in shown(page)
    assert f'href="/approvals/{waiting.pk}/"' in page.content.decode()
    for path in (f"/customers/{ticket.account.reference}/", f"/tickets/{ticket.reference}/"):
        assert f'href="/approvals/{waiting.pk}/"' in client.get(path).content.decode()
        # A colleague is told that it waits; who asked for it, or decides, may open it.
        told = at_the_desk()[0].get(path)
        assert "Waits for a second person: grant a credit, asked for by" in shown(told)
        assert "/approvals/" not in told.content.decode().replace('href="/approvals/"', "")


def test_what_is_within_the_limits_is_not_asked_for(ticket):
    answer = send(at_the_desk()[0], ticket, do="ask", why="To be sure.")
    assert answer.status_code == 422
    assert "You may grant this yourself." in shown(answer)


def test_looking_says_which_limits_it_would_pass_and_grants_nothing(ticket):
    factories.credit_policy(single=499, day_count=0)
    looked = send(at_the_desk()[0], ticket, do="look", reason="")
    assert looked.status_code == 200
    assert "It is more than £4.99, your limit for one credit." in shown(looked)
    assert "You would have granted more than 0 credits in 24 hours." in shown(looked)
    assert errors(looked) == {}


def test_who_may_grant_nothing_alone_is_told_so_at_once(ticket):
    client, _ = at_the_desk(Role.ADMINISTRATOR)
    words = shown(client.get(f"/credits/new/?account={ticket.account.reference}"))
    assert "Whatever you credit here now, a second person decides." in words
    assert "Ask a second person" in words


def test_the_limits_left_are_told_for_me_and_for_the_account(ticket, mary):
    factories.credit_policy(Role.AGENT, single=2000, day_sum=3000, day_count=3, account_sum=2500, account_count=9)
    client, agent = at_the_desk()
    factories.credit(mary, amount=1000, by=agent, ticket=ticket)
    factories.credit(mary, amount=900, by=factories.user(Role.AGENT), ticket=ticket)
    factories.credit(amount=300, by=agent)
    page = client.get(f"/credits/new/?account={mary.reference}")
    rows = {room.rule: room.cells[0] for room in page.context["room"].rows}
    assert rows["One credit"] == ("£20.00", "")
    assert rows["You, in 24 hours"] == ("£17.00", "1 credit")
    assert rows["This account, in 30 days"] == ("£6.00", "7 credits")
    assert page.context["room"].alone == {"GBP": 600, "days": 0}
    assert "Alone you may credit up to £6.00 here now, and nothing in days; above it" in shown(page)


# --- Stopped


def test_while_credits_are_stopped_there_is_a_notice_and_no_form(ticket):
    manager = factories.user(Role.MANAGER)
    CreditStop.objects.create(is_on=True, reason="Somebody is at it.", by=manager, at=timezone.now())
    client, _ = at_the_desk()
    for page in (client.get(f"/credits/new/?account={ticket.account.reference}"), send(client, ticket)):
        assert "Somebody is at it." in shown(page)
        assert 'name="amount"' not in page.content.decode()
    assert not ManualCredit.objects.exists()


# --- Beside the form


def test_earlier_credits_of_the_account_and_the_card_stand_beside_it(ticket, mary):
    card = factories.card(factories.batch(factories.product(mary.program)))
    neighbour = factories.account(mary.program)
    own = factories.credit(mary, amount=111, ticket=ticket)
    for_card = factories.credit(neighbour, amount=222, code=card.row)
    stranger = factories.credit(neighbour, amount=333)
    client, _ = at_the_desk()
    page = client.get(f"/credits/new/?account={mary.reference}&card={card.serial}")
    earlier = page.context["earlier"]
    assert (earlier.of_account, earlier.of_card, earlier.of_files) == ([own], [for_card], [])
    words = shown(page)
    assert "This account got one credit in the last 30 days, the latest: £1.11 on" in words
    assert f"Card {card.serial} was credited before: £2.22 on" in words
    assert stranger.reference not in words
    assert "£3.33" not in words


def test_the_same_receipt_and_one_that_looks_like_it_are_warned_of(ticket, mary):
    paper = bought(1)
    there = factories.ticket(subject="The same file")
    attached(paper, ticket=there)
    similar = factories.ticket(subject="A similar file")
    attached(again(paper), ticket=similar)
    unlike = factories.ticket(subject="Another receipt")
    attached(bought(2), ticket=unlike)
    same = factories.credit(factories.account(), amount=111, ticket=there)
    alike = factories.credit(factories.account(), amount=222, ticket=similar)
    other = factories.credit(factories.account(), amount=333, ticket=unlike)
    attached(paper, ticket=ticket)
    client, _ = at_the_desk()
    page = client.get(f"/credits/new/?account={mary.reference}&ticket={ticket.reference}")
    assert page.context["earlier"].of_files == [alike, same]
    words = shown(page)
    assert f"receipt.jpg is on {there.reference} too, which was credited: £1.11 on" in words
    assert f"receipt.jpg looks like a file of {similar.reference}, which was credited: £2.22 on" in words
    assert other.reference not in words


def test_a_receipt_that_was_credited_is_known_wherever_it_is_sent_again(ticket, mary):
    paper = bought(1)
    used = factories.ticket(account=None)
    file = attached(paper, ticket=used)
    credit = factories.credit(factories.account(), ticket=used, receipt=file)
    attached(paper, ticket=ticket)
    page = at_the_desk()[0].get(f"/credits/new/?account={mary.reference}&ticket={ticket.reference}")
    assert page.context["earlier"].of_files == [credit]
    assert "receipt.jpg was the receipt of a credit before: £5.00 on" in shown(page)


def test_another_ticket_brings_its_files_and_nothing_typed_is_lost(ticket, mary):
    other = factories.ticket(mary.program, account=mary)
    file = attached(bought(), ticket=other)
    client, _ = at_the_desk()
    looked = send(client, ticket, ticket="other", other_ticket=other.reference, do="look", note="Hm", amount="5,")
    form = looked.content.decode()
    assert looked.status_code == 200
    assert f'name="receipt" value="{file.pk}"' in form
    assert f'value="{other.reference}" checked' in form
    assert 'value="5,"' in form
    assert "Hm" in form


def test_three_earlier_credits_cost_as_many_queries_as_one(ticket, mary):
    factories.credit_policy()
    client, _ = at_the_desk()
    address = f"/credits/new/?account={mary.reference}&ticket={ticket.reference}"
    attached(bought(1), ticket=ticket)
    card = factories.card(factories.batch(factories.product(mary.program)))
    factories.credit(mary, ticket=ticket, code=card.row)
    client.get(address)
    counts = []
    for number in range(2):
        with CaptureQueriesContext(connection) as asked:
            page = client.get(f"{address}&card={card.serial}")
        counts.append(len(asked))
        assert len(page.context["earlier"].of_account) == 1 + 2 * number
        for _ in range(2):
            factories.credit(mary, ticket=factories.ticket(mary.program, account=mary), code=card.row)
    assert counts[0] == counts[1]
