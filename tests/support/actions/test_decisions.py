"""The second person: who may decide, once, in time; and what is done with a yes."""

from datetime import timedelta

import pytest

from redemption import approvals
from redemption.approvals import REQUESTS_LAST, ApprovalError
from redemption.cards import void_payload
from redemption.models import Approval, ApprovalAction, ApprovalRequest, CardEvent, CodeStatus, RequestStatus, User
from redemption.roles import Permission, Role
from support.actions import credits, decisions, limits
from support.actions.credits import CreditError
from support.jobs import expire_requests
from support.models import DAYS, AuditAction, AuditEvent, ManualCredit
from tests import factories

pytestmark = pytest.mark.django_db

NOON = factories.NOON
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _policy():
    """Agents ask for whatever is above a penny; managers approve up to £10."""
    factories.credit_policy(Role.AGENT, Role.SENIOR_AGENT, Role.MANAGER, single=1, approves=1000)


def ask(by, now=NOON, **fields):
    return credits.request(factories.wanted(**fields), why="He lost an evening.", by=by, now=now)


def stands(asked):
    """Its status, how often it was decided, and how many credits there are."""
    asked.refresh_from_db()
    return asked.status, Approval.objects.filter(request=asked).count(), ManualCredit.objects.count()


def refused(asked, by, match, error=ApprovalError, now=NOON):
    before = stands(asked)
    with pytest.raises(error, match=match):
        decisions.approve(asked, by=by, now=now)
    assert stands(asked) == before


# --- Who


def test_nobody_decides_what_he_asked_for():
    for role in (Role.SENIOR_AGENT, Role.MANAGER):
        asker = factories.user(role)
        asked = ask(asker)
        refused(asked, asker, "Another person must decide")
        with pytest.raises(ApprovalError, match="Another person must decide"):
            decisions.reject(asked, by=asker, reason="No.", now=NOON)


def test_nobody_decides_what_he_would_gain(agent, manager):
    to = factories.account(email=manager.email.upper())
    asked = credits.request(factories.wanted(to), why="He lost an evening.", by=agent, now=NOON)
    assert asked.customers == [manager.pk]
    refused(asked, manager, "You are the customer: a colleague must decide it")
    with pytest.raises(ApprovalError, match="You are the customer"):
        decisions.reject(asked, by=manager, reason="No.", now=NOON)
    decisions.approve(asked, by=factories.user(Role.MANAGER), now=NOON)
    assert stands(asked) == ("approved", 1, 1)


def test_the_tickets_customer_does_not_decide_either(agent, manager):
    to = factories.account()
    ticket = factories.ticket(to.program, requester_email=manager.email.upper())
    asked = credits.request(factories.wanted(to, ticket=ticket), why="He lost an evening.", by=agent, now=NOON)
    refused(asked, manager, "You are the customer")


@pytest.mark.parametrize("role", [role for role in Role if role not in {Role.SENIOR_AGENT, Role.MANAGER}])
def test_only_roles_that_approve_do(role, agent):
    """An administrator may, but his role has no limit in this policy."""
    asked = ask(agent)
    refused(asked, factories.user(role), "may not decide this|is more than your role may approve")


def test_who_has_left_decides_nothing(agent):
    refused(ask(agent), factories.user(Role.MANAGER, is_active=False), "may not decide")


def test_nobody_approves_more_than_his_role_may(agent, manager):
    much = ask(agent, amount=1001)
    refused(much, manager, r"£10\.01 is more than your role may approve: a manager must decide")
    decisions.approve(ask(agent, amount=1000), by=manager, now=NOON)
    # To reject it is to give nothing away.
    decisions.reject(much, by=manager, reason="Too much.", now=NOON)
    assert stands(much) == ("rejected", 1, 1)


def test_the_largest_is_by_unit(agent, manager):
    asked = ask(agent, unit=DAYS, amount=1)
    refused(asked, manager, "1 day is more than your role may approve")


def test_limits_that_were_narrowed_meanwhile_hold_for_the_approver(agent, manager):
    asked = ask(agent, amount=900)
    factories.credit_policy(Role.AGENT, Role.MANAGER, single=1, approves=899)
    refused(asked, manager, r"£9\.00 is more than your role may approve")


