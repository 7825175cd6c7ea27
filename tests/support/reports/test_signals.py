"""Signs are counted from what they say and nothing else, and open the rows that they were counted from."""

from datetime import timedelta

import pytest
from django.utils import timezone

from redemption.models import Channel
from redemption.redeem import redeem
from redemption.roles import Role
from support import audit
from support.models import AuditAction
from support.reports import credit_list, signals
from support.reports.filters import Filters
from tests import factories

pytestmark = pytest.mark.django_db


def of(person):
    return next(signs for signs in signals.signal_rows(Filters()) if signs.person == person)


def opened(by, *, account=None, card=None, action=None):
    target = f"account:{account.pk}" if account else f"code:{card.serial}"
    audit.record(action or (AuditAction.ACCOUNT_OPENED if account else AuditAction.CODE_OPENED), by=by, target=target)


def test_pages_of_accounts_without_a_ticket_in_any_of_the_ways_that_one_can_be_about_them():
    agent, colleague = factories.user(Role.AGENT), factories.user(Role.AGENT)
    strange, with_ticket, by_mail = (factories.account() for _ in range(3))
    factories.ticket(account=with_ticket)
    factories.ticket(requester_email=by_mail.email.upper())
    for account in (strange, strange, with_ticket, by_mail):
        opened(agent, account=account)
    opened(colleague, account=with_ticket)
    assert (of(agent).look_ups, of(agent).without_ticket) == (4, 2)
    assert (of(colleague).look_ups, of(colleague).without_ticket) == (1, 0)
    rows = signals.look_ups(Filters(), person=agent.pk, before=None)
    assert [(row.kind, row.record) for row in rows] == [("account", strange.pk)] * 2
    assert rows[0].event > rows[1].event
    older = signals.look_ups(Filters(), person=agent.pk, before=rows[0].event)
    assert [row.event for row in older] == [rows[1].event]
    assert signals.look_ups(Filters(), person=colleague.pk, before=None) == []


@pytest.mark.django_db(transaction=True)
def test_pages_of_cards_without_a_ticket():
    agent = factories.user(Role.AGENT)
    cards = factories.cards(3)
    account = factories.account(cards[0].batch.product.program)
    assert redeem(account=account, text=cards[0].text, channel=Channel.WEB).is_redeemed
    factories.ticket(account=account)
    factories.ticket(code=cards[1].row)
    for card in cards:
        opened(agent, card=card)
    # Looked at with a ticket, or not looked at.
    opened(agent, card=cards[2], action=AuditAction.DIAGNOSED)
    assert (of(agent).look_ups, of(agent).without_ticket) == (3, 1)
    assert [row.record for row in signals.look_ups(Filters(), person=agent.pk, before=None)] == [cards[2].serial]


def test_credits_that_nobody_outside_asked_for():
    factories.credit_policy()
    agent, account = factories.user(Role.AGENT), factories.account()
    factories.credit(account, by=agent)
    silent = factories.credit(
        account, by=agent, ticket=factories.ticket(account.program, account=account, by=agent, channel="phone")
    )
    assert not silent.customer_wrote
    assert (of(agent).credits, of(agent).without_contact, of(agent).without_contact_share) == (2, 1, 50)
    assert list(credit_list.credits(Filters(agent=str(agent.pk), contact="no"))) == [silent]


def test_the_same_amount_again_and_again():
    factories.credit_policy()
    agent, other = factories.user(Role.AGENT), factories.user(Role.AGENT)
    for person, amounts in ((agent, [700] * 5 + [1, 2]), (other, [700] * 4)):
        for amount in amounts:
            factories.credit(by=person, amount=amount)
    (row,) = signals.repeated_amounts(Filters())
    assert (row.person, row.unit, row.amount, row.count, row.of, row.share) == (agent, "GBP", 700, 5, 7, 71)
    for amount in range(1000, 1010):
        factories.credit(by=agent, amount=amount)
    assert signals.repeated_amounts(Filters()) == []


def test_a_domain_that_one_person_looks_after():
    factories.credit_policy()
    agent, other, program = factories.user(Role.AGENT), factories.user(Role.AGENT), factories.program()
    firm = [factories.account(program, email=f"{name}@Firm.example") for name in "abcde"]
    for account in firm:
        factories.credit(account, by=agent)
    factories.credit(firm[0], by=other)
    (row,) = signals.domains(Filters())
    assert (row.person, row.name, row.count, row.of, row.accounts) == (agent, "firm.example", 5, 6, 5)
    assert credit_list.credits(Filters(domain="firm.example", agent=str(agent.pk))).count() == 5


def test_what_lies_outside_the_period_is_no_sign():
    factories.credit_policy()
    agent = factories.user(Role.AGENT)
    factories.credit(by=agent, now=timezone.now() - timedelta(days=100))
    assert signals.signal_rows(Filters()) == []
    assert signals.signal_rows(Filters(period="26"))[0].credits == 1
