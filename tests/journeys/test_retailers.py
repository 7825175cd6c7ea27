"""A report's way: sent from a telephone at the counter while customers redeem, judged at the desk, agreed to by a
second person, and answered; the retailer's pages show each step, and another retailer's show nothing of it."""

import re
import threading
import time
from collections import Counter

import pytest
from django.core.cache import cache
from django.db import connection
from playwright.sync_api import expect

from redemption.models import (
    ApprovalRequest,
    CardEvent,
    CardEventKind,
    Channel,
    Code,
    CodeStatus,
    MemberRole,
    Redemption,
    Replacement,
    Wallet,
)
from redemption.reconcile import reconcile
from redemption.redeem import redeem
from redemption.roles import Role
from support.models import Answer, CompromiseReport, Outcome, Stage
from tests import factories
from tests.journeys.test_redeem_page import sign_in, submit
from tests.journeys.visit import aside

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
REPORTED = 1_000


@pytest.fixture
def world(settings):
    settings.ATTEMPTS_PER_ACCOUNT = settings.ATTEMPTS_PER_ADDRESS = settings.ATTEMPTS_PER_PROGRAM = 0
    cache.clear()

    class World:
        program = factories.program()
        batch = factories.batch(factories.product(program), size=REPORTED + 200)
        cards = factories.cards(REPORTED + 200, batch)
        retailer = batch.retailer
        clerk = factories.member(retailer, name="Clara Clerk")
        stranger = factories.member(name="Otto Other", role=MemberRole.MANAGER)
        agent = factories.user(Role.AGENT, name="Asha Agent")
        manager = factories.user(Role.MANAGER, name="Mara Manager")
        customer = factories.user(name="Ada")
        account = factories.account(program, user=customer)
        crowd = [factories.account(batch.product.program), factories.account(batch.product.program)]

    return World()


class Redeemers:
    """Customers who redeem the cards one after the other, from both ends, until they are told to stop."""

    def __init__(self, accounts, cards, *, clients=3):
        self._stop, self._accounts = threading.Event(), accounts
        self.results = {}
        # The reported range and its neighbours, mixed: some of each are redeemed before the report, and some are not.
        order = sorted(cards, key=lambda card: (card.serial * 7919) % 1_000_003)
        shares = [order[start::clients] for start in range(clients)]
        self._threads = [threading.Thread(target=self._redeem, args=(share,)) for share in shares]
        for thread in self._threads:
            thread.start()

    def _redeem(self, cards):
        try:
            for number, card in enumerate(cards):
                if self._stop.is_set():
                    break
                account = self._accounts[number % len(self._accounts)]
                self.results[card.serial] = redeem(account=account, text=card.text, channel=Channel.WEB).is_redeemed
        finally:
            connection.close()

    def wait_for(self, count):
        while len(self.results) < count:
            assert any(thread.is_alive() for thread in self._threads), "They have stopped."
            time.sleep(0.01)

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)


def statuses(cards):
    return Counter(Code.objects.filter(pk__in=[card.serial for card in cards]).values_list("status", flat=True))


def words(page):
    return page.get_by_role("main").inner_text()


def sees_steps(page, *states, current):
    """How far it is: done, now or ahead, and which of them is the one that it has come to."""
    steps = page.get_by_role("list", name="How far it is")
    expect(steps.get_by_role("listitem")).to_have_class([f"step-{state}" for state in states])
    expect(steps.locator("[aria-current=step] strong")).to_have_text([current] if current else [])


