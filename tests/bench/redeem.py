"""redeem() complete (facts, every check, counted attempt, key, transfer, wallet) against pgbench doing the same."""

import argparse
import statistics

from redemption.models import Account, Channel
from redemption.redeem import redeem
from tests.bench import clients, pgbench, world
from tests.bench.report import Row

SECONDS = 6


def run(args: argparse.Namespace) -> list[Row]:
    rows = []
    counts = [args.clients] if args.clients else [4, 8]
    # Enough cards that no run meets a spent one: far above what either side manages.
    made = world.build(args.codes or 12_000 * SECONDS * args.runs * len(counts) // 4)
    accounts = {account.pk: account for account in Account.objects.select_related("program")}
    first_account, last_account = made.accounts
    for number_of_clients in counts:
        ours, limit = [], []
        for round_number in range(args.runs):
            share = len(made.codes) // (args.runs * len(counts))
            start = share * (round_number + args.runs * counts.index(number_of_clients))
            per_client = share // number_of_clients

            def work(client: int, number: int, start: int = start, per_client: int = per_client) -> None:
                account = accounts[first_account + (number * 7919 + client * 1009) % world.ACCOUNTS]
                result = redeem(
                    account=account,
                    text=made.codes[start + client * per_client + number],
                    channel=Channel.WEB,
                    address=f"192.0.2.{account.pk}",
                )
                assert result.is_redeemed, result

            ours.append(clients.run(work, clients=number_of_clients, seconds=SECONDS))
            limit.append(
                pgbench.run(
                    "redeem.sql",
                    clients=number_of_clients,
                    seconds=SECONDS,
                    n=0,
                    first_serial=made.limit.first_serial + start,
                    cards_per_client=per_client,
                    first_account=first_account,
                    last_account=last_account,
                )
            )
        rows.append(
            Row.of(f"redeem, {number_of_clients} clients", statistics.median(ours), statistics.median(limit), "1/s")
        )
    return rows
