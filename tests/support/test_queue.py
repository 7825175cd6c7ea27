"""The queue: who sees which tickets, in which order, by what the address says."""

from datetime import timedelta

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from redemption.roles import Permission, Role
from support.addresses import UnknownFilterError
from support.models import AuditAction, AuditEvent, Priority, SavedView, Ticket, TicketChannel, TicketStatus
from support.queue import VIEWS, Query, count, due, next_after
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def read(address=""):
    return Query.read(QueryDict(address).dict())


def ticket(subject="Help", *, hours=None, assignee=None, of=None, tags=None, **fields):
    """As the database has it: `hours` from now is its deadline."""
    made = factories.ticket(of, subject=subject, **{key: fields.pop(key) for key in ("channel",) if key in fields})
    deadline = None if hours is None else NOW + timedelta(hours=hours)
    Ticket.objects.filter(pk=made.pk).update(next_deadline=deadline, assignee=assignee, tags=tags or [], **fields)
    made.refresh_from_db()
    return made


def subjects(address="", *, user):
    return [found.subject for found in read(address).sorted(user, NOW)]


@pytest.fixture
def agent():
    return factories.user(Role.AGENT, name="Ada")


def test_each_view_has_its_tickets_in_their_order(agent):
    other = factories.user(Role.AGENT)
    ticket("late", hours=-2, assignee=other)
    ticket("soon", hours=1, assignee=agent, status=TicketStatus.OPEN)
    ticket("tomorrow", hours=30)
    ticket("no deadline")
    ticket("waiting", assignee=agent, status=TicketStatus.WAITING_FOR_CUSTOMER)
    ticket("done", assignee=agent, status=TicketStatus.SOLVED)
    ticket("closed", status=TicketStatus.CLOSED)
    merged = ticket("merged", status=TicketStatus.CLOSED)
    Ticket.objects.filter(pk=merged.pk).update(merged_into=Ticket.objects.order_by("pk").first())
    found = {key: subjects(f"view={key}", user=agent) for key in VIEWS}
    assert found == {
        "needs-us": ["late", "soon", "tomorrow", "no deadline"],
        "mine": ["soon", "waiting"],
        "unassigned": ["tomorrow", "no deadline"],
        "due-soon": ["soon"],
        "overdue": ["late"],
        "waiting": ["waiting"],
        "solved": ["closed", "done"],
        "all": ["closed", "done", "waiting", "no deadline", "tomorrow", "soon", "late"],
    }
    counts = count([Query(view=key) for key in VIEWS], user=agent, now=NOW)
    assert [one.number for one in counts] == [len(names) for names in found.values()]


def test_filters_narrow_a_view_down(agent):
    spotify, shop = factories.program(), factories.retailer()
    ticket("one", of=spotify, priority=Priority.URGENT, tags=["outage"], channel=TicketChannel.PHONE)
    ticket("two", assignee=agent, status=TicketStatus.WAITING_FOR_RETAILER)
    Ticket.objects.filter(subject="two").update(retailer=shop)
    for address in (
        f"program={spotify.pk}",
        "priority=4",
        "tag=outage",
        "channel=phone",
        "assignee=nobody",
        "status=ours",
    ):
        assert subjects(f"view=all&{address}", user=agent) == ["one"], address
    for address in (f"retailer={shop.pk}", "assignee=me", f"assignee={agent.pk}", "status=theirs", "channel=email"):
        assert subjects(f"view=all&{address}", user=agent) == ["two"], address
    assert subjects("view=all&status=done", user=agent) == []


def test_sorting(agent):
    ticket("first", hours=5)
    ticket("second", hours=1, priority=Priority.LOW)
    ticket("third", hours=9, priority=Priority.URGENT)
    found = {key: subjects(f"sort={key}", user=agent) for key in ("deadline", "newest", "oldest", "priority")}
    assert found == {
        "deadline": ["second", "first", "third"],
        "newest": ["third", "second", "first"],
        "oldest": ["first", "second", "third"],
        "priority": ["third", "first", "second"],
    }


