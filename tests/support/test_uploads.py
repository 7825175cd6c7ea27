"""Hostile files: each is refused with a sentence or made into a picture of ours, and takes nothing with it."""

import os
import subprocess
import threading
import time
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from support import uploads
from support.actions.messages import add_customer_message
from support.attachments import attach
from support.models import Attachment
from support.uploads import Refusal, opened
from tests import factories
from tests.support.hostile_files import HOSTILE, endless_pdf, photo, saved

CASES = [pytest.param(hostile, id=hostile.name) for hostile in HOSTILE]


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


def upload(name, contents):
    """As a form brings it: the name is what the sender's program says."""
    file = SimpleUploadedFile("x", contents)
    file._name = name
    return file


def open_file(contents, seconds=30.0):
    """What becomes of a file, with our pictures of it, read before they go."""
    with opened(upload("x", contents), until=time.monotonic() + seconds) as found:
        return found, [(picture.jpeg.read_bytes(), picture.small.read_bytes()) for picture in found.pictures]


def test_there_are_enough_of_them():
    assert len(HOSTILE) >= 40
    assert len({hostile.name for hostile in HOSTILE}) == len(HOSTILE)


@pytest.mark.parametrize("hostile", CASES)
def test_a_hostile_file_is_refused_or_made_into_a_picture_of_ours(hostile, settings):
    # Whatever would never end is stopped soon; the others have time on a busy machine too.
    if Refusal.TOO_SLOW in hostile.becomes:
        settings.UPLOAD_SECONDS = 2
    contents = hostile.make()
    began = time.monotonic()
    found, pictures = open_file(contents)
    assert time.monotonic() - began < settings.UPLOAD_SECONDS + 5
    assert found.refusal in hostile.becomes
    assert bool(pictures) is (found.refusal is None)
    for data in (jpeg for pair in pictures for jpeg in pair):
        with Image.open(BytesIO(data), formats=("JPEG",)) as image:
            image.load()
            assert not image.getexif()
            assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        # Nothing of the original's bytes: neither what it hides nor what it says.
        for secret in (b"<script", b"<?php", b"%PDF", b"Maker", b"a comment"):
            assert secret not in data


@pytest.mark.django_db
def test_all_of_them_in_messages_lose_no_text_and_no_other_file(tmp_path):
    ticket = factories.ticket()
    messages = []
    size = 9
    # What takes its whole time is another test's.
    kept = [hostile for hostile in HOSTILE if hostile.name != "endless.pdf"]
    for first in range(0, len(kept), size):
        some = kept[first : first + size]
        message = add_customer_message(ticket=ticket, body=f"The receipts from number {first} on.")
        files = [upload(hostile.file_name, hostile.make()) for hostile in some]
        attach(ticket=ticket, message=message, files=[*files, upload("good.png", saved("PNG"))], by=None)
        messages.append((message, some))
    for first, (message, some) in zip(range(0, len(kept), size), messages, strict=True):
        message.refresh_from_db()
        assert message.body == f"The receipts from number {first} on."
        *rows, good = message.attachments.order_by("pk")
        assert (good.name, good.refusal, good.pages.count()) == ("good.png", "", 1)
        assert len(rows) == len(some)
        for row, hostile in zip(rows, some, strict=True):
            refused = {refusal.sentence if refusal else "" for refusal in hostile.becomes}
            assert row.refusal in refused, hostile.name
            assert bool(row.pages.count()) is not bool(row.refusal)
            assert 0 < len(row.name) <= 120
            assert not set(row.name) & set("/\\\r\n\u202e")
            # Kept as it came, but for what holds nothing.
            assert bool(row.original) is bool(row.size)
    stored = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    assert {path.suffix for path in stored} == {"", ".jpg"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in stored)


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_is_a_sentence_that_fits(refusal):
    assert refusal.sentence[0].isupper()
    assert refusal.sentence.endswith(".")
    assert "{" not in refusal.sentence
    assert len(refusal.sentence) <= Attachment._meta.get_field("refusal").max_length


def test_an_endless_file_is_stopped_in_time(settings):
    settings.UPLOAD_SECONDS = 1
    began = time.monotonic()
    found, _ = open_file(endless_pdf())
    assert found.refusal is Refusal.TOO_SLOW
    assert time.monotonic() - began < 8
    # Nobody waits for more than the message's whole time either.
    began = time.monotonic()
    found, _ = open_file(endless_pdf(), seconds=0.3)
    assert found.refusal is Refusal.TOO_SLOW
    assert time.monotonic() - began < 3
    found, _ = open_file(saved("PNG"), seconds=-1)
    assert found.refusal is Refusal.TOO_SLOW


