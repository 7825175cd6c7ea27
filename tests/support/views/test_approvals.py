"""The list of what waits for a second person: whose it is, in which order, how long it waits, and why one may not."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from redemption import approvals
from redemption.cards import void_payload
from redemption.models import ApprovalAction, ApprovalRequest, RequestStatus
from redemption.roles import PERMISSIONS, Permission, Role
from support import policy, waiting
from support.actions import decisions, limits, reversals
from support.actions.credits import request
from support.limits import NOTHING, matrix_of
from support.models import AuditAction, AuditEvent
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db

NOW = timezone.now()
DECIDERS = [Role.SENIOR_AGENT, Role.MANAGER, Role.ADMINISTRATOR]


@pytest.fixture(autouse=True)
def _limits():
    """Agents grant £1 alone; seniors approve up to £10, managers and administrators £100."""
    made = factories.credit_policy(Role.AGENT, single=100)
    for role, approves in ((Role.SENIOR_AGENT, 1000), (Role.MANAGER, 10_000), (Role.ADMINISTRATOR, 10_000)):
        limit = made.limits.get(role=Role.AGENT)
        limit.pk, limit.role, limit.approves = None, role, approves
        limit.save(force_insert=True)


def credit_request(amount=500, *, by=None, hours=0, to=None, why="He lost an evening.", **fields):
    wanted = factories.wanted(to, amount=amount, **fields)
    return request(wanted, why=why, by=by or factories.user(Role.AGENT), now=NOW - timedelta(hours=hours))


def policy_request(by=None):
    current = policy.current_policy()
    matrix = dict(matrix_of(current))
    matrix["GBP", "agent"] = {**matrix.get(("GBP", "agent"), NOTHING), "single": 150}
    return limits.request_policy(matrix, base=current.pk, why="Christmas", by=by or factories.user(Role.MANAGER))


def void_request(serial, by=None):
    return approvals.request(
        action=ApprovalAction.VOID,
        target=f"code:{serial}",
        payload=void_payload(serial),
        reason="stolen",
        by=by or factories.user(Role.AGENT),
    )


def one_of_each():
    agent = factories.user(Role.AGENT)
    card = factories.card()
    return {
        "small": credit_request(500, by=agent),
        "large": credit_request(5000, by=agent),
        "policy": policy_request(),
        "void": void_request(card.serial, agent),
        "replace": approvals.request(
            action=ApprovalAction.REPLACE,
            target=f"code:{card.serial}",
            payload={"serial": card.serial, "source": None},
            reason="torn",
            by=agent,
        ),
        "reversal": reversals.request_reversal(factories.credit(by=agent, amount=50), why="Twice", by=agent),
    }


def rows_of(response):
    return {group.key: [row.asked.request.pk for row in group.rows] for group in response.context["groups"]}


def test_what_waits_for_me_comes_first_then_mine_then_what_others_decide_and_why():
    client, senior = at_the_desk(Role.SENIOR_AGENT)
    for_me, above = credit_request(500, hours=3), credit_request(5000, hours=2)
    older = credit_request(600, hours=30)
    mine = credit_request(700, by=senior, hours=1)
    own = credit_request(800, to=factories.account(user=senior), hours=1)
    change = policy_request()
    response = client.get("/approvals/")
    assert rows_of(response) == {
        "mine-to-decide": [older.pk, for_me.pk],
        "asked-by-me": [mine.pk],
        "others": [above.pk, own.pk, change.pk],
    }
    why = {row.asked.request.pk: row.why_not for group in response.context["groups"] for row in group.rows}
    assert why[above.pk] == "£50.00 is more than your role may approve: a manager must decide."
    assert why[own.pk] == "You are the customer: a colleague decides."
    assert why[change.pk] == "Only who may change limits approves a change of them."
    assert why[for_me.pk] == ""
    words = shown(response)
    account = for_me.payload["account"]
    reference = factories.Account.objects.get(pk=account).reference
    for said in (f"Credit £5.00 to {reference}", "“He lost an evening.”", "one credit", "3 h", "30 h", "Support agent"):
        assert said in words, said


@pytest.mark.parametrize("role", Role)
def test_each_sees_what_his_role_decides_or_reads_and_else_his_own(role):
    client, person = at_the_desk(role)
    credit_request(500)
    mine = credit_request(600, by=person) if person.may(Permission.GRANT_CREDITS) else None
    response = client.get("/approvals/")
    if not person.may(Permission.VIEW_ACCOUNTS):
        assert response.status_code == 404
        return
    seen = [pk for rows in rows_of(response).values() for pk in rows]
    if {Permission.APPROVE, Permission.VIEW_AUDIT} & PERMISSIONS[role]:
        assert len(seen) == (2 if mine else 1)
    else:
        assert seen == [mine.pk]
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("role", [Role.AGENT, Role.AUDITOR, *DECIDERS])
def test_the_database_says_the_same_of_each_as_the_decision_itself(role):
    person = factories.user(role)
    asked = {
        **one_of_each(),
        "own": credit_request(500, by=person) if person.may(Permission.GRANT_CREDITS) else credit_request(501),
        "customer": credit_request(500, to=factories.account(user=person)),
        "expired": credit_request(502, hours=24 * 8),
    }
    listed = set(waiting.decidable_by(person, now=NOW).values_list("pk", flat=True))
    told = {one.pk for one in asked.values() if not waiting.why_not(one, person, now=NOW)}
    done = set()
    for one in asked.values():
        try:
            decisions.approve(one, by=person, now=NOW)
        except approvals.ApprovalError:
            continue
        done.add(one.pk)
    assert listed == told == done
    assert waiting.how_many(factories.user(role), now=NOW, most=99) == len(
        waiting.decidable_by(factories.user(role), now=NOW)
    )


def test_the_sidebar_counts_what_waits_for_me_by_one_query():
    client, _ = at_the_desk(Role.SENIOR_AGENT)
    for number in range(3):
        credit_request(500 + number)
    credit_request(5000)
    for address in ("/approvals/", "/tickets/"):
        with CaptureQueriesContext(connection) as queries:
            response = client.get(address)
        assert "Approvals 3" in shown(response)
        counted = [query for query in queries if "COUNT(*)" in query["sql"] and "approvalrequest" in query["sql"]]
        assert len(counted) == 1
    client, _ = at_the_desk(Role.AGENT)
    with CaptureQueriesContext(connection) as queries:
        client.get("/tickets/")
    assert not [query for query in queries if "approvalrequest" in query["sql"]]


def test_an_empty_list_says_so():
    for role, words in (
        (Role.SENIOR_AGENT, "Nothing waits for a second person. What colleagues may not do alone"),
        (Role.AGENT, "These are your own."),
    ):
        client, _ = at_the_desk(role)
        assert words in shown(client.get("/approvals/"))
        assert "Nothing here." in shown(client.get("/approvals/?status=rejected"))


def test_what_was_decided_is_listed_by_what_came_of_it():
    client, manager = at_the_desk(Role.MANAGER)
    agent = factories.user(Role.AGENT)
    approved, rejected, withdrawn, overdue = (credit_request(500 + n, by=agent) for n in range(4))
    decisions.approve(approved, by=manager, reason="Fine.")
    decisions.reject(rejected, by=manager, reason="The receipt is another’s.")
    decisions.withdraw(withdrawn, by=agent)
    ApprovalRequest.objects.filter(pk=overdue.pk).update(status=RequestStatus.EXPIRED)
    found = {
        status: rows_of(client.get(f"/approvals/?status={status}"))[status]
        for status in ("approved", "rejected", "withdrawn", "expired")
    }
    assert found == {
        "approved": [approved.pk],
        "rejected": [rejected.pk],
        "withdrawn": [withdrawn.pk],
        "expired": [overdue.pk],
    }
    assert "Rejected by" in shown(client.get("/approvals/?status=rejected"))
    assert "The receipt is another’s." in shown(client.get("/approvals/?status=rejected"))


def test_what_nobody_decided_in_time_has_expired_before_the_job_says_so():
    client, _ = at_the_desk(Role.MANAGER)
    overdue = credit_request(500, hours=24 * 8)
    assert rows_of(client.get("/approvals/?status=expired")) == {"expired": [overdue.pk]}
    assert "Nothing waits" in shown(client.get("/approvals/"))


def test_lists_go_on(monkeypatch):
    monkeypatch.setattr("support.views.approvals.PER_PAGE", 2)
    monkeypatch.setattr("support.views.approvals.AT_FIRST", 1)
    client, manager = at_the_desk(Role.MANAGER)
    # Two at one instant: the second page begins where the first ended all the same.
    asked = [credit_request(500 + n, hours=hours) for n, hours in enumerate((9, 7, 7, 5, 4))]
    assert rows_of(client.get("/approvals/"))["mine-to-decide"] == [asked[0].pk]
    pages, address = [], "group=mine-to-decide"
    while address:
        response = client.get(f"/approvals/?{address}")
        pages.append(rows_of(response)["mine-to-decide"])
        address = response.context["groups"][0].more
    assert pages == [[one.pk for one in asked[:2]], [one.pk for one in asked[2:4]], [asked[4].pk]]
    for one in asked:
        decisions.reject(one, by=manager, reason="No")
    pages, address = [], "status=rejected"
    while address:
        response = client.get(f"/approvals/?{address}")
        pages.append(rows_of(response)["rejected"])
        address = response.context["groups"][0].more
    assert pages == [[asked[4].pk, asked[3].pk], [asked[2].pk, asked[1].pk], [asked[0].pk]]


def test_a_list_goes_on_after_what_was_decided_meanwhile():
    client, manager = at_the_desk(Role.MANAGER)
    first, second = credit_request(500, hours=2), credit_request(501, hours=1)
    decisions.reject(first, by=manager, reason="No")
    found = rows_of(client.get(f"/approvals/?group=mine-to-decide&after={first.pk}"))
    assert found == {"mine-to-decide": [second.pk]}


@pytest.mark.parametrize(
    "query",
    [
        "status=gone", "group=none", "status=approved&group=others", "group=others&after=x", "status=%ff",
        "status=approved&before=-1", f"group=others&after={10**17}", f"status=approved&before={10**30}",
        "status=approved&before=%00",
    ],
)  # fmt: skip
def test_what_there_is_not_is_not_found(query):
    client, _ = at_the_desk(Role.MANAGER)
    assert client.get(f"/approvals/?{query}").status_code in {400, 404}


def test_who_sees_only_his_own_learns_nothing_of_others_from_an_address():
    client, agent = at_the_desk(Role.AGENT)
    others = credit_request(500, hours=5)
    mine = credit_request(501, by=agent)
    assert rows_of(client.get("/approvals/")) == {"asked-by-me": [mine.pk], "others": []}
    assert client.get(f"/approvals/?group=asked-by-me&after={others.pk}").status_code == 404


def test_the_list_asks_the_database_as_often_with_many_rows_as_with_one_of_each():
    client, _ = at_the_desk(Role.SENIOR_AGENT)
    counts = []
    for _ in range(3):
        one_of_each_again()
        client.get("/approvals/")
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/approvals/").status_code == 200
        counts.append(len(queries))
    assert len(set(counts)) == 1, counts


def one_of_each_again():
    """A change of limits waits once only."""
    if ApprovalRequest.objects.filter(action=ApprovalAction.POLICY).exists():
        agent = factories.user(Role.AGENT)
        credit_request(500, by=agent)
        credit_request(5000, by=agent)
        void_request(factories.card().serial, agent)
        reversals.request_reversal(factories.credit(by=agent, amount=50), why="Twice", by=agent)
    else:
        one_of_each()


def test_listing_is_audited():
    client, manager = at_the_desk(Role.MANAGER)
    first, second = credit_request(500, hours=2), credit_request(501, hours=1)
    client.get("/approvals/")
    event = AuditEvent.objects.get(action=AuditAction.REQUESTS_LISTED)
    assert (event.actor_id, event.details) == (
        manager.pk,
        {"status": "pending", "requests": f"{first.pk} {second.pk}"},
    )


def test_a_request_of_another_shape_keeps_nobody_from_the_list():
    client, _ = at_the_desk(Role.MANAGER)
    odd = approvals.request(
        action=ApprovalAction.VOID, target="code:1", payload={}, reason="stolen", by=factories.user(Role.AGENT)
    )
    assert "Void cards: code:1" in shown(client.get("/approvals/"))
    assert "Void cards: code:1" in shown(client.get(f"/approvals/{odd.pk}/"))


def test_rows_lead_to_the_page_of_each():
    client, _ = at_the_desk(Role.MANAGER)
    asked = credit_request()
    assert f'href="{reverse("approval", args=[asked.pk])}"' in client.get("/approvals/").content.decode()
