"""Loads the whole world, part by part, and proves that its money is right."""

import logging
from collections.abc import Callable
from random import Random

from django.utils import timezone

from redemption.reconcile import reconcile
from redemption.tallies import roll_up
from support.demo import (
    accounts,
    batches,
    credits,
    desk,
    incidents,
    months,
    people,
    platforms,
    programs,
    retailers,
    story,
    tickets,
    trade,
    tries,
)
from support.demo.diary import Diary
from support.demo.examples import Examples
from support.demo.state import DemoError
from support.demo.world import World
from support.sealing import seal


def load(say: Callable[[str], None]) -> Examples:
    """Needs an empty, migrated database, and no transaction: redeeming has its own."""
    # It would say each mail that is queued.
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    world = World(timezone.now(), say)
    # The same people do the same each time; only codes are new.
    random = Random(2026)  # noqa: S311
    printer = batches.Printer()
    say("Loading programs, products, retailers, people and accounts…")
    programs.load(world, printer.key)
    people.load(world)
    accounts.load(world, random)
    say("Issuing and importing batches…")
    batches.load(world, printer)
    desk.load(world)
    say("Selling and redeeming cards, and answering tickets, month by month…")
    diary = Diary(world)
    story.write(diary)
    incidents.write(diary)
    retailers.write(diary)
    months.write(diary)
    platforms.write(diary)
    trade.write(diary, random)
    tickets.write(diary)
    credits.write(diary, random)
    diary.play()
    say("Rolling up the figures, and proving that they agree…")
    roll_up()
    retailers.judge_signs(world)
    prove(world)
    # As the worker does it: the demo begins with nothing unsealed.
    seal()
    return tries.collect(world)


def prove(world: World) -> None:
    """Transfers, wallets, liability and cards tell the same, today and on days gone by."""
    for days in (None, 15, 30, 60, 120):
        for line in reconcile(as_of=world.ago(days) if days else None):
            if not line.agrees:
                raise DemoError(
                    f"The books do not agree: {line.what} {line.currency} is {line.found}, expected {line.expected}"
                    + (f", {days} days ago." if days else ".")
                )
