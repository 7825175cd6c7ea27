"""Who may answer tickets, and who of them has the least to do."""

from django.db.models import Count

from redemption.models import User
from redemption.roles import PERMISSIONS, Permission, Role
from support.models import Ticket, TicketChannel

ANSWERING = [role for role, permissions in PERMISSIONS.items() if Permission.ANSWER_TICKETS in permissions]


def answering() -> list[User]:
    """Everybody to whom a ticket can be given, by name."""
    return list(User.objects.filter(is_active=True, role__in=ANSWERING).order_by("name", "email", "pk"))


def sees(person: User, ticket: Ticket) -> bool:
    """What `visible_to` says, without asking the database about each ticket."""
    return person.role != Role.SOCIAL_MEDIA or ticket.channel == TicketChannel.SOCIAL


class Workload:
    """How many tickets that need us each person has. Take redemption.locks.WORKLOAD before it is read: else two who
    share tickets out at once both give them to the same person."""

    def __init__(self) -> None:
        self._people = answering()
        rows = Ticket.objects.unmerged().needing_us().filter(assignee__in=self._people)
        counted = rows.order_by().values_list("assignee").annotate(Count("pk"))
        self._tickets = {person.pk: 0 for person in self._people} | dict(counted)

    def least_loaded(self, ticket: Ticket) -> User | None:
        """Of those who may answer this ticket; of two alike, the one whose account is older. None: there is nobody."""
        able = [person for person in self._people if sees(person, ticket)]
        return min(able, key=lambda person: (self._tickets[person.pk], person.pk), default=None)

    def add(self, person: User) -> None:
        self._tickets[person.pk] += 1
