"""Limits are changed by two people, and all credits stopped by one."""

import pytest

from redemption import approvals
from redemption.models import ApprovalRequest
from redemption.roles import Role
from support import policy
from support.actions import decisions, limits
from support.actions.credits import CreditError, grant
from support.limits import NOTHING, differences, matrix_of, rows_of
from support.models import AuditAction, AuditEvent, CreditLimit, CreditPolicy, CreditStop
from tests import factories

pytestmark = pytest.mark.django_db

AGENTS = ("GBP", "agent")


def wider(**changes):
    """What is in force, with these limits of agents in pounds instead."""
    matrix = dict(matrix_of(policy.current_policy()))
    matrix[AGENTS] = {**matrix.get(AGENTS, NOTHING), **changes}
    return matrix


def ask(matrix=None, *, by=None, why="More sales before Christmas.", base=None):
    return limits.request_policy(
        matrix if matrix is not None else wider(single=1500),
        base=base or policy.current_policy().pk,
        why=why,
        by=by or factories.user(Role.MANAGER),
    )


def test_a_change_counts_once_a_second_manager_has_approved_it():
    factories.credit_policy(single=1000)
    before, manager, other = policy.current_policy(), factories.user(Role.MANAGER), factories.user(Role.ADMINISTRATOR)
    wanted = wider(single=1500, day_count=20)
    asked = ask(wanted, by=manager)
    assert policy.current_policy() == before
    approval = decisions.approve(asked, by=other)
    now = policy.current_policy()
    assert (now.made_by, now.approval, now.reason) == (manager, approval, "More sales before Christmas.")
    assert matrix_of(now) == wanted
    assert [(one.field, one.before, one.after) for one in differences(matrix_of(before), matrix_of(now))] == [
        ("single", 1000, 1500),
        ("day_count", 1000, 20),
    ]
    told = AuditEvent.objects.order_by("pk").values_list("action", "actor_id", "target")
    assert list(told) == [
        (AuditAction.POLICY_REQUESTED, manager.pk, f"request:{asked.pk}"),
        (AuditAction.REQUEST_APPROVED, other.pk, f"request:{asked.pk}"),
        (AuditAction.POLICY_CHANGED, manager.pk, f"policy:{now.pk}"),
    ]


def test_a_credit_is_measured_by_the_limits_of_its_moment():
    factories.credit_policy(single=400)
    agent = factories.user(Role.AGENT)
    with pytest.raises(CreditError, match=r"more than £4\.00"):
        grant(factories.wanted(amount=500), by=agent)
    decisions.approve(ask(wider(single=500)), by=factories.user(Role.MANAGER))
    assert grant(factories.wanted(amount=500), by=agent).policy == policy.current_policy()


@pytest.mark.parametrize("role", [role for role in Role if role not in {Role.MANAGER, Role.ADMINISTRATOR}])
def test_only_who_may_change_limits_asks_for_it_and_decides_it(role):
    person = factories.user(role)
    with pytest.raises(limits.LimitsError, match="Your role may not do this"):
        ask(by=person)
    asked = ask()
    with pytest.raises(approvals.ApprovalError, match="may"):
        decisions.approve(asked, by=person)
    asked.refresh_from_db()
    assert asked.status == "pending"


def test_nobody_approves_his_own_change():
    manager = factories.user(Role.MANAGER)
    with pytest.raises(approvals.ApprovalError, match="Another person"):
        decisions.approve(ask(by=manager), by=manager)


def test_who_asked_must_still_be_one_who_may_change_limits():
    manager = factories.user(Role.MANAGER)
    asked = ask(by=manager)
    manager.role = Role.AGENT
    manager.save()
    with pytest.raises(approvals.ApprovalError, match="two people who may both"):
        decisions.approve(ApprovalRequest.objects.get(pk=asked.pk), by=factories.user(Role.MANAGER))
    assert CreditPolicy.objects.filter(made_by=manager).count() == 0


def test_one_change_waits_at_a_time():
    ask()
    with pytest.raises(limits.LimitsError, match="asked for this already"):
        ask()


