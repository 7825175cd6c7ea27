"""Switching redeeming off and on, and the breaker's notes."""

from datetime import timedelta

import pytest
from django.utils import timezone

from redemption import outages
from redemption.models import (
    Attempt,
    Channel,
    IdempotencyKey,
    Outage,
    OutageCause,
    Program,
    Throttle,
    User,
)
from redemption.outages import OutageError, declare, end, end_quiet, note
from redemption.redeem import preview, redeem
from redemption.refusals import Answer
from redemption.roles import Role
from support.models import AuditAction, AuditEvent
from tests import factories
from tests.factories import NOON
from tests.simulation.crowd import all_at_once, errors

MINUTE = timedelta(minutes=1)


def manager():
    return factories.user(Role.MANAGER)


def told(outage):
    return (outage.program_id, outage.cause, outage.message, outage.started_at, outage.ended_at)


# --- The switch


@pytest.mark.django_db
def test_switched_off_nothing_is_redeemed_and_nothing_is_used_up_until_it_is_on_again():
    card = factories.card()
    program = card.batch.product.program
    account, by = factories.account(program), manager()
    assert redeem(account=account, text=factories.card().text, channel=Channel.WEB, key="before").reason
    before = tried(account)
    declare(program=program, message="", by=by)
    results = [
        redeem(account=account, text=card.text, channel=Channel.WEB, key=key, address="192.0.2.1") for key in "abc"
    ] + [preview(account=account, text=card.text, channel=Channel.WEB, address="192.0.2.1")]
    assert {result.answer for result in results} == {Answer.UNAVAILABLE}
    assert tried(account) == before
    end(program=program, by=by)
    assert redeem(account=account, text=card.text, channel=Channel.WEB, key="a").is_redeemed


def tried(account):
    """Every counter with anything on it, the account's attempts and the keys."""
    counted = Throttle.objects.exclude(recent=[]).order_by("pk").values_list("scope", "key", "recent", "blocked_until")
    attempts = Attempt.objects.filter(account=account).count()
    return list(counted), attempts, IdempotencyKey.objects.count()


@pytest.mark.django_db
def test_an_outage_at_the_last_try_but_one_blocks_nobody():
    card = factories.card()
    program = card.batch.product.program
    account, by = factories.account(program), manager()
    for _ in range(3):
        redeem(account=account, text=factories.card().text, channel=Channel.WEB)
    declare(program=program, message="", by=by)
    for _ in range(5):
        assert redeem(account=account, text=card.text, channel=Channel.WEB).answer == Answer.UNAVAILABLE
    end(program=program, by=by)
    assert redeem(account=account, text=card.text, channel=Channel.WEB).is_redeemed


@pytest.mark.django_db
def test_the_switch_says_since_when_by_whom_and_what_customers_read_and_is_recorded():
    program, by = factories.program(), manager()
    outage = declare(program=program, message=" Back at six. ", by=by, now=NOON)
    assert told(outage) == (program.pk, OutageCause.SWITCHED_OFF, "Back at six.", NOON, None)
    assert outage.started_by == by
    assert [row.pk for row in outages.current([program])] == [outage.pk]
    end(program=program, by=by, now=NOON + MINUTE)
    outage.refresh_from_db()
    assert (outage.ended_at, outage.ended_by) == (NOON + MINUTE, by)
    program.refresh_from_db()
    assert (program.is_paused, outages.current([program])) == (False, [])
    events = AuditEvent.objects.order_by("pk").values_list("action", "actor_id", "target", "details")
    assert list(events) == [
        (AuditAction.OUTAGE_DECLARED, by.pk, f"program:{program.pk}", {"outage": outage.pk}),
        (AuditAction.OUTAGE_ENDED, by.pk, f"program:{program.pk}", {"outage": outage.pk}),
    ]


@pytest.mark.django_db
def test_other_programs_go_on():
    card = factories.card()
    declare(program=factories.program(), message="", by=manager())
    account = factories.account(card.batch.product.program)
    assert redeem(account=account, text=card.text, channel=Channel.WEB).is_redeemed


@pytest.mark.django_db
def test_the_switch_is_pressed_once_and_by_those_who_may():
    program, by = factories.program(), manager()
    with pytest.raises(OutageError, match="nothing is switched off"):
        end(program=program, by=by)
    for role in set(Role) - {Role.MANAGER, Role.ADMINISTRATOR, Role.SYSTEM}:
        with pytest.raises(OutageError, match="Your role"):
            declare(program=program, message="", by=factories.user(role))
    declare(program=program, message="", by=by)
    with pytest.raises(OutageError, match="switched off at"):
        declare(program=program, message="", by=by)
    for role in (Role.AGENT, Role.AUDITOR):
        with pytest.raises(OutageError, match="Your role"):
            end(program=program, by=factories.user(role))
    assert Outage.objects.count() == 1


