"""A browser for journeys: Debian's chromium, driven by playwright, on the live server of the test."""

import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType

from redemption.models import User
from tests.journeys.visit import Visit, aside
from tests.support.desk import at_the_desk

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    # What a page asks for elsewhere goes nowhere, and is found as a request that failed.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]


class Browsers:
    """Opens a browser of its own for each person: `open_page()` for nobody, `open_page(user)` for somebody who has
    signed in with a second factor.

    From the first call on, this thread has playwright's event loop, in which Django refuses database work: build the
    world before, and use `aside` afterwards. Every visit must have been without trouble in the end.
    """

    def __init__(self, chromium: str, address: str) -> None:
        self._chromium, self._address = chromium, address
        self._playwright: Any = None
        self._browser: Any = None
        self.visits: list[Visit] = []

    def __call__(self, user: User | None = None, **options: Any) -> Visit:
        cookies = aside(lambda: at_the_desk(user=user)[0].cookies) if user else {}
        if not self._browser:
            from playwright.sync_api import sync_playwright

            self._playwright = sync_playwright().start()
            self._browser = self._playwright.chromium.launch(executable_path=self._chromium, args=ARGUMENTS)
        options = {"base_url": self._address, "viewport": {"width": 1300, "height": 900}, "locale": "en-GB", **options}
        context = self._browser.new_context(**options)
        context.set_default_timeout(45_000)
        context.add_cookies(
            [{"name": name, "value": cookie.value, "url": self._address} for name, cookie in cookies.items()]
        )
        self.visits.append(Visit(context, self._address))
        return self.visits[-1]

    def close(self) -> None:
        if self._browser:
            self._browser.close()
        if self._playwright:
            self._playwright.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the browsers showed when a journey failed is in its temporary folder, and the report says where."""
    report = yield
    if report.when == "call" and report.failed:
        folder = item.funcargs["tmp_path"]
        for number, visit in enumerate(item.funcargs["open_page"].visits):
            picture = folder / f"failed-{number}.png"
            with suppress(Exception):
                visit.page.screenshot(path=picture, full_page=True)
                report.sections.append(("Picture", f"{visit.page.url} {picture}"))
    return report


@pytest.fixture(scope="session")
def chromium() -> str:
    if CHROMIUM:
        return CHROMIUM
    said = "No chromium is installed: the journeys in a browser were not made."
    if os.environ.get("CI"):
        pytest.fail(said)
    pytest.skip(said)


@pytest.fixture
def open_page(chromium: str, live_server: Any, settings: Any, tmp_path: Path) -> Iterator[Browsers]:
    settings.STAFF_SECOND_FACTOR = True
    settings.MEDIA_ROOT = tmp_path / "files"
    # Their rows went when the database was emptied after the last test, but this process remembers their numbers.
    ContentType.objects.clear_cache()
    browsers = Browsers(chromium, live_server.url)
    try:
        yield browsers
    finally:
        # Before the database is emptied: no page may ask for anything meanwhile.
        browsers.close()
    assert [trouble for visit in browsers.visits for trouble in visit.troubles] == []
