"""Finding a code by what was typed, against pgbench's same query; and the card's page in a small and a large table."""

import argparse
import random
import statistics
import time

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, setup_test_environment

from redemption.facts import read_facts
from redemption.models import Account, Batch, BatchStatus, User
from redemption.roles import Role
from tests.bench import clients, pgbench, world
from tests.bench.report import Row

SECONDS = 4
SMALL = 100_000
PAGES = 300


def run(args: argparse.Namespace) -> list[Row]:
    made = world.build(SMALL // 2)
    number_of_clients = args.clients or 1
    accounts = list(Account.objects.select_related("program").order_by("pk"))
    first_account, last_account = made.accounts

    def find(client: int, number: int) -> None:
        code = made.codes[(number * 7919 + client * 1009) % len(made.codes)]
        assert read_facts(accounts[number % len(accounts)], text=code).code

    ours, limit = [], []
    for _ in range(args.runs):
        ours.append(clients.run(find, clients=number_of_clients, seconds=SECONDS))
        limit.append(
            pgbench.run(
                "lookup.sql",
                clients=number_of_clients,
                seconds=SECONDS,
                first_serial=made.limit.first_serial,
                last_serial=made.limit.last_serial,
                first_account=first_account,
                last_account=last_account,
            )
        )
    rows = [
        Row.of(f"find a code, clients: {number_of_clients}", statistics.median(ours), statistics.median(limit), "1/s")
    ]

    # The page at SMALL codes and then at many: the same cards, before and after the table grows around them.
    setup_test_environment()
    settings.STAFF_SECOND_FACTOR = False
    agent = User.objects.create_user("bench@example.com", role=Role.AGENT)
    browser = Client()
    browser.force_login(agent)
    serials = random.Random(7).sample(range(made.ours.first_serial, made.ours.last_serial), PAGES)
    few, few_queries = _pages(browser, serials, args.runs)
    _grow(made, args.codes or 10_000_000)
    many, many_queries = _pages(browser, serials, args.runs)
    rows.append(Row.of(f"card's page, {args.codes or 10_000_000:,} codes against {SMALL:,}", many, few, "ms"))
    rows.append(Row.of("card's page, its queries", many_queries, few_queries, "queries"))
    return rows


def _pages(browser: Client, serials: list[int], runs: int) -> tuple[float, int]:
    """Median milliseconds of a page, over medians of runs; and how many queries one takes."""
    with CaptureQueriesContext(connection) as queries:
        assert browser.get(f"/codes/{serials[0]}/").status_code == 200
    count = len(queries)
    medians = []
    for _ in range(runs):
        times = []
        for serial in serials:
            began = time.perf_counter()
            browser.get(f"/codes/{serial}/")
            times.append(1000 * (time.perf_counter() - began))
        medians.append(statistics.median(times))
    return statistics.median(medians), count


def _grow(made: world.World, codes: int) -> None:
    """More batches of a million, until the table holds `codes`."""
    first = 3_000_000_000
    missing = codes - SMALL
    while missing > 0:
        size = min(missing, 1_000_000)
        batch = Batch.objects.create(
            product=made.ours.product,
            retailer=made.ours.retailer,
            code_format=made.ours.code_format,
            status=BatchStatus.ACTIVE,
            quantity=size,
            serials=(first, first + size),
            value=3000,
            currency="GBP",
            created_by=User.objects.system(),
        )
        world.fill(Batch.objects.get(pk=batch.pk))
        first, missing = first + size, missing - size
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
