"""Our side: client processes that do one thing over and over for some seconds."""

import multiprocessing
import time
from collections.abc import Callable

from django.db import connections


def run(work: Callable[[int, int], None], *, clients: int, seconds: int) -> float:
    """Calls `work(client, number)` in each of `clients` processes until the time is over; calls a second, all told."""
    connections.close_all()
    context = multiprocessing.get_context("fork")
    counts = context.Queue()
    start = context.Barrier(clients)

    def loop(client: int) -> None:
        try:
            measure(client)
        except BaseException as error:
            start.abort()
            counts.put(repr(error))
            raise

    def measure(client: int) -> None:
        # Two before the clock starts: connect, and have the server prepare the statements.
        for number in range(3):
            work(client, number)
        start.wait()
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            work(client, 3 + done)
            done += 1
        counts.put(done / (time.perf_counter() - began))
        connections.close_all()

    processes = [context.Process(target=loop, args=(client,)) for client in range(clients)]
    for process in processes:
        process.start()
    rates = [counts.get() for _ in processes]
    for process in processes:
        process.join()
    if failed := [rate for rate in rates if isinstance(rate, str)]:
        raise RuntimeError(f"A client failed: {failed[0]}")
    return float(sum(rates))
