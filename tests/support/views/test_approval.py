"""One request's page: all that is needed to decide it, the decision, and what comes next."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from redemption import approvals
from redemption.cards import void_payload
from redemption.models import (
    Approval,
    ApprovalAction,
    ApprovalRequest,
    Channel,
    CodeStatus,
    Redemption,
    RequestStatus,
    Wallet,
)
from redemption.redeem import redeem
from redemption.roles import Role
from support import policy
from support.actions import decisions, limits, reversals
from support.actions.messages import add_customer_message, write_staff_message
from support.models import AuditAction, AuditEvent, CreditPolicy, CreditReversal, ManualCredit, MessageKind, Ticket
from tests import factories
from tests.support.desk import at_the_desk, shown
from tests.support.test_attachments import attached, bought
from tests.support.views.test_approvals import (  # noqa: F401
    _limits,
    credit_request,
    policy_request,
    void_request,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


@pytest.fixture
def desk():
    return at_the_desk(Role.MANAGER)


def open_(client, asked):
    return client.get(f"/approvals/{asked.pk}/")


def do(client, asked, verb, reason="", **more):
    return client.post(f"/approvals/{asked.pk}/{verb}/", {f"{verb}-reason": reason} if reason else {}, **more)


def status_of(asked):
    return ApprovalRequest.objects.get(pk=asked.pk).status


# --- What stands on it


def test_everything_needed_to_decide_stands_on_one_page(desk):
    client, _ = desk
    agent = factories.user(Role.AGENT, name="Asha")
    account = factories.account(email="ada@example.com")
    card = factories.card(factories.batch(factories.product(account.program)))
    ticket = factories.ticket(account.program, account=account, subject="Code gone", body="It was stolen.")
    write_staff_message(ticket=ticket, kind=MessageKind.REPLY, body="Where did you buy it?", by=agent)
    add_customer_message(ticket=ticket, body="At the corner.", author_name="Ada")
    receipt = attached(bought(1), ticket=ticket)
    other = factories.ticket(subject="Another’s")
    attached(bought(1), ticket=other)
    earlier = factories.credit(account, by=agent, amount=70)
    asked = credit_request(
        2000, by=agent, to=account, ticket=ticket, code=card.row, receipt=receipt, note="He kept the receipt."
    )
    words = shown(open_(client, asked))
    for said in (
        f"£20.00 goes to the credit of {account.reference} at once, out of goodwill.",
        "Approve: Credit £20.00",
        "He lost an evening.",
        "Asha",
        "It is more than £1.00, your limit for one credit.",
        "Asha’s limits now, with this credit",
        "£20.70",
        "He kept the receipt.",
        "Code gone",
        "It was stolen.",
        "Where did you buy it?",
        "At the corner.",
        f"The same file is also on {other.reference}",
        f"Card {card.serial}",
        "Every check passes",
        "ada@example.com",
        earlier.reference,
        "This account got one credit in the last 30 days",
    ):
        assert said in words, said
    page = open_(client, asked).content.decode()
    assert f"/tickets/{ticket.reference}/files/{receipt.pk}/1/small/" in page
    assert page.count("data-approve") == 1


def test_numbers_are_those_of_now_and_name_what_was_passed(desk):
    client, _ = desk
    agent = factories.user(Role.AGENT, name="Asha")
    factories.credit_policy(Role.AGENT, Role.MANAGER, single=1000, day_sum=1500, approves=10_000)
    factories.credit(by=agent, amount=900)
    asked = credit_request(800, by=agent)
    rows = {row.label: row for row in open_(client, asked).context["measured"].rows}
    day = rows["In 24 hours"]
    assert (day.used, day.then, day.allowed, day.is_passed, day.was_passed) == (
        "£9.00",
        "£17.00",
        "£15.00",
        True,
        True,
    )
    assert not rows["One credit"].is_passed
    assert open_(client, asked).context["measured"].changes == []


def test_limits_that_changed_since_are_told_and_whether_it_is_within_them_by_now(desk):
    client, _ = desk
    asked = credit_request(500)
    factories.credit_policy(Role.AGENT, single=600)
    response = open_(client, asked)
    # Only this role's, and only in this unit.
    assert {(change.field, change.was, change.becomes) for change in response.context["measured"].changes} == {
        ("single", "£1.00", "£6.00")
    }
    words = shown(response)
    assert "Changed since it was asked for" in words
    assert "By now it is within the limits" in words
    assert "(was passed when asked)" in words


def test_each_kind_says_what_follows(desk):
    client, _ = desk
    agent = factories.user(Role.AGENT)
    account = factories.account()
    card = factories.card(factories.batch(factories.product(account.program)))
    reversal = reversals.request_reversal(factories.credit(account, by=agent, amount=90), why="Twice", by=agent)
    change = policy_request()
    void = void_request(card.serial, agent)
    replace = approvals.request(
        action=ApprovalAction.REPLACE,
        target=f"code:{card.serial}",
        payload={"serial": card.serial, "source": None},
        reason="torn",
        by=agent,
    )
    for asked, words in (
        (reversal, f"£0.90 when it was asked for, is taken back from {account.reference}."),
        (reversal, "Left of it now £0.90"),
        (change, "1 limit changes at once, for everybody, as a new version."),
        (change, "£1.00 arrow_upward More: £1.50"),
        (void, f"Card {card.serial}, as far as unspent, is ended for good"),
        (replace, "Nothing changes until the new card is handed over."),
    ):
        assert words in shown(open_(client, asked)), words


def test_of_a_range_it_is_told_how_many_cards_are_spent_already(desk):
    client, _ = desk
    batch = factories.batch()
    factories.cards(3, batch)
    factories.cards(2, batch, status=CodeStatus.VOID)
    first = batch.serials.lower
    asked = approvals.request(
        action=ApprovalAction.VOID,
        target=f"code:{first}",
        payload=void_payload(first, first + 4),
        reason="stolen",
        by=factories.user(Role.AGENT),
    )
    words = shown(open_(client, asked))
    assert f"5 cards, {first} to {first + 4}, as far as unspent, are ended for good" in words
    assert "Of these now 3 active, 2 void" in words


def test_a_move_names_both_accounts_and_what_is_left(desk):
    client, manager = desk
    agent = factories.user(Role.AGENT)
    program = factories.program()
    wrong, right = factories.account(program), factories.account(program)
    card = factories.card(factories.batch(factories.product(program)))
    redeem(account=wrong, text=card.text, channel=Channel.WEB)
    redemption = Redemption.objects.get(code=card.serial)
    ticket = factories.ticket(program, account=right)
    asked = reversals.request_move(redemption, to=right, ticket=ticket, why="Typed into his own.", by=agent)
    words = shown(open_(client, asked))
    assert f"is taken from {wrong.reference} and goes to {right.reference}, both at once." in words
    assert "Left of it now £30.00" in words
    assert do(client, asked, "approve").status_code == 303
    assert [Wallet.objects.get(account=account).balance for account in (wrong, right)] == [0, 3000]
    assert Approval.objects.get().decided_by == manager


def test_what_is_in_the_way_is_told_before_anybody_approves(desk):
    client, _ = desk
    asked = credit_request(500)
    assert "As things stand" not in shown(open_(client, asked))
    Ticket.objects.update(account=factories.account())
    assert "approving would be refused: This ticket is about another account." in shown(open_(client, asked))


# --- Deciding


def test_approving_does_it_and_opens_the_next_that_waits(desk):
    client, manager = desk
    first, second, third = (credit_request(500 + n, hours=9 - n) for n in range(3))
    mine = credit_request(900, by=manager, hours=8.5)
    response = do(client, second, "approve", "The receipt is fine.")
    assert (response.status_code, response["Location"]) == (303, f"/approvals/{third.pk}/")
    credit = ManualCredit.objects.get()
    assert (credit.amount, credit.granted_by_id, credit.approval.decided_by) == (501, second.requested_by_id, manager)
    assert credit.approval.reason == "The receipt is fine."
    assert "Approved: Credit £5.01" in shown(open_(client, third))
    # After the last one, from the top; then the list.
    assert do(client, third, "reject", "No")["Location"] == f"/approvals/{first.pk}/"
    assert do(client, first, "approve")["Location"] == "/approvals/"
    assert status_of(mine) == "pending"


def test_rejecting_needs_a_reason_and_gives_nothing(desk):
    client, manager = desk
    asked = credit_request(500)
    response = do(client, asked, "reject")
    assert response.status_code == 422
    assert "Say why you reject it: whoever asked reads it." in shown(response)
    assert status_of(asked) == "pending"
    assert do(client, asked, "reject", "The receipt is another’s.").status_code == 303
    approval = Approval.objects.get()
    assert (approval.decision, approval.reason, approval.decided_by) == (
        "rejected",
        "The receipt is another’s.",
        manager,
    )
    assert not ManualCredit.objects.exists()
    words = shown(open_(client, asked))
    assert "Rejected by" in words
    assert "Approve:" not in words


def test_withdrawing_is_for_who_asked():
    client, agent = at_the_desk(Role.AGENT)
    asked = credit_request(500, by=agent)
    assert "You asked for it: another person decides." in shown(open_(client, asked))
    response = do(client, asked, "withdraw")
    assert (response.status_code, response["Location"]) == (303, f"/approvals/{asked.pk}/")
    assert status_of(asked) == RequestStatus.WITHDRAWN
    manager, _ = at_the_desk(Role.MANAGER)
    other = credit_request(501)
    response = do(manager, other, "withdraw")
    assert response.status_code == 409
    assert "Only who asked can withdraw." in shown(response)


@pytest.mark.parametrize(
    ("happens", "says"),
    [
        ("decided", "This was decided before: approved."),
        ("withdrawn", "This was decided before: withdrawn."),
        ("expired", "This request has expired"),
        ("stopped", "All credits are stopped since"),
        ("another account", "This ticket is about another account."),
        ("lower limits", "£5.00 is more than your role may approve"),
        ("requester left", "Your role may not grant credits."),
    ],
)
def test_what_changed_meanwhile_is_a_sentence_and_what_was_typed_stays(desk, happens, says):
    client, _ = desk
    asked = credit_request(500, hours=24 * 8 if happens == "expired" else 0)
    open_(client, asked)
    credits = ManualCredit.objects.count()
    match happens:
        case "decided":
            decisions.approve(asked, by=factories.user(Role.MANAGER))
            credits += 1
        case "withdrawn":
            decisions.withdraw(asked, by=asked.requested_by)
        case "stopped":
            limits.stop(reason="Fraud", by=factories.user(Role.SENIOR_AGENT))
        case "another account":
            Ticket.objects.update(account=factories.account())
        case "lower limits":
            factories.credit_policy(Role.MANAGER, approves=499)
        case "requester left":
            asked.requested_by.role = Role.AUDITOR
            asked.requested_by.save()
    response = do(client, asked, "approve", "I have seen the receipt.")
    assert response.status_code == 409
    words = response.content.decode()
    assert says in shown(response)
    assert "I have seen the receipt." in words
    assert ManualCredit.objects.count() == credits
    assert Approval.objects.filter(reason="I have seen the receipt.").count() == 0


@pytest.mark.parametrize(
    ("role", "fields", "says"),
    [
        (Role.SENIOR_AGENT, {"amount": 1001}, "£10.01 is more than your role may approve: a manager must decide."),
        (Role.AUDITOR, {}, "Your role decides nothing that others ask for."),
    ],
)
def test_what_is_above_ones_power_is_shown_without_forms(role, fields, says):
    client, _ = at_the_desk(role)
    asked = credit_request(**{"amount": 500, **fields})
    response = open_(client, asked)
    assert says in shown(response)
    assert response.context["approve_form"] is None
    assert "data-approve" not in response.content.decode()
    assert do(client, asked, "approve").status_code in {404, 409}
    assert status_of(asked) == "pending"


def test_nobody_decides_his_own_or_for_himself(desk):
    client, manager = desk
    own = credit_request(500, by=manager)
    gains = credit_request(501, to=factories.account(user=manager))
    for asked, says in ((own, "Another person must decide"), (gains, "You are the customer")):
        response = do(client, asked, "approve")
        assert response.status_code == 409
        assert says in shown(response)
        assert status_of(asked) == "pending"


def test_an_agent_sees_his_own_only():
    client, agent = at_the_desk(Role.AGENT)
    assert open_(client, credit_request(500, by=agent)).status_code == 200
    other = credit_request(501)
    assert open_(client, other).status_code == 404
    assert do(client, other, "withdraw").status_code == 404
    assert status_of(other) == "pending"


def test_a_policy_is_put_in_force_by_its_approval_and_the_page_leads_to_it(desk):
    client, _ = desk
    asked = policy_request()
    do(client, asked, "approve")
    made = CreditPolicy.objects.order_by("-pk").first()
    assert made.approval.request == asked
    assert f"/credits/policy/?version={made.pk}" in open_(client, asked).content.decode()


def test_what_came_of_it_is_linked(desk):
    client, _ = desk
    asked = credit_request(500)
    do(client, asked, "approve")
    credit = ManualCredit.objects.get()
    assert f"/credits/{credit.reference}/" in open_(client, asked).content.decode()
    back = reversals.request_reversal(credit, why="Twice", by=asked.requested_by)
    do(client, back, "approve")
    assert CreditReversal.objects.get().amount == 500
    assert "It took £5.00 back." in shown(open_(client, back))


def test_voiding_happens_at_the_approval(desk):
    client, _ = desk
    card = factories.card()
    asked = void_request(card.serial)
    assert do(client, asked, "approve").status_code == 303
    assert card.row.status == CodeStatus.VOID


# --- Bad input


@pytest.mark.parametrize("reason", ["x" * 501, "a\0b"])
@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_a_reason_that_cannot_be_kept_is_refused_beside_it(desk, verb, reason):
    client, _ = desk
    asked = credit_request(500)
    response = do(client, asked, verb, reason)
    assert response.status_code == 422
    assert status_of(asked) == "pending"


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_a_reason_holds_no_code(desk, verb):
    client, _ = desk
    card, asked = factories.card(), credit_request(500)
    response = do(client, asked, verb, f"He typed {card.text}")
    assert response.status_code == 422
    assert "There is a code in it" in shown(response)
    assert status_of(asked) == "pending"


def test_what_there_is_not_is_not_found(desk):
    client, _ = desk
    asked = credit_request(500)
    for path in (f"/approvals/{10**30}/", "/approvals/0/", f"/approvals/{asked.pk + 1000}/"):
        assert client.get(path).status_code == 404
    assert client.post(f"/approvals/{10**30}/approve/").status_code == 404
    assert client.post(f"/approvals/{asked.pk}/undo/").status_code == 404
    assert client.get(f"/approvals/{asked.pk}/approve/")["Location"] == f"/approvals/{asked.pk}/"


# --- And


def test_opening_is_audited_with_all_that_is_seen(desk):
    client, manager = desk
    card = factories.card()
    account = factories.account(card.batch.product.program)
    ticket = factories.ticket(account.program, account=account)
    asked = credit_request(500, to=account, ticket=ticket, code=card.row)
    open_(client, asked)
    event = AuditEvent.objects.get(action=AuditAction.REQUEST_OPENED)
    assert (event.actor_id, event.target) == (manager.pk, f"request:{asked.pk}")
    assert event.details["also"] == [f"account:{account.pk}", f"ticket:{ticket.pk}", f"code:{card.serial}"]


def test_the_page_asks_the_database_as_often_with_a_long_history_as_with_a_short_one(desk):
    client, _ = desk
    agent = factories.user(Role.AGENT)
    account = factories.account()
    ticket = factories.ticket(account.program, account=account)
    asked = credit_request(500, by=agent, to=account, ticket=ticket)
    counts = []
    for _ in range(3):
        factories.credit(account, by=agent, amount=1, ticket=ticket)
        factories.ticket(account.program, account=account)
        credit_request(600, hours=1)
        write_staff_message(ticket=ticket, kind=MessageKind.NOTE, body="Hm", by=agent)
        open_(client, asked)
        with CaptureQueriesContext(connection) as queries:
            assert open_(client, asked).status_code == 200
        counts.append(len(queries))
    assert counts[1:] == counts[:-1], counts
    assert policy.current_policy().pk
