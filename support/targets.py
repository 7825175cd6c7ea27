"""First-response and resolution targets, in opening hours; the resolution's clock stands while others are awaited."""

from datetime import datetime

from support.models import Ticket


def reckon(ticket: Ticket, *, now: datetime) -> None:
    """Sets the ticket's deadlines after its status or priority changed. The caller saves it."""
