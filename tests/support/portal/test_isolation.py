"""Two retailers, every address, every method: nothing of the other's is shown or changed, and what is the other's is
answered, byte for byte, like what does not exist.

The addresses are read from the portal's own list and from the till's description: a new one without a row here fails.
"""

import json
import re
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from redemption.models import ApiKey, MemberRole, RetailerInvitation, RetailerMember, User
from redemption.portal_wall import WINDOWS
from support.actions.messages import add_customer_message
from support.mail import invitations
from support.models import Attachment, AttachmentPage, CompromiseReport, Message
from support.portal.urls import urlpatterns
from support.till.api import api
from tests import factories
from tests.support.desk import at_the_desk
from tests.support.portal.people import clerk, manager, signed_in
from tests.support.till.tills import ADDRESS, Till

pytestmark = pytest.mark.django_db

METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")


@dataclass
class Side:
    """What of a retailer an address or a form may name; or what nobody has."""

    slug: str = "nobody"
    batch: str = "BA-0000-0000-0000"
    report: str = "RP-0000-0000-0000"
    serial: int = 9_999_999_998
    member: int = 2**40
    invitation: int = 2**40
    token: str = "00"
    key: int = 2**40
    attachment: int = 2**40
    # What no page of another retailer's may hold.
    marks: list[str] = field(default_factory=list)


NOBODY = Side()


def furnished(name: str) -> Side:
    """A retailer of this name with everything that a page can show, each thing with a mark of its own."""
    of = factories.retailer(name=f"{name} stores", slug=f"{name}-slug", contact_email=f"contact@{name}.example")
    boss = factories.member(of, MemberRole.MANAGER, name=f"{name} boss", email=f"boss@{name}.example")
    member = factories.member(of, name=f"{name} clerk", email=f"clerk@{name}.example")
    now = timezone.now()
    invitation = RetailerInvitation.objects.create(
        retailer=of, email=f"invited@{name}.example", by=boss, at=now, expires_at=now + timezone.timedelta(days=7)
    )
    key = ApiKey.objects.create(
        retailer=of, name=f"{name} tills", prefix=f"rd_{name}", digest=b"d" * 32, scopes=["status"], created_by=boss,
        created_at=now,
    )  # fmt: skip
    program = factories.program(f"{name} program", prefix="SPOTIFY")
    batch = factories.batch(
        factories.product(program, name=f"{name} product", sku=f"{name}-SKU"), retailer_id=of.pk, reference=f"BA-{name}"
    )
    card, _ = factories.cards(2, batch)
    report = factories.report(
        card, by=member, store=f"{name} store", till=f"{name} till", receipt_number=f"{name}-receipt",
        police_reference=f"{name}-police", note=f"{name} note",
    )  # fmt: skip
    message = add_customer_message(ticket=report.ticket, body=f"{name} message", author=member, author_name=str(member))
    attachment = Attachment.objects.create(
        ticket=report.ticket, message=message, name=f"{name}.png", size=1, digest=b"d" * 32
    )
    picture = storages["pictures"].save(f"{uuid.uuid4().hex}.jpg", ContentFile(f"{name} picture".encode()))
    AttachmentPage.objects.create(attachment=attachment, number=1, file=picture, width=1, height=1)
    from support.attachments import small

    storages["pictures"].save(small(picture), ContentFile(f"{name} small picture".encode()))
    return Side(
        slug=of.slug,
        batch=batch.reference,
        report=report.reference,
        serial=card.serial,
        member=RetailerMember.objects.get(user=member).pk,
        invitation=invitation.pk,
        token=invitations.link(invitation).rstrip("/").rpartition("/")[2],
        key=key.pk,
        attachment=attachment.pk,
        marks=[
            name, name.title(), batch.reference, report.reference, str(card.serial), str(card.serial + 1),
            report.ticket.reference, picture, card.batch.product.program.slug,
        ],
    )  # fmt: skip


