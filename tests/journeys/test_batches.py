"""A manager's way with a batch: from the empty form to the frozen batch, with the print file in between."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pyrage
import pytest
from django.conf import settings as django_settings
from django.db import connection

from redemption.models import Batch, Code
from redemption.roles import Role
from tests import factories
from tests.journeys.visit import aside
from tests.redemption.batch_world import printer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ADD = "/admin/redemption/batch/add/"


@contextmanager
def slow_worker(database, files):
    """A worker process on the test's database; ended in any case."""
    environment = {**os.environ, "TEST_DATABASE_NAME": database, "PRIVATE_FILES_DIR": str(files)}
    command = [sys.executable, "-m", "tests.journeys.slow_worker"]
    worker = subprocess.Popen(command, cwd=django_settings.BASE_DIR, env=environment, stdin=subprocess.PIPE)
    try:
        yield worker
    finally:
        worker.kill()
        worker.communicate()


def fill(visit, product, retailer, **fields):
    visit.choose("product", product.name)
    visit.choose("retailer", retailer.name)
    for field, value in fields.items():
        visit.page.locator(f"#id_{field}").fill(value)


def press(visit, name):
    visit.page.get_by_role("button", name=name, exact=True).click()


def test_a_manager_makes_a_batch_fetches_its_codes_and_freezes_it(open_page, settings):
    manager = factories.user(Role.MANAGER)
    identity, printer_key = printer()
    product = factories.product(factories.program(printer_key=printer_key), name="Gift card of thirty pounds")
    retailer = factories.retailer(name="Saturn Leeds")
    database, files = connection.settings_dict["NAME"], settings.MEDIA_ROOT
    visit = open_page(manager)

    visit.page.goto(ADD)
    fill(visit, product, retailer, quantity="4000", expires_on="2099-12-31")
    press(visit, "Save")
    visit.page.get_by_role("link", name="Issue codes").click()
    visit.sees("This cannot be undone.")
    press(visit, "Issue codes")
    visit.sees("Waiting for the worker: 0 of 4,000 (0 %)")
    address = visit.page.url

    with slow_worker(database, files) as worker:
        # The bar moves by itself, and goes on moving where nobody looks.
        visit.sees("Running: 2,000 of 4,000 (50 %)")
        assert visit.page.get_by_role("progressbar").evaluate("bar => bar.position") == 0.5
        assert visit.page.get_by_role("link", name="Freeze").count() == 0
        visit.new_page()
        visit.page.goto(address)
        visit.sees("Running: 2,000 of 4,000 (50 %)")
        left_open = visit.page
        visit.page = visit.context.new_page()
        worker.communicate(b"go on\n", timeout=60)
        assert worker.returncode == 0

    visit.page.goto("/admin/redemption/batch/")
    visit.page.get_by_role("link", name="BA-").click()
    visit.sees("Made by")
    assert "Issued\n4,000" in visit.page.get_by_role("region", name="Batch").inner_text()
    assert visit.page.get_by_role("progressbar").count() == 0
    # Whoever stayed sees it too, without a touch.
    left_open.get_by_role("heading", name="Print file").wait_for()
    left_open.close()

    visit.sees("Nobody has downloaded it.")
    with visit.page.expect_download() as download:
        press(visit, "Download")
    encrypted = download.value.path().read_bytes()
    assert download.value.suggested_filename.endswith(".csv.age")
    lines = [line.split(",") for line in pyrage.decrypt(encrypted, [identity]).decode().splitlines()]
    assert len(lines) == 4000
    assert all(text.startswith("SPOTIFY-") for _, text in lines)
    assert b"SPOTIFY" not in encrypted
    assert {int(serial) for serial, _ in lines} == set(
        aside(lambda: list(Code.objects.values_list("serial", flat=True)))
    )
    visit.page.reload()
    visit.sees(visit.page.get_by_role("cell", name=str(manager)))

    visit.page.get_by_role("link", name="Receipt confirmed: destroy the file").click()
    press(visit, "Receipt confirmed: destroy the file")
    visit.sees("The print file is destroyed.")
    visit.sees(f"Its receipt was confirmed by {manager}")
    assert visit.page.get_by_role("button", name="Download").count() == 0
    assert list((files / "print").iterdir()) == []

    visit.page.get_by_role("link", name="Activate", exact=True).click()
    press(visit, "Activate")
    visit.sees("The batch is active.")

    visit.page.get_by_role("link", name="Freeze", exact=True).click()
    press(visit, "Freeze")
    visit.sees("This field is required.")
    visit.page.locator("#id_reason").fill("a box was stolen in Leeds")
    press(visit, "Freeze")
    visit.sees("The batch is frozen.")
    assert "Frozen" in visit.page.get_by_role("region", name="Batch").inner_text()
    visit.sees(visit.page.get_by_role("cell", name="a box was stolen in Leeds"))
    visit.assert_keeps_none_of(*(text for _, text in lines[:20]))

    # What it means for a card is told at the desk.
    visit.page.goto("/")
    visit.look_up(lines[0][1].lower())
    assert "a box was stolen in Leeds" in visit.verdict()
    visit.assert_keeps_none_of(*(text for _, text in lines[:20]))


def test_a_refused_draft_says_what_is_wrong_and_keeps_what_was_typed(open_page):
    manager = factories.user(Role.MANAGER)
    product = factories.product(factories.program(printer_key=printer()[1]), name="Gift card of thirty pounds")
    retailer = factories.retailer(name="Saturn Leeds")
    taken = factories.batch(product, size=100)
    first = taken.first_serial
    before = Batch.objects.count()
    visit = open_page(manager)
    page = visit.page

    page.goto(ADD)
    typed = {"quantity": "50", "first_serial": str(first + 90), "expires_on": "2020-01-31"}
    fill(visit, product, retailer, **typed)
    press(visit, "Save")
    visit.sees(f"Batch {taken} has the serial numbers {first}–{first + 99}")
    visit.sees("The expiry lies before the issue: choose a day to come.")
    assert {field: page.locator(f"#id_{field}").input_value() for field in typed} == typed
    assert product.name in page.locator(".field-product .select2-selection").inner_text()
    assert retailer.name in page.locator(".field-retailer .select2-selection").inner_text()
    assert aside(Batch.objects.count) == before

    page.locator("#id_first_serial").fill(str(first + 100))
    page.locator("#id_expires_on").fill("2099-01-31")
    press(visit, "Save")
    page.get_by_role("link", name="Issue codes").wait_for()
    saved = aside(lambda: Batch.objects.order_by("-pk")[0])
    assert (saved.quantity, saved.first_serial, str(saved.expires_on)) == (50, first + 100, "2099-01-31")
