"""A credit's page, the way to take it back, and where else a credit stands."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from redemption import ledger
from redemption.models import ApprovalRequest, Book, TransferKind
from redemption.roles import Role
from support.actions import decisions
from support.actions.credits import request
from support.actions.reversals import request_reversal
from support.models import AuditAction, AuditEvent, CreditReason, CreditReversal
from tests import factories
from tests.support.desk import at_the_desk, shown
from tests.support.test_attachments import attached, bought

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


@pytest.fixture
def mary():
    return factories.account(email="mary@example.com")


def page_of(credit, client):
    return client.get(f"/credits/{credit.reference}/")


def taken_back(credit, why="Booked twice."):
    asked = request_reversal(credit, why=why, by=factories.user(Role.AGENT))
    decisions.approve(asked, by=factories.user(Role.MANAGER, name="Maria Manager"))
    return CreditReversal.objects.get(credit=credit)


def test_everything_about_a_credit_within_the_limits(mary):
    card = factories.card(factories.batch(factories.product(mary.program)))
    ticket = factories.ticket(mary.program, account=mary, subject="I lost an evening")
    receipt = attached(bought(), ticket=ticket)
    grantor = factories.user(Role.AGENT, name="Asha Agent")
    credit = factories.credit(
        mary, by=grantor, amount=1250, ticket=ticket, code=card.row, receipt=receipt, note="She called twice."
    )
    client, agent = at_the_desk()
    page = page_of(credit, client)
    words = shown(page)
    for text in (
        credit.reference,
        "£12.50",
        "mary@example.com",
        "Technical failure",
        "I lost an evening",
        "The customer had written on it by then.",
        f"card {card.serial}",
        card.batch.retailer.name,
        "receipt.jpg",
        "She called twice.",
        "Asha Agent (Support agent)",
        "Nobody else: it was within the limits of whoever granted it.",
        f"Version {credit.policy_id}",
        f"£12.50: Goodwill → Customer credit (number {credit.transfer_id})",
        "Left of it: £12.50",
    ):
        assert text in words, text
    html = page.content.decode()
    for address in (
        f"/customers/{mary.reference}/",
        f"/tickets/{ticket.reference}/#write",
        f"/codes/{card.serial}/",
        f"/tickets/{ticket.reference}/files/{receipt.pk}/1/",
    ):
        assert f'href="{address}"' in html, address
    assert page.headers["Cache-Control"] == "no-store"
    event = AuditEvent.objects.get(action=AuditAction.CREDIT_OPENED)
    assert (event.actor_id, event.target) == (agent.pk, f"credit:{credit.pk}")


def test_a_credit_that_two_people_made_names_both_and_why(mary):
    factories.credit_policy(Role.AGENT, Role.MANAGER, single=499, approves=1000)
    asked = request(factories.wanted(mary), why="An outage of ours.", by=factories.user(Role.AGENT))
    manager = factories.user(Role.MANAGER, name="Maria Manager")
    approval = decisions.approve(asked, by=manager, reason="I saw it too.")
    client, _ = at_the_desk(Role.AUDITOR)
    page = page_of(approval.credit, client)
    words = shown(page)
    for text in ("An outage of ours.", "It is more than £4.99", "Maria Manager", "I saw it too."):
        assert text in words, text
    html = page.content.decode()
    assert f'href="/approvals/{asked.pk}/"' in html
    assert f'href="/credits/policy/?version={approval.credit.policy_id}"' in html
    # An auditor reads, and asks for nothing.
    assert "/reverse/" not in html


def test_what_was_taken_back_is_told_with_both_people(mary):
    credit = factories.credit(mary, amount=1250)
    ledger.post(
        debit=Book.CUSTOMER_CREDIT,
        credit=Book.REVENUE,
        amount=1000,
        currency="GBP",
        kind=TransferKind.RENEWAL,
        source="test",
        program_id=mary.program_id,
        wallet=ledger.wallet_of(mary, "GBP"),
    )
    client, _ = at_the_desk()
    assert "Left of it: £2.50" in shown(page_of(credit, client))
    taken_back(credit)
    words = shown(page_of(credit, client))
    for text in ("£2.50 taken back", "£2.50 of £12.50", "Booked twice.", "Maria Manager", "Customer credit → Goodwill"):
        assert text in words, text
    assert "Ask a second person" not in words


def test_days_that_were_taken_back_whole_are_told(mary):
    credit = factories.credit(mary, unit="days", amount=14)
    client, _ = at_the_desk()
    assert "14 days of premium time" in shown(page_of(credit, client))
    assert "Left of it: 14 days" in shown(page_of(credit, client))
    taken_back(credit)
    assert "None of it is left: it was taken back whole." in shown(page_of(credit, client))


def test_a_second_person_is_asked_to_take_it_back_once(mary):
    credit = factories.credit(mary)
    client, agent = at_the_desk()
    address = f"/credits/{credit.reference}/reverse/"
    silent = client.post(address, {"why": " "})
    assert (silent.status_code, "Say why: whoever decides needs to know." in shown(silent)) == (422, True)
    card = factories.card(factories.batch(factories.product(mary.program)))
    leaky = client.post(address, {"why": f"It was {card.text}"})
    assert (leaky.status_code, "There is a code in it" in shown(leaky)) == (422, True)
    for why in ("x" * 501, "\x00"):
        assert client.post(address, {"why": why}).status_code == 422
    assert not ApprovalRequest.objects.exists()
    done = client.post(address, {"why": "Booked twice."})
    asked = ApprovalRequest.objects.get()
    assert (done.status_code, done.headers["Location"]) == (303, f"/approvals/{asked.pk}/")
    assert (asked.reason, asked.requested_by, asked.target) == ("Booked twice.", agent, f"credit:{credit.pk}")
    page = page_of(credit, client)
    assert "That it is taken back waits for a second person." in shown(page)
    assert f'href="/approvals/{asked.pk}/"' in page.content.decode()
    assert "/reverse/" not in page.content.decode()
    again = client.post(address, {"why": "Once more."})
    assert again.status_code == 422
    assert ApprovalRequest.objects.count() == 1


@pytest.mark.parametrize("reference", ["CR-0000-0000-0000", "CR-", "x", "AC-0000-0000-0000", "%ED%A0%80", "C" * 400])
def test_a_credit_that_is_not_there_is_a_404(reference):
    assert at_the_desk()[0].get(f"/credits/{reference}/").status_code == 404


def test_a_retired_reason_stays_readable(mary):
    credit = factories.credit(mary)
    CreditReason.objects.filter(pk=credit.reason_id).update(is_retired=True)
    assert "Technical failure (not used any more)" in shown(page_of(credit, at_the_desk()[0]))


# --- Where else it stands


def test_a_credit_stands_on_its_account_its_card_and_its_ticket_with_a_link(mary):
    card = factories.card(factories.batch(factories.product(mary.program)))
    ticket = factories.ticket(mary.program, account=mary)
    credit = factories.credit(mary, amount=1250, ticket=ticket, code=card.row)
    stranger = factories.credit(amount=777)
    for role in (Role.AGENT, Role.AUDITOR):
        client, _ = at_the_desk(role)
        for path in (f"/customers/{mary.reference}/", f"/codes/{card.serial}/", f"/tickets/{ticket.reference}/"):
            page = client.get(path)
            assert [row.pk for row in page.context["credits"].rows] == [credit.pk]
            assert f'href="/credits/{credit.reference}/"' in page.content.decode()
            assert "£12.50" in shown(page)
            assert stranger.reference not in page.content.decode()
            assert ("Grant a credit" in shown(page)) == (role == Role.AGENT)


def test_the_social_media_team_sees_no_credit_anywhere(mary):
    card = factories.card(factories.batch(factories.product(mary.program)))
    ticket = factories.ticket(mary.program, account=mary, channel="social", code=card.row)
    credit = factories.credit(mary, amount=1250, ticket=ticket, code=card.row)
    taken_back(credit)
    client, _ = at_the_desk(Role.SOCIAL_MEDIA)
    for path in (f"/codes/{card.serial}/", f"/tickets/{ticket.reference}/"):
        page = client.get(path)
        assert page.status_code == 200
        for text in (credit.reference, "£12.50", "Manual credit", "Grant a credit", "Credit taken back"):
            assert text not in shown(page), text
    assert page_of(credit, client).status_code == 404


def test_the_stories_and_the_statement_tell_of_a_credit_and_of_its_end(mary):
    card = factories.card(factories.batch(factories.product(mary.program)))
    money = factories.credit(mary, amount=1250, code=card.row)
    days = factories.credit(mary, unit="days", amount=14, code=card.row)
    taken_back(money)
    taken_back(days)
    client, _ = at_the_desk()
    for path in (f"/customers/{mary.reference}/", f"/codes/{card.serial}/"):
        page = client.get(path)
        told = [(entry.title, entry.credit) for entry in page.context["timeline"].entries if entry.credit]
        assert sorted(told, key=str) == sorted(
            [
                ("£12.50 credited: Technical failure", money),
                ("14 days credited: Technical failure", days),
                ("Credit taken back", money),
                ("Credit taken back", days),
            ],
            key=str,
        )
    lines = client.get(f"/customers/{mary.reference}/").context["statement"].lines
    assert [(line.what, line.amount, line.credit) for line in lines] == [
        ("Reversal: Technical failure", "\N{MINUS SIGN}£12.50", money.reference),
        ("Manual credit: Technical failure", "+£12.50", money.reference),
    ]


@pytest.mark.parametrize("where", ["customers", "codes", "tickets"])
def test_three_credits_cost_as_many_queries_as_one(mary, where):
    factories.credit_policy(Role.AGENT, Role.MANAGER, approves=10**6)
    card = factories.card(factories.batch(factories.product(mary.program)))
    ticket = factories.ticket(mary.program, account=mary)
    path = {"customers": mary.reference, "codes": card.serial, "tickets": ticket.reference}[where]
    client, _ = at_the_desk()
    factories.credit(mary, ticket=ticket, code=card.row)
    client.get(f"/{where}/{path}/")
    counts = []
    for number in range(2):
        with CaptureQueriesContext(connection) as asked:
            page = client.get(f"/{where}/{path}/")
        counts.append(len(asked))
        assert len(page.context["credits"].rows) == 1 + 2 * number
        for _ in range(2):
            taken_back(factories.credit(mary, ticket=ticket, code=card.row))
    assert counts[0] == counts[1]


def test_the_box_finds_a_credit_by_its_reference(mary):
    credit = factories.credit(mary)
    client, agent = at_the_desk()
    for typed in (credit.reference, credit.reference.lower().replace("-", " ")):
        found = client.post("/", {"typed": typed})
        assert (found.status_code, found.headers["Location"]) == (303, f"/credits/{credit.reference}/")
    event = AuditEvent.objects.filter(action=AuditAction.LOOKED_UP).first()
    assert (event.actor_id, event.target) == (agent.pk, f"credit:{credit.pk}")
    told = at_the_desk(Role.SOCIAL_MEDIA)[0].post("/", {"typed": credit.reference})
    assert "Your role does not open credits: ask a support agent." in shown(told)
    assert "£5.00" not in shown(told)
