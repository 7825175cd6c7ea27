"""A receipt beside the thread, by keyboard; without JavaScript, alone. `PICTURES=folder` keeps pictures of it."""

import os
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from playwright.sync_api import expect

from redemption.roles import Role
from support.attachments import attach
from support.demo.receipts import receipt
from support.models import Attachment
from tests import factories
from tests.journeys.looks import problems
from tests.journeys.visit import aside
from tests.support.hostile_files import photo, saved

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def bought(number=1):
    lines = [("Gift card", "60.00"), ("Coffee", f"{number}.40")]
    return receipt("SATURN", lines, total=f"{60 + number}.40", at="14/06/2026 18:02", number="10037", seed=number)


def world(role=Role.AGENT):
    """A ticket with a receipt that another one has too, a PDF of two pages, and something that is not shown."""
    other, ticket = factories.ticket(), factories.ticket()
    for one, contents in [
        (other, [("receipt.jpg", bought())]),
        (
            ticket,
            [
                ("receipt from the shop.jpg", bought()),
                ("invoice.pdf", saved("PDF", photo(500, 700), save_all=True, append_images=[photo(500, 700, seed=5)])),
                ("video.mov", b"\0\0\0\x14ftypqt  "),
            ],
        ),
    ]:
        files = [SimpleUploadedFile(name, data) for name, data in contents]
        attach(ticket=one, message=one.messages.get(), files=files, kinds=["receipt", "other", "screenshot"], by=None)
    return ticket, other, factories.user(role)


def pictures():
    folder = Path(os.environ["PICTURES"]) if os.environ.get("PICTURES") else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_a_receipt_opens_beside_the_thread_and_is_read_by_keyboard(open_page):
    ticket, other, agent = world()
    visit = open_page(agent)
    page = visit.page
    page.goto(f"/tickets/{ticket.reference}/")
    files = page.get_by_role("region", name="Files")
    assert f"The same file is also on {other.reference}." in files.inner_text()
    assert "Not shown: This is no JPEG, PNG, WebP, HEIC or PDF file" in files.inner_text()
    links = page.locator("[data-picture]")
    assert links.count() == 3
    links.first.scroll_into_view_if_needed()
    for number in range(3):
        page.wait_for_function(f"document.querySelectorAll('[data-picture] img')[{number}].naturalWidth > 0")

    links.first.focus()
    page.keyboard.press("Enter")
    viewer = page.locator("#viewer")
    viewer.wait_for()
    told = viewer.get_by_role("status")
    picture = viewer.locator("img")
    page.wait_for_function("document.querySelector('#viewer img').naturalWidth > 0")
    expect(viewer).to_be_focused()
    assert told.inner_text() == "receipt from the shop.jpg: 100 %"
    # Beside: the thread's messages end where it begins.
    thread = page.locator(".message").first.bounding_box()
    assert thread["x"] + thread["width"] <= viewer.bounding_box()["x"] + 1
    assert thread["width"] > 300
    stage = viewer.locator(".viewer-stage").bounding_box()
    box = picture.bounding_box()
    assert box["width"] <= stage["width"] + 1
    assert box["height"] <= stage["height"] + 1

    page.keyboard.press("+")
    assert told.inner_text() == "receipt from the shop.jpg: 125 %"
    assert picture.bounding_box()["width"] > box["width"] * 1.2
    page.keyboard.press("-")
    page.keyboard.press("t")
    assert told.inner_text() == "receipt from the shop.jpg: 100 %, turned by 90°"
    turned = picture.bounding_box()
    assert (turned["width"] > turned["height"]) != (box["width"] > box["height"])
    page.keyboard.press("ArrowRight")
    assert told.inner_text() == "invoice.pdf, page 1 of 2: 100 %"
    page.keyboard.press("ArrowRight")
    assert told.inner_text() == "invoice.pdf, page 2 of 2: 100 %"
    # There is nothing after the last.
    page.keyboard.press("ArrowRight")
    assert told.inner_text() == "invoice.pdf, page 2 of 2: 100 %"
    assert viewer.get_by_role("button", name="Next").is_disabled()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("document.querySelector('#viewer img').naturalWidth > 0")

    # Its keys are silent where something is typed, and the picture stays to be read.
    body = page.locator("#reply-body")
    body.click()
    page.keyboard.type("t+-0")
    page.keyboard.press("ArrowLeft")
    assert body.input_value() == "t+-0"
    assert told.inner_text() == "invoice.pdf, page 1 of 2: 100 %"
    viewer.get_by_role("button", name="Turn").click()
    assert told.inner_text() == "invoice.pdf, page 1 of 2: 100 %, turned by 90°"
    found = problems(visit, "viewer", pictures())

    page.keyboard.press("Escape")
    viewer.wait_for(state="hidden")
    expect(links.nth(1)).to_be_focused()
    assert found == []


