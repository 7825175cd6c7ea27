"""Whatever its description allows, and much that it does not: the platforms' interface answers as documented, and never
fails itself. Against a live server, with a valid key and real accounts, cards and invoices."""

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
from tests import factories
from tests.redemption.api.platforms import ADDRESS, due, key

pytestmark = pytest.mark.django_db(transaction=True)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = [
    "validate",
    "redeem",
    "read_account",
    "read_statement",
    "read_code",
    "read_card",
    "list_due_invoices",
    "settle_invoice",
]
_names = itertools.count(1)


class World:
    """A program's cards in every status, its accounts and invoices, and a stranger's, for schemathesis to stumble
    upon."""

    def __init__(self, address):
        batch = factories.batch(factories.product(months=1))
        program = batch.product.program
        self.cards = [factories.card(batch, status=status) for status in CodeStatus]
        self.cards += [factories.card(batch) for _ in range(12)]
        self.cards.append(factories.card())
        own = [factories.account(program), factories.account(program, email_verified=False)]
        self.accounts = [*own, own[0], own[0], factories.account()]
        self.invoices = [due(one, starts_on=f"2026-0{month}-01") for one in own for month in range(1, 5)]
        self.invoices.append(due(self.accounts[-1]))
        self.token = key(program)[1]
        self.address = f"{address}{ADDRESS}/openapi.json"
        self.headers = {"Authorization": f"Bearer {self.token}"}

    def real(self, case, pick):
        """The same about what there is: random references and codes would all be unknown."""
        card, account = self.cards[pick % len(self.cards)], self.accounts[pick % len(self.accounts)]
        match case.operation.definition.raw["operationId"]:
            case "validate" | "redeem":
                case.body = {"account": account.reference, "code": card.text}
            case "read_account" | "read_statement":
                case.path_parameters["reference"] = account.reference
            case "read_code":
                case.body = {"code": card.text}
            case "read_card":
                case.path_parameters["serial"] = card.serial
            case "settle_invoice":
                case.path_parameters["reference"] = self.invoices[pick % len(self.invoices)].reference


@pytest.fixture
def world(live_server, settings):
    settings.PLATFORM_REQUESTS_PER_MINUTE = settings.ATTEMPTS_PER_PLATFORM = settings.ATTEMPTS_PER_ACCOUNT = 0
    return World(live_server.url)


def operation(world, name):
    every = schemathesis.openapi.from_url(world.address).get_all_operations()
    (found,) = [one.ok() for one in every if one.ok().definition.raw["operationId"] == name]
    return found


def probe(world, name, mode, examples):
    """Sends as many cases, half of what is allowed about real rows; every answer must be a documented one."""
    cases = operation(world, name).as_strategy(generation_mode=mode)
    seen = set()

    # A null for “not about a real one”.
    @seed(20261121)
    @settings(max_examples=examples, database=None, suppress_health_check=list(HealthCheck), deadline=None)
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
    assert 200 in seen
    assert 404 in seen or name == "list_due_invoices"


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
