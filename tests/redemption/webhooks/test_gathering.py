"""What platforms are told of: each record once, none missed, and nothing that is nobody's business."""

import re
from datetime import date

import pytest
from django.db import connection
from django.utils import timezone

from redemption import approvals, ledger
from redemption.batches import freeze_batch
from redemption.cards import freeze_cards
from redemption.models import (
    ApprovalAction,
    Book,
    Channel,
    Invoice,
    Redemption,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    WebhookKind,
)
from redemption.redeem import redeem
from redemption.replacing import replace_card, replace_payload
from redemption.roles import Role
from redemption.webhooks import gathering
from redemption.webhooks.gathering import gather
from redemption.webhooks.sending import body_of
from tests import factories
from tests.redemption.webhooks.receiving import endpoint
from tests.simulation.crowd import all_at_once, errors
from tests.support.sealed_world import settle

pytestmark = pytest.mark.django_db(transaction=True)

URL = "https://platform.example.com/hooks"


def gather_now():
    settle()
    return gather()


@pytest.fixture(autouse=True)
def since_now():
    """As after the first endpoint."""
    settle()
    gathering.begin()
    gather()


def replaced(card, source=None):
    asked = approvals.request(
        action=ApprovalAction.REPLACE,
        target=f"code:{card.serial}",
        payload=replace_payload(card.serial, source),
        reason="torn",
        by=factories.user(Role.AGENT),
    )
    approval = approvals.approve(asked, by=factories.user(Role.MANAGER))
    return replace_card(
        serial=card.serial, by=factories.user(Role.AGENT), approval=approval, reason="torn", source=source
    )


def told(kind):
    return [event.data for event in WebhookEvent.objects.filter(kind=kind).order_by("pk")]


def invoice(account, *, due=500, status="due"):
    return Invoice.objects.create(
        account=account,
        starts_on=date(2026, 6, 1),
        ends_on=date(2026, 7, 1),
        plan="individual",
        currency="GBP",
        price=1200,
        from_credit=1200 - due,
        due=due,
        status=status,
        at=timezone.now(),
        settled_at=None if status == "due" else timezone.now(),
    )


def test_each_kind_of_record_is_told_once_with_what_a_platform_needs():
    batch = factories.batch()
    program = batch.product.program
    of = endpoint(URL, program)
    account = factories.account(program)
    card, frozen, torn = factories.cards(3, batch)
    redeem(account=account, text=card.text, channel=Channel.WEB)
    credit = factories.credit(account, amount=700).transfer
    back = ledger.reverse(credit)
    successor = replaced(torn)
    freeze_cards(first=frozen.serial, by=factories.user(Role.AGENT), reason="told by Jane Doe")
    freeze_batch(batch=batch, by=factories.user(Role.MANAGER), reason="told by Jane Doe")
    due = invoice(account)
    invoice(factories.account(program), due=0, status="paid")
    assert gather_now() == WebhookDelivery.objects.count() == WebhookEvent.objects.count()

    redemption = Redemption.objects.select_related("attempt").get()
    assert told("redeemed") == [
        {
            "program": program.slug,
            "account": account.reference,
            "attempt": redemption.attempt.reference,
            "serial": card.serial,
            "product": batch.product.sku,
            "value": 3000,
            "currency": "GBP",
            "months": 0,
            "days": 0,
            "channel": "web",
        }
    ]
    assert told("credited") == [
        {
            "program": program.slug,
            "account": account.reference,
            "transfer": transfer.pk,
            "kind": kind,
            "currency": "GBP",
            "amount": amount,
            "reverses": reverses,
        }
        for transfer, kind, amount, reverses in [
            (credit, "manual_credit", 700, None),
            (back, "reversal", -700, credit.pk),
        ]
    ]
    common = {"program": program.slug, "batch": batch.reference}
    assert told("frozen") == [
        {**common, "first_serial": first, "last_serial": last, "whole_batch": whole}
        for first, last, whole in [
            (frozen.serial, frozen.serial, False),
            (batch.serials.lower, batch.serials.upper - 1, True),
        ]
    ]
    assert told("replaced") == [
        {
            "program": program.slug,
            "serial": torn.serial,
            "successor": successor.serial,
            "value": 3000,
            "currency": "GBP",
        }
    ]
    assert told("invoice_due") == [
        {
            "program": program.slug,
            "account": account.reference,
            "invoice": due.reference,
            "plan": "individual",
            "starts_on": "2026-06-01",
            "ends_on": "2026-07-01",
            "price": 1200,
            "from_credit": 700,
            "due": 500,
            "currency": "GBP",
        }
    ]
    assert {row.endpoint_id for row in WebhookDelivery.objects.all()} == {of.pk}
    # Once: nothing comes twice, however often it is looked.
    assert gather_now() == 0
    said = b"".join(body_of(event) for event in WebhookEvent.objects.all()).decode()
    for secret in (card.text, card.code, frozen.code, successor.code, account.email, "Jane"):
        assert secret not in said
    for event in WebhookEvent.objects.all():
        assert re.fullmatch(r"WH(-[0-9A-HJKMNP-TV-Z]{4}){3}", event.reference)
        assert event.happened_at


