"""One story of a card: complete, newest last, bounded, on its indexes."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from redemption import batches, cards
from redemption.models import (
    Attempt,
    AttemptOutcome,
    Batch,
    CardEvent,
    CardEventKind,
    Channel,
    Code,
    CodeStatus,
    Plan,
    User,
)
from redemption.redeem import redeem
from redemption.refusals import RefusalReason
from redemption.roles import Role
from support.timeline import MOST_SHOWN, timeline
from tests import factories

pytestmark = pytest.mark.django_db


def story(card):
    return timeline(Code.objects.get(pk=card.serial))


def event(card, kind, at, *, first=None, last=None):
    return CardEvent.objects.create(
        kind=kind,
        batch=card.batch,
        first_serial=first or card.serial,
        last_serial=last or first or card.serial,
        by=User.objects.system(),
        at=at,
    )


def test_the_whole_story_newest_last():
    agent, manager = factories.user(Role.AGENT, name="Ada"), factories.user(Role.MANAGER, name="Mia")
    batch = factories.batch(expires_on=timezone.now().date() + timedelta(days=90))
    card = factories.card(batch, status=CodeStatus.INACTIVE)
    program = card.batch.product.program
    winner = factories.account(program)
    student = factories.account(program, country="DE", currency="EUR", plan=Plan.STUDENT)
    start = timezone.now() - timedelta(days=9)

    def day(number):
        return start + timedelta(days=number)

    stored = Batch.objects.get(pk=batch.pk)
    event(card, CardEventKind.ISSUED, day(0), first=stored.first_serial, last=stored.last_serial)
    cards.activate_cards(first=card.serial, by=User.objects.system(), now=day(1))
    refused = redeem(account=student, text=card.text, channel=Channel.WEB, apparent_country="DE", now=day(2))
    cards.freeze_cards(first=card.serial, by=agent, reason="Reported stolen", now=day(3))
    cards.thaw_cards(first=card.serial, by=agent, reason="Found again", now=day(4))
    batches.extend_batch(stored, expires_on=stored.expires_on + timedelta(days=30), by=manager, now=day(5))
    won = redeem(account=winner, text=card.text, channel=Channel.MOBILE, apparent_country="GB", now=day(6))

    told = story(card)
    lines = [(entry.at, entry.title, str(entry.by) if entry.by else None) for entry in told.entries]
    assert lines == [
        (day(0), "Issued", "Redemption Desk"),
        (day(1), "Activated at the till", "Redemption Desk"),
        (day(1), "Card sold", None),
        (day(2), "Refused: Another country's card", None),
        (day(3), "Frozen", "Ada"),
        (day(4), "Thawed", "Ada"),
        (day(5), "Expiry changed", "Mia"),
        (day(6), "Redeemed", None),
        (day(6), "Code redeemed", None),
    ]
    assert not told.has_older
    by_title = {entry.title: entry for entry in told.entries}
    assert by_title["Frozen"].detail == "Reported stolen"
    assert by_title["Issued"].detail == f"cards {stored.first_serial} to {stored.last_serial}"
    assert by_title["Card sold"].detail == "£30.00: Retailer receivable → Code liability"
    loser, redeemed = by_title["Refused: Another country's card"], by_title["Redeemed"]
    assert (loser.attempt.reference, loser.account, loser.country) == (refused.reference, student, "DE")
    assert (redeemed.attempt.reference, redeemed.account, redeemed.country) == (won.reference, winner, "GB")


def test_an_attempt_one_slip_away_is_part_of_the_story():
    card = factories.card()
    account = factories.account(card.batch.product.program)
    Attempt.objects.create(
        account=account,
        program=account.program,
        near_code=card.row,
        outcome=AttemptOutcome.REFUSED,
        reason=RefusalReason.UNKNOWN,
        channel=Channel.WEB,
        at=timezone.now(),
    )
    entry = story(card).entries[-1]
    assert (entry.title, entry.account) == ("Mistyped", account)


def test_other_cards_stories_stay_out():
    first, second = factories.cards(2)
    now = timezone.now()
    agent = factories.user(Role.AGENT)
    cards.freeze_cards(first=second.serial, by=agent, reason="Other", now=now)
    event(first, CardEventKind.ISSUED, now, first=second.serial, last=second.serial + 5)
    event(factories.card(), CardEventKind.VOIDED, now, first=first.serial - 1, last=first.serial + 1)
    account = factories.account(first.batch.product.program)
    redeem(account=account, text=second.text, channel=Channel.WEB)
    assert [entry.title for entry in story(first).entries] == ["Card sold"]


def test_the_newest_fifty_and_a_word_about_the_rest():
    card = factories.card()
    account = factories.account(card.batch.product.program)
    start = timezone.now()
    Attempt.objects.bulk_create(
        Attempt(
            account=account,
            program=account.program,
            code=card.row,
            outcome=AttemptOutcome.REFUSED,
            reason=RefusalReason.COUNTRY_DIFFERS,
            channel=Channel.WEB,
            at=start + timedelta(seconds=number),
        )
        for number in range(MOST_SHOWN)
    )
    assert not story(card).has_older
    Attempt.objects.create(
        account=account,
        program=account.program,
        code=card.row,
        outcome=AttemptOutcome.PREVIEWED,
        channel=Channel.WEB,
        at=start + timedelta(seconds=MOST_SHOWN),
    )
    told = story(card)
    assert told.has_older
    attempts = [entry for entry in told.entries if entry.attempt]
    assert len(attempts) == MOST_SHOWN
    assert attempts[0].at == start + timedelta(seconds=1)
    assert attempts[-1].title == "Previewed"


def test_the_number_of_queries_is_constant(django_assert_num_queries):
    card = factories.card()
    agent = factories.user(Role.AGENT)
    program = card.batch.product.program
    row = card.row
    for _ in range(3):
        with django_assert_num_queries(5):
            told = timeline(row)
            [(str(entry.by), entry.account and entry.account.reference) for entry in told.entries]
        cards.freeze_cards(first=card.serial, by=agent, reason="Again")
        cards.thaw_cards(first=card.serial, by=agent, reason="Again")
        redeem(account=factories.account(program, country="DE"), text=card.text, channel=Channel.WEB)


@pytest.mark.as_owner
def test_each_query_uses_the_index_that_was_made_for_it(django_assert_num_queries):
    """With as many rows as it takes to be worth it, of which PostgreSQL knows: as the owner, who may have it look."""
    made = factories.cards(1000)
    batch, now = made[0].batch, timezone.now()
    tried = {
        "account": factories.account(batch.product.program),
        "program": batch.product.program,
        "outcome": AttemptOutcome.REFUSED,
        "reason": RefusalReason.UNKNOWN,
        "channel": Channel.WEB,
        "at": now,
    }
    Attempt.objects.bulk_create(Attempt(code_id=card.serial, **tried) for card in made)
    Attempt.objects.bulk_create(Attempt(near_code_id=card.serial, **tried) for card in made)
    told = {"kind": CardEventKind.FROZEN, "batch": batch, "by": User.objects.system(), "at": now}
    CardEvent.objects.bulk_create(
        CardEvent(first_serial=card.serial, last_serial=card.serial + (number % 100 == 0), **told)
        for number, card in enumerate(made)
    )
    row = made[0].row
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE redemption_cardevent, redemption_attempt, redemption_transfer")
    with django_assert_num_queries(5) as context:
        timeline(row)
    plans = []
    with connection.cursor() as cursor:
        for query in list(context.captured_queries):
            cursor.execute(f"EXPLAIN {query['sql']}")
            plans.append(" ".join(row[0] for row in cursor.fetchall()))
    indexes = ["event_of_card", "event_of_range", "attempt_code", "attempt_near", "transfer_code"]
    assert [index for plan, index in zip(plans, indexes, strict=True) if index not in plan] == []