def test_a_file_takes_no_more_memory_than_it_may(settings):
    contents = saved("PNG", Image.new("RGBA", (6000, 6000), "red"))
    found, _ = open_file(contents)
    assert found.refusal is None
    settings.UPLOAD_MEMORY_MB = 250
    found, _ = open_file(contents)
    assert found.refusal is Refusal.TOO_HEAVY


def test_the_process_is_told_no_secret_and_leaves_nothing(monkeypatch, tmp_path):
    started = []
    real = subprocess.Popen

    def popen(*arguments, **options):
        started.append(options)
        return real(*arguments, **options)

    monkeypatch.setattr("support.uploads.subprocess.Popen", popen)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert open_file(saved("JPEG"))[0].refusal is None
    assert started[0]["env"] == {"PATH": os.defpath}
    assert list(tmp_path.iterdir()) == []


def test_no_more_files_are_open_at_once_than_the_machine_bears(monkeypatch):
    busy, most = 0, 0
    real, lock = uploads._decode, threading.Lock()

    def decode(*arguments):
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        try:
            real(*arguments)
        finally:
            with lock:
                busy -= 1

    monkeypatch.setattr(uploads, "_decode", decode)
    threads = [threading.Thread(target=open_file, args=(saved("PNG", photo(seed=seed)),)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF", "PDF"])
def test_what_customers_send_becomes_a_jpeg(kind):
    found, [(jpeg, small)] = open_file(saved(kind, photo(1200, 900)))
    assert found.refusal is None
    with Image.open(BytesIO(jpeg)) as image, Image.open(BytesIO(small)) as thumbnail:
        assert image.width > image.height >= 900
        assert max(thumbnail.size) == 320


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("taken", "shown"), [((400, 300), (300, 400)), ((6000, 3000), (2449, 4898))])
def test_a_photo_is_turned_as_the_camera_was_held(taken, shown, kind):
    """Its top, which is dark, was on the right."""
    exif = Image.Exif()
    exif[0x0112] = 6
    found, [(jpeg, _)] = open_file(saved(kind, Image.linear_gradient("L").resize(taken), exif=exif))
    assert (found.pictures[0].width, found.pictures[0].height) == shown
    with Image.open(BytesIO(jpeg)) as image:
        assert image.size == shown
        left, right = (image.getpixel((across, shown[1] // 2))[0] for across in (2, shown[0] - 2))
        assert (left > 240, right < 15) == (True, True)


def test_a_large_photo_is_made_smaller_and_a_long_receipt_stays_legible():
    found, _ = open_file(saved("PNG", photo(7000, 7000)))
    assert found.pictures[0].width * found.pictures[0].height <= 12_000_000
    found, _ = open_file(saved("PNG", photo(900, 12_000)))
    assert (found.pictures[0].width, found.pictures[0].height) == (900, 12_000)


def test_what_is_transparent_lies_on_white():
    _, [(jpeg, _)] = open_file(saved("PNG", Image.new("RGBA", (64, 64), (0, 0, 0, 0))))
    with Image.open(BytesIO(jpeg)) as image:
        assert image.getpixel((9, 9)) == (255, 255, 255)


def test_sixteen_bits_are_not_cut_off():
    _, [(jpeg, _)] = open_file(saved("PNG", Image.new("I;16", (64, 64), 30_000)))
    with Image.open(BytesIO(jpeg)) as image:
        assert abs(image.getpixel((9, 9))[0] - 30_000 // 256) <= 2


def test_limits_are_settings(settings):
    contents = saved("PNG")
    settings.UPLOAD_MAX_BYTES = len(contents)
    assert open_file(contents)[0].refusal is None
    settings.UPLOAD_MAX_BYTES = len(contents) - 1
    found, _ = open_file(contents)
    assert (found.refusal, found.original, found.size) == (Refusal.TOO_LARGE, None, len(contents))
    settings.UPLOAD_MAX_BYTES = 10_000_000
    settings.UPLOAD_MAX_PIXELS = 240 * 180
    assert open_file(contents)[0].refusal is None
    settings.UPLOAD_MAX_PIXELS -= 1
    assert open_file(contents)[0].refusal is Refusal.TOO_MANY_PIXELS
    three = saved("PDF", photo(), save_all=True, append_images=[photo(), photo()])
    settings.UPLOAD_MAX_PAGES = 3
    assert len(open_file(three)[1]) == 3
    settings.UPLOAD_MAX_PAGES = 2
    assert open_file(three)[0].refusal is Refusal.TOO_MANY_PAGES
