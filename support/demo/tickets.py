"""The desk's tickets, written by the domain's own functions, each at its moment among what happened with the cards."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from redemption.models import Code
from redemption.outages import covering
from redemption.roles import Role
from support.actions.links import attach_incident, mark_duplicate, mark_problem, merge
from support.actions.messages import UNDO, add_customer_message, goes_by_mail, write_staff_message
from support.actions.tickets import change, open_ticket
from support.attachments import attach
from support.demo import accounts
from support.demo.cases import CASES, Case, Said
from support.demo.diary import Diary
from support.demo.photos import photo
from support.demo.state import DemoError
from support.demo.world import World
from support.mail.outgoing import give_up, send
from support.models import Message, MessageKind, Ticket, TicketStatus
from support.reply_variables import fill, values
from support.targets import current_schedule

_STEP = timedelta(minutes=10)
_A_WEEK = timedelta(days=7)


def write(diary: Diary) -> None:
    for case in CASES:
        at = _moment(diary.world, case)
        diary.note(at, partial(_open, diary.world, case))
        soon = min(at + _STEP, diary.world.now)
        if case.assignee or case.tags:
            # Somebody looks at it before he writes; what nobody has answered yet has been sorted at least.
            diary.note(soon, partial(_sort, diary.world, case))
        for said in case.then:
            at = min(at + timedelta(hours=said.after), diary.world.now)
            diary.note(at, partial(_say, diary.world, case, said))
        if case.is_problem or case.problem or case.duplicate_of or case.merged_into:
            diary.note(soon, partial(_link, diary.world, case))


def _moment(world: World, case: Case) -> datetime:
    if case.due_in:
        return _so_that_due(world.now + timedelta(minutes=case.due_in), case)
    days, hour = case.when
    return world.now - timedelta(days=days) if hour is None else world.ago(days, hour)


def _so_that_due(deadline: datetime, case: Case) -> datetime:
    """When it must have been opened for its first answer to be due then; where the desk is closed then, soon after it
    opens."""
    schedule = current_schedule()
    first_response, _ = schedule.targets[case.priority]
    at = deadline
    while schedule.after(at, first_response) > deadline and deadline - at < _A_WEEK:
        at -= _STEP
    return at


def _open(world: World, case: Case, at: datetime) -> None:
    account = world.accounts[case.who] if case.who else None
    retailer = world.retailers[case.retailer] if case.retailer else None
    name = accounts.SITUATIONS[case.who].name if case.who in accounts.SITUATIONS else case.name
    if account and account.user:
        name = account.user.name
    ticket = world.tickets[case.key] = open_ticket(
        channel=case.channel,
        subject=case.subject,
        body=_told(world, case, case.text),
        by=world.people[case.by] if case.by else None,
        requester_name=name or case.retailer,
        requester_email=case.email or (account.email if account else retailer.contact_email if retailer else ""),
        account=account,
        code=_card(world, case),
        program=world.programs[case.program] if case.program else None,
        retailer=retailer,
        error_message=case.error,
        surface=case.surface,
        steps_tried=[step.value for step in case.steps],
        priority=case.priority,
        now=at,
    )
    _attach(world, ticket, ticket.messages.get(), case.files, at)


def _sort(world: World, case: Case, at: datetime) -> None:
    """What somebody does who reads it first."""
    ticket = world.tickets[case.key]
    by = world.people[case.assignee or Role.SENIOR_AGENT]
    if case.error and not ticket.known_error:
        raise DemoError(f"No known error is recognised in “{case.error}”.")
    change(ticket=ticket, by=by, now=at, tags=list(case.tags))
    if case.assignee:
        change(ticket=ticket, by=by, now=at, assignee=by, status=TicketStatus.OPEN)


def _say(world: World, case: Case, said: Said, at: datetime) -> None:
    ticket = Ticket.objects.get(pk=world.tickets[case.key].pk)
    text = _told(world, case, said.text)
    if not said.by:
        message = add_customer_message(ticket=ticket, body=text, author_name=ticket.requester_name, now=at)
    else:
        by = world.people[said.by]
        filled = fill(text, values(ticket, by))
        if filled.missing:
            raise DemoError(f"{case.key}: nothing fills in {filled.missing}.")
        message = write_staff_message(ticket=ticket, kind=said.kind, body=filled.text, by=by, status=said.then, now=at)
        if said.kind == MessageKind.REPLY and goes_by_mail(ticket):
            # As the job worker does it, ten seconds later: nothing is left to be sent when the demo starts.
            send(message_id=message.pk, tries=0, now=at + UNDO)
            if said.bounces:
                give_up(message_id=message.pk, now=at + 2 * UNDO)
    _attach(world, ticket, message, said.files, at)


def _attach(world: World, ticket: Ticket, message: Message, names: Iterable[str], at: datetime) -> None:
    if not names:
        return
    files, kinds = zip(*(photo(name, world) for name in names), strict=True)
    for row in attach(ticket=ticket, message=message, files=files, kinds=kinds, by=None, now=at):
        if row.refusal:
            raise DemoError(f"{row.name}: {row.refusal}")


def _link(world: World, case: Case, at: datetime) -> None:
    """To the ticket that it belongs to."""
    by, tickets = world.people[Role.SENIOR_AGENT], world.tickets
    ticket = Ticket.objects.get(pk=tickets[case.key].pk)
    if case.is_problem:
        mark_problem(ticket=ticket, by=by, now=at)
        if ticket.program_id and (outage := covering(ticket.program_id, ticket.created_at)):
            Ticket.objects.filter(pk=ticket.pk).update(outage=outage)
    if case.problem:
        attach_incident(ticket=ticket, problem=tickets[case.problem], by=by, now=at)
    if case.duplicate_of:
        mark_duplicate(ticket=ticket, of=tickets[case.duplicate_of], by=by, now=at)
    if case.merged_into:
        merge(ticket=ticket, into=tickets[case.merged_into], by=by, now=at)


def _card(world: World, case: Case) -> Code | None:
    if not case.card:
        return None
    name, place = case.card
    return Code.objects.select_related("batch__product__program").get(pk=world.cards[name][place].serial)


def _told(world: World, case: Case, text: str) -> str:
    if case.card:
        name, place = case.card
        text = text.replace("{serial}", str(world.cards[name][place].serial))
    return text.replace("{code}", world.cards["gb credit"][6].text)
