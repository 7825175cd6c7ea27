"""Codes stay out of addresses and out of the log; NUL never reaches the database."""

import logging
import re
import time

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from config.logs import RoutesInsteadOfAddresses
from redemption.code_spotting import CodeSpotter
from redemption.models import CodeFormat
from redemption.roles import Role
from tests import factories
from tests.support.desk import at_the_desk, wrong

pytestmark = pytest.mark.django_db
TOLD = "Codes don’t belong in addresses: type them into the look-up."


def written(card, how):
    groups = [card.code[:4], card.code[4:8], card.code[8:]]
    return {
        "as printed": card.text,
        "small, spaced": card.text.lower().replace("-", " "),
        "unbroken": card.text.replace("-", ""),
        "dashes of all kinds": card.text.replace("-", "–", 1).replace("-", "\u2011", 1),
        "without its prefix": "-".join(groups),
        "within a sentence": f"where is {card.text} please",
        "with underscores": card.text.replace("-", "_"),
        "with points": card.text.replace("-", "."),
        "with slashes": card.text.replace("-", "/"),
        "with underscores, without its prefix": "_".join(groups),
        "with points, without its prefix": ".".join(groups),
        "with slashes, without its prefix": "/".join(groups),
        "mistyped without its prefix": wrong(card).partition("-")[2],
        "mistyped behind its prefix": card.text[:-1] + ("2" if card.text[-1] != "2" else "3"),
    }[how]


@pytest.fixture
def card():
    """One with a letter and a digit in a group: without its prefix, anything else may be words and numbers."""
    batch = factories.batch()
    return next(card for card in factories.cards(20, batch) if re.search(r"[A-Z]\d|\d[A-Z]", card.code[:4]))