@pytest.mark.django_db
def test_a_program_that_was_paused_without_an_outage_is_switched_on_too():
    program = factories.program(is_paused=True)
    end(program=program, by=manager())
    assert not Program.objects.get(pk=program.pk).is_paused


@pytest.mark.django_db(transaction=True)
def test_of_many_who_press_the_switch_at_once_one_does():
    program, people = factories.program(), [manager() for _ in range(6)]
    outcomes = all_at_once([lambda by=by: declare(program=program, message="", by=by) for by in people])
    assert len([one for one in outcomes if isinstance(one, Outage)]) == 1
    assert {type(one) for one in outcomes} == {Outage, OutageError}
    assert AuditEvent.objects.filter(action=AuditAction.OUTAGE_DECLARED).count() == 1


# --- The breaker's notes


@pytest.mark.django_db
def test_what_several_processes_note_is_one_outage_which_ends_when_nothing_has_failed_for_a_while():
    program = factories.program()
    note(program.pk, first=NOON, last=NOON + MINUTE, now=NOON + MINUTE)
    note(program.pk, first=NOON - MINUTE, last=NOON, now=NOON + MINUTE)
    outage = Outage.objects.get()
    assert told(outage) == (program.pk, OutageCause.BREAKER, "", NOON - MINUTE, None)
    assert (outage.last_seen_at, outage.started_by) == (NOON + MINUTE, User.objects.system())
    assert end_quiet(now=NOON + 3 * MINUTE) == 0
    assert end_quiet(now=NOON + 3 * MINUTE + timedelta(seconds=1)) == 1
    outage.refresh_from_db()
    assert (outage.ended_at, outage.ended_by) == (NOON + MINUTE, User.objects.system())
    # Redeeming goes on by itself: nobody has switched anything.
    assert not Program.objects.get(pk=program.pk).is_paused


@pytest.mark.django_db
def test_a_process_that_could_not_note_in_time_tells_the_history():
    program, other = factories.program(), factories.program()
    note(program.pk, first=NOON, last=NOON + MINUTE, now=NOON + 60 * MINUTE)
    # One that says the same, and one that lay within: nothing new.
    note(program.pk, first=NOON, last=NOON + MINUTE, now=NOON + 60 * MINUTE)
    note(None, first=NOON, last=NOON, now=NOON + 60 * MINUTE)
    rows = Outage.objects.order_by("pk").values_list("program", "started_at", "last_seen_at", "ended_at")
    assert list(rows) == [
        (program.pk, NOON, NOON + MINUTE, NOON + MINUTE),
        (other.pk, NOON, NOON, NOON),
    ]


@pytest.mark.django_db
def test_the_breaker_adds_nothing_to_what_a_manager_has_switched_off_and_does_not_end_it():
    program = factories.program()
    declare(program=program, message="Back at six.", by=manager(), now=NOON)
    note(program.pk, first=NOON - MINUTE, last=NOON + MINUTE, now=NOON + MINUTE)
    assert told(Outage.objects.get()) == (program.pk, OutageCause.SWITCHED_OFF, "Back at six.", NOON, None)
    assert end_quiet(now=NOON + 60 * MINUTE) == 0


@pytest.mark.django_db
def test_a_manager_who_switches_off_takes_the_breakers_outage_over():
    program, by = factories.program(), manager()
    note(program.pk, first=NOON, last=NOON, now=NOON)
    declare(program=program, message="We know.", by=by, now=NOON + MINUTE)
    assert told(Outage.objects.get()) == (program.pk, OutageCause.SWITCHED_OFF, "We know.", NOON, None)


@pytest.mark.django_db
def test_an_answer_belongs_to_the_outage_around_it():
    program, by = factories.program(), manager()
    outage = declare(program=program, message="", by=by, now=NOON)
    end(program=program, by=by, now=NOON + 60 * MINUTE)
    moments = [NOON - 3 * MINUTE, NOON - MINUTE, NOON, NOON + 61 * MINUTE, NOON + 63 * MINUTE]
    found = [outages.covering(program.pk, at) for at in moments]
    assert found == [None, outage, outage, outage, None]
    assert outages.covering(factories.program().pk, NOON) is None


@pytest.mark.django_db(transaction=True)
def test_processes_that_note_at_once_make_one_outage():
    program, now = factories.program(), timezone.now()
    User.objects.system()
    calls = [lambda at=now - n * MINUTE / 60: note(program.pk, first=at, last=at, now=now) for n in range(8)]
    assert errors(all_at_once(calls, clients=6)) == []
    outage = Outage.objects.get()
    assert (outage.started_at, outage.last_seen_at) == (now - 7 * MINUTE / 60, now)
