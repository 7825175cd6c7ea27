"""Many at once: threads that start together, each with a database connection of its own."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection

STARTS_WITHIN = 60


def all_at_once(calls: Sequence[Callable[[], Any]], *, clients: int | None = None) -> list[Any]:
    """What each call returned or raised, in the order of the calls; `clients` threads take them in turn.

    Every thread connects first and then waits for the others, so that none is through before the last begins.
    """
    clients = min(clients or len(calls), len(calls))
    outcomes: list[Any] = [None] * len(calls)
    start = threading.Barrier(clients)

    def client(number: int) -> None:
        try:
            connection.ensure_connection()
            start.wait(STARTS_WITHIN)
            for place in range(number, len(calls), clients):
                try:
                    outcomes[place] = calls[place]()
                except Exception as error:
                    outcomes[place] = error
        except BaseException:
            start.abort()
            raise
        finally:
            connection.close()

    with ThreadPoolExecutor(clients) as threads:
        for running in [threads.submit(client, number) for number in range(clients)]:
            running.result()
    return outcomes


def errors(outcomes: Sequence[Any]) -> list[str]:
    return [repr(outcome) for outcome in outcomes if isinstance(outcome, BaseException)]
