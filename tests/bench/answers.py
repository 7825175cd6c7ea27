"""What a customer with a stopwatch learns of codes that must not be told apart, by their answers' bytes and times.

Every probe is a whole request of the page, its session and its commits, with the limits raised as nobody's are. Kinds
come in random order, a card and an account are drawn anew each time, and the figure is the better of both ways to read
a clock: the chance that a probe of one kind took longer than one of another, the area under the curve (AUC), in per
cent. 50 is a coin's; the limit is 55.
"""

import argparse
import itertools
import logging
import random
import re
import statistics
import time
from collections import defaultdict
from datetime import timedelta

from django.conf import settings
from django.test import Client
from django.test.utils import setup_test_environment
from django.utils import timezone

from redemption.models import BatchStatus, CodeStatus
from tests import factories
from tests.bench.report import Row

PROBES = 10_000
CARDS = 40
ACCOUNTS = 50
LIMIT = 55.0
_REFERENCE = re.compile(r"\b(?:AT(?:-\w{4}){3}|NO(?:-\w{4}){8})\b")


def run(args: argparse.Namespace) -> list[Row]:
    setup_test_environment()
    # Every refusal is a line otherwise.
    logging.disable(logging.WARNING)
    settings.ATTEMPTS_PER_ACCOUNT = settings.ATTEMPTS_PER_ADDRESS = settings.ATTEMPTS_PER_PROGRAM = 0
    program = factories.program()
    kinds = _kinds(program)
    browsers = []
    for _ in range(ACCOUNTS):
        browsers.append(Client())
        browsers[-1].force_login(
            factories.account(program, user=factories.user()).user,
            backend="django.contrib.auth.backends.ModelBackend",
        )
    chance = random.Random(8)
    seen: dict[str, set[tuple[object, ...]]] = defaultdict(set)
    times: dict[str, list[float]] = defaultdict(list)
    rounds = -(-(args.codes or PROBES) // len(kinds))
    for number in range(-20, rounds):
        for kind in chance.sample(list(kinds), len(kinds)):
            client, code = chance.choice(browsers), chance.choice(kinds[kind])
            form = {"code": code, "key": f"{chance.getrandbits(128):032x}"}
            began = time.perf_counter_ns()
            response = client.post("/redeem/", form)
            took = time.perf_counter_ns() - began
            # The first rounds warm what any first request warms.
            if number >= 0:
                times[kind].append(took)
                seen[kind].add(
                    (
                        response.status_code,
                        tuple(sorted(response.headers.items())),
                        _REFERENCE.sub("the reference", response.content.decode()),
                    )
                )
    assert len(set(map(frozenset, seen.values()))) == 1, {kind: len(answers) for kind, answers in seen.items()}
    assert len(next(iter(seen.values()))) == 1
    rows = [
        Row.of(f"AUC: {one} against {other}", _auc(times[one], times[other]), LIMIT, "%")
        for one, other in itertools.combinations(kinds, 2)
    ]
    rows.sort(key=lambda row: -row.ours)
    every = statistics.median(itertools.chain.from_iterable(times.values())) / 1e6
    rows.append(Row.of("median answer: slowest kind, all of them", _slowest(times), every, "ms"))
    return rows


def _kinds(program: object) -> dict[str, list[str]]:
    """Codes that nobody may learn anything of: the six, many of each."""
    batch = factories.batch(factories.product(program), size=3 * CARDS)
    old = factories.batch(factories.product(program), expires_on=timezone.localdate() - timedelta(days=30))
    abroad = factories.batch(factories.product(program, countries=["US"]))
    sleeping = factories.batch(factories.product(program), status=BatchStatus.ISSUED)
    made = {
        "unknown": factories.cards(CARDS),
        "frozen": factories.cards(CARDS, batch, status=CodeStatus.FROZEN),
        "inactive": factories.cards(CARDS, batch, status=CodeStatus.INACTIVE),
        "void": factories.cards(CARDS, batch, status=CodeStatus.VOID),
        "expired": factories.cards(CARDS, old),
        "abroad": factories.cards(CARDS, abroad),
        "of a batch not yet active": factories.cards(CARDS, sleeping),
    }
    return {kind: [card.text for card in cards] for kind, cards in made.items()}


def _auc(one: list[float], other: list[float]) -> float:
    """By ranks, ties shared; told from the side that guesses better."""
    ranked = sorted([(took, True) for took in one] + [(took, False) for took in other])
    total, place = 0.0, 0
    for _, group in itertools.groupby(ranked, key=lambda pair: pair[0]):
        members = [is_one for _, is_one in group]
        total += sum(members) * (place + (len(members) + 1) / 2)
        place += len(members)
    area = (total - len(one) * (len(one) + 1) / 2) / (len(one) * len(other))
    return 100 * max(area, 1 - area)


def _slowest(times: dict[str, list[float]]) -> float:
    return max(statistics.median(took) for took in times.values()) / 1e6