def test_the_asker_must_still_grant_credits(agent, manager):
    asked = ask(agent)
    for change in ({"is_active": False}, {"is_active": True, "role": Role.SOCIAL_MEDIA}):
        User.objects.filter(pk=agent.pk).update(**change)
        refused(asked, manager, "Your role may not grant credits", CreditError)
    User.objects.filter(pk=agent.pk).update(role=Role.SENIOR_AGENT)
    decisions.approve(asked, by=manager, now=NOON)
    assert ManualCredit.objects.get().granted_as == "senior_agent"


# --- Once, and in time


def test_a_request_is_decided_once(agent, manager):
    asked = ask(agent)
    stale = ApprovalRequest.objects.get(pk=asked.pk)
    decisions.approve(asked, by=manager, now=NOON)
    refused(stale, factories.user(Role.MANAGER), "decided before: approved")
    for verb in (decisions.approve, decisions.reject):
        with pytest.raises(ApprovalError, match="decided before"):
            verb(stale, by=manager, reason="Again.", now=NOON)
    with pytest.raises(ApprovalError, match="decided before: approved"):
        decisions.withdraw(stale, by=agent)
    assert stands(asked) == ("approved", 1, 1)


def test_an_approval_is_used_once(agent, manager):
    approval = decisions.approve(ask(agent), by=manager, now=NOON)
    with pytest.raises(CreditError, match="used before"):
        credits.grant_approved(approval, now=NOON)
    assert ManualCredit.objects.count() == 1


def test_a_no_credits_nothing_and_says_why(agent, manager):
    asked = ask(agent)
    for reason in ("", " \n"):
        with pytest.raises(ApprovalError, match="Say why you reject it"):
            decisions.reject(asked, by=manager, reason=reason, now=NOON)
    approval = decisions.reject(asked, by=manager, reason="He was paid already.", now=NOON)
    assert (approval.decision, approval.reason, stands(asked)) == (
        "rejected",
        "He was paid already.",
        ("rejected", 1, 0),
    )
    with pytest.raises(ApprovalError, match="This was rejected"):
        credits.grant_approved(approval, now=NOON)
    assert not ManualCredit.objects.exists()


def test_an_approval_covers_what_was_asked_and_nothing_else(agent, manager):
    """For whoever takes an approval of one thing to another."""
    approval = decisions.approve(ask(agent), by=manager, now=NOON)
    asked = approval.request
    approvals.require(approval, action=ApprovalAction.CREDIT, target=asked.target, payload=asked.payload)
    more = {**asked.payload, "amount": asked.payload["amount"] + 1}
    for fields in ({"payload": more}, {"target": "account:0"}, {"action": ApprovalAction.MOVE}):
        with pytest.raises(ApprovalError, match="for something else"):
            approvals.require(
                approval,
                **{"action": ApprovalAction.CREDIT, "target": asked.target, "payload": asked.payload, **fields},
            )


def test_a_request_waits_for_a_week(agent, manager):
    asked = ask(agent)
    refused(asked, manager, "has expired: it must be asked for anew", now=NOON + REQUESTS_LAST)
    decisions.approve(asked, by=manager, now=NOON + REQUESTS_LAST - SECOND)
    assert ManualCredit.objects.get().granted_at == NOON + REQUESTS_LAST - SECOND


def test_what_nobody_decided_in_time_is_ended(agent, manager):
    late, fresh = ask(agent), ask(agent, now=NOON + SECOND)
    assert approvals.expire(now=NOON + REQUESTS_LAST) == 1
    assert (stands(late)[0], stands(fresh)[0]) == ("expired", "pending")
    refused(late, manager, "decided before: expired")
    expire_requests(timestamp=0)
    assert stands(fresh)[0] == "expired"


def test_what_nobody_decided_in_time_is_in_nobodys_way(agent):
    wanted = factories.wanted()
    first = credits.request(wanted, why="He lost an evening.", by=agent, now=NOON)
    with pytest.raises(CreditError, match="asked for this already"):
        credits.request(wanted, why="Again.", by=agent, now=NOON + REQUESTS_LAST - SECOND)
    second = credits.request(wanted, why="Again.", by=agent, now=NOON + REQUESTS_LAST)
    assert (stands(first)[0], stands(second)[0]) == ("expired", "pending")


