"""Whatever its description allows, and much that it does not: the till's interface answers as documented, and never
fails itself. Against a live server, with valid keys and real cards."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from redemption.models import CodeStatus
from support.models import CompromiseReport
from tests import factories
from tests.support.till.tills import ADDRESS, key

pytestmark = pytest.mark.django_db(transaction=True)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = ["activate", "deactivate", "report", "read_report", "read_card"]
_names = itertools.count(1)


class World:
    """A retailer's cards in every status, and a stranger's, for schemathesis to stumble upon."""

    def __init__(self, address):
        batch = factories.batch(factories.product(factories.program(deactivation_minutes=30)))
        often = [CodeStatus.INACTIVE, CodeStatus.ACTIVE] * 8
        own = [factories.card(batch, status=status) for status in (*CodeStatus, *often)]
        foreign = factories.card()
        self.serials = [card.serial for card in (*own, foreign)]
        self.reports = [factories.report(card).reference for card in (own[1], foreign)]
        self.token = key(batch.retailer)[1]
        self.address = f"{address}{ADDRESS}/openapi.json"
        self.headers = {"Authorization": f"Bearer {self.token}"}

    def real(self, case, pick):
        """The same about a card or a report that there is: random numbers would all be unknown."""
        serial = self.serials[pick % len(self.serials)]
        match case.operation.definition.raw["operationId"]:
            case "activate" | "deactivate":
                case.body = {"serial": serial}
            case "report":
                told = case.body if isinstance(case.body, dict) else {}
                case.body = {**told, "serials": [serial, serial + 1], "ranges": [], "sold_at": None}
                case.body.pop("discovered_at", None)
            case "read_report":
                case.path_parameters["reference"] = self.reports[pick % 2]
            case "read_card":
                case.path_parameters["serial"] = serial


@pytest.fixture
def world(live_server, settings):
    settings.API_REQUESTS_PER_MINUTE = 0
    return World(live_server.url)


def operation(world, name):
    every = schemathesis.openapi.from_url(world.address).get_all_operations()
    (found,) = [one.ok() for one in every if one.ok().definition.raw["operationId"] == name]
    return found


def probe(world, name, mode, examples):
    """Sends as many cases, half of what is allowed about real cards; every answer must be a documented one."""
    cases = operation(world, name).as_strategy(generation_mode=mode)
    seen = set()

    # A null for “not about a real one”.
    @seed(20261121)
    @settings(max_examples=examples, database=None, suppress_health_check=list(HealthCheck))
    @given(cases, st.none() | st.integers(0, 1_000) if mode is GenerationMode.POSITIVE else st.none())
    def run(case, pick):
        if pick is not None:
            world.real(case, pick)
            case.headers["Idempotency-Key"] = f"wish-{next(_names)}"
        response = case.call_and_validate(headers=world.headers, checks=CHECKS)
        seen.add(response.status_code)

    run()
    return seen


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_allowed_is_answered_as_documented(world, name):
    seen = probe(world, name, GenerationMode.POSITIVE, 30)
    # It got through to what the operation does, and not only to its refusals.
    assert seen & {200, 201}
    assert 404 in seen or name == "report"
    if name == "report":
        assert CompromiseReport.objects.count() > 2


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_not_allowed_is_answered_as_documented(world, name):
    seen = probe(world, name, GenerationMode.NEGATIVE, 25)
    assert seen & {400, 404, 422}


@pytest.mark.heavy
def test_all_of_schemathesis_finds_nothing(world, tmp_path):
    program = Path(sys.executable).with_name("schemathesis")
    header = f"Authorization: Bearer {world.token}"
    checks = ",".join(check.__name__ for check in CHECKS) + ",unsupported_method,ignored_auth,missing_required_header"
    run = subprocess.run(
        [program, "run", world.address, "--header", header, "--checks", checks, "--max-examples", "60",
         "--no-color"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
