"""The desk's pages among half a million tickets: the slowest of twenty, against 300 ms; and how many queries each asks,
against a desk of a few thousand tickets."""

import argparse
import logging
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, setup_test_environment

from redemption.models import Program, User
from redemption.roles import Role
from support.models import SavedView, Ticket
from support.queue import VIEWS, next_after
from tests.bench import tickets
from tests.bench.report import Row

TICKETS = 500_000
SMALL = 5_000
REQUESTS = 100
SLOWEST = 300.0

_Ask = Callable[[Client, random.Random, int], Any]


def run(args: argparse.Namespace) -> list[Row]:
    count = args.codes or TICKETS
    setup_test_environment()
    # A look-up that finds nothing says so with 404.
    logging.disable(logging.WARNING)
    settings.STAFF_SECOND_FACTOR = False
    # Some look-ups are for what there is not; an agent would soon be stopped.
    settings.ATTEMPTS_PER_AGENT = 0
    tickets.people()
    tickets.fill(1, SMALL)
    browser = Client()
    agent = User.objects.filter(role=Role.AGENT).order_by("pk")[3]
    browser.force_login(agent)
    SavedView.objects.create(owner=agent, name="Urgent calls", query="view=unassigned&channel=phone&priority=4")
    pages = _pages()
    few = {name: _queries(browser, ask, SMALL) for name, ask in pages.items()}
    began = time.perf_counter()
    tickets.fill(SMALL + 1, count)
    sys.stderr.write(f"{count:,} tickets written in {time.perf_counter() - began:.0f} s\n")
    rows = []
    for name, ask in pages.items():
        rows.append(Row.of(f"{name}, p95; limit", _p95(browser, ask, count), SLOWEST, "ms"))
        rows.append(Row.of(f"{name}, its queries; at {SMALL:,}", _queries(browser, ask, count), few[name], "queries"))
    rows.append(Row.of("the next ticket of a view, p95; limit", _next(agent, count), SLOWEST, "ms"))
    return rows


def _pages() -> dict[str, _Ask]:
    program = Program.objects.order_by("pk").values_list("pk", flat=True)[2]
    narrow = [
        f"view=needs-us&program={program}&priority=4", f"view=all&program={program}&channel=social&sort=deadline",
        "view=all&tag=tag-250", "view=all&tag=tag-0&priority=4&channel=phone", "view=solved&assignee=me&sort=oldest",
        "view=all&assignee=nobody&priority=1&sort=newest", "view=solved&channel=retailer&priority=4",
    ]  # fmt: skip

    def view(key: str) -> _Ask:
        return lambda browser, chance, count: browser.get(f"/tickets/?view={key}")

    def one_of(addresses: list[str]) -> _Ask:
        return lambda browser, chance, count: browser.get(f"/tickets/?{chance.choice(addresses)}")

    def look_up(text: Callable[[random.Random, int], str]) -> _Ask:
        return lambda browser, chance, count: browser.post("/", {"typed": text(chance, count)})

    pages: dict[str, _Ask] = {f"the view “{made.label}”": view(key) for key, made in VIEWS.items()}
    sorts = [f"view={key}&sort={sort}" for key in ("needs-us", "all") for sort in ("priority", "oldest", "deadline")]
    return {
        **pages,
        "views sorted otherwise": one_of(sorts),
        "page 20 of a view": one_of([f"view={key}&page=20" for key in ("needs-us", "solved", "all")]),
        "views filtered": one_of(narrow),
        "a ticket’s page": lambda browser, chance, count: browser.get(
            f"/tickets/{tickets.reference(chance.randint(1, count))}/?view=mine"
        ),
        "look-up by frequent words": look_up(lambda chance, _: f"{tickets.word(chance.randint(0, 20))} the"),
        "look-up by two words": look_up(
            lambda chance, _: f"{tickets.word(chance.randint(0, 300))} {tickets.word(chance.randint(300, 4000))}"
        ),
        "look-up by a rare word": look_up(lambda chance, count: str(700_000_000 + chance.randint(1, count))),
        "look-up by reference": look_up(lambda chance, count: tickets.reference(chance.randint(1, count)).lower()),
        "look-up by e-mail": look_up(lambda chance, count: tickets.email(chance.randint(1, min(count, 200_000)))),
    }


def _p95(browser: Client, ask: _Ask, count: int) -> float:
    """Milliseconds; other requests come first, as on any day: the database has read what it reads often."""
    chance = random.Random(11)
    for _ in range(10):
        ask(browser, chance, count)
    times = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        answer = ask(browser, chance, count)
        times.append(1000 * (time.perf_counter() - began))
        assert answer.status_code in {200, 303, 404}, answer.status_code
    return statistics.quantiles(times, n=20)[-1]


def _queries(browser: Client, ask: _Ask, count: int) -> int:
    """The most that any of a few requests needs."""
    chance, most = random.Random(5), 0
    for _ in range(10):
        with CaptureQueriesContext(connection) as queries:
            ask(browser, chance, count)
        most = max(most, len(queries))
    return most


def _next(agent: User, count: int) -> float:
    chance, times = random.Random(3), []
    for number in range(2 * REQUESTS):
        address = {"view": chance.choice(list(VIEWS)), "sort": chance.choice(["", "priority"])}
        ticket = Ticket.objects.get(pk=chance.randint(1, count))
        began = time.perf_counter()
        next_after(ticket, address, agent)
        if number >= 10:
            times.append(1000 * (time.perf_counter() - began))
    return statistics.quantiles(times, n=20)[-1]
