"""The managers' pages over a million credits and ten million transfers: the slowest of twenty requests, against a
second; and how many queries each asks, against the same pages without any credit."""

import argparse
import logging
import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, setup_test_environment
from django.utils import timezone

from redemption import day_tallies
from redemption.models import Program, User
from redemption.reconcile import ledger_liability
from redemption.roles import Role
from support.models import ManualCredit
from support.reports.filters import Filters, today
from support.reports.liability import liability_rows
from tests.bench import credit_world
from tests.bench.report import Row

CREDITS, TRANSFERS = 1_000_000, 10_000_000
REQUESTS = 100
SLOWEST = 1000.0

_Address = Callable[[random.Random], str]


def run(args: argparse.Namespace) -> list[Row]:
    credits = args.codes or CREDITS
    setup_test_environment()
    logging.disable(logging.WARNING)
    settings.STAFF_SECOND_FACTOR = False
    browser = Client()
    browser.force_login(User.objects.create_user("bench@example.com", role=Role.MANAGER))
    empty = {name: _queries(browser, address) for name, address in _pages().items()}
    credit_world.build(credits, credits * TRANSFERS // CREDITS)
    began = time.perf_counter()
    day_tallies.roll_up()
    sys.stderr.write(f"rolled up in {time.perf_counter() - began:.0f} s\n")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE redemption_ledgerday, redemption_attemptday")
    _agrees()
    rows = []
    for name, address in _pages().items():
        rows.append(Row.of(f"{name}, p95; limit", _p95(browser, address), SLOWEST, "ms"))
        sys.stderr.write(f"{rows[-1].name}: {rows[-1].ours:.0f} ms\n")
        rows.append(
            Row.of(f"{name}, its queries; without a credit", _queries(browser, address), empty[name], "queries")
        )
    return rows


def _pages() -> dict[str, _Address]:
    programs = list(Program.objects.values_list("pk", flat=True)[:8]) or [1]
    agents = list(User.objects.filter(role=Role.AGENT).values_list("pk", flat=True)) or [1]
    now = today()

    def any_of(*addresses: str) -> _Address:
        return lambda chance: chance.choice(addresses)

    def days(chance: random.Random) -> str:
        last = now - timedelta(days=chance.randint(0, 900))
        return f"from={last - timedelta(days=chance.randint(6, 90))}&until={last}"

    return {
        "the overview": any_of("/credits/"),
        "the overview of a currency or program": lambda chance: chance.choice(
            [f"/credits/?unit={unit}" for unit in ("USD", "EUR", "days")]
            + [f"/credits/?program={chance.choice(programs)}"]
        ),
        "the overview of own dates": lambda chance: f"/credits/?{days(chance)}",
        "the overview of 52 weeks": any_of("/credits/?period=52"),
        "all credits": any_of("/credits/list/"),
        "credits filtered": lambda chance: "/credits/list/?" + chance.choice(
            [
                f"agent={chance.choice(agents)}", "tenth=9", "contact=no&unit=USD", "reversed=yes", "reason=goodwill",
                f"{days(chance)}&approved=yes", "retailer=none", f"card={4_000_000_000 + chance.randint(1, 999_999)}",
            ]
        ),
        "liability": any_of("/reports/liability/"),
        "liability as of a day": lambda chance: (
            f"/reports/liability/?on={now - timedelta(days=chance.randint(0, 900))}"
        ),
        "signals": any_of("/reports/signals/"),
        "failures": any_of("/reports/failures/"),
        "failures of one reason": lambda chance: f"/reports/failures/?reason=unknown&{days(chance)}",
    }  # fmt: skip


def _agrees() -> None:
    """The page's figures are the ledger's own, which reconcile compares with the cards."""
    for days in (0, 1, 100, 700):
        moment = Filters(on=str(today() - timedelta(days=days)))
        ours = {
            (line.program.name, line.currency): line.outstanding for line in liability_rows(moment) if line.outstanding
        }
        theirs = {of: owed for of, owed in ledger_liability(as_of=moment.as_of_moment).items() if owed}
        assert ours == theirs, days
    assert ManualCredit.objects.filter(granted_at__lte=timezone.now()).exists()


def _p95(browser: Client, address: _Address) -> float:
    chance = random.Random(11)
    for _ in range(5):
        browser.get(address(chance))
    times = []
    for _ in range(REQUESTS):
        asked = address(chance)
        began = time.perf_counter()
        answer: Any = browser.get(asked)
        times.append(1000 * (time.perf_counter() - began))
        assert answer.status_code == 200, asked
    return statistics.quantiles(times, n=20)[-1]


def _queries(browser: Client, address: _Address) -> int:
    chance, most = random.Random(5), 0
    for _ in range(5):
        with CaptureQueriesContext(connection) as queries:
            browser.get(address(chance))
        most = max(most, len(queries))
    return most