def test_limits_that_were_changed_meanwhile_are_not_changed_back_unseen():
    base = policy.current_policy().pk
    decisions.approve(ask(), by=factories.user(Role.MANAGER))
    with pytest.raises(limits.StaleLimitsError, match="changed meanwhile: version"):
        ask(wider(single=9), base=base)


def test_a_request_that_another_version_has_overtaken_is_refused_and_stays_to_be_withdrawn():
    asked = ask()
    factories.credit_policy(single=7)
    with pytest.raises(approvals.ApprovalError, match="asked anew"):
        decisions.approve(asked, by=factories.user(Role.MANAGER))
    asked.refresh_from_db()
    assert asked.status == "pending"


def test_an_approval_makes_one_version():
    approval = decisions.approve(ask(), by=factories.user(Role.MANAGER))
    with pytest.raises(approvals.ApprovalError, match="used before"):
        limits.apply_approved_policy(approval)
    assert CreditPolicy.objects.filter(approval=approval).count() == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "Nothing is changed"),
        ({"single": 10**6, "day_sum": 10}, "must allow at least as much"),
        ({"week_count": 0, "day_count": 1}, "must allow at least as much"),
        ({"month_sum": 10**12 + 1}, "out of range"),
        ({"approves": -1}, "out of range"),
        ({"account_count": 10**6 + 1}, "out of range"),
    ],
)
def test_what_is_no_limit_is_refused(changes, says):
    with pytest.raises(limits.LimitsError, match=says):
        ask(wider(**changes))
    assert not ApprovalRequest.objects.exists()


def test_what_was_asked_for_is_what_comes_into_force_to_the_letter():
    asked = ask(wider(single=1))
    assert asked.payload["limits"] == rows_of(wider(single=1))
    decisions.approve(asked, by=factories.user(Role.MANAGER))
    assert CreditLimit.objects.filter(policy=policy.current_policy()).count() == len(asked.payload["limits"])


# --- The switch


def test_whoever_decides_for_others_stops_all_credits_and_who_sets_limits_allows_them():
    factories.credit_policy()
    senior, manager, agent = (factories.user(role) for role in (Role.SENIOR_AGENT, Role.MANAGER, Role.AGENT))
    limits.stop(reason="Something is wrong.", by=senior)
    with pytest.raises(CreditError, match="Something is wrong"):
        grant(factories.wanted(), by=agent)
    with pytest.raises(limits.LimitsError, match="Your role"):
        limits.resume(reason="It was nothing.", by=senior)
    limits.resume(reason="It was nothing.", by=manager)
    assert grant(factories.wanted(), by=agent)
    assert list(CreditStop.objects.order_by("pk").values_list("is_on", "by")) == [
        (True, senior.pk),
        (False, manager.pk),
    ]
    told = AuditEvent.objects.filter(action__in=[AuditAction.CREDITS_STOPPED, AuditAction.CREDITS_RESUMED])
    assert list(told.order_by("pk").values_list("actor_id", flat=True)) == [senior.pk, manager.pk]


def test_the_switch_is_pressed_once_and_with_a_reason():
    manager = factories.user(Role.MANAGER)
    with pytest.raises(limits.LimitsError, match="No credit is stopped"):
        limits.resume(reason="Why not", by=manager)
    with pytest.raises(limits.LimitsError, match="Say why"):
        limits.stop(reason=" ", by=manager)
    limits.stop(reason="Fraud", by=manager)
    with pytest.raises(limits.LimitsError, match=r"stopped before.*Fraud"):
        limits.stop(reason="Fraud again", by=manager)
    with pytest.raises(limits.LimitsError, match="Your role"):
        limits.stop(reason="Fraud", by=factories.user(Role.AGENT))
    assert CreditStop.objects.count() == 1


def test_while_credits_are_stopped_limits_can_be_changed():
    limits.stop(reason="Fraud", by=factories.user(Role.SENIOR_AGENT))
    decisions.approve(ask(), by=factories.user(Role.MANAGER))
