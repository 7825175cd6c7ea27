"""What the database itself refuses, by name: whoever asks, through whichever door."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from redemption import ledger
from redemption.models import (
    Account,
    Approval,
    ApprovalAction,
    Attempt,
    Batch,
    BatchStatus,
    Book,
    CardEvent,
    Channel,
    Code,
    CodeFormat,
    CodeStatus,
    PremiumGrant,
    Product,
    Program,
    Redemption,
    Replacement,
    Transfer,
    TransferKind,
    User,
    Wallet,
)
from redemption.redeem import redeem
from redemption.roles import Role
from redemption.standing import make_card
from tests import factories

pytestmark = pytest.mark.django_db

APPEND_ONLY = [
    "redemption_transfer",
    "redemption_redemption",
    "redemption_attempt",
    "redemption_cardevent",
    "redemption_approval",
    "support_auditevent",
    "support_ticketevent",
    "support_manualcredit",
    "support_creditreversal",
    "support_creditpolicy",
    "support_creditlimit",
    "support_creditstop",
]
# Seals are history without being sealed: by their keys.
SEALS = {"support_seal": "number", "support_sealedrow": "kind"}


def run(sql, *params):
    with connection.cursor() as cursor:
        # Foreign keys that wait to be checked would stand in the way of TRUNCATE before any trigger.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(sql, params)
        return cursor.rowcount


@contextmanager
def refused(what):
    """The database refuses it with this constraint's name or these words, and nothing of it stays."""
    with pytest.raises(IntegrityError, match=what) as caught, transaction.atomic():
        yield caught


def version_of(row):
    return type(row).objects.values_list("version", flat=True).get(pk=row.pk)


# --- That the guards are there at all


def test_every_trigger_is_on():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, t.tgname, t.tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " WHERE NOT t.tgisinternal AND (c.relname LIKE 'redemption\\_%%' OR c.relname LIKE 'support\\_%%')"
        )
        triggers = cursor.fetchall()
    assert {enabled for _, _, enabled in triggers} == {"O"}
    assert {(table, name) for table, name, _ in triggers} >= {
        *((table, name) for table in (*APPEND_ONLY, *SEALS) for name in ("append_only_rows", "append_only_table")),
        *(("redemption_approvalrequest", f"request_{verb}") for verb in ("rewrite", "removal", "truncation")),
        ("redemption_account", "account_version"),
        ("redemption_batch", "batch_change"),
        ("redemption_batch", "batch_rewrite"),
        ("redemption_batch", "batch_removal"),
        ("redemption_product", "product_change"),
        ("redemption_program", "program_change"),
        ("redemption_codeformat", "format_rewrite"),
        ("redemption_code", "code_insert"),
        ("redemption_code", "code_rewrite"),
        ("redemption_code", "code_revival"),
        ("redemption_code", "code_removal"),
        ("redemption_code", "code_truncation"),
    }


@pytest.mark.django_db(transaction=True)
def test_every_trigger_is_on_again_after_the_flush_of_the_tests():
    from django.core.management import call_command

    factories.card()
    call_command("flush", verbosity=0, interactive=False)
    assert not Code.objects.exists()
    test_every_trigger_is_on()


