"""Changing many tickets at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections

from redemption.roles import Role
from support.actions.bulk import MOST_AT_ONCE, change_many, deed_named, plan
from support.actions.tickets import TicketError, change
from support.models import AuditAction, AuditEvent, Priority, Ticket, TicketChannel, TicketStatus
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db


def tickets(number, **fields):
    return [factories.ticket(**fields) for _ in range(number)]


def keys(rows):
    return [row.pk for row in rows]


def test_each_ticket_has_its_history_and_all_together_one_audit_event():
    agent = factories.user(Role.AGENT)
    rows = tickets(3)
    done = change_many(keys(rows), deed=deed_named("priority:4", tag="", by=agent), by=agent)
    assert done.changing == rows
    for row in rows:
        row.refresh_from_db()
        assert row.priority == Priority.URGENT
        assert row.events.get(kind="changed").changes == {"priority": [2, 4]}
    event = AuditEvent.objects.get(action=AuditAction.TICKETS_CHANGED)
    assert event.details == {
        "field": "priority", "changed": 3, "skipped": 0, "also": [f"ticket:{key}" for key in keys(rows)]
    }  # fmt: skip


def test_what_is_left_out_is_said_before_and_after_with_its_reason():
    agent = factories.user(Role.AGENT)
    plain, same, merged, problem = tickets(4)
    change(ticket=same, by=agent, status=TicketStatus.SOLVED)
    Ticket.objects.filter(pk=merged.pk).update(status=TicketStatus.CLOSED, merged_into=plain)
    Ticket.objects.filter(pk=problem.pk).update(is_problem=True)
    deed = deed_named("status:solved", tag="", by=agent)
    planned = plan(Ticket.objects.order_by("pk"), deed=deed, by=agent)
    done = change_many([*keys([plain, same, merged, problem]), 2**62], deed=deed, by=agent)
    assert planned.changing == done.changing == [plain]
    assert done.skipped == [("", "It is not there any more."), *planned.skipped]
    assert {reference: why.split()[1] for reference, why in planned.skipped} == {
        same.reference: "is", merged.reference: "was", problem.reference: "gathers"
    }  # fmt: skip
    problem.refresh_from_db()
    assert problem.status == TicketStatus.NEW


def test_a_tag_is_added_to_those_that_others_have_written():
    agent = factories.user(Role.AGENT)
    one = factories.ticket()
    change(ticket=one, by=agent, tags=["vip"])
    deed = deed_named("tags:", tag="  Big  Outage ", by=agent)
    for expected in (1, 0):
        assert len(change_many([one.pk], deed=deed, by=agent).changing) == expected
    one.refresh_from_db()
    assert one.tags == ["vip", "big outage"]


@pytest.mark.parametrize(
    ("name", "tag"),
    [("", ""), ("status:new", ""), ("status:lost", ""), ("assignee:least-loaded", ""), ("assignee:0", ""),
     ("tags:", ""), ("tags:", "x" * 31), ("tags:", "<b>"), ("version:9", "")],
)  # fmt: skip
def test_what_is_not_offered_is_refused_in_a_sentence(name, tag):
    with pytest.raises(TicketError):
        deed_named(name, tag=tag, by=factories.user(Role.AGENT))


def test_an_agent_gives_tickets_to_nobody_but_himself():
    agent, other, senior = factories.user(Role.AGENT), factories.user(Role.AGENT), factories.user(Role.SENIOR_AGENT)
    rows = tickets(2)
    to_other = deed_named(f"assignee:{other.pk}", tag="", by=senior)
    with pytest.raises(TicketError):
        change_many(keys(rows), deed=to_other, by=agent)
    change_many(keys(rows), deed=deed_named("assignee:me", tag="", by=agent), by=agent)
    assert set(Ticket.objects.values_list("assignee", flat=True)) == {agent.pk}
    change_many(keys(rows), deed=to_other, by=senior)
    assert set(Ticket.objects.values_list("assignee", flat=True)) == {other.pk}


def test_too_many_at_once_are_refused():
    agent = factories.user(Role.AGENT)
    with pytest.raises(TicketError, match="at once"):
        change_many(range(MOST_AT_ONCE + 1), deed=deed_named("priority:1", tag="", by=agent), by=agent)


# --- Sharing out


def test_tickets_go_to_whoever_has_the_least_to_do_and_may_answer_them():
    senior = factories.user(Role.SENIOR_AGENT)
    busy, idle = factories.user(Role.AGENT), factories.user(Role.AGENT)
    social = factories.user(Role.SOCIAL_MEDIA)
    for role, fields in [(Role.AGENT, {"is_active": False}), (Role.AUDITOR, {}), (Role.CUSTOMER, {})]:
        factories.user(role, **fields)
    Ticket.objects.filter(pk__in=keys(tickets(3))).update(assignee=busy)
    Ticket.objects.filter(pk__in=keys(tickets(2))).update(assignee=senior)
    # Finished ones are no work.
    Ticket.objects.filter(pk__in=keys(tickets(5))).update(assignee=idle, status=TicketStatus.SOLVED)
    rows = tickets(6) + tickets(1, channel=TicketChannel.SOCIAL)
    done = change_many(keys(rows), deed=deed_named("assignee:least-loaded", tag="", by=senior), by=senior)
    assert len(done.changing) == 7
    given = [Ticket.objects.get(pk=pk).assignee for pk in keys(rows)]
    # 2, 3 and 0 become 4, 4 and 3; what was asked in public goes to those who answer there only.
    assert given == [idle, idle, senior, idle, senior, busy, social]


def test_where_nobody_answers_nothing_is_given_to_anybody():
    manager = factories.user(Role.MANAGER)
    one = factories.ticket()
    deed = deed_named("assignee:least-loaded", tag="", by=manager)
    type(manager).objects.filter(pk=manager.pk).update(is_active=False)
    assert [why for _, why in plan([one], deed=deed, by=manager).skipped] == ["Nobody who may answer it is there."]


def test_what_was_not_asked_in_public_is_not_given_to_the_social_media_team():
    senior, social = factories.user(Role.SENIOR_AGENT), factories.user(Role.SOCIAL_MEDIA)
    private, public = factories.ticket(), factories.ticket(channel=TicketChannel.SOCIAL)
    deed = deed_named(f"assignee:{social.pk}", tag="", by=senior)
    assert change_many(keys([private, public]), deed=deed, by=senior).changing == [public]


@pytest.mark.django_db(transaction=True)
def test_two_who_share_out_at_once_do_not_both_pile_on_one_person():
    seniors = [factories.user(Role.SENIOR_AGENT) for _ in range(2)]
    for _ in range(2):
        factories.user(Role.AGENT)
    heaps = [keys(tickets(6)), keys(tickets(6))]
    deed = deed_named("assignee:least-loaded", tag="", by=seniors[0])
    start = Barrier(2)

    def share_out(by, heap):
        try:
            start.wait(10)
            return change_many(heap, deed=deed, by=by)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(share_out, seniors, heaps))
    assert [len(one.changing) for one in done] == [6, 6]
    given = list(Ticket.objects.values_list("assignee", flat=True))
    assert sorted(given.count(person) for person in set(given)) == [3, 3, 3, 3]


# --- Its pages


def test_first_a_plan_then_it_is_done_and_the_result_can_be_read_again():
    client, agent = at_the_desk()
    rows = tickets(3)
    change(ticket=rows[0], by=agent, priority=Priority.HIGH)
    form = {"query": "view=all", "deed": "priority:3", "which": "chosen", "chosen": keys(rows)}
    plan_page = client.post("/tickets/bulk/", form)
    assert "Set the priority to High: 2 of 3 tickets" in shown(plan_page)
    assert f"1 is left as it is It is so already. {rows[0].reference}" in shown(plan_page)
    assert Ticket.objects.filter(priority=Priority.HIGH).count() == 1
    sure = {"query": "view=all", "deed": "priority:3", "tickets": " ".join(map(str, keys(rows))), "confirmed": "1"}
    response = client.post("/tickets/bulk/", sure)
    assert (response.status_code, response.url) == (303, "/tickets/bulk/")
    for _ in range(2):
        said = shown(client.get("/tickets/bulk/"))
        assert "2 tickets changed." in said
        assert f"It is so already. {rows[0].reference}" in said


def test_all_that_match_are_those_of_the_filters_not_of_the_page(monkeypatch):
    monkeypatch.setattr("support.queue.PAGE", 2)
    client, _ = at_the_desk()
    tickets(5)
    tickets(2, channel=TicketChannel.PHONE)
    form = {"query": "view=all&channel=email", "deed": "assignee:me", "which": "all"}
    assert "Assign to me: 5 of 5 tickets" in shown(client.post("/tickets/bulk/", form))


def test_the_social_media_team_changes_nothing_that_it_does_not_see():
    client, _ = at_the_desk(Role.SOCIAL_MEDIA)
    private, public = factories.ticket(), factories.ticket(channel=TicketChannel.SOCIAL)
    form = {"query": "view=all", "deed": "priority:1", "tickets": f"{private.pk} {public.pk}"}
    assert private.reference not in shown(client.post("/tickets/bulk/", form))
    client.post("/tickets/bulk/", {**form, "confirmed": "1"})
    private.refresh_from_db()
    assert private.priority == Priority.NORMAL
    assert private.reference not in shown(client.get("/tickets/bulk/"))


def test_choosing_nothing_or_nonsense_is_said_or_not_found():
    client, _ = at_the_desk()
    form = {"query": "view=all", "deed": "priority:1", "which": "chosen"}
    assert "Choose at least one ticket" in shown(client.post("/tickets/bulk/", form, follow=True))
    assert "Choose what to do" in shown(client.post("/tickets/bulk/", {"query": "", "chosen": "1"}, follow=True))
    for chosen in ("x", "-1", "9" * 30, " ".join(map(str, range(501)))):
        assert client.post("/tickets/bulk/", {**form, "tickets": chosen}).status_code == 404
    assert client.post("/tickets/bulk/", {**form, "query": "view=nowhere"}).status_code == 404
    assert client.get("/tickets/bulk/").url == "/tickets/"


def test_an_auditor_changes_nothing():
    client, _ = at_the_desk(Role.AUDITOR)
    assert client.post("/tickets/bulk/", {"query": "", "deed": "priority:1", "which": "all"}).status_code == 404
