"""What the database itself refuses of credits and of requests, by name: whoever asks, through whichever door."""

from datetime import timedelta

import pytest
from django.db import models
from django.utils import timezone

from redemption import approvals
from redemption.models import Approval, ApprovalAction, ApprovalRequest, Decision, RequestStatus
from redemption.roles import Role
from support.actions import decisions, reversals
from support.models import CreditLimit, CreditPolicy, CreditReversal, ManualCredit
from tests import factories
from tests.redemption.test_guards import refused, run

pytestmark = pytest.mark.django_db


def copy(row, **fields):
    """The row once more, with other fields."""
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    for name in ("id", "xact", "reference", "key", *(f"{name}_id" for name in fields)):
        values.pop(name, None)
    return type(row).objects.create(**{**values, **fields})


@pytest.fixture
def approval():
    """One that says yes, to anything."""
    return yes()


def yes(**fields):
    asked = approvals.request(
        **{
            "action": ApprovalAction.REVERSAL,
            "target": f"credit:{ApprovalRequest.objects.count()}",
            "payload": {},
            "reason": "mistake",
            "by": factories.user(Role.AGENT),
            **fields,
        }
    )
    return approvals.approve(asked, by=factories.user(Role.MANAGER))


# --- Credits


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"amount": 0}, "credits_are_above_zero"),
        ({"transfer_id": None}, "credit_names_what_it_gave"),
        ({"transfer_id": None, "unit": "days"}, "credit_names_what_it_gave"),
        ({"unit": "days"}, "credit_names_what_it_gave"),
    ],
)
def test_a_credit_that_is_none_cannot_be_written(fields, constraint):
    with refused(constraint):
        copy(factories.credit(), **fields)


def test_nobody_credits_himself():
    credit = factories.credit()
    with refused("nobody_credits_himself"):
        copy(credit, customers=[0, credit.granted_by_id])


def test_a_credit_is_the_only_one_of_its_form_its_transfer_its_time_and_its_approval(approval):
    credit = factories.credit()
    factories.credit_policy(unit="days")
    days = factories.credit(unit="days", amount=3, by=credit.granted_by)
    with refused("support_manualcredit_key"):
        copy(credit, key=credit.key, transfer_id=None, unit="days", premium_grant_id=days.premium_grant_id)
    with refused("support_manualcredit_transfer_id"):
        copy(credit)
    with refused("support_manualcredit_premium_grant_id"):
        copy(days)


def test_an_approval_credits_once():
    factories.credit_policy(Role.AGENT, Role.MANAGER, single=1, approves=1000)
    agent = factories.user(Role.AGENT)
    from support.actions import credits

    asked = credits.request(factories.wanted(), why="He lost an evening.", by=agent)
    approval = decisions.approve(asked, by=factories.user(Role.MANAGER))
    other = factories.credit(by=agent, amount=1)
    with refused("support_manualcredit_approval_id"):
        copy(other, transfer_id=spare_transfer(other), approval=approval)


def spare_transfer(credit):
    """A transfer that no credit names."""
    return copy(credit.transfer, source="another").pk


def test_what_is_moved_needs_a_second_person(approval):
    credit = factories.credit()
    back = reverse(factories.credit(by=credit.granted_by))
    with refused("moves_need_a_second_person"):
        copy(credit, transfer_id=spare_transfer(credit), moves=back)


# --- What is taken back


def reverse(credit):
    factories.credit_policy(Role.AGENT, Role.MANAGER, approves=1)
    asked = reversals.request_reversal(credit, why="mistake", by=factories.user(Role.AGENT))
    decisions.approve(asked, by=factories.user(Role.MANAGER))
    return CreditReversal.objects.get(credit=credit)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"amount": 0}, "reversals_take_something_back"),
        ({"credit_id": None}, "reversal_is_of_one_thing"),
        ({"transfer_id": None}, "reversed_money_names_its_transfer"),
        ({"unit": "days"}, "reversed_money_names_its_transfer"),
    ],
)
def test_a_reversal_that_is_none_cannot_be_written(fields, constraint):
    with refused(constraint):
        copy(reverse(factories.credit()), **fields)


def test_a_credit_is_reversed_once_and_an_approval_reverses_one():
    credit = factories.credit()
    back = reverse(credit)
    other = factories.credit(by=credit.granted_by)
    with refused("support_creditreversal_credit_id"):
        copy(back, transfer_id=spare_transfer(other), approval=yes())
    with refused("support_creditreversal_approval_id"):
        copy(back, transfer_id=spare_transfer(other), credit=other)
    with refused("support_creditreversal_transfer_id"):
        copy(back, credit=other, approval=yes())


