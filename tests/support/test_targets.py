"""Deadlines in opening hours: pure arithmetic first, then what tickets make of it."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redemption.roles import Role
from support.actions.messages import add_customer_message, write_staff_message
from support.actions.tickets import change
from support.models import Holiday, MessageKind, OpeningHours, Priority, Target, TicketStatus
from support.targets import forget_schedule, opening_span, opening_time, reckon
from tests import factories

STOCKHOLM = ZoneInfo("Europe/Stockholm")
WEEK = {day: [(time(8), time(20))] for day in range(5)}


def at(text, zone=STOCKHOLM):
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def hours(number):
    return timedelta(hours=number)


@pytest.mark.parametrize(
    ("start", "span", "due"),
    [
        ("2026-06-15 12:00", 2, "2026-06-15 14:00"),
        ("2026-06-15 12:00", 8, "2026-06-15 20:00"),
        ("2026-06-15 19:00", 2, "2026-06-16 09:00"),
        ("2026-06-15 23:00", 1, "2026-06-16 09:00"),
        ("2026-06-19 19:00", 2, "2026-06-22 09:00"),  # a Friday
        ("2026-06-20 12:00", 1, "2026-06-22 09:00"),  # a Saturday
        ("2026-06-15 12:00", 48, "2026-06-19 12:00"),
    ],
)
def test_time_counts_while_the_desk_is_open(start, span, due):
    assert opening_time(at(start), hours(span), WEEK, (), STOCKHOLM) == at(due)


def test_a_holiday_is_closed_wherever_the_server_stands():
    midsummer = {date(2026, 6, 19)}
    assert opening_time(at("2026-06-18 19:00"), hours(2), WEEK, midsummer, STOCKHOLM) == at("2026-06-22 09:00")
    # 23:30 in UTC is already the holiday in Stockholm.
    start = datetime(2026, 6, 18, 22, 30, tzinfo=UTC)
    assert opening_time(start, hours(1), {3: WEEK[3], 4: [(time(0), time(0))]}, midsummer, STOCKHOLM) == at(
        "2026-06-25 09:00"
    )


def test_summer_time_takes_an_hour_from_the_night_and_winter_time_gives_it_back():
    always = {day: [(time(), time())] for day in range(7)}
    spring, autumn = at("2026-03-29 00:00"), at("2026-10-25 00:00")
    assert opening_time(spring, hours(23), always, (), STOCKHOLM) == at("2026-03-30 00:00")
    assert opening_time(autumn, hours(25), always, (), STOCKHOLM) == at("2026-10-26 00:00")
    # A stretch that the clocks skip does not exist; it ends no earlier than it begins.
    skipped = {6: [(time(2), time(3))]}
    assert opening_time(spring, hours(1), skipped, (), STOCKHOLM) == at("2026-04-05 03:00")


def test_a_desk_without_opening_hours_is_always_open():
    start = at("2026-06-20 23:00")
    assert opening_time(start, hours(5), {}, {date(2026, 6, 21)}, STOCKHOLM) == start + hours(5)
    assert opening_span(start, start + hours(5), {}, (), STOCKHOLM) == hours(5)


def test_a_desk_that_is_hardly_ever_open_answers_in_finite_time():
    start = at("2026-06-20 23:00")
    assert opening_time(start, timedelta(days=300), {0: [(time(8), time(8, 1))]}, (), STOCKHOLM) > start


clocks = st.integers(0, 95).map(lambda quarter: time(quarter // 4, 15 * (quarter % 4)))
stretches = st.lists(
    st.tuples(clocks, clocks).filter(lambda stretch: stretch[0] < stretch[1] or stretch[1] == time()), max_size=3
).map(sorted)
weeks = st.dictionaries(st.integers(0, 6), stretches, max_size=7)
zones = st.sampled_from(
    [
        ZoneInfo(name)
        for name in ("UTC", "Europe/Stockholm", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
    ]
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
days_off = st.sets(st.dates(date(2026, 1, 1), date(2027, 6, 1)), max_size=40)
spans = st.integers(0, 6_000).map(lambda minutes: timedelta(minutes=minutes))


@given(moments, spans, weeks, days_off, days_off, zones)
def test_a_holiday_never_makes_a_deadline_earlier(start, span, week, few, more, zone):
    assert opening_time(start, span, week, few | more, zone) >= opening_time(start, span, week, few, zone)


@given(moments, spans, spans, weeks, days_off, zones)
def test_what_is_left_at_any_moment_leads_to_the_same_deadline(start, one, other, week, off, zone):
    if not opening_span(start, start + timedelta(days=60), week, off, zone):
        return
    between = opening_time(start, one, week, off, zone)
    assert opening_time(between, other, week, off, zone) == opening_time(start, one + other, week, off, zone)


@given(moments, spans, weeks, days_off, zones)
def test_the_time_up_to_a_deadline_is_what_was_promised(start, span, week, off, zone):
    due = opening_time(start, span, week, off, zone)
    if due - start < timedelta(days=3660):
        assert opening_span(start, due, week, off, zone) == span
    assert due - start >= span


# --- Tickets


@pytest.fixture
def desk(db, settings):
    """Open from 8 to 20 on weekdays, in UTC; urgent tickets within 1 and 8 hours, all others 8 and 32."""
    settings.DESK_TIME_ZONE = "UTC"
    for model in (OpeningHours, Holiday, Target):
        model.objects.all().delete()
    OpeningHours.objects.bulk_create(OpeningHours(weekday=day, opens=time(8), closes=time(20)) for day in range(5))
    for priority in Priority:
        first, whole = (60, 480) if priority == Priority.URGENT else (480, 1920)
        Target.objects.create(priority=priority, first_response=first, resolution=whole)
    forget_schedule()
    yield
    forget_schedule()


MONDAY = datetime(2026, 6, 15, 12, tzinfo=UTC)


@pytest.mark.usefixtures("desk")
def test_the_first_answer_ends_its_clock_and_waiting_stops_the_other():
    agent, ticket = factories.user(Role.AGENT), factories.ticket(now=MONDAY)
    assert ticket.first_response_due == ticket.next_deadline == MONDAY + hours(8)
    assert ticket.resolution_due == datetime(2026, 6, 17, 20, tzinfo=UTC)
    write_staff_message(ticket=ticket, kind=MessageKind.REPLY, body="Which country?", by=agent, now=MONDAY + hours(1))
    ticket.refresh_from_db()
    assert ticket.next_deadline is None
    # Answered at 13:00; from then to 15:00 the next day the desk was open for 14 hours.
    add_customer_message(ticket=ticket, body="GB", now=MONDAY + hours(27))
    ticket.refresh_from_db()
    assert ticket.waited == hours(14)
    assert ticket.next_deadline == ticket.resolution_due == datetime(2026, 6, 19, 10, tzinfo=UTC)


@pytest.mark.usefixtures("desk")
def test_a_note_is_no_answer_and_waiting_for_a_retailer_does_not_answer_the_customer():
    agent, ticket = factories.user(Role.AGENT), factories.ticket(now=MONDAY)
    write_staff_message(ticket=ticket, kind=MessageKind.NOTE, body="Hm", by=agent, now=MONDAY)
    change(ticket=ticket, by=agent, status=TicketStatus.WAITING_FOR_RETAILER, now=MONDAY + hours(1))
    ticket.refresh_from_db()
    assert ticket.next_deadline == ticket.first_response_due == MONDAY + hours(8)


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("status", [TicketStatus.SOLVED, TicketStatus.CLOSED])
def test_a_finished_ticket_has_no_deadline_and_goes_on_when_it_is_opened_again(status):
    agent, ticket = factories.user(Role.AGENT), factories.ticket(now=MONDAY)
    write_staff_message(ticket=ticket, kind=MessageKind.REPLY, body="Done.", by=agent, status=status, now=MONDAY)
    ticket.refresh_from_db()
    assert ticket.next_deadline is None
    # Five weeks later.
    back = MONDAY + timedelta(weeks=5)
    add_customer_message(ticket=ticket, body="Again!", now=back)
    ticket.refresh_from_db()
    assert ticket.next_deadline == ticket.resolution_due == datetime(2026, 7, 22, 20, tzinfo=UTC)


@pytest.mark.usefixtures("desk")
def test_a_higher_priority_counts_from_the_beginning():
    agent, ticket = factories.user(Role.AGENT), factories.ticket(now=MONDAY)
    change(ticket=ticket, by=agent, priority=Priority.URGENT, now=MONDAY + hours(3))
    ticket.refresh_from_db()
    assert (ticket.first_response_due, ticket.resolution_due) == (MONDAY + hours(1), MONDAY + hours(8))


@pytest.mark.usefixtures("desk")
def test_many_tickets_ask_for_the_targets_once(django_assert_num_queries):
    tickets = [factories.ticket() for _ in range(3)]
    forget_schedule()
    # Hours, holidays, targets.
    with django_assert_num_queries(3):
        for ticket in tickets:
            reckon(ticket, now=MONDAY)


@pytest.mark.usefixtures("desk")
def test_without_a_target_there_is_no_deadline():
    Target.objects.all().delete()
    forget_schedule()
    assert factories.ticket().next_deadline is None


@pytest.mark.django_db
def test_a_new_desk_has_hours_and_targets():
    assert OpeningHours.objects.count() == 5
    assert Target.objects.count() == len(Priority)