def test_a_range_is_reported_amid_redemptions_judged_replaced_and_answered(open_page, world, record_property):
    within, around = world.cards[100:-100], world.cards[:100] + world.cards[-100:]
    first, last = within[0].serial, within[-1].serial
    phone, other = open_page(world.clerk, **PHONE), open_page(world.stranger, **PHONE)
    agent, manager = open_page(world.agent), open_page(world.manager)

    # Customers redeem, and the clerk sends the form in the middle of it.
    page = phone.page
    page.goto("/retailer/")
    page.get_by_role("link", name=re.compile("Report")).first.click()
    if not page.url.endswith("/reports/new/"):
        page.goto("/retailer/reports/new/")
    page.get_by_label("What happened?").select_option("stolen")
    page.get_by_label("Serial numbers").fill(f"{first}–{last}")
    page.get_by_label("Store").fill("Malmö, Södergatan")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    redeemers = Redeemers(world.crowd, world.cards)
    try:
        redeemers.wait_for(60)
        began = time.perf_counter()
        page.get_by_role("button", name="Freeze these cards").click()
        page.wait_for_url("**/retailer/reports/RP-*/")
        seconds = time.perf_counter() - began
        before_the_answer = len(redeemers.results)
        redeemers.wait_for(before_the_answer + 20)
    finally:
        redeemers.stop()
    record_property("seconds from sending to the page", round(seconds, 2))

    # Frozen within the request: its first page says so, and each card is redeemed or frozen.
    report = aside(lambda: CompromiseReport.objects.select_related("ticket").get())
    assert (report.done, report.undecided, report.stage) == (REPORTED, REPORTED, Stage.FROZEN)
    found = aside(lambda: statuses(within))
    frozen, redeemed = found[CodeStatus.FROZEN], found[CodeStatus.REDEEMED]
    assert set(found) == {CodeStatus.FROZEN, CodeStatus.REDEEMED}
    assert (frozen + redeemed, frozen > 0, redeemed > 0) == (REPORTED, True, True)
    record_property("frozen", frozen)
    answers = aside(lambda: Counter(report.cards.values_list("answer", flat=True)))
    assert answers == {Answer.FROZEN: frozen, Answer.AFTER_SALE: redeemed}
    told = words(page)
    assert f"{frozen:,}" in told
    assert f"{redeemed:,}" in told
    assert "Frozen" in told
    # Neighbours were redeemed or are as they were, and nobody was told anything else.
    assert aside(lambda: set(statuses(around))) <= {CodeStatus.ACTIVE, CodeStatus.REDEEMED}
    won = {serial for serial, is_redeemed in redeemers.results.items() if is_redeemed}
    assert aside(lambda: set(Redemption.objects.values_list("code", flat=True))) == won

    # The agent asks to void what is frozen but one card, and to replace that one.
    kept = aside(lambda: Code.objects.filter(pk__range=(first, last), status=CodeStatus.FROZEN).earliest("pk").pk)
    desk, place = agent.page, f"/compromised/{report.reference}/"
    desk.goto(place)
    agent.sees("still to be judged")
    desk.get_by_label(f"Tick {kept}").check()
    desk.get_by_role("button", name=re.compile("Replace")).click()
    desk.get_by_label("Why").fill("The customer stands at the counter.")
    desk.get_by_role("button", name=re.compile("Ask to replace")).click()
    desk.wait_for_url(f"**{place}")
    agent.sees("waits for a second person")
    desk.get_by_label("Decide about").select_option("frozen")
    desk.get_by_role("button", name=re.compile("Void")).click()
    desk.get_by_label("Why").fill("The box was stolen.")
    desk.get_by_role("button", name=re.compile("Ask to void")).click()
    desk.wait_for_url(f"**{place}")
    asked = aside(lambda: {one.action: one for one in ApprovalRequest.objects.all()})
    assert {action: one.payload["count"] for action, one in asked.items()} == {"replace": 1, "void": frozen - 1}
    assert aside(lambda: statuses(within)) == found

    # Nothing is decided yet, as the retailer reads it.
    page.reload()
    assert "still to be judged" in words(page)
    sees_steps(page, "done", "done", "now", "ahead", current="Confirmed, cleared or too late")

    # A second person agrees to both.
    for action in ("replace", "void"):
        manager.page.goto(f"/approvals/{asked[action].pk}/")
        manager.page.locator("[data-approve]").first.click()
        # To the next one that waits, or to the list.
        manager.page.wait_for_url(lambda address, here=f"/approvals/{asked[action].pk}/": not address.endswith(here))
    now = aside(lambda: statuses(within))
    assert now == {CodeStatus.VOID: frozen - 1, CodeStatus.FROZEN: 1, CodeStatus.REDEEMED: redeemed}
    page.reload()
    assert f"{frozen - 1:,}" in words(page)
    sees_steps(page, "done", "done", "now", "ahead", current="Confirmed")

    # The agent hands the new card over: its code is shown once.
    desk.goto(f"{place}replace/{kept}/")
    desk.get_by_role("button", name="Make it and show it now").click()
    shown = desk.locator(".new-code")
    shown.wait_for()
    text = shown.inner_text().strip()
    desk.goto(f"{place}replace/{kept}/")
    agent.sees("It was replaced by")
    assert text not in desk.content()
    successor = aside(lambda: Replacement.objects.select_related("successor").get())
    assert (successor.original_id, successor.value) == (kept, 3000)

    # The others were too late, and nothing is given for them.
    desk.goto(place)
    desk.get_by_label("Decide about").select_option("too_late")
    desk.get_by_role("button", name=re.compile("Close")).click()
    desk.get_by_label("Why").fill("Redeemed by who bought them.")
    desk.get_by_role("button", name=re.compile("^Close")).last.click()
    desk.wait_for_url(f"**{place}")
    outcomes = aside(lambda: Counter(report.cards.values_list("outcome", flat=True)))
    assert outcomes == {Outcome.CONFIRMED: frozen - 1, Outcome.REPLACED: 1, Outcome.CLOSED: redeemed}
    page.reload()
    told = words(page)
    assert "still to be judged" not in told
    sees_steps(page, "done", "done", "done", "done", current=None)
    assert aside(lambda: CompromiseReport.objects.select_related("ticket").get().stage) == Stage.ANSWERED
    for outcome, count in outcomes.items():
        page.goto(f"/retailer/reports/{report.reference}/?only={outcome}")
        assert f"{count:,}" in words(page), outcome
    # Never who redeemed.
    assert world.crowd[0].email not in page.content()

    # The customer redeems the new card.
    ada = open_page()
    ada.page.goto("/")
    sign_in(ada.page, world.customer)
    submit(ada.page, text)
    ada.sees("£30.00")
    ada.page.get_by_role("button", name="Confirm").click()
    ada.sees("Redeemed")
    assert aside(lambda: Wallet.objects.get(account=world.account).balance) == 3000

    # Another retailer sees nothing of it.
    other.page.goto("/retailer/")
    for address in ("/retailer/", "/retailer/batches/", "/retailer/reports/"):
        other.page.goto(address)
        seen = other.page.content()
        assert not [mark for mark in (report.reference, str(first), str(world.retailer), "Malmö") if mark in seen]
    answer = other.page.goto(f"/retailer/reports/{report.reference}/")
    nothing = other.page.goto("/retailer/reports/RP-0000-0000-0000/")
    assert (answer.status, nothing.status) == (404, 404)

    # Each card was frozen once, and the books agree.
    events = aside(lambda: list(CardEvent.objects.filter(kind=CardEventKind.FROZEN)))
    assert sum(event.last_serial - event.first_serial + 1 for event in events) == frozen
    assert aside(lambda: [line for line in reconcile() if not line.agrees]) == []
