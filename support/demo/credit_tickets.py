"""Half a year of solved tickets that credits were granted on: written all at once, because there are hundreds."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from redemption.models import Account, User
from support.models import (
    MailState,
    Message,
    MessageKind,
    Ticket,
    TicketChannel,
    TicketEvent,
    TicketEventKind,
    TicketStatus,
)

# By reason: what customers write, and what is answered.
SAID = {
    "technical_failure": (
        ("Charged twice in one night", "I was charged twice within ten minutes and could not listen all evening."),
        ("No music for two days", "Since your update the app stops after each song. I am paying for this."),
        ("Offline songs are gone", "All my downloads vanished on the way to the airport, eight hours of flight."),
        ("Credit does not show", "I redeemed a card on Sunday and the credit appeared only today."),
        ("Stops on every device", "It says that something went wrong, on the telephone and on the laptop alike."),
    ),
    "goodwill": (
        ("Waited a week for an answer", "I wrote on Monday and heard nothing until today. Not what I expected."),
        ("Not happy with the change", "The lists that I made for years look different now, and nobody asked me."),
        ("My daughter’s birthday", "The card came a day late and the party was without music."),
        ("Ten years with you", "A word of thanks would have been nice, instead I get a failed payment."),
    ),
    "stolen_before_sale": (
        ("Card used before I bought it", "The strip had been lifted and glued back. I have the card here."),
        ("Somebody was faster", "I scratched it at home, and it had been redeemed that morning."),
    ),
}
_ANSWER = "Thank you for writing, and I am sorry for the trouble. I have added something to your account."


@dataclass(slots=True)
class Asked:
    """A ticket to be: `taken_down` by the agent himself, as of a call; else the customer wrote it."""

    at: datetime
    account: Account
    by: User
    subject: str
    body: str
    taken_down: bool = False
    is_open: bool = False
    ticket: Ticket | None = None


def open_all(asked: list[Asked], system: User) -> None:
    """Gives each its ticket, with the customer's message, the answer and the history of both."""
    asked.sort(key=lambda one: one.at)
    for one in asked:
        answered = one.at + timedelta(hours=2)
        one.ticket = Ticket(
            channel=TicketChannel.PHONE if one.taken_down else TicketChannel.EMAIL,
            subject=one.subject,
            requester_name=one.account.email.split("@")[0].replace(".", " ").title(),
            requester_email=one.account.email,
            account=one.account,
            program_id=one.account.program_id,
            status=TicketStatus.OPEN if one.is_open else TicketStatus.SOLVED,
            assignee=one.by,
            created_at=one.at,
            updated_at=answered,
            first_responded_at=None if one.is_open else answered,
            solved_at=None if one.is_open else answered,
            waiting_since=None if one.is_open else answered,
        )
    Ticket.objects.bulk_create(one.ticket for one in asked if one.ticket)
    messages, events = [], []
    for one in asked:
        ticket, answered = one.ticket, one.at + timedelta(hours=2)
        assert ticket
        opener = one.by if one.taken_down else system
        messages.append(Message(ticket=ticket, kind=MessageKind.CUSTOMER, author_name=ticket.requester_name,
                                body=one.body, at=one.at))  # fmt: skip
        events.append(TicketEvent(ticket=ticket, at=one.at, by=opener, kind=TicketEventKind.OPENED))
        if not one.is_open:
            messages.append(Message(ticket=ticket, kind=MessageKind.REPLY, author=one.by, author_name=str(one.by),
                                    body=_ANSWER, at=answered, mail_state=MailState.SENT))  # fmt: skip
            events.append(TicketEvent(ticket=ticket, at=answered, by=one.by, kind=TicketEventKind.REPLIED))
    Message.objects.bulk_create(messages)
    TicketEvent.objects.bulk_create(events)
