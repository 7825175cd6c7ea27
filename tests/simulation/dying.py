"""Worker processes that redeem one code, freeze one report's cards or bill a month, and are killed on the way.

Such a process is forked from a server process that has Django loaded and no connection, so that dying costs little.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.simulation.preload"])


class _Process:
    """Some work in a process of its own, on this test's database."""

    def __init__(self, work: Callable[..., None], *args: Any) -> None:
        self._process = _processes.Process(target=work, args=(connection.settings_dict["NAME"], *args), daemon=True)
        self._process.start()

    @property
    def is_running(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        assert self._process.pid
        os.kill(self._process.pid, signal.SIGKILL)
        self.join()

    def join(self) -> int | None:
        """The exit code: 0 for a redemption that came through, -9 for a worker that was killed."""
        self._process.join(60)
        return self._process.exitcode


class Worker(_Process):
    """One redemption."""

    def __init__(self, account_id: int, text: str, key: str, now: datetime, *, dies_after: int | None = None) -> None:
        super().__init__(_redeem, account_id, text, key, now, dies_after)


class Freezer(_Process):
    """The job of one report, in chunks of so many cards."""

    def __init__(self, report_id: int, *, chunk: int, dies_after: int | None = None) -> None:
        super().__init__(_freeze, report_id, chunk, dies_after)


class Biller(_Process):
    """One run of the billing, in chunks of so many accounts."""

    def __init__(self, now: datetime, *, chunk: int, dies_after: int | None = None) -> None:
        super().__init__(_renew, now, chunk, dies_after)


def _redeem(database: str, account_id: int, text: str, key: str, now: datetime, dies_after: int | None) -> None:
    from redemption.models import Account, Channel
    from redemption.redeem import redeem

    connection.settings_dict["NAME"] = database
    account = Account.objects.select_related("program").get(pk=account_id)
    with _dying_after(dies_after):
        redeem(account=account, text=text, channel=Channel.WEB, key=key, now=now)
    connection.close()


def _freeze(database: str, report_id: int, chunk: int, dies_after: int | None) -> None:
    from support.actions import reports
    from support.jobs import freeze_report_job

    connection.settings_dict["NAME"] = database
    reports.CHUNK = chunk
    with _dying_after(dies_after):
        freeze_report_job(report_id)
    connection.close()


def _renew(database: str, now: datetime, chunk: int, dies_after: int | None) -> None:
    from redemption import billing

    connection.settings_dict["NAME"] = database
    with _dying_after(dies_after):
        billing.renew(now=now, chunk=chunk)
    connection.close()


@contextmanager
def _dying_after(dies_after: int | None) -> Iterator[None]:
    """So many statements, and the process kills itself."""
    statements = 0

    def counting(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        nonlocal statements
        outcome = execute(sql, params, many, context)
        statements += 1
        if statements == dies_after:
            os.kill(os.getpid(), signal.SIGKILL)
        return outcome

    with connection.execute_wrapper(counting):
        yield
