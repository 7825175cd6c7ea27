"""The box: every kind of text, what each role gets, what is counted and what is recorded."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from redemption.digests import digester
from redemption.models import Attempt, Channel, Code, CodeFormat, Invoice, InvoiceStatus, Plan, Throttle
from redemption.redeem import redeem
from redemption.references import Untried, sign
from redemption.roles import PERMISSIONS, Permission, Role
from support.models import AuditAction, AuditEvent, AuditPersonal
from support.search import search
from tests import factories
from tests.support.desk import wrong

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent():
    return factories.user(Role.AGENT)


@pytest.fixture
def card():
    return factories.card()


def look_up(text, by):
    return search(text, by=by, now=timezone.now())


def events():
    return [(event.action, event.target) for event in AuditEvent.objects.order_by("pk")]


def test_a_code_a_serial_number_and_the_last_four_lead_to_the_same_card(agent, card):
    factories.card(card.batch)
    serial = str(card.serial)
    retailer = card.batch.retailer
    full_width = "".join(chr(ord(digit) + 0xFEE0) for digit in serial)
    arabic = "".join(chr(ord(digit) - ord("0") + 0x660) for digit in serial)
    last_four = card.code[-4:]
    for text in (
        card.text,
        card.text.lower().replace("-", " "),
        serial,
        f"{serial[0]} {serial[1:4]} {serial[4:7]} {serial[7:]}",
        f"{serial[:4]}-{serial[4:]}",
        f"{int(serial):,}",
        full_width,
        arabic,
        f"{last_four} {retailer.name}",
        f"{retailer.slug.upper()} {last_four.lower()}",
        f"{last_four}, {card.batch.reference}",
        f"{card.batch.reference.lower().replace('-', '')} {last_four}",
        card.batch.code_format.pattern.mask(last_four),
    ):
        found = look_up(text, agent)
        assert found.only == card.row, text


def test_the_last_four_with_another_retailer_find_nothing(agent, card):
    other = factories.card(factories.batch(card.batch.product))
    found = look_up(f"{card.code[-4:]} {other.batch.retailer.name}", agent)
    assert (found.records, found.near) == ([], [])


def test_the_last_four_alone_list_twenty_newest_and_ask_for_more(agent, card):
    digests = digester(card.batch.product.program.digest_name)
    first = card.batch.serials.lower + 10
    Code.objects.bulk_create(
        Code(
            serial=first + number,
            digest=digests.current(f"{number:012}"),
            batch=card.batch,
            key_version=digests.version,
            last_four="7K2M",
        )
        for number in range(22)
    )
    found = look_up("7k2m", agent)
    assert [code.pk for code in found.records] == [first + number for number in range(21, 1, -1)]
    assert found.has_more
    assert found.hints == ["Add the batch or the retailer to the last four symbols: “7K2M Saturn”."]


def test_references_are_found_in_any_spelling(agent, card):
    account = factories.account(card.batch.product.program)
    result = redeem(account=account, text=card.text, channel=Channel.WEB)
    attempt = Attempt.objects.get(reference=result.reference)
    for record in (account, attempt, card.batch):
        record.refresh_from_db()
        for text in (
            record.reference,
            record.reference.lower(),
            record.reference.replace("-", ""),
            record.reference.replace("-", " – "),
            record.reference[:3] + record.reference[3:].replace("0", "O").replace("1", "l"),
        ):
            assert look_up(text, agent).only == record


def test_an_invoices_reference_opens_the_account_that_it_bills(agent):
    account = factories.account()
    factories.account()
    billed = Invoice.objects.create(
        account=account,
        starts_on=date(2026, 6, 1),
        ends_on=date(2026, 7, 1),
        plan=Plan.INDIVIDUAL,
        currency="GBP",
        price=999,
        from_credit=0,
        due=999,
        status=InvoiceStatus.DUE,
        at=timezone.now(),
    )
    for text in (billed.reference, billed.reference.lower().replace("-", " ")):
        assert look_up(text, agent).only == account
    assert look_up("IN-0000-0000-0000", agent).records == []


def test_a_reports_reference_opens_it_for_those_who_see_reports(agent, card):
    report = factories.report(card)
    for text in (report.reference, report.reference.lower().replace("-", ""), report.reference.replace("-", " ")):
        assert look_up(text, agent).only == report
    assert events()[-1] == (AuditAction.LOOKED_UP, f"report:{report.pk}")
    for reference in (report.reference, "RP-0000-0000-0000"):
        found = look_up(reference, factories.user(Role.SOCIAL_MEDIA))
        assert (found.records, found.tickets) == ([], [])
        assert "Your role does not open reports of compromised cards: ask a support agent." in found.hints


def test_a_signed_reference_describes_itself_and_a_touched_one_is_nothing(agent):
    account = factories.account()
    reference = sign(Untried.UNAVAILABLE, account.pk, timezone.now())
    found = look_up(reference.lower(), agent)
    assert (found.only.kind, found.only.account_id) == (Untried.UNAVAILABLE, account.pk)
    assert look_up(reference[:-1] + ("2" if reference[-1] != "2" else "3"), agent).records == []


def test_an_address_finds_the_accounts_of_every_program_in_any_case(agent):
    first, second = factories.account(email="mary@example.com"), factories.account(email="Mary@Example.com")
    factories.account(email="mary@example.org")
    found = look_up(" <MARY@example.COM> ", agent)
    assert sorted(account.pk for account in found.records) == [first.pk, second.pk]


def test_a_text_that_could_be_two_things_is_tried_as_both(agent, card):
    """Ten digits may be a serial number and, without its prefix, a supplier's code."""
    program = factories.pin_program()
    CodeFormat.objects.create(
        program=program, version=2, prefix="PIN", alphabet="0123456789", length=10, has_check_symbol=False
    )
    pin = factories.card(factories.batch(factories.product(program)))
    digest = digester(program.digest_name).current(str(card.serial))
    Code.objects.filter(pk=pin.serial).update(digest=digest, key_version=pin.row.key_version + 1)
    assert [code.pk for code in look_up(str(card.serial), agent).records] == [card.serial, pin.serial]


