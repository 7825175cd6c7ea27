"""`{{ ticket|requester:user }}`: who asks, masked where the reader's role may not see it. Also `.name` and `.email`.
`{{ message|author:user }}`: who wrote it, likewise."""

from django import template

from redemption.models import User
from support.models import Message, Ticket
from support.personal import Requester, author_of, requester_of

register = template.Library()


@register.filter
def requester(ticket: Ticket, reader: User) -> Requester:
    return requester_of(ticket, shown_to=reader)


@register.filter
def author(message: Message, reader: User) -> str:
    return author_of(message, shown_to=reader)