def test_references_are_random():
    program = factories.program()
    endpoint(URL, program)
    for account in [factories.account(program) for _ in range(40)]:
        invoice(account)
    assert gather_now() == 40
    references = list(WebhookEvent.objects.values_list("reference", flat=True))
    # Every place has many symbols.
    assert [len({reference[place] for reference in references}) > 12 for place in (3, 4, 5, 6, 8, 9, 10, 11, 13)] == [
        True
    ] * 9


def test_only_those_hear_of_it_who_are_of_the_program_listen_for_it_and_are_switched_on():
    program, other = factories.program(), factories.program()
    hears, too = endpoint(URL, program, kinds=["invoice_due"]), endpoint(URL, program)
    endpoint(URL, program, kinds=["redeemed", "frozen"])
    endpoint(URL, program, is_active=False)
    endpoint(URL, other)
    invoice(factories.account(program))
    nobody = factories.program()
    invoice(factories.account(nobody))
    assert gather_now() == 2
    event = WebhookEvent.objects.get()
    assert event.program == program
    assert sorted(event.deliveries.values_list("endpoint_id", flat=True)) == [hears.pk, too.pk]


def test_what_happens_while_an_endpoint_is_switched_off_is_not_kept():
    program = factories.program()
    of = endpoint(URL, program, is_active=False)
    invoice(factories.account(program))
    assert gather_now() == 0
    WebhookEndpoint.objects.filter(pk=of.pk).update(is_active=True)
    assert gather_now() == 0
    invoice(factories.account(program))
    assert gather_now() == 1


def test_a_transaction_that_ends_after_a_later_one_was_gathered_is_told_too():
    program = factories.program()
    endpoint(URL, program)
    late, early = factories.account(program), factories.account(program)
    slow = connection.copy()
    try:
        slow.set_autocommit(False)
        with slow.cursor() as cursor:
            cursor.execute(
                "INSERT INTO redemption_invoice (account_id, reference, starts_on, ends_on, plan, currency, price,"
                " from_credit, due, status, at) VALUES (%s, 'IN-SLOW', '2026-06-01', '2026-07-01', 'duo', 'GBP', 5, 0,"
                " 5, 'due', now())",
                [late.pk],
            )
        invoice(early)
        # Nothing above the oldest running transaction is taken yet.
        assert gather() == 0
        slow.commit()
    finally:
        slow.close()
    assert gather_now() == 2
    assert {data["account"] for data in told("invoice_due")} == {late.reference, early.reference}


def test_many_writers_beside_several_gatherers_are_told_of_once_each():
    program = factories.program()
    endpoint(URL, program)
    accounts = [factories.account(program) for _ in range(40)]

    def writer(mine):
        def work():
            for account in mine:
                invoice(account)

        return work

    def gatherer():
        for _ in range(15):
            gather()

    assert errors(all_at_once([*(writer(accounts[at::4]) for at in range(4)), gatherer, gatherer])) == []
    gather_now()
    assert sorted(data["account"] for data in told("invoice_due")) == sorted(row.reference for row in accounts)
    assert WebhookDelivery.objects.count() == WebhookEvent.objects.count() == 40


def test_what_a_replacement_takes_back_from_a_wallet_is_told():
    program = factories.program()
    endpoint(URL, program)
    account = factories.account(program)
    batch = factories.batch(factories.product(program))
    card = factories.card(batch)
    redeem(account=account, text=card.text, channel=Channel.WEB)
    replaced(card, source=Book.RECEIVABLE)
    gather_now()
    assert [(data["kind"], data["amount"]) for data in told("credited")] == [("replace", -3000)]
    assert [data["serial"] for data in told("replaced")] == [card.serial]


def test_every_kind_that_can_be_listened_for_has_its_records():
    assert {*gathering._RECORDS, WebhookKind.TEST} == set(WebhookKind)