@pytest.mark.parametrize(
    "address",
    [
        "view=none", "status=open", "channel=fax", "priority=9", "sort=name", "program=x", "retailer=-1",
        "assignee=10000000000000000000000", "program=²", "tag=%00", f"tag={'x' * 31}", "page=0", "page=1e3", "page=21",
        "page=1000000000000000000000000000000",
    ],
)  # fmt: skip
def test_what_there_is_not_is_not_found(address):
    client, _ = at_the_desk()
    assert client.get(f"/tickets/?{address}").status_code in {400, 404}


def test_an_address_reads_as_what_it_was_written_from():
    query = read("view=mine&tag=a b&sort=priority&page=3&stray=1")
    assert read(query.address) == query
    with pytest.raises(UnknownFilterError):
        read("view=nowhere")


def test_a_row_says_all_in_words():
    client, agent = at_the_desk()
    program = factories.program("Netflix")
    late = ticket("It is late", hours=-2.5, of=program, assignee=agent, priority=Priority.URGENT)
    Ticket.objects.filter(pk=late.pk).update(error_message="This code is not valid")
    said = shown(client.get("/tickets/"))
    for word in (
        "It is late",
        late.reference,
        "This code is not valid",
        program.name,
        "Urgent",
        "New",
        "2 h late",
        "Ada",
    ):
        assert word in said


@pytest.mark.parametrize(
    ("hours", "word"),
    [(None, "No deadline"), (0.67, "in 40 min"), (5, "in 5 h"), (100, "in 4 days"), (-1, "60 min late")],
)
def test_a_deadline_is_told_in_words(hours, word):
    assert due(ticket(hours=hours), NOW).word == word


def test_only_the_public_channel_is_seen_by_the_social_media_team_and_names_are_masked():
    client, _ = at_the_desk(Role.SOCIAL_MEDIA)
    ticket("private one")
    ticket("public one", channel=TicketChannel.SOCIAL)
    said = shown(client.get("/tickets/?view=all"))
    assert "public one" in said
    assert "private one" not in said
    assert "1 ticket " in said
    assert "Ada" not in said


@pytest.mark.parametrize("role", Role)
def test_the_queue_is_open_to_those_who_read_tickets(role):
    client, user = at_the_desk(role)
    response = client.get("/tickets/")
    if user.may(Permission.VIEW_TICKETS):
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert ("Change several" in response.content.decode()) == (
            user.may(Permission.ANSWER_TICKETS) and Ticket.objects.exists()
        )
    else:
        assert response.status_code in {302, 404}


def test_showing_the_queue_is_audited():
    client, agent = at_the_desk()
    one = ticket()
    client.get("/tickets/?view=all&tag=")
    event = AuditEvent.objects.get(action=AuditAction.TICKETS_LISTED)
    assert event.details == {"view": "all", "also": [f"ticket:{one.pk}"]}
    assert event.actor_id == agent.pk


def test_a_page_asks_the_database_as_often_with_fifty_rows_as_with_one():
    client, agent = at_the_desk()
    asked = []
    for rows in (1, 3, 51):
        while Ticket.objects.count() < rows:
            factories.ticket(factories.program(), retailer=factories.retailer())
        Ticket.objects.update(assignee=agent)
        client.get("/tickets/?view=mine")
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/tickets/?view=mine").status_code == 200
        asked.append(len(queries))
    assert len(set(asked)) == 1, asked


def test_leafing(monkeypatch):
    monkeypatch.setattr("support.queue.PAGE", 2)
    client, _ = at_the_desk()
    for number in range(5):
        ticket(f"number {number}", hours=number)
    pages = [shown(client.get(f"/tickets/?page={page}")) for page in (1, 2, 3)]
    for number in range(5):
        assert [f"number {number}" in page for page in pages].index(True) == number // 2
    assert ["Next page" in page.split("Page ")[-1] for page in pages] == [True, True, False]


