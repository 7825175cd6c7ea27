"""A ticket that an agent writes down: from a call, a chat, a post or a shop."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from redemption.roles import Role
from support.models import AuditAction, AuditEvent, Ticket, TicketChannel
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db
NEW = "/tickets/new/"
CALL = {"send_key": "once", "channel": "phone", "subject": "No credit", "body": "It says not valid.", "priority": "3"}


def test_a_call_becomes_a_ticket_with_all_that_was_told(settings, tmp_path):
    card = factories.card()
    program = card.batch.product.program
    account, shop = factories.account(program), factories.retailer()
    client, agent = at_the_desk()
    response = client.post(
        NEW,
        CALL
        | {
            "requester_name": "Ada", "requester_email": "ada@example.com", "program": program.pk,
            "account": account.email, "code": str(card.serial), "retailer": shop.pk, "error_message": "Not valid",
            "surface": "web", "steps_tried": ["vpn_off"],
        },
    )  # fmt: skip
    ticket = Ticket.objects.get()
    assert (response.status_code, response["Location"]) == (303, f"/tickets/{ticket.reference}/")
    assert (ticket.channel, ticket.subject, ticket.requester_email, ticket.priority) == (
        TicketChannel.PHONE, "No credit", "ada@example.com", 3,
    )  # fmt: skip
    assert (ticket.account, ticket.code_id, ticket.retailer, ticket.steps_tried) == (
        account, card.serial, shop, ["vpn_off"],
    )  # fmt: skip
    assert ticket.messages.get().body == "It says not valid."
    assert AuditEvent.objects.get(action=AuditAction.TICKET_CREATED).actor_id == agent.pk


def test_a_code_is_looked_up_and_kept_nowhere():
    card = factories.card()
    client, _ = at_the_desk()
    page = client.post(NEW, CALL | {"code": card.text, "subject": ""})
    assert page.status_code == 422
    assert card.text not in page.content.decode()
    assert page.context["form"]["code"].value() == str(card.serial)
    client.post(NEW, CALL | {"code": card.text.lower()})
    client.post(NEW, CALL | {"code": card.text.lower()})
    assert Ticket.objects.get().code_id == card.serial
    assert AuditEvent.objects.filter(action=AuditAction.LOOKED_UP, target=f"code:{card.serial}").count() == 3


@pytest.mark.parametrize("typed", ["9999999999", "not a code", "SPOTIFY-0000-0000-0000"])
def test_what_names_no_card_is_said_at_the_field(typed):
    client, _ = at_the_desk()
    page = client.post(NEW, CALL | {"code": typed})
    assert page.status_code == 422
    assert page.context["form"].errors["code"]
    assert page.context["form"]["body"].value() == CALL["body"]
    assert not Ticket.objects.exists()


def test_a_page_leads_here_with_what_it_knows():
    card = factories.card()
    account = factories.account(card.batch.product.program)
    client, _ = at_the_desk()
    form = client.get(f"{NEW}?card={card.serial}&account={account.reference}").context["form"]
    assert (form["code"].value(), form["account"].value()) == (card.serial, account.reference)
    assert (form["program"].value(), form["requester_email"].value()) == (account.program_id, account.email)
    assert client.get(f"{NEW}?card=nonsense&account=x").status_code == 200


def test_a_bad_file_costs_nobody_the_ticket():
    client, _ = at_the_desk()
    page = client.post(NEW, CALL | {"attachments": [SimpleUploadedFile("empty.jpg", b"")]}, follow=True)
    assert Ticket.objects.get().attachments.get().refusal
    assert "empty.jpg: " in shown(page)


def test_the_social_media_role_writes_down_posts_and_sees_no_account():
    account = factories.account(email="ada@example.com")
    client, _ = at_the_desk(Role.SOCIAL_MEDIA)
    page = client.get(f"{NEW}?account={account.reference}")
    assert "account" not in page.context["form"].fields
    assert "ada@example.com" not in page.content.decode()
    assert client.post(NEW, CALL).status_code == 422
    assert client.post(NEW, CALL | {"channel": "social", "account": account.reference}).status_code == 303
    assert Ticket.objects.get().account is None


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.CUSTOMER, Role.RETAILER])
def test_who_answers_nothing_opens_nothing(role):
    client, _ = at_the_desk(role)
    assert client.get(NEW).status_code == 404
    assert client.post(NEW, CALL).status_code == 404