# --- The policy


def test_a_role_has_one_limit_per_unit_and_longer_windows_allow_no_less():
    policy = factories.credit_policy(Role.AGENT)
    limit = CreditLimit.objects.get(policy=policy)
    with refused("one_limit_per_role_and_unit"):
        copy(limit)
    with refused("limited_role_is_known"):
        copy(limit, role="king")
    longer = [("single", "day_sum"), ("day_sum", "week_sum"), ("week_sum", "month_sum")]
    longer += [("day_count", "week_count"), ("week_count", "month_count")]
    for shorter, window in longer:
        with refused("longer_windows_allow_no_less"):
            copy(limit, role=Role.MANAGER, **{window: getattr(limit, shorter) - 1})


def test_a_changed_policy_names_its_two_people(approval):
    manager = factories.user(Role.MANAGER)
    for fields in ({"made_by": manager}, {"approval": approval}):
        with refused("changed_policies_name_their_two_people"):
            CreditPolicy.objects.create(made_at=timezone.now(), reason="narrower", **fields)
    CreditPolicy.objects.create(made_at=timezone.now(), reason="narrower", made_by=manager, approval=approval)
    with refused("support_creditpolicy_approval_id"):
        CreditPolicy.objects.create(made_at=timezone.now(), reason="narrower", made_by=manager, approval=approval)


# --- Requests and decisions


def ask(**fields):
    return ApprovalRequest.objects.create(
        **{
            "action": ApprovalAction.CREDIT,
            "target": "account:1",
            "payload": {"amount": 1},
            "payload_hash": b"",
            "reason": "He lost an evening.",
            "requested_by": factories.user(Role.AGENT),
            "requested_at": timezone.now(),
            "expires_at": timezone.now() + timedelta(days=7),
            **fields,
        }
    )


def test_the_customer_neither_asks_nor_decides():
    agent, manager = factories.user(Role.AGENT), factories.user(Role.MANAGER)
    with refused("nobody_asks_for_himself"):
        ask(requested_by=agent, customers=[0, agent.pk])
    asked = ask(requested_by=agent, customers=[manager.pk])
    decided = {"request": asked, "action": asked.action, "target": asked.target, "payload_hash": b""}
    decided |= {"decision": Decision.APPROVED, "requested_by": agent, "decided_at": timezone.now()}
    with refused("nobody_decides_for_himself"):
        Approval.objects.create(decided_by=manager, customers=[manager.pk], **decided)
    with refused("nobody_decides_his_own_request"):
        Approval.objects.create(decided_by=agent, **decided)


@pytest.mark.as_owner
@pytest.mark.parametrize(
    "change",
    [
        {"payload": {"amount": 2}},
        {"payload_hash": b"x"},
        {"target": "account:2"},
        {"action": ApprovalAction.MOVE},
        {"reason": "another"},
        {"customers": [1]},
        {"requested_at": factories.NOON},
        {"expires_at": factories.NOON},
        {"requested_by_id": 0},
        {"status": RequestStatus.APPROVED, "payload": {"amount": 2}},
    ],
)
def test_what_was_asked_cannot_be_rewritten(change):
    asked = ask()
    with refused("a request is decided once and never changed: ask anew"):
        ApprovalRequest.objects.filter(pk=asked.pk).update(**change)


@pytest.mark.parametrize("end", set(RequestStatus) - {RequestStatus.PENDING})
def test_a_request_ends_once(end):
    asked = ask()
    ApprovalRequest.objects.filter(pk=asked.pk).update(status=end)
    for other in RequestStatus:
        with refused("a request is decided once and never changed: ask anew"):
            ApprovalRequest.objects.filter(pk=asked.pk).update(status=other)


@pytest.mark.as_owner
def test_requests_cannot_be_removed():
    ask()
    for sql in ("DELETE FROM redemption_approvalrequest", "TRUNCATE redemption_approvalrequest CASCADE"):
        with refused("append-only"):
            run(sql)


def test_a_request_is_decided_once():
    approval = yes()
    with refused("redemption_approval_request_id"):
        copy(approval)


def test_nothing_takes_what_a_credit_names_away():
    """PROTECT throughout, for whoever comes by the ORM."""
    credit = ManualCredit.objects.select_related("account", "ticket", "reason").get(pk=factories.credit().pk)
    for row in (credit.account, credit.ticket, credit.reason, credit.granted_by):
        with pytest.raises(models.ProtectedError):
            row.delete()