@pytest.fixture
def world(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.RETAILER_GUESSES = 10**6

    class World:
        saturn, jupiter = furnished("saturnia"), furnished("jovialis")

        def browser(self, side: Side, role: str) -> Any:
            return signed_in(User.objects.get(email=f"{role}@{side.marks[0]}.example"))

    return World()


# By address: what of a side it names; and by address, what a post of it says.
NAMED: dict[str, Any] = {
    "portal_home": lambda of: {},
    "portal_batches": lambda of: {},
    "portal_batch": lambda of: {"reference": of.batch},
    "portal_people": lambda of: {},
    "portal_invite": lambda of: {},
    "portal_change_invitation": lambda of: {"pk": of.invitation, "verb": "again"},
    "portal_member": lambda of: {"pk": of.member},
    "portal_invitation": lambda of: {"token": of.token},
    "portal_keys": lambda of: {},
    "portal_new_key": lambda of: {},
    "portal_key": lambda of: {"pk": of.key},
    "portal_reports": lambda of: {},
    "portal_new_report": lambda of: {},
    "portal_report": lambda of: {"reference": of.report},
    "portal_report_cards": lambda of: {"reference": of.report},
    "portal_statement": lambda of: {"reference": of.report},
    "portal_write": lambda of: {"reference": of.report},
    "portal_picture": lambda of: {"reference": of.report, "attachment": of.attachment, "page": 1},
    "portal_small_picture": lambda of: {"reference": of.report, "attachment": of.attachment, "page": 1},
}
SAID: dict[str, Any] = {
    "portal_invite": lambda of: {"retailer": of.slug, "email": "new@example.com", "role": "manager"},
    "portal_change_invitation": lambda of: {},
    "portal_member": lambda of: {"role": "manager"},
    "portal_new_key": lambda of: {"retailer": of.slug, "name": "mine", "scopes": ["report"]},
    "portal_key": lambda of: {"do": "revoke", "sure": "on"},
    "portal_new_report": lambda of: {"retailer": of.slug, "kind": "stolen", "cards": of.serial, "send_key": "0" * 32},
    "portal_write": lambda of: {"body": "Let me in.", "send_key": "1" * 32},
    "portal_invitation": lambda of: {"name": "Nobody", "password": "a long password", "again": "a long password"},
}  # fmt: skip
# What lists and forms may be asked by their address.
ASKED: dict[str, Any] = {
    "portal_home": lambda of: {},
    "portal_batches": lambda of: {"retailer": of.slug, "before": 2**40},
    "portal_people": lambda of: {"retailer": of.slug},
    "portal_keys": lambda of: {"retailer": of.slug},
    "portal_reports": lambda of: {"retailer": of.slug, "before": 2**40},
    "portal_new_report": lambda of: {"retailer": of.slug},
}


def nothing(of: Side) -> dict[str, Any]:
    return {}


# Whoever has the link is the one who was invited, and reads by whom; without it there is nothing.
BY_ITS_LINK = {"portal_invitation"}


def addresses(of: Side):
    for name, named in NAMED.items():
        yield name, reverse(name, kwargs=named(of))


def bytes_of(response) -> bytes:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return body + repr(sorted(response.headers.items())).encode()


def alike(response) -> tuple[int, bytes]:
    """All that a stranger could compare, but for what each answer has of its own."""
    text = bytes_of(response)
    for own in (rb'name="csrfmiddlewaretoken" value="[^"]+"', rb'name="send_key" value="[^"]+"', rb"'X-[^)]*"):
        text = re.sub(own, b"", text)
    return response.status_code, text


def foreign(response, side: Side) -> list[str]:
    text = bytes_of(response).decode("utf-8", "replace")
    return [mark for mark in side.marks if mark in text]


def rows() -> dict[str, list[Any]]:
    """Everything that a retailer can see, and the cards."""
    found = {}
    with connection.cursor() as cursor:
        for table, window in WINDOWS.items():
            columns = ", ".join(name for name in window.columns if name != "last_used_at")
            cursor.execute(f"SELECT {columns} FROM {table} ORDER BY {window.columns[0]}")
            found[table] = cursor.fetchall()
        cursor.execute("SELECT serial, status, activated_at FROM redemption_code ORDER BY serial")
        found["redemption_code"] = cursor.fetchall()
    return found


# --- Every address


def test_every_address_of_the_portal_has_its_row():
    assert {pattern.name for pattern in urlpatterns} == set(NAMED)


def test_whose_they_are_opens_them_and_sees_what_is_marked(world):
    """Or the rest would prove nothing."""
    browser = world.browser(world.jupiter, "boss")
    unmarked = set()
    for name, address in addresses(world.jupiter):
        response = browser.get(address)
        expected = {"portal_invite": 405, "portal_change_invitation": 405, "portal_new_key": 405, "portal_write": 303,
                    "portal_invitation": 409}  # fmt: skip
        assert response.status_code == expected.get(name, 200), name
        if response.status_code == 200 and not foreign(response, world.jupiter):
            unmarked.add(name)
    # A PDF's words are compressed.
    assert unmarked <= {"portal_statement"}


@pytest.mark.parametrize("role", ["boss", "clerk"])
def test_no_address_shows_or_changes_anything_of_the_other_retailers(world, role):
    browser = world.browser(world.saturn, role)
    before = rows()
    for method in METHODS:
        for name, address in addresses(world.jupiter):
            for query in ({}, ASKED.get(name, nothing)(world.jupiter)):
                place, said = f"{address}?{urlencode(query)}", SAID.get(name, nothing)(world.jupiter)
                response = getattr(browser, method)(place, **({"data": said} if method == "post" else {}))
                if name in BY_ITS_LINK:
                    assert response.status_code in {405, 409}, (method, name)
                    continue
                assert foreign(response, world.jupiter) == [], (method, place)
                names_it = NAMED[name](world.jupiter) or name in {"portal_invite", "portal_new_key"}
                expected = {404, 405} if names_it else {200, 303, 404, 405}
                assert response.status_code in expected, (method, place)
    # He names no retailer but his own: of a stranger's card a report comes to nothing.
    assert _without_his_own_report(before, rows(), world) == before


def _without_his_own_report(before, after, world):
    made = CompromiseReport.objects.latest("pk")
    assert made.retailer.slug == world.saturn.slug
    assert list(made.cards.values_list("serial", "answer")) == [(world.jupiter.serial, "unknown")]
    for table in ("support_compromisereport", "support_reportedcard", "support_ticket", "support_message"):
        assert len(after[table]) == len(before[table]) + 1, table
        after[table] = [row for row in after[table] if row in before[table]]
    return after


@pytest.mark.parametrize("who", ["nobody", "customer", "agent"])
def test_who_belongs_to_no_retailer_finds_nothing(world, who, client):
    if who == "customer":
        client.force_login(factories.user())
    elif who == "agent":
        client, _ = at_the_desk()
    before = rows()
    for name, address in addresses(world.jupiter):
        if name in BY_ITS_LINK:
            continue
        for method in METHODS:
            response = getattr(client, method)(address)
            if response.status_code == 302:
                # To where one signs in, and then back: it repeats what was asked for.
                assert response.headers["Location"] == f"/accounts/login/?next={address}"
                continue
            assert foreign(response, world.jupiter) == [], name
            assert response.status_code in {404, 405}, (name, method)
    assert rows() == before


# --- Paired probes: the other's, and what nobody has


@pytest.mark.parametrize("role", ["boss", "clerk"])
def test_what_is_the_others_is_answered_like_what_does_not_exist(world, role):
    browser = world.browser(world.saturn, role)
    for name in set(NAMED) - BY_ITS_LINK:
        for method in METHODS:
            answers = []
            for side in (world.jupiter, NOBODY):
                said = SAID.get(name, nothing)(side)
                # What comes of a stranger's card has a test of its own.
                data = {"data": {**said, "cards": ""}} if method == "post" else {}
                place = reverse(name, kwargs=NAMED[name](side), query=ASKED.get(name, nothing)(side))
                answers.append(alike(getattr(browser, method)(place, **data)))
            assert answers[0] == answers[1], (method, name)


def test_whoever_makes_up_a_link_finds_nothing(world):
    browser = world.browser(world.saturn, "boss")
    address = reverse("portal_invitation", kwargs={"token": world.jupiter.token[:-2] + "00"})
    others = reverse("portal_invitation", kwargs={"token": NOBODY.token})
    assert alike(browser.get(address)) == alike(browser.get(others))
    assert browser.get(address).status_code == 404


def test_the_others_cards_are_reported_like_cards_that_nobody_has(world):
    """The same page, mail and file for both, but for the numbers that were typed."""
    browser = world.browser(world.saturn, "clerk")
    pages = []
    with time_machine.travel(timezone.now(), tick=False):
        for number, serial in enumerate((world.jupiter.serial, NOBODY.serial)):
            form = {"kind": "stolen", "cards": str(serial), "sold_at": "2026-06-01T10:00", "send_key": f"{number:032x}"}
            response = browser.post(reverse("portal_new_report"), form)
            assert response.status_code == 303
            made = CompromiseReport.objects.latest("pk")
            seen = []
            for name in ("portal_report", "portal_report_cards", "portal_reports"):
                kwargs = {} if name == "portal_reports" else {"reference": made.reference}
                status, text = alike(browser.get(reverse(name, kwargs=kwargs)))
                if name == "portal_reports":
                    text = b"" if number == 0 else text
                    assert not [mark for mark in world.jupiter.marks if mark in text.decode().replace(str(serial), "")]
                    continue
                for own in (str(serial), made.reference, f"message-{made.ticket.messages.get().pk}"):
                    text = text.replace(own.encode(), b"*")
                seen.append((status, text))
            message = Message.objects.filter(ticket=made.ticket).values_list("body", "kind").get()
            told = (
                made.total,
                made.done,
                made.undecided,
                made.status,
                made.ticket.subject,
                made.ticket.code_id,
                message,
            )
            pages.append((seen, told))
    assert pages[0] == pages[1]


def test_a_member_of_both_sees_both_and_a_member_removed_sees_nothing(world):
    browser = world.browser(world.saturn, "boss")
    user = User.objects.get(email="boss@saturnia.example")
    jupiter = CompromiseReport.objects.get(reference=world.jupiter.report).retailer
    made = RetailerMember.objects.create(retailer=jupiter, user=user)
    assert browser.get(reverse("portal_report", args=[world.jupiter.report])).status_code == 200
    # He manages the one and not the other.
    assert browser.get(reverse("portal_key", args=[world.jupiter.key])).status_code == 404
    assert browser.get(reverse("portal_keys"), {"retailer": world.jupiter.slug}).status_code == 404
    made.delete()
    assert browser.get(reverse("portal_report", args=[world.jupiter.report])).status_code == 404
    RetailerMember.objects.filter(user=user).delete()
    for name, address in addresses(world.saturn):
        if name not in BY_ITS_LINK:
            assert browser.get(address).status_code in {404, 405}, name


# --- The till

TILL: dict[tuple[str, str], Any] = {
    ("post", "/activate"): lambda of: ({}, {"serial": of.serial}),
    ("post", "/deactivate"): lambda of: ({}, {"serial": of.serial}),
    ("post", "/reports"): lambda of: ({}, {"kind": "stolen", "serials": [of.serial]}),
    ("get", "/reports/{reference}"): lambda of: ({"reference": of.report}, None),
    ("get", "/cards/{serial}"): lambda of: ({"serial": of.serial}, None),
}


def operations():
    description = json.loads(json.dumps(api.get_openapi_schema(), default=str))
    return {
        (method, path.removeprefix(ADDRESS))
        for path, methods in description["paths"].items()
        for method in methods
        if method in METHODS
    }


def test_every_operation_of_the_till_has_its_row():
    assert operations() == set(TILL)


@pytest.mark.parametrize("operation", TILL, ids=lambda operation: " ".join(operation))
def test_the_till_answers_for_the_others_like_for_what_does_not_exist(world, operation):
    method, path = operation
    till = Till(CompromiseReport.objects.get(reference=world.saturn.report).retailer)
    before = rows()
    answers = []
    with time_machine.travel(timezone.now(), tick=False):
        for side in (world.jupiter, NOBODY):
            named, body = TILL[operation](side)
            place = path.format(**named)
            response = till.post(place, body) if method == "post" else till.get(place)
            text = bytes_of(response).decode()
            for own in (str(side.serial), side.report):
                text = text.replace(own, "*")
            made = re.sub(r"[A-Z]{2}-[0-9A-Z]{4}-[0-9A-Z]{4}(-[0-9A-Z]{4})*", "*", text)
            answers.append((response.status_code, made))
            assert not [mark for mark in world.jupiter.marks if mark in text]
    assert answers[0] == answers[1]
    assert answers[0][0] == (201 if path == "/reports" else 404)
    if path != "/reports":
        after = rows()
        after["redemption_apikey"] = [row for row in after["redemption_apikey"] if row in before["redemption_apikey"]]
        assert {**after, "redemption_apikey": before["redemption_apikey"]} == before


def test_the_till_answers_no_method_with_anything_of_the_others(world, client):
    till = Till(CompromiseReport.objects.get(reference=world.saturn.report).retailer)
    before = rows()["redemption_code"]
    for method in METHODS:
        for _, path in TILL:
            place = ADDRESS + path.format(reference=world.jupiter.report, serial=world.jupiter.serial)
            headers = {"Authorization": f"Bearer {till.token}", "Idempotency-Key": uuid.uuid4().hex}
            sent = {} if method in {"get", "head", "trace"} else {"data": "{}", "content_type": "application/json"}
            response = getattr(client, method)(place, **sent, headers=headers)
            assert foreign(response, world.jupiter) == [], (method, path)
            assert response.status_code in {400, 404, 405, 422}, (method, path)
    assert rows()["redemption_code"] == before


def test_the_factories_of_this_file_give_each_its_own(world):
    assert not set(world.saturn.marks) & set(world.jupiter.marks)
    assert clerk()[1].pk != manager()[1].pk
