"""One person's browser, watched: what it asks for, what goes wrong in it, and where it keeps something."""

import json
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import unquote_plus

from django.db import connections

from redemption.code_format import CROCKFORD

_Result = TypeVar("_Result")

_KEPT = """() => JSON.stringify([
    location.href, document.title, document.referrer, document.cookie, history.state,
    navigation.entries().map((entry) => [entry.url, entry.getState() ?? null]),
    Object.entries(localStorage), Object.entries(sessionStorage),
])"""


def aside(work: Callable[[], _Result]) -> _Result:
    """Database work while a page is open: in a thread without playwright's event loop."""

    def run() -> _Result:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()


class Visit:
    """A browser's own cookies and storage, and the page that is in front."""

    def __init__(self, context: Any, origin: str) -> None:
        self.context, self.origin = context, origin
        self.troubles: list[str] = []
        # Every address that was asked for, and every one that was given away as the page one comes from.
        self.addresses: list[str] = []
        context.on("request", self._asked)
        context.on("response", self._answered)
        context.on("requestfailed", self._failed)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.troubles.append(f"error in the page: {error.error}"))
        self.page = context.new_page()

    def _asked(self, request: Any) -> None:
        self.addresses += [request.url, request.headers.get("referer", "")]
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self.troubles.append(f"asked elsewhere: {request.url}")

    def _answered(self, response: Any) -> None:
        # A page itself may say 404; what a page is made of may not.
        if response.status >= 400 and not response.request.is_navigation_request():
            self.troubles.append(f"{response.status}: {response.url}")

    def _failed(self, request: Any) -> None:
        # A page that one leaves gives up what it was asking for; a download is no page any more.
        if "ERR_ABORTED" not in (request.failure or ""):
            self.troubles.append(f"{request.failure}: {request.url}")

    def _console(self, message: Any) -> None:
        # What failed to load is found above, with the pages left out that may say 404.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.troubles.append(f"in the console: {message.text}")

    def new_page(self) -> None:
        self.page.close()
        self.page = self.context.new_page()

    def sees(self, text: Any) -> None:
        """Waits for a text, or what `text` locates, to be in sight: the theme shows nothing before its scripts ran."""
        found = self.page.get_by_text(text) if isinstance(text, str) else text
        found.first.wait_for()

    def verdict(self) -> str:
        region = self.page.get_by_role("region", name="Verdict")
        region.wait_for()
        return str(region.inner_text())

    def look_up(self, typed: str) -> None:
        """Types into the box, wherever it is, and presses Enter."""
        self.page.keyboard.press("/")
        self.page.keyboard.insert_text(typed)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def choose(self, field: str, typed: str) -> None:
        """An autocomplete of the admin: opens it, types, and takes the first that is offered."""
        self.page.locator(f".field-{field} .select2-selection").click()
        self.page.locator(".select2-search__field").fill(typed)
        self.page.locator(".select2-results__option--highlighted", has_text=typed).click()

    def keeps(self) -> str:
        """All that an address, the history, cookies and the storages hold, in one text."""
        session = self.context.new_cdp_session(self.page)
        history = session.send("Page.getNavigationHistory")
        session.detach()
        return json.dumps(
            [
                self.page.evaluate(_KEPT),
                history,
                self.context.storage_state(indexed_db=True),
                self.addresses,
            ]
        )

    def assert_keeps_none_of(self, *codes: str) -> None:
        """Neither as it was typed nor as it was meant: letters and digits in a row, whatever stands between them."""
        kept = _letters_and_digits(unquote_plus(self.keeps()))
        for code in codes:
            assert _letters_and_digits(code)[-12:] not in kept


def _letters_and_digits(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).upper().replace("O", "0").replace("I", "1").replace("L", "1")
    return "".join(symbol for symbol in folded if symbol in CROCKFORD)