def test_on_a_telephone_it_covers_the_page_and_gives_it_back(open_page):
    ticket, _, agent = world()
    visit = open_page(agent, viewport={"width": 400, "height": 800})
    page = visit.page
    page.goto(f"/tickets/{ticket.reference}/")
    page.locator("[data-picture]").first.click()
    viewer = page.locator("#viewer")
    viewer.wait_for()
    box = viewer.bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 400, 800)
    for button in viewer.get_by_role("button").all():
        size = button.bounding_box()
        assert min(size["width"], size["height"]) >= 24
    # Nothing behind it is reached.
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('#viewer')")
    viewer.get_by_role("button", name="Close").click()
    viewer.wait_for(state="hidden")
    expect(page.locator("[data-picture]").first).to_be_focused()


def test_a_picture_opens_alone_in_a_tab_of_its_own(open_page):
    ticket, _, agent = world()
    visit = open_page(agent)
    page = visit.page
    page.goto(f"/tickets/{ticket.reference}/")
    link = page.locator("[data-picture]").first
    with visit.context.expect_page() as opened:
        link.click(modifiers=["Control"])
    assert page.locator("#viewer").is_hidden()
    alone = opened.value
    alone.wait_for_load_state()
    assert alone.url.endswith(link.get_attribute("href"))
    assert alone.evaluate("document.images[0].naturalWidth") > 800
    if folder := pictures():
        alone.screenshot(path=folder / "alone.png")
    # The browser's own look of a lone picture is kept off too.
    visit.troubles[:] = [trouble for trouble in visit.troubles if "inline style violates" not in trouble]


def test_files_are_chosen_added_left_out_and_sent(open_page):
    ticket, _, agent = world()
    visit = open_page(agent)
    page = visit.page
    page.goto(f"/tickets/{ticket.reference}/")
    box = page.locator("#box-reply")
    chooser = box.locator("input[type=file]")
    chosen = [{"name": f"{name}.png", "mimeType": "image/png", "buffer": saved("PNG", photo(seed=number))}
              for number, name in enumerate(["one", "two", "three"])]  # fmt: skip
    chooser.set_input_files(chosen[:2])
    chooser.set_input_files(chosen[2:])
    lines = box.locator("[data-list] li")
    assert lines.count() == 3
    box.get_by_label("Kind of three.png").select_option("screenshot")
    box.get_by_role("button", name="Leave out two.png").click()
    assert box.locator("[data-said]").inner_text() == "two.png is left out."
    found = problems(visit, "files chosen", pictures())
    box.locator("#reply-body").fill("Here they are.")
    box.get_by_role("button", name="Send to the customer").click()
    page.wait_for_load_state()
    page.get_by_text("Here they are.").first.wait_for()
    rows = aside(lambda: list(Attachment.objects.filter(uploaded_by=agent).order_by("pk")))
    assert [(row.name, row.kind, row.refusal) for row in rows] == [
        ("one.png", "receipt", ""),
        ("three.png", "screenshot", ""),
    ]
    assert found == []