def test_only_who_asked_withdraws(agent, manager):
    asked = ask(agent)
    for other in (manager, factories.user(Role.AGENT)):
        with pytest.raises(ApprovalError, match="Only who asked can withdraw"):
            decisions.withdraw(asked, by=other)
    decisions.withdraw(asked, by=agent)
    refused(asked, manager, "decided before: withdrawn")
    assert stands(asked) == ("withdrawn", 0, 0)


# --- What has changed since it was asked


def test_a_stop_keeps_an_approval_from_crediting(agent, manager):
    asked = ask(agent)
    limits.stop(reason="Strange figures.", by=manager)
    refused(asked, manager, "All credits are stopped", CreditError)
    limits.resume(reason="All is well.", by=manager)
    decisions.approve(asked, by=manager, now=NOON)


def test_a_reason_that_was_retired_meanwhile_credits_nothing(agent, manager):
    reason = factories.credit_reason("outage", name="Outage")
    asked = ask(agent, reason=reason)
    reason.is_retired = True
    reason.save()
    refused(asked, manager, "not used any more", CreditError)


def test_what_was_credited_from_the_same_form_meanwhile_is_not_credited_again(agent, manager):
    wanted = factories.wanted()
    asked = credits.request(wanted, why="He lost an evening.", by=agent, now=NOON)
    factories.credit_policy(Role.AGENT, Role.MANAGER, approves=1000)
    credits.grant(wanted, by=agent, now=NOON)
    refused(asked, manager, "credited since it was asked for", CreditError)


def test_an_account_whose_currency_has_changed_gets_nothing_of_the_old(agent, manager):
    asked = ask(agent)
    to = credits.wanted_by(asked.payload).account
    to.currency = "EUR"
    to.save()
    refused(asked, manager, "This account is in EUR", CreditError)


# --- Cards, and what is recorded


def test_an_approval_to_void_voids_at_once(agent, manager):
    first, second = factories.cards(2)
    asked = approvals.request(
        action=ApprovalAction.VOID,
        target=f"code:{first.serial}",
        payload=void_payload(first.serial, second.serial),
        reason="stolen",
        by=agent,
    )
    approval = decisions.approve(asked, by=manager)
    assert [card.row.status for card in (first, second)] == [CodeStatus.VOID] * 2
    event = CardEvent.objects.get(kind="voided")
    assert (event.by, event.approval, event.reason) == (agent, approval, "stolen")


def test_cards_that_cannot_be_voided_leave_it_undecided(agent, manager):
    asked = approvals.request(
        action=ApprovalAction.VOID, target="code:1", payload=void_payload(1), reason="stolen", by=agent
    )
    with pytest.raises(ApprovalError, match="No card has this serial number"):
        decisions.approve(asked, by=manager)
    assert stands(asked) == ("pending", 0, 0)


def test_every_decision_is_recorded_by_whom_it_was_made(agent, manager):
    yes, no, back = ask(agent), ask(agent), ask(agent)
    decisions.approve(yes, by=manager, now=NOON)
    decisions.reject(no, by=manager, reason="No.", now=NOON)
    decisions.withdraw(back, by=agent)
    events = AuditEvent.objects.filter(target__startswith="request:").order_by("pk")
    assert [(event.action, event.actor_id, event.target) for event in events] == [
        (AuditAction.REQUEST_APPROVED, manager.pk, f"request:{yes.pk}"),
        (AuditAction.REQUEST_REJECTED, manager.pk, f"request:{no.pk}"),
        (AuditAction.REQUEST_WITHDRAWN, agent.pk, f"request:{back.pk}"),
    ]
    assert AuditEvent.objects.filter(action=AuditAction.CREDIT_REQUESTED, actor_id=agent.pk).count() == 3
    granted = AuditEvent.objects.get(action=AuditAction.CREDIT_GRANTED)
    assert (granted.actor_id, granted.details["approval"]) == (agent.pk, yes.approval.pk)
    assert RequestStatus(no.status) == RequestStatus.PENDING, "the object at hand is not what decides"
    assert manager.may(Permission.APPROVE)