def test_counts_stop_at_a_thousand(monkeypatch, agent):
    monkeypatch.setattr("support.queue.MOST_COUNTED", 3)
    for _ in range(5):
        ticket()
    assert [str(one) for one in count([Query(view="all")], user=agent, now=NOW)] == ["3+"]


# --- The next one


def test_the_next_ticket_is_the_one_below_in_the_same_view_and_order(agent):
    made = {
        name: ticket(name, hours=hours, assignee=agent, priority=priority)
        for name, hours, priority in [
            ("a", 1, Priority.LOW), ("b", 1, Priority.URGENT), ("c", 2, Priority.LOW), ("d", None, Priority.HIGH),
            ("e", None, Priority.LOW),
        ]
    }  # fmt: skip
    ticket("another's", hours=1.5)
    for sort in ("deadline", "newest", "oldest", "priority"):
        address = QueryDict(f"view=mine&sort={sort}&page=2").dict()
        order = subjects(f"view=mine&sort={sort}", user=agent)
        assert sorted(order) == list("abcde")
        following = [next_after(made[name], address, agent, NOW).subject for name in order]
        # After the last one, from the top.
        assert following == [*order[1:], order[0]], sort


def test_the_next_one_is_found_although_the_ticket_has_left_the_view(agent):
    first, second = ticket("first", hours=1), ticket("second", hours=2)
    Ticket.objects.filter(pk=first.pk).update(status=TicketStatus.SOLVED, next_deadline=None)
    assert next_after(first, {"view": "needs-us"}, agent, NOW) == second
    assert next_after(second, {"view": "needs-us"}, agent, NOW) is None
    assert next_after(second, {"view": "nonsense"}, agent, NOW) is None


def test_rows_carry_the_view_on():
    client, _ = at_the_desk()
    made = ticket(hours=1)
    assert (
        f"{reverse('ticket', args=[made.reference])}?view=all&amp;sort=oldest"
        in client.get("/tickets/?view=all&sort=oldest").content.decode()
    )


# --- Views of one's own


def test_keeping_renaming_and_deleting_a_view():
    client, agent = at_the_desk()
    client.post("/tickets/views/", {"name": " Urgent  calls ", "query": "view=all&priority=4&channel=phone&page=2"})
    view = SavedView.objects.get()
    assert (view.owner, view.name, view.query) == (agent, "Urgent calls", "view=all&channel=phone&priority=4")
    assert "Urgent calls" in shown(client.get("/tickets/"))
    client.post(f"/tickets/views/{view.pk}/", {"name": "Calls"})
    view.refresh_from_db()
    assert view.name == "Calls"
    client.post(f"/tickets/views/{view.pk}/", {"delete": ""})
    assert not SavedView.objects.exists()


def test_a_view_is_its_owners_alone():
    client, _ = at_the_desk()
    other = factories.user(Role.AGENT)
    view = SavedView.objects.create(owner=other, name="Hers", query="view=mine")
    assert "Hers" not in shown(client.get("/tickets/"))
    assert client.post(f"/tickets/views/{view.pk}/", {"name": "Mine"}).status_code == 404
    assert client.post(f"/tickets/views/{10**30}/", {"name": "Mine"}).status_code == 404


def test_a_view_without_a_name_or_with_a_taken_one_is_refused_in_a_sentence():
    client, agent = at_the_desk()
    for name in ("", "Calls", "Calls", "x" * 61):
        response = client.post("/tickets/views/", {"name": name, "query": "view=mine"}, follow=True)
        assert response.status_code == 200
    assert [view.name for view in SavedView.objects.filter(owner=agent)] == ["Calls"]
    assert "at most" in shown(response)
    assert client.post("/tickets/views/", {"name": "x", "query": "view=nowhere"}).status_code == 404


def test_a_kept_view_that_asks_for_what_is_gone_is_left_out():
    client, agent = at_the_desk()
    SavedView.objects.create(owner=agent, name="Vanished", query="view=gone")
    assert "Vanished" not in shown(client.get("/tickets/"))
