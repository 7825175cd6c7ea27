"""A report of 100,000 cards by CSV against raw statements that write the same rows; what its process takes of memory;
and how long 1,000 cards take, reported while customers redeem."""

import argparse
import multiprocessing
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from django.db import connection, connections

from redemption.models import Account, Batch, BatchStatus, Channel, Code, CodeStatus, Retailer, RetailerMember, User
from redemption.redeem import redeem
from redemption.roles import Role
from support.actions.reports import Told, open_report
from support.jobs import freeze_report_job
from support.models import Answer, CompromiseKind, CompromiseReport, ReportChannel, ReportedCard
from support.reported_lines import Line, file_lines, typed_lines
from tests.bench import world
from tests.bench.loading import peak_memory, seconds
from tests.bench.report import Row

CARDS = 100_000
SMALL = 1_000
CLIENTS = 8

_STAGE = """
    INSERT INTO support_reportedcard (report_id, line, serial, problem, answer, outcome)
    SELECT %s::bigint, row_number() OVER (), serial, '', 'pending', ''
    FROM redemption_code WHERE serial BETWEEN %s::bigint AND %s::bigint
"""
_FREEZE = "UPDATE redemption_code SET status = 3 WHERE serial BETWEEN %s::bigint AND %s::bigint AND status IN (0, 1)"


class _World:
    """Batches of one retailer, as many as are asked for; each is frozen once."""

    def __init__(self, cards: int, runs: int) -> None:
        self.cards = cards
        self.small = world.build(2 * runs * SMALL)
        self.retailer: Retailer = self.small.ours.retailer
        self.clerk = User.objects.create(email="clerk@example.com", role=Role.RETAILER, password="!")
        RetailerMember.objects.create(retailer=self.retailer, user=self.clerk)
        self._next = 3_000_000_000

    def batch(self) -> Batch:
        first, self._next = self._next, self._next + self.cards
        like = self.small.ours
        made = Batch.objects.create(
            product=like.product, retailer=self.retailer, code_format=like.code_format, status=BatchStatus.ACTIVE,
            quantity=self.cards, serials=(first, first + self.cards), value=3000, currency="GBP",
            created_by=User.objects.system(),
        )  # fmt: skip
        made.refresh_from_db()
        world.fill(made)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE redemption_code, support_reportedcard")
        return made

    def opened(self, lines: Callable[[], object]) -> CompromiseReport:
        return open_report(
            retailer=self.retailer,
            lines=lines(),
            told=Told(CompromiseKind.STOLEN),
            by=self.clerk,
            channel=ReportChannel.PORTAL,
        ).report


def run(args: argparse.Namespace) -> list[Row]:
    made = _World(args.codes or CARDS, args.runs)
    with tempfile.TemporaryDirectory() as folder:
        rows = _memory(made, Path(folder))
        rows += _large(made, Path(folder), args.runs)
    return [*rows, *_small(made, args.runs)]


def _file(path: Path, batch: Batch, count: int, *, more: str = "") -> Path:
    """A till system's list, with columns that are no business of ours."""
    assert batch.first_serial
    with path.open("w") as file:
        file.write("store;serial number;remark\n")
        file.writelines(
            f"Malmö;{serial};box 7{more}\n" for serial in range(batch.first_serial, batch.first_serial + count)
        )
    return path


def _from(made: _World, path: Path) -> CompromiseReport:
    with path.open("rb") as file:
        return made.opened(lambda: file_lines(file))


# --- All of it