def test_a_mistyped_code_offers_the_card_and_records_which_symbol_slipped(agent, card):
    found = look_up(wrong(card, 2), agent)
    assert (found.records, [near.code for near in found.near], found.only) == ([], [card.row], None)
    event = AuditEvent.objects.get()
    assert (event.action, event.target, event.actor_id) == (
        AuditAction.NEAR_MISS_SHOWN,
        f"code:{card.serial}",
        agent.pk,
    )
    assert event.details == {"position": 3, "slip": "wrong"}


def test_what_was_found_is_recorded_and_so_is_nothing(agent, card):
    account = factories.account(email="mary@example.com")
    other = factories.account(email="mary@example.com")
    look_up(card.text, agent)
    look_up(account.reference, agent)
    look_up("mary@example.com", agent)
    look_up("nothing at all", agent)
    assert events() == [
        (AuditAction.LOOKED_UP, f"code:{card.serial}"),
        (AuditAction.LOOKED_UP, f"account:{account.pk}"),
        (AuditAction.LOOKED_UP, ""),
        (AuditAction.LOOKED_UP_NOTHING, ""),
    ]
    several = AuditEvent.objects.get(action=AuditAction.LOOKED_UP, target="")
    assert several.details == {"also": [f"account:{account.pk}", f"account:{other.pk}"]}


def test_nothing_typed_stays_in_the_audit_trail(agent, card):
    mistyped = wrong(card)
    for text in (card.text, mistyped, "mary@example.com"):
        look_up(text, agent)
    kept = repr(list(AuditEvent.objects.values())) + repr(list(AuditPersonal.objects.values()))
    for secret in (card.code, card.text, mistyped, mistyped[-4:], card.code[-4:], "mary"):
        assert secret not in kept


def test_blank_and_unreadable_texts_are_neither_looked_up_nor_counted(agent):
    assert look_up(" \n", agent).is_blank
    for text in ("7K2M\0", "\ud800", "abc\ufffd", "\x1b[2J"):
        assert look_up(text, agent).is_unreadable
    assert (Throttle.objects.count(), events()) == (0, [])