WAYS = [
    "as printed",
    "small, spaced",
    "unbroken",
    "dashes of all kinds",
    "without its prefix",
    "within a sentence",
    "with underscores",
    "with points",
    "with slashes",
    "with underscores, without its prefix",
    "with points, without its prefix",
    "with slashes, without its prefix",
    "mistyped without its prefix",
    "mistyped behind its prefix",
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("parameter", ["q", "anything"])
def test_a_code_in_a_query_is_answered_by_the_same_page_without_it(card, way, parameter):
    client, _ = at_the_desk(Role.AGENT)
    response = client.get("/admin/redemption/batch/", {parameter: written(card, way)})
    assert (response.status_code, response.url) == (302, "/admin/redemption/batch/")
    assert [str(message) for message in get_messages(response.wsgi_request)] == [TOLD]


@pytest.mark.parametrize("way", WAYS)
def test_a_code_in_a_path_leads_to_the_look_up(card, way):
    client, _ = at_the_desk(Role.AGENT)
    assert client.get(f"/codes/{written(card, way)}/").url == "/"


def test_a_code_as_a_parameters_name_is_found_too(card):
    client, _ = at_the_desk(Role.AGENT)
    assert client.get(f"/admin/?{card.text}").url == "/admin/"


def test_whoever_is_not_signed_in_is_not_sent_to_sign_in_with_the_code_in_tow(card):
    response = Client().get("/", {"q": card.text})
    assert response.url == "/"


def test_a_suppliers_pin_is_known_by_its_printed_groups(card):
    pin = factories.card(factories.batch(factories.product(factories.pin_program())))
    client, _ = at_the_desk(Role.AGENT)
    assert client.get("/admin/redemption/batch/", {"q": pin.text}).status_code == 302


@pytest.mark.parametrize(
    "query",
    [
        {"q": "1000000123"},
        {"q": "BA-0000-1111-2222"},
        {"q": "jane.doe+spotify@example.com"},
        {"q": "Big Box Retail International"},
        {"q": "SPOTIFY"},
        {"expires_on__gte": "2026-11-20"},
        {"at_from_0": "2026-11-20", "at_from_1": "12:30:59"},
        {"q": "4111 1111 1111"},
        {"q": "see BA-01AB-1112-22CD, at-01ab-1112-22cd please"},
        {"q": "from 2026 sold"},
        {"q": "Spotify gift vouchers"},
        {"q": " ".join(f"{serial} to" for serial in range(1000000000, 1000000050))},
        {"q": "from/2026/sold from.2026.sold"},
        {"q": "NO-" + "-".join(["0A1B"] * 8)},
        {"product__program__id__exact": "12"},
        {"_changelist_filters": "q=Spotify&status__exact=active&p=2"},
    ],
)
def test_what_people_do_search_for_passes(card, query):
    client, _ = at_the_desk(Role.MANAGER)
    response = client.get("/admin/redemption/retailer/", query)
    assert TOLD not in [str(message) for message in get_messages(response.wsgi_request)]


def test_addresses_of_records_ask_the_database_for_no_formats(card, django_assert_num_queries):
    spotter = CodeSpotter()
    with django_assert_num_queries(0):
        for text in ("codes", "1000000123", "AC-0123-4567-89AB", "redemption", "changelist", "active"):
            assert not spotter.holds_code([text])
        for path in ("/codes/1000000123/", "/customers/AC-0123-4567-89AB/", "/admin/redemption/batch/12/do/freeze/"):
            assert not spotter.holds_code([path])


def test_a_prefix_of_two_letters_is_no_reference(card):
    other = factories.cards(20, factories.batch(factories.product(factories.program(prefix="GB"))))
    client, _ = at_the_desk(Role.AGENT)
    for made in other:
        assert client.get("/admin/redemption/batch/", {"q": made.text}).status_code == 302


@pytest.mark.parametrize("address", ["/?q=" + "a" * 4095, "/" + "-A1" * 1365 + "/", "/?" + "q=1&" * 20_000])
def test_an_address_of_thousands_of_symbols_is_answered_in_a_sentence_and_not_read(address, monkeypatch):
    client, _ = at_the_desk(Role.AGENT)
    monkeypatch.setattr(CodeSpotter, "holds_code", None)
    response = client.get(address)
    assert response.status_code == 414
    assert "longer than any of ours" in response.content.decode()


def test_the_longest_address_is_searched_in_no_time(card):
    CodeFormat.objects.bulk_create(
        CodeFormat(program=card.batch.product.program, version=version, length=31, prefix=f"P{version}")
        for version in range(2, 22)
    )
    client, _ = at_the_desk(Role.AGENT)

    def seconds(length):
        began = time.process_time()
        client.get("/?q=" + "A-" * length)
        return time.process_time() - began

    # The first request pays for what every later one finds. Ten times the length takes ten times as long, and not a
    # hundred times: side by side, so that a slow machine is slow at both.
    seconds(1)
    assert seconds(2040) < 40 * seconds(204)


@pytest.mark.parametrize("address", ["/%00", "/admin/%00/", "/?q=%00", "/?%00=q", "/admin/redemption/batch/?q=a%00b"])
def test_nul_in_an_address_is_a_bad_request(address):
    client, _ = at_the_desk(Role.AGENT)
    assert client.get(address).status_code == 400


def test_log_lines_name_the_route_and_not_the_address(card, caplog):
    # A pattern that the middleware does not know: nothing but the log's own care is left.
    caplog.handler.addFilter(RoutesInsteadOfAddresses())
    client, _ = at_the_desk(Role.AGENT)
    with caplog.at_level(logging.DEBUG, "django"):
        client.get("/admin/redemption/batch/QQQQ-ZZZZ/change/")
        client.get("/QQQ-ZZZ-QQQ-ZZZ-QQQ-ZZZ-QQQ/")
        client.get("/codes/QQQQ-ZZZZ/")
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("django.request")]
    assert lines[0] == "Not Found: admin/redemption/batch/<path:object_id>/change/"
    assert lines[1:] == ["Not Found: an address that leads nowhere"] * 2