def _large(made: _World, folder: Path, runs: int) -> list[Row]:
    reading, staging, freezing, raw_staging, raw_freezing = [], [], [], [], []
    for _ in range(runs):
        ours, limit = made.batch(), made.batch()
        path = _file(folder / "cards.csv", ours, made.cards)
        with path.open("rb") as file:
            reading.append(seconds(lambda: _exhaust(file_lines(file))))
        reports: list[CompromiseReport] = []
        staging.append(seconds(lambda: reports.append(_from(made, path))))  # noqa: B023
        freezing.append(seconds(partial(freeze_report_job, reports[0].pk)))
        _is_frozen(reports[0], ours)
        between = [limit.first_serial, limit.last_serial]
        # Its rows are another report's: a card stands in each once.
        other = made.opened(lambda: [Line(1, limit.last_serial)])  # noqa: B023
        ReportedCard.objects.filter(report=other).delete()
        Code.objects.filter(batch=limit).update(status=CodeStatus.ACTIVE)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM redemption_code")
        raw_staging.append(seconds(partial(_execute, _STAGE, [other.pk, *between])))
        raw_freezing.append(seconds(partial(_execute, _FREEZE, between)))
        sys.stderr.write(
            f"read {reading[-1]:.2f} s, read and staged {staging[-1]:.2f} s (raw {raw_staging[-1]:.2f} s), "
            f"frozen {freezing[-1]:.2f} s (raw {raw_freezing[-1]:.2f} s)\n"
        )
    stage, raw_stage = statistics.median(staging), statistics.median(raw_staging)
    freeze, raw_freeze = statistics.median(freezing), statistics.median(raw_freezing)
    rate = made.cards
    return [
        Row.of(
            "reading a CSV; limit: raw INSERT of its rows",
            rate / statistics.median(reading),
            rate / raw_stage,
            "cards/s",
        ),
        Row.of("reading, staging; limit: raw INSERT", rate / stage, rate / raw_stage, "cards/s"),
        Row.of("freezing, events, answers; limit: one raw UPDATE", rate / freeze, rate / raw_freeze, "cards/s"),
        Row.of("the whole report; limit: both", rate / (stage + freeze), rate / (raw_stage + raw_freeze), "cards/s"),
    ]


def _exhaust(lines: object) -> None:
    for _ in lines:
        pass


def _execute(sql: str, parameters: list[object]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def _is_frozen(report: CompromiseReport, batch: Batch) -> None:
    report.refresh_from_db()
    assert (report.done, report.undecided, report.status) == (batch.quantity, batch.quantity, "done"), report.done
    assert Code.objects.filter(batch=batch, status=CodeStatus.FROZEN).count() == batch.quantity
    assert report.cards.filter(answer=Answer.FROZEN).count() == batch.quantity


# --- Memory


def _memory(made: _World, folder: Path) -> list[Row]:
    batches = [made.batch() for _ in range(3)]
    few = _file(folder / "few.csv", batches[0], made.cards // 10)
    many = _file(folder / "many.csv", batches[1], made.cards)
    wide = _file(folder / "wide.csv", batches[2], made.cards, more=";" + "x" * 500)

    def work(path: Path) -> None:
        report = _from(made, path)
        freeze_report_job(report.pk)

    least, most, widest = (peak_memory(partial(work, path)) for path in (few, many, wide))
    return [
        Row.of(f"peak memory; limit: at {made.cards // 10:,}", most, least, "MiB"),
        Row.of("peak memory, 500 characters more a line; limit: without", widest, most, "MiB"),
    ]


# --- A thousand, while customers redeem


def _small(made: _World, runs: int) -> list[Row]:
    """From the call to the commit; and the same with nobody redeeming. Customers redeem cards of the same batch."""
    first = made.small.ours.first_serial
    assert first
    quiet: list[float] = []
    busy: list[float] = []
    for number in range(2 * runs):
        is_busy, start = bool(number % 2), first + number * SMALL
        lines = f"{start}-{start + SMALL - 1}"
        with _redeeming(made) if is_busy else nullcontext():
            took = seconds(lambda: made.opened(lambda: typed_lines(lines)))  # noqa: B023
        (busy if is_busy else quiet).append(1000 * took)
        sys.stderr.write(f"{SMALL:,} cards {'amid redemptions' if is_busy else 'in peace'}: {1000 * took:.0f} ms\n")
    name = f"{SMALL:,} cards amid redemptions; limit: in peace"
    return [Row.of(name, statistics.median(busy), statistics.median(quiet), "ms")]


@contextmanager
def _redeeming(made: _World) -> Iterator[None]:
    """Clients in processes of their own that have begun when this begins."""
    connections.close_all()
    context = multiprocessing.get_context("fork")
    begun, ended = context.Semaphore(0), context.Event()
    clients = [context.Process(target=_redeem, args=(made, client, begun, ended)) for client in range(CLIENTS)]
    for process in clients:
        process.start()
    try:
        for _ in clients:
            assert begun.acquire(timeout=60), "A client has not begun."
        yield
    finally:
        ended.set()
        for process in clients:
            process.join()


def _redeem(made: _World, client: int, begun: Any, ended: Any) -> None:
    """Each of its cards again and again: what is spent or frozen is refused at about the same price."""
    accounts = list(Account.objects.select_related("program").order_by("pk")[client::100][:100])
    codes = made.small.codes[client::CLIENTS]
    number = 0
    while not ended.is_set():
        account = accounts[number % len(accounts)]
        redeem(account=account, text=codes[number % len(codes)], channel=Channel.WEB, address=f"192.0.2.{client}")
        number += 1
        if number == 3:
            begun.release()
    connections.close_all()
