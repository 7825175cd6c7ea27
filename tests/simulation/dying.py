"""A worker process that redeems one code and is killed on the way: `die_redeeming` is what it runs.

Its process is forked from a server process that has Django loaded and no connection, so that dying costs little.
"""

import multiprocessing
import os
import signal
from datetime import datetime
from typing import Any

from django.db import connection

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.simulation.preload"])


class Worker:
    """One redemption in a process of its own."""

    def __init__(self, account_id: int, text: str, key: str, now: datetime, *, dies_after: int | None = None) -> None:
        self._process = _processes.Process(
            target=_redeem, args=(connection.settings_dict["NAME"], account_id, text, key, now, dies_after), daemon=True
        )
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


def _redeem(database: str, account_id: int, text: str, key: str, now: datetime, dies_after: int | None) -> None:
    from redemption.models import Account, Channel
    from redemption.redeem import redeem

    connection.settings_dict["NAME"] = database
    account = Account.objects.select_related("program").get(pk=account_id)
    statements = 0

    def counting(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        nonlocal statements
        outcome = execute(sql, params, many, context)
        statements += 1
        if statements == dies_after:
            os.kill(os.getpid(), signal.SIGKILL)
        return outcome

    with connection.execute_wrapper(counting):
        redeem(account=account, text=text, channel=Channel.WEB, key=key, now=now)
    connection.close()