def test_every_table_that_keeps_transaction_ids_refuses_changes():
    """A new table of history is append-only from its first day, or it is named here: marks move on, and an invoice that
    is due is settled, once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.columns WHERE column_name = 'xact' AND table_schema = 'public'"
        )
        tables = {name for (name,) in cursor.fetchall()}
    marks = {"redemption_tallymark", "redemption_webhookmark"}
    assert tables - marks - {"redemption_invoice"} == set(APPEND_ONLY)


# --- History


@pytest.fixture
def history(db):
    """A row in every append-only table."""
    from support.actions import decisions, limits, reversals
    from support.models import AuditEvent, Seal, SealedRow

    card = factories.card()
    redeem(account=factories.account(card.batch.product.program), text=card.text, channel=Channel.WEB)
    manager = factories.user(Role.MANAGER)
    CardEvent.objects.create(
        kind="frozen", batch=card.batch, first_serial=1, last_serial=1, by=manager, at=timezone.now()
    )
    credit = factories.credit()
    factories.credit_policy(Role.MANAGER, approves=1)
    asked = reversals.request_reversal(credit, why="mistake", by=factories.user(Role.AGENT))
    decisions.approve(asked, by=manager)
    limits.stop(reason="looking", by=manager)
    Seal.objects.create(number=1, version=1, at=timezone.now(), cluster="1", horizon=1, counts={}, count=0)
    SealedRow.objects.create(kind=1, row=1, seal=1, leaf=b"")
    AuditEvent.objects.create(at=timezone.now(), actor_id=manager.pk, actor_role=manager.role, action="signed_in")


@pytest.mark.as_owner
@pytest.mark.parametrize("table", [*APPEND_ONLY, *SEALS])
@pytest.mark.parametrize(
    ("verb", "sql"),
    [
        ("UPDATE", "UPDATE {table} SET {key} = {key}"),
        ("DELETE", "DELETE FROM {table}"),
        ("TRUNCATE", "TRUNCATE {table} CASCADE"),
    ],
)
def test_history_can_be_added_to_and_nothing_else(table, verb, sql, history):
    assert run(f"SELECT FROM {table}") > 0
    with refused(r"(redemption|support)_\w+ is append-only") as caught:
        run(sql.format(table=table, key=SEALS.get(table, "id")))
    assert f"{verb} refused" in str(caught.value)


# --- Cards


@pytest.mark.parametrize("ended", [CodeStatus.REDEEMED, CodeStatus.VOID, CodeStatus.REPLACED])
def test_an_ended_card_stays_what_it_is(ended):
    card = factories.card(status=ended)
    for other in set(CodeStatus) - {ended}:
        with refused("a redeemed, void or replaced card stays what it is"):
            run("UPDATE redemption_code SET status = %s WHERE serial = %s", other, card.serial)
    assert run("UPDATE redemption_code SET status = status WHERE serial = %s", card.serial) == 1


@pytest.mark.parametrize(
    "change",
    [
        "serial = serial + 1",
        "batch_id = batch_id + 1",
        "last_four = 'XXXX'",
        "digest = decode('00112233445566778899aabbccddeeff', 'hex')",
        "digest = decode('00112233445566778899aabbccddeeff', 'hex'), key_version = key_version + 2",
        "activated_at = now() + '1 day'",
        "activated_at = NULL",
        "activated_at = NULL, status = 3",
    ],
)
def test_what_a_card_is_cannot_be_rewritten(change):
    card = factories.card()
    with refused("what a card is cannot change"):
        run(f"UPDATE redemption_code SET {change} WHERE serial = %s", card.serial)


def test_a_rotation_rewrites_a_digest_to_the_next_key_version_and_no_further():
    card = factories.card()
    change = "UPDATE redemption_code SET digest = decode(%s, 'hex'), key_version = key_version + 1 WHERE serial = %s"
    assert run(change, "00" * 16, card.serial) == 1


def test_an_inactive_card_can_be_activated():
    card = factories.card(status=CodeStatus.INACTIVE)
    change = "UPDATE redemption_code SET activated_at = now(), status = 1 WHERE serial = %s"
    assert run(change, card.serial) == 1


@pytest.mark.as_owner
def test_cards_cannot_be_removed():
    card = factories.card()
    with refused("append-only: DELETE refused"):
        run("DELETE FROM redemption_code WHERE serial = %s", card.serial)
    with refused("append-only: TRUNCATE refused"):
        run("TRUNCATE redemption_code CASCADE")


@pytest.mark.parametrize("offset", [-1, 100])
def test_a_card_outside_its_batchs_serial_numbers_is_refused(offset):
    batch = factories.batch(size=100, first_serial=5_000_000_000)
    with refused("serial numbers outside their batch"):
        Code.objects.create(
            serial=5_000_000_000 + offset, digest=b"0" * 16, batch=batch, key_version=1, last_four="AAAA"
        )


def test_a_card_without_a_batch_is_refused():
    with refused("serial numbers outside their batch"):
        Code.objects.create(serial=5_000_000_000, digest=b"0" * 16, batch_id=999_999, key_version=1, last_four="AAAA")


def test_one_row_outside_refuses_the_whole_load():
    batch = factories.batch(size=2, first_serial=5_000_000_000)
    rows = [
        Code(serial=5_000_000_000 + place, digest=bytes([place] * 16), batch=batch, key_version=1, last_four="AAAA")
        for place in range(3)
    ]
    with refused("serial numbers outside their batch"):
        Code.objects.bulk_create(rows)
    assert not Code.objects.exists()


def test_one_digest_is_one_card():
    one = factories.card().row
    with refused("redemption_code_digest"):
        Code.objects.create(
            serial=one.serial + 1, digest=bytes(one.digest), batch=one.batch, key_version=1, last_four="AAAA"
        )


def test_a_code_has_a_known_status_and_works_only_once_it_was_sold():
    card = factories.card(status=CodeStatus.INACTIVE)
    with refused("code_status_is_known"):
        run("UPDATE redemption_code SET status = 6 WHERE serial = %s", card.serial)
    with refused("active_and_redeemed_codes_were_activated"):
        run("UPDATE redemption_code SET status = 1 WHERE serial = %s", card.serial)


def test_a_card_is_redeemed_once():
    card = factories.card()
    redeem(account=factories.account(card.batch.product.program), text=card.text, channel=Channel.WEB)
    first = Redemption.objects.get()
    attempt = Attempt.objects.create(
        account=first.account, program=first.account.program, outcome="redeemed", channel=Channel.WEB, at=first.at
    )
    with refused("redemption_redemption_code_id"):
        Redemption.objects.create(
            code=first.code, account=first.account, attempt=attempt, batch=first.batch, value=1, currency="GBP",
            at=first.at,
        )  # fmt: skip


def test_an_attempt_is_refused_for_a_reason_or_not_at_all():
    account = factories.account()
    common = {"account": account, "program": account.program, "channel": Channel.WEB, "at": timezone.now()}
    for outcome, reason in (("refused", ""), ("redeemed", "unknown"), ("previewed", "unknown")):
        with refused("refused_attempts_have_a_reason"):
            Attempt.objects.create(outcome=outcome, reason=reason, **common)
    one = Attempt.objects.create(outcome="refused", reason="unknown", **common)
    with refused("one_attempt_per_reference"):
        Attempt.objects.create(outcome="refused", reason="unknown", reference=one.reference, **common)


# --- Batches, products, programs, formats


def test_batches_never_share_a_serial_number():
    factories.batch(first_serial=5_000_000_000, size=100)
    factories.batch(first_serial=5_000_000_100, size=100)
    for first in (4_999_999_999, 5_000_000_050, 5_000_000_199):
        with refused("batches_never_share_a_serial_number"):
            factories.batch(first_serial=first, size=2)


def test_serial_numbers_have_ten_digits():
    for first in (999_999_999, 9_999_999_999):
        with refused("serial_numbers_have_ten_digits"):
            factories.batch(first_serial=first, size=2)


def test_a_batch_with_codes_has_serial_numbers():
    with refused("batch_with_codes_has_serials"):
        factories.batch(serials=None)


@pytest.mark.parametrize(
    "change",
    [
        {"product_id": 0},
        {"retailer_id": 0},
        {"code_format_id": 0},
        {"serials": (5_000_000_000, 5_000_000_100)},
        {"value": 1},
        {"currency": "USD"},
        {"purpose": "replacements"},
        {"status": BatchStatus.DRAFT},
    ],
)
def test_what_an_issued_batch_is_cannot_change(change):
    batch = factories.batch()
    with refused("codes are out, so what the batch is cannot change"):
        Batch.objects.filter(pk=batch.pk).update(**change)


def test_an_issued_batch_cannot_be_deleted_and_a_draft_can():
    batch = factories.batch()
    batch.tally.delete()
    with refused("codes are out, so the batch cannot be deleted"):
        run("DELETE FROM redemption_batch WHERE id = %s", batch.pk)
    draft = factories.batch(status=BatchStatus.DRAFT)
    draft.tally.delete()
    assert run("DELETE FROM redemption_batch WHERE id = %s", draft.pk) == 1


@pytest.mark.parametrize(
    "change",
    [{"value": 5000}, {"currency": "USD"}, {"benefit": "premium", "months": 1}, {"program_id": 0}],
)
def test_what_a_products_cards_give_cannot_change_once_they_are_out(change):
    product = factories.product()
    draft = factories.batch(product, status=BatchStatus.DRAFT)
    if "program_id" in change:
        change = {"program_id": factories.program().pk}
    with transaction.atomic():
        Product.objects.filter(pk=product.pk).update(**change)
        transaction.set_rollback(True)
    Batch.objects.filter(pk=draft.pk).update(status=BatchStatus.ISSUED)
    with refused("cards are out, so what they give cannot change"):
        Product.objects.filter(pk=product.pk).update(**change)


def test_what_has_no_bearing_on_cards_that_are_out_may_change():
    product = factories.batch().product
    assert Product.objects.filter(pk=product.pk).update(name="Gift card, new print", countries=["GB", "IE"]) == 1


def test_a_programs_digest_name_cannot_change():
    program = factories.program()
    with refused("the digest name goes into every digest and cannot change"):
        Program.objects.filter(pk=program.pk).update(digest_name="another")


@pytest.mark.as_owner
def test_a_code_format_can_neither_change_nor_go():
    code_format = factories.program().current_format()
    with refused("printed cards keep the format they were made with"):
        CodeFormat.objects.filter(pk=code_format.pk).update(length=16)
    with refused("printed cards keep the format they were made with"):
        run("DELETE FROM redemption_codeformat WHERE id = %s", code_format.pk)


@pytest.mark.parametrize(
    "fields",
    [
        {"benefit": "credit", "value": 0},
        {"benefit": "credit", "months": 1},
        {"benefit": "premium"},
        {"benefit": "premium", "months": 1, "days": 1},
    ],
)
def test_a_product_grants_credit_or_months_or_days(fields):
    with refused("product_grants_either_credit_or_months_or_days"):
        factories.product(**fields)


def test_a_product_names_its_countries():
    with refused("product_names_its_countries"):
        factories.product(countries=[])


# --- Versions: whatever a rule reads shows in them


@pytest.mark.parametrize(
    "change",
    [
        {"country": "US"},
        {"currency": "USD"},
        {"email_verified": False},
        {"plan": "student"},
        {"billing_provider": "apple"},
        {"restriction": "payment_dispute"},
        {"had_premium": True},
        {"last_seen_country": "US"},
        {"premium_until": factories.NOON.date()},
        {"premium_anchor_day": 3},
    ],
)
def test_a_change_to_an_account_advances_its_version(change):
    account = factories.account()
    before = version_of(account)
    Account.objects.filter(pk=account.pk).update(**change)
    assert version_of(account) == before + 1
    Account.objects.filter(pk=account.pk).update(**change)
    assert version_of(account) == before + 1, "nothing changed, so nothing advances"


@pytest.mark.parametrize(
    "change",
    [
        {"status": BatchStatus.FROZEN},
        {"expires_on": factories.NOON.date()},
        {"breakage_posted_for": factories.NOON.date()},
    ],
)
def test_a_change_to_a_batch_advances_its_version(change):
    batch = factories.batch()
    before = version_of(batch)
    Batch.objects.filter(pk=batch.pk).update(**change)
    assert version_of(batch) == before + 1


def test_a_programs_time_zone_stays_once_cards_are_out():
    program = factories.program()
    Program.objects.filter(pk=program.pk).update(time_zone="America/Denver")
    factories.batch(factories.product(program))
    with pytest.raises(IntegrityError, match="time zone cannot change"), transaction.atomic():
        Program.objects.filter(pk=program.pk).update(time_zone="UTC")
    program.time_zone = "UTC"
    with pytest.raises(ValidationError) as refused:
        program.full_clean()
    assert set(refused.value.message_dict) == {"time_zone"}


@pytest.mark.parametrize("change", [{"countries": ["US"]}, {"plans": ["student"]}, {"new_subscribers_only": True}])
def test_a_change_to_a_product_advances_its_batches_and_no_others(change):
    batch, other = factories.batch(), factories.batch()
    before = version_of(batch), version_of(other)
    Product.objects.filter(pk=batch.product_id).update(**change)
    assert (version_of(batch), version_of(other)) == (before[0] + 1, before[1])


@pytest.mark.parametrize(
    "change",
    [
        {"stacking_cap_months": 6},
        {"refuses_third_party_billing": False},
        {"checks_location": False},
        {"is_paused": True},
    ],
)
def test_a_change_to_a_program_advances_its_batches_and_no_others(change):
    batch, other = factories.batch(), factories.batch()
    before = version_of(batch), version_of(other)
    Program.objects.filter(pk=batch.product.program_id).update(**change)
    assert (version_of(batch), version_of(other)) == (before[0] + 1, before[1])


def test_a_version_never_goes_back():
    """Whoever saves a row that he read a while ago writes its old version along."""
    account = factories.account()
    Account.objects.filter(pk=account.pk).update(country="US")
    before = version_of(account)
    account.save()
    assert version_of(account) == before + 1


# --- Money


def transfer(**fields):
    return Transfer.objects.create(
        **{
            "debit": Book.RECEIVABLE,
            "credit": Book.LIABILITY,
            "amount": 100,
            "currency": "GBP",
            "kind": TransferKind.ACTIVATE,
            "source": "test:1",
            "program_id": 1,
            "effective_at": timezone.now(),
            "recorded_at": timezone.now(),
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"credit": Book.RECEIVABLE}, "debit_and_credit_books_differ"),
        ({"amount": 0}, "amounts_are_above_zero"),
        ({"amount": -100}, "amounts_are_above_zero"),
        ({"debit": "pocket"}, "books_are_known"),
        ({"credit": Book.CUSTOMER_CREDIT}, "customer_credit_names_its_wallet"),
        ({"kind": TransferKind.REVERSAL}, "reversals_name_what_they_reverse"),
    ],
)
def test_a_movement_that_is_none_cannot_be_written(fields, constraint):
    with refused(constraint):
        transfer(**fields)


def test_a_movement_between_the_houses_books_names_no_wallet():
    with transaction.atomic():
        wallet = ledger.wallet_of(factories.account(), "GBP")
    with refused("customer_credit_names_its_wallet"):
        transfer(wallet=wallet)


def test_a_cause_posts_once_and_is_reversed_once():
    first = transfer()
    with refused("a_cause_posts_once"):
        transfer()
    back = {"debit": Book.LIABILITY, "credit": Book.RECEIVABLE, "kind": TransferKind.REVERSAL, "reverses": first}
    transfer(source="test:2", **back)
    with refused("redemption_transfer_reverses_id"):
        transfer(source="test:3", **back)
    with refused("reversals_name_what_they_reverse"):
        transfer(source="test:4", reverses=first)


def test_a_wallet_never_goes_below_zero():
    account = factories.account()
    wallet = Wallet.objects.create(account=account, currency="GBP", balance=100)
    with refused("wallet_never_below_zero"):
        run("UPDATE redemption_wallet SET balance = balance - 101 WHERE id = %s", wallet.pk)
    with refused("one_wallet_per_currency"):
        Wallet.objects.create(account=account, currency="GBP")


# --- Premium time


def grant(account, first, last, **fields):
    day = factories.NOON.date()
    return PremiumGrant.objects.create(
        **{
            "account": account,
            "period": (day + timedelta(days=first), day + timedelta(days=last)),
            "days": last - first,
            "anchor_day": 15,
            "at": timezone.now(),
            **fields,
        }
    )


def test_premium_grants_of_an_account_never_overlap():
    account = factories.account()
    grant(account, 0, 30)
    grant(account, 30, 60)
    grant(factories.account(), 0, 30)
    for first, last in ((29, 30), (0, 90), (-10, 1), (59, 61)):
        with refused("premium_grants_never_overlap"):
            grant(account, first, last)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"months": 1}, "grant_keeps_months_or_days"),
        ({"days": 0}, "grant_keeps_months_or_days"),
        ({"anchor_day": 0}, "anchor_is_a_day_of_the_month"),
        ({"anchor_day": 32}, "anchor_is_a_day_of_the_month"),
        ({"period": (factories.NOON.date(), factories.NOON.date())}, "grant_is_not_empty"),
    ],
)
def test_a_grant_that_is_none_cannot_be_written(fields, constraint):
    with refused(constraint):
        grant(factories.account(), 0, 30, **fields)


# --- People


def test_nobody_decides_his_own_request():
    from redemption import approvals

    manager = factories.user(Role.MANAGER)
    asked = approvals.request(action=ApprovalAction.VOID, target="code:1", payload={}, reason="stolen", by=manager)
    common = {"action": asked.action, "target": asked.target, "payload_hash": asked.payload_hash}
    with refused("nobody_decides_his_own_request"):
        Approval.objects.create(
            request=asked, decision="approved", requested_by=manager, decided_by=manager, decided_at=timezone.now(),
            **common,
        )  # fmt: skip


def test_one_request_waits_for_a_target():
    from redemption.models import ApprovalRequest

    common = {
        "action": ApprovalAction.VOID,
        "target": "code:1",
        "payload": {},
        "payload_hash": b"",
        "reason": "stolen",
        "requested_by": factories.user(Role.AGENT),
        "requested_at": timezone.now(),
        "expires_at": timezone.now(),
    }
    ApprovalRequest.objects.create(**common)
    with refused("one_pending_request_per_target"):
        ApprovalRequest.objects.create(**common)


def test_names_are_taken_once_whatever_their_case():
    account = factories.account(email="Anna@example.com")
    with refused("one_account_per_program_and_email"):
        factories.account(account.program, email="anna@Example.com")
    factories.account(email="anna@example.com")
    User.objects.create(email="Bo@example.com")
    with refused("one_user_per_email_whatever_its_case"):
        User.objects.create(email="bo@example.com")
    with refused("user_role_is_known"):
        User.objects.create(email="carl@example.com", role="king")


def test_a_card_has_one_successor_and_is_not_its_own():
    from redemption import approvals

    original = factories.card()
    by = factories.user(Role.AGENT)

    def approval():
        asked = approvals.request(
            action=ApprovalAction.REPLACE, target=f"code:{original.serial}", payload={}, reason="damaged", by=by
        )
        return approvals.approve(asked, by=factories.user(Role.MANAGER))

    def replaced_by(serial):
        Replacement.objects.create(
            original_id=original.serial, successor_id=serial, value=1, currency="GBP", approval=approval(), by=by,
            at=timezone.now(),
        )  # fmt: skip

    def successor():
        return make_card(
            product=original.batch.product, retailer=original.batch.retailer, by=by, purpose="replacements"
        ).serial

    with refused("no_card_replaces_itself"):
        replaced_by(original.serial)
    replaced_by(successor())
    with refused("redemption_replacement_original_id"):
        replaced_by(successor())


def test_events_name_their_serial_numbers_in_order():
    with refused("event_serials_are_in_order"):
        CardEvent.objects.create(
            kind="frozen", batch=factories.batch(), first_serial=2, last_serial=1, by=User.objects.system(),
            at=timezone.now(),
        )  # fmt: skip


def test_counters_and_keys_are_one_each():
    from redemption.models import IdempotencyKey, Throttle

    Throttle.objects.create(scope="account", key="1", recent=[], admitted=True)
    with refused("one_counter_per_key"):
        Throttle.objects.create(scope="account", key="1", recent=[], admitted=True)
    key = {"scope": "account:1", "key": "k", "lease_until": timezone.now(), "created_at": timezone.now()}
    IdempotencyKey.objects.create(**key)
    with refused("one_answer_per_key"):
        IdempotencyKey.objects.create(**key)
