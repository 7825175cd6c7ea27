"""Many writers at once, each transaction open for 0 to 50 ms, and a sealer all along: none is lost or sealed twice."""

import threading

import pytest
from django.core.management import call_command
from django.db import connection

from support.models import AuditEvent, CreditPolicy, Seal, SealedRow
from support.sealing import seal
from tests.bench import pgbench
from tests.support.sealed_world import seal_now, verify


def write_and_seal(clients, seconds):
    """Writes for some seconds and seals without a pause; how many seals that made."""
    if CreditPolicy.objects.exists():
        call_command("flush", verbosity=0, interactive=False)
    ended, rate = threading.Event(), []

    def write():
        try:
            rate.append(pgbench.run("write.sql", clients=clients, seconds=seconds))
        finally:
            connection.close()
            ended.set()

    writers = threading.Thread(target=write)
    writers.start()
    while not ended.is_set():
        seal()
    writers.join()
    assert rate
    seal_now()


def check(clients):
    """Every event is under one seal, and all of it verifies."""
    events = AuditEvent.objects.order_by("pk").values_list("pk", flat=True)
    members = SealedRow.objects.filter(kind=1).order_by("row").values_list("row", flat=True)
    assert list(members) == list(events)
    assert sum(Seal.objects.values_list("count", flat=True)) == len(events) > 10 * clients
    assert Seal.objects.count() > 5
    assert verify()[0] == []


def test_thirty_writers(crowd):
    clients = min(30, crowd - 5)
    write_and_seal(clients, seconds=3)
    check(clients)


@pytest.mark.heavy
def test_a_hundred_writers_for_a_minute(crowd):
    clients = min(100, crowd - 5)
    write_and_seal(clients, seconds=60)
    check(clients)
    # The order of ids is not the order of commits: what made `id >` lose rows did happen here.
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT count(*) FROM support_sealedrow a JOIN support_sealedrow b ON b."row" = a."row" + 1'
            " WHERE a.seal > b.seal"
        )
        assert cursor.fetchone()[0] > 0
