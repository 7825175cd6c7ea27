"""A ticket's page: what stands on it for whom, and writing on it."""

import pytest

from redemption.roles import Role
from support.actions.messages import add_customer_message, write_staff_message
from support.models import AuditAction, AuditEvent, Message, MessageKind, TicketChannel, TicketStatus
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db


def page_of(ticket):
    return f"/tickets/{ticket.reference}/"


def write_form(client, ticket, kind="reply", **fields):
    """What the browser would post of the box, as it stands on the page now."""
    boxes = {box.kind: box for box in client.get(page_of(ticket)).context["boxes"]}
    return {name: boxes[kind][name].value() or "" for name in ("body", "send_key", "seen", "status")} | fields


def send(client, ticket, kind="reply", **fields):
    return client.post(f"{page_of(ticket)}write/{kind}/", write_form(client, ticket, kind, **fields))


def test_an_agent_reads_all_of_it():
    card = factories.card()
    program = card.batch.product.program
    account = factories.account(program, email="ada@example.com")
    ticket = factories.ticket(
        program, account=account, code=card.row, error_message="This code is not valid", surface="mobile",
        steps_tried=["vpn_off"],
    )  # fmt: skip
    client, agent = at_the_desk()
    write_staff_message(ticket=ticket, kind=MessageKind.NOTE, body="Seen this before", by=agent)
    response = client.get(page_of(ticket))
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    words = shown(response)
    for text in (
        ticket.reference, "My card does not work", "Normal priority", "Assigned to nobody",
        "Customer Ada", "I scratched it", "Internal note", "Seen this before", "This code is not valid",
        "mobile app", "Turned the VPN off : yes", "Another device : not said".replace("Another", "Tried another"),
        f"Card {card.serial}", "It works", account.reference, ticket.requester_email,
    ):  # fmt: skip
        assert text in words, text
    assert AuditEvent.objects.filter(action=AuditAction.TICKET_OPENED, target=f"ticket:{ticket.pk}").count() == 1


def test_an_answer_is_written_once_however_often_it_is_sent():
    ticket = factories.ticket()
    client, agent = at_the_desk()
    form = write_form(client, ticket, body="Dear Ada, it works now.")
    for _ in range(2):
        response = client.post(f"{page_of(ticket)}write/reply/", form)
        assert (response.status_code, response["Location"]) == (303, page_of(ticket))
    answer = Message.objects.get(kind=MessageKind.REPLY)
    assert (answer.body, answer.author) == ("Dear Ada, it works now.", agent)
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.WAITING_FOR_CUSTOMER
    assert "Public reply" in shown(client.get(page_of(ticket)))


def test_what_was_written_meanwhile_is_shown_above_the_kept_text_and_asked_about():
    ticket = factories.ticket()
    client, _ = at_the_desk()
    form = write_form(client, ticket, body="Have you tried again?")
    add_customer_message(ticket=ticket, body="It works now, thanks!")
    response = client.post(f"{page_of(ticket)}write/reply/", form)
    assert response.status_code == 409
    assert not Message.objects.filter(kind=MessageKind.REPLY).exists()
    words = shown(response)
    assert words.index("Somebody wrote meanwhile") < words.index("It works now, thanks!", words.index("meanwhile"))
    box = response.context["boxes"][0]
    again = {name: box[name].value() or "" for name in ("body", "send_key", "seen", "status")}
    assert again["body"] == "Have you tried again?"
    assert client.post(f"{page_of(ticket)}write/reply/", again).status_code == 303
    assert Message.objects.get(kind=MessageKind.REPLY).body == "Have you tried again?"


def test_who_may_only_read_gets_no_forms():
    ticket = factories.ticket()
    client, _ = at_the_desk(Role.AUDITOR)
    response = client.get(page_of(ticket))
    assert response.status_code == 200
    assert response.context["boxes"] == []
    assert 'class="stack' not in response.content.decode()
    assert client.post(f"{page_of(ticket)}write/reply/", {"body": "x"}).status_code == 404


def test_the_social_media_role_sees_public_tickets_and_nobody_s_data():
    private, public = (
        factories.ticket(),
        factories.ticket(channel=TicketChannel.SOCIAL, requester_email="ada@example.com", requester_name="Lovelace"),
    )
    client, _ = at_the_desk(Role.SOCIAL_MEDIA)
    assert client.get(page_of(private)).status_code == 404
    response = client.get(page_of(public))
    assert response.status_code == 200
    assert "ada@example.com" not in response.content.decode()
    assert "Lovelace" not in response.content.decode()


@pytest.mark.parametrize("reference", ["TK-0000-0000-0000", "x", "AC-0000-0000-0000"])
def test_an_unknown_ticket_is_none(reference):
    client, _ = at_the_desk()
    assert client.get(f"/tickets/{reference}/").status_code == 404