def test_a_share_link_is_said_to_be_one_and_is_no_miss(agent, card):
    found = look_up("https://open.spotify.com/track/4uLU6hMC", agent)
    assert found.share_link_of == card.batch.product.program
    assert found.records == []
    assert not Throttle.objects.exists()


# --- Misses


def test_misses_are_counted_and_hits_are_not(agent, card, settings):
    settings.ATTEMPTS_PER_AGENT = 3
    for text in ("nobody@example.com", card.text, wrong(card), card.text, str(card.serial)):
        assert look_up(text, agent).blocked_until is None
    assert len(Throttle.objects.get(key=str(agent.pk)).recent) == 2


def test_beyond_the_limit_guesses_stop_and_public_numbers_still_work(agent, card, settings):
    settings.ATTEMPTS_PER_AGENT = 2
    colleague = factories.user(Role.AGENT)
    account = factories.account(email="mary@example.com")
    now = timezone.now()
    for number in range(2):
        search(f"nobody-{number}@example.com", by=agent, now=now)
    until = now + timedelta(hours=settings.ATTEMPT_WINDOW_HOURS)
    for text in (card.text, wrong(card), card.code[-4:], "mary@example.com"):
        found = search(text, by=agent, now=now)
        assert (found.blocked_until, found.records, found.near) == (until, [], []), text
    assert search(str(card.serial), by=agent, now=now).only == card.row
    assert search(account.reference, by=agent, now=now).only == account
    # Looking up what is allowed has not lifted the block.
    assert search(card.text, by=agent, now=now).blocked_until == until
    assert search(card.text, by=colleague, now=now).only == card.row
    assert search(card.text, by=agent, now=until + timedelta(seconds=1)).only == card.row


def test_with_the_limit_off_nobody_is_blocked(agent, settings):
    settings.ATTEMPTS_PER_AGENT = 0
    for number in range(5):
        assert look_up(f"nobody-{number}@example.com", agent).blocked_until is None


# --- Roles


@pytest.mark.parametrize("role", list(Role))
def test_each_role_finds_what_it_may_open(role, card):
    person = factories.user(role)
    account = factories.account(card.batch.product.program, email="mary@example.com")
    attempt = Attempt.objects.get(reference=redeem(account=account, text=card.text, channel=Channel.WEB).reference)
    if Permission.LOOK_UP not in PERMISSIONS[role]:
        with pytest.raises(PermissionDenied):
            look_up(card.text, person)
        assert events() == []
        return
    assert look_up(card.text, person).only == card.row
    sees_accounts = Permission.VIEW_ACCOUNTS in PERMISSIONS[role]
    for text, record in (("mary@example.com", account), (account.reference, account), (attempt.reference, attempt)):
        found = look_up(text, person)
        assert found.records == ([record] if sees_accounts else [])
        assert bool(found.hints) is not sees_accounts
    sees_batches = Permission.VIEW_CATALOGUE in PERMISSIONS[role]
    batches = look_up(card.batch.reference, person).records
    assert [batch.pk for batch in batches] == ([card.batch.pk] if sees_batches else [])


def test_a_role_without_accounts_cannot_tell_a_known_address_from_an_unknown_one(card):
    person = factories.user(Role.SOCIAL_MEDIA)
    factories.account(email="mary@example.com")
    known, unknown = look_up("mary@example.com", person), look_up("nobody@example.com", person)
    assert known == unknown


# --- Bounds


def test_three_rows_cost_as_many_queries_as_one(agent, card, django_assert_num_queries):
    last_four = card.code[-4:]
    with django_assert_num_queries(9):
        assert len(look_up(f"{last_four} Saturn", agent).records) == 1
    for number in range(2):
        digest = bytes([number]) * 16
        serial = card.batch.serials.lower + 50 + number
        Code.objects.bulk_create(
            [Code(serial=serial, digest=digest, batch=card.batch, key_version=1, last_four=last_four)]
        )
    # One is opened, and its page lists its tickets; of several, the tickets are listed beside them.
    with django_assert_num_queries(10):
        assert len(look_up(f"{last_four} Saturn", agent).records) == 3


@given(text=st.text(st.characters(), max_size=60) | st.from_regex(r"[\w@ -]{1,30}"))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_text_is_answered(agent, text):
    look_up(text, agent)
