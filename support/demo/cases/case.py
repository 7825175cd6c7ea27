"""A ticket before it is one."""

from dataclasses import dataclass

from redemption.roles import Role
from support.models import MessageKind, Priority, StepTried, Surface, TicketChannel, TicketStatus

AGENT, SENIOR, MANAGER, SOCIAL = Role.AGENT, Role.SENIOR_AGENT, Role.MANAGER, Role.SOCIAL_MEDIA


@dataclass(frozen=True, slots=True)
class Said:
    """What is written next: by the customer, unless `by` says who of us. `after`: hours since what was written before.
    `then`: the status that the writer sets. `files`: names of support.demo.photos. `bounces`: the mail comes back. In
    the text, {code} and {serial} are the card's; an answer has the variables of ready replies too."""

    text: str
    after: float = 1
    by: Role | None = None
    kind: MessageKind = MessageKind.REPLY
    then: TicketStatus | None = None
    files: tuple[str, ...] = ()
    bounces: bool = False


def customer(after: float, text: str, *files: str) -> Said:
    return Said(text, after, files=files)


def reply(after: float, by: Role, text: str, then: TicketStatus | None = None, *, bounces: bool = False) -> Said:
    """Without `then`, the customer's turn is next."""
    text = text[0].upper() + text[1:]
    return Said(f"Hello {{requester}},\n\n{text}\n\nKind regards\n{{agent}}", after, by, then=then, bounces=bounces)


def note(after: float, by: Role, text: str, then: TicketStatus | None = None) -> Said:
    return Said(text, after, by, MessageKind.NOTE, then)


@dataclass(frozen=True, slots=True)
class Case:
    """`when`: days ago and the hour; an hour of None: so many days, of which a day may be a part. `due_in`: instead,
    minutes from now until its first answer is due, where the desk is open then. `who`: one of the demo's accounts by
    name, or else a name and an address. `card`: a batch's name and the place in it."""

    key: str
    subject: str
    text: str
    when: tuple[float, int | None] = (0, None)
    due_in: int = 0
    who: str = ""
    name: str = ""
    email: str = ""
    channel: TicketChannel = TicketChannel.WEB
    program: str = ""
    retailer: str = ""
    card: tuple[str, int] | None = None
    error: str = ""
    surface: Surface | str = ""
    steps: tuple[StepTried, ...] = ()
    files: tuple[str, ...] = ()
    priority: Priority = Priority.NORMAL
    assignee: Role | None = None
    tags: tuple[str, ...] = ()
    # Who wrote a call or a chat down.
    by: Role | None = None
    then: tuple[Said, ...] = ()
    problem: str = ""
    is_problem: bool = False
    duplicate_of: str = ""
    merged_into: str = ""
