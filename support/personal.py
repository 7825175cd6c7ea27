"""Who a customer is, as far as the reader's role may see it: the one place where names and addresses are masked."""

from dataclasses import dataclass

from redemption.models import User
from redemption.roles import Permission
from support.models import Message, MessageKind, Ticket

_MASK = "•••"


@dataclass(frozen=True, slots=True)
class Requester:
    """As a page may show it; a name or an address that is not known is empty."""

    name: str
    email: str

    def __str__(self) -> str:
        return self.name or self.email or "Unknown"


def requester_of(ticket: Ticket, *, shown_to: User) -> Requester:
    """Who asks, in full only for those who may see who a customer is."""
    if shown_to.may(Permission.SEE_PERSONAL_DATA):
        return Requester(ticket.requester_name, ticket.requester_email)
    return Requester(masked_name(ticket.requester_name), masked_email(ticket.requester_email))


def author_of(message: Message, *, shown_to: User) -> str:
    """Who wrote it: staff by name, a customer in full only for those who may see who a customer is."""
    name = str(message.author) if message.author else message.author_name
    if message.kind != MessageKind.CUSTOMER or shown_to.may(Permission.SEE_PERSONAL_DATA):
        return name
    return masked_name(name)


def masked_name(name: str) -> str:
    """“Ada Lovelace” → “A••• L•••”: every word's first letter, whatever its length."""
    return " ".join(word[0] + _MASK for word in name.split())


def masked_email(email: str) -> str:
    """“ada@mail.example.com” → “a•••@m•••.com”. Always three dots: the length would tell something."""
    person, _, domain = email.rpartition("@")
    if not person:
        return _MASK if email else ""
    host, dot, ending = domain.rpartition(".")
    return f"{person[0]}{_MASK}@{host[:1]}{_MASK}{dot}{ending}" if host else f"{person[0]}{_MASK}@{_MASK}"
