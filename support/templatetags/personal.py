"""`{{ ticket|requester:user }}`: who asks, masked where the reader's role may not see it. Also `.name` and `.email`."""

from django import template

from redemption.models import User
from support.models import Ticket
from support.personal import Requester, requester_of

register = template.Library()


@register.filter
def requester(ticket: Ticket, reader: User) -> Requester:
    return requester_of(ticket, shown_to=reader)
