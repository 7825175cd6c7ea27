"""Codes are nowhere: not in a table, a log line, a session, a job, a cookie or a file, in no spelling or encoding."""

import base64
import io
import logging
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.db import connection
from django.utils import timezone

from config.embedded_postgres.places import log_file
from redemption import approvals
from redemption.batches import activate_batch, freeze_batch
from redemption.cards import activate_cards, freeze_cards, void_cards, void_payload
from redemption.importing import import_codes
from redemption.issuing import enqueue, issue_batch
from redemption.models import ApprovalAction, Attempt, CardEvent, Channel, Code
from redemption.outbox import deliver, send_card
from redemption.redeem import KeyConflictError, preview, redeem
from redemption.refusals import RefusalReason
from redemption.replacing import replace_card, replace_payload
from redemption.roles import Role
from redemption.tallies import roll_up
from tests import factories, leak_search
from tests.owner import owner_cursor
from tests.redemption.batch_world import draft, pins, printed, printer
from tests.support.desk import at_the_desk

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def private_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


@pytest.fixture
def log():
    """Everything that the program's own handler writes, with every logger talking."""
    handler = next(handler for handler in logging.getLogger().handlers if type(handler) is logging.StreamHandler)
    # But for one: it would write out what templates are given, also what an agent typed. The settings keep it quiet.
    quiet = logging.getLogger("django.template")
    assert not quiet.isEnabledFor(logging.DEBUG)
    loggers = [
        logging.getLogger(),
        *(one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)),
    ]
    levels = {one: one.level for one in loggers}
    for one in loggers:
        one.setLevel(logging.INFO if one is quiet else logging.DEBUG)
    written = io.StringIO()
    before = handler.setStream(written)
    try:
        yield written
    finally:
        handler.setStream(before)
        for one, level in levels.items():
            one.setLevel(level)


class Secrets:
    """Codes in the clear, and what a slip makes of them."""

    def __init__(self):
        self.needles = set()
        self.plain = set()

    def add(self, pattern, printed_code):
        code = pattern.read(printed_code).code
        assert code
        self.needles |= leak_search.spellings(code, printed_code)
        self.plain |= {code.encode(), printed_code.encode()}
        if pattern.check_symbol:
            self.needles |= leak_search.parts(code, 10)
        return printed_code

    def add_slips(self, pattern, printed_code):
        """One wrong symbol, one missing, one too many, two swapped: (as typed, in all spellings from now on)."""
        code = pattern.read(printed_code).code
        other = next(symbol for symbol in pattern.alphabet if symbol not in code[3:6])
        swapped = code[:4] + code[5] + code[4] + code[6:]
        slips = [code[:4] + other + code[5:], code[:4] + code[5:], code[:4] + other + code[4:]]
        if swapped != code:
            slips.append(swapped)
        for slip in slips:
            self.needles |= leak_search.spellings(slip, pattern.display(slip))
            self.plain |= {slip.encode(), pattern.display(slip).encode()}
        return [pattern.display(slip) for slip in slips]


def approved(action, serial, payload, agent):
    asked = approvals.request(action=action, target=f"code:{serial}", payload=payload, reason="damaged", by=agent)
    return approvals.approve(asked, by=factories.user(Role.MANAGER))


def lead_codes_through_their_lives(secrets):
    """Issues, imports, activates, sends, previews, redeems, mistypes, refuses, replaces and looks up. Returns the
    browser's cookies and what was printed."""
    now = timezone.now()
    identity, key = printer()
    product = factories.product(factories.program(printer_key=key))
    program = product.program
    manager, agent = factories.user(Role.MANAGER), factories.user(Role.AGENT)

    # Issued and imported; one batch is left to a worker.
    batch = draft(quantity=30, product=product, expires_on=(now + timedelta(days=90)).date())
    pattern = batch.code_format.pattern
    print_file = issue_batch(batch=batch, by=manager)
    codes = [(serial, secrets.add(pattern, text)) for serial, text in printed(print_file, identity)]
    enqueue(batch=draft(quantity=3, product=product), by=manager)
    films = factories.product(factories.pin_program())
    pin_pattern = films.program.current_format().pattern
    pin_texts = [secrets.add(pin_pattern, pin) for pin in pins(8, start=int(time.time()) % 10_000)]
    lists = {"product": films, "retailer": factories.retailer(), "by": manager}
    faulty = "\n".join(["code", *pin_texts[:5], pin_texts[0], pin_texts[6] + "X"])
    reports = [
        import_codes(source=io.BytesIO("\n".join(lines).encode()), active=True, **lists)
        for lines in (faulty.splitlines(), ["code", *pin_texts[:6]], ["code", *pin_texts[:6]])
    ]
    assert [bool(report.batch) for report in reports] == [False, True, False]
    batch.refresh_from_db()
    activate_batch(batch, by=manager, with_cards=True)
    supplied = reports[1].batch
    activate_cards(first=supplied.first_serial, last=supplied.last_serial, by=manager)
    sent = send_card(product=product, retailer=batch.retailer, email="friend@example.com", by=manager)
    deliver()
    body = mail.outbox[0].body
    secrets.add(pattern, next(word for word in body.split() if word.startswith("SPOTIFY-")))

    # Tried by customers, in all spellings, for every kind of answer.
    def try_it(account, text, run=redeem, **more):
        return run(account=account, text=text, channel=Channel.WEB, address="192.0.2.1", now=now, **more)

    texts = [text for _, text in codes]
    winner = factories.account(program)
    assert try_it(winner, texts[0], preview).benefit
    for text in (
        texts[0],
        texts[1].lower(),
        f" {texts[2]}\u200b",
        texts[3].replace("-", ""),
        texts[4].replace("-", " "),
    ):
        assert try_it(winner, text).is_redeemed
    assert try_it(winner, texts[0]).reason == RefusalReason.REDEEMED_BY_YOU
    assert try_it(factories.account(program), texts[0]).reason == RefusalReason.REDEEMED_BY_ANOTHER
    assert try_it(factories.account(program, country="US"), texts[5]).reason == RefusalReason.COUNTRY_DIFFERS
    assert try_it(factories.account(program, email_verified=False), texts[5]).reason
    stranger = factories.account(program)
    unknown = [secrets.add(pattern, pattern.display(code.decode())) for code in pattern.generate(5)]
    assert [bool(try_it(stranger, text).untried) for text in unknown] == [False] * 4 + [True]
    assert try_it(winner, texts[6], key="k").is_redeemed
    with pytest.raises(KeyConflictError):
        try_it(winner, texts[7], key="k")
    for slip in secrets.add_slips(pattern, texts[7]):
        assert not try_it(factories.account(program), slip).is_redeemed
    viewer = factories.account(films.program)
    assert try_it(viewer, pin_texts[0]).is_redeemed
    for slip in secrets.add_slips(pin_pattern, pin_texts[1])[:3]:
        assert not try_it(viewer, slip).is_redeemed
    try_it(winner, f"My code is {texts[8]} and it does not work")
    try_it(winner, texts[8] * 20)
    try_it(winner, f"https://open.spotify.com/track/{texts[8]}")

    # Ended by staff.
    freeze_cards(first=codes[9][0], last=codes[10][0], by=agent, reason="report")
    void = approved(ApprovalAction.VOID, codes[11][0], void_payload(codes[11][0]), agent)
    void_cards(first=codes[11][0], by=agent, approval=void, reason="stolen")
    replace = approved(ApprovalAction.REPLACE, codes[12][0], replace_payload(codes[12][0]), agent)
    successor = replace_card(serial=codes[12][0], by=agent, approval=replace, reason="damaged")
    secrets.add(pattern, successor.code)
    assert successor.code not in repr(successor)
    for text in (texts[9], texts[11], texts[12]):
        assert try_it(factories.account(program), text).reason
    assert try_it(factories.account(program), successor.code).is_redeemed
    freeze_batch(batch, by=manager, reason="leak at the printer")
    roll_up()

    # Looked up by an agent: posted as it should be, and pasted where it should not be.
    client, _ = at_the_desk(Role.AGENT)
    slips = secrets.add_slips(pattern, texts[13])
    for typed in (
        texts[13],
        texts[13].lower(),
        texts[13].replace("-", " "),
        *slips,
        unknown[0],
        pin_texts[2],
        texts[13] + "\0",
    ):
        assert client.post("/", {"typed": typed}).status_code in {200, 303, 400, 404}
    for slip in secrets.add_slips(pin_pattern, pin_texts[2]):
        client.post("/", {"typed": slip})
    serial = codes[13][0]
    assert client.get(f"/codes/{serial}/").status_code == 200
    client.post(f"/codes/{serial}/diagnose/", {"account": texts[13]})
    for address in (
        f"/?typed={texts[13]}",
        f"/codes/{texts[13]}/",
        f"/customers/{texts[13]}/",
        f"/{quote(texts[13].lower())}",
    ):
        client.get(address)
    client.post("/codes/", {"typed": texts[13]})
    deliver()
    said = [
        *reports,
        sent,
        successor,
        print_file,
        *CardEvent.objects.all(),
        *Attempt.objects.all(),
        *Code.objects.all(),
    ]
    return client.cookies, said


def written_on_the_way(log, started):
    """All that was written, and where."""
    cluster = []
    if connection.vendor == "postgresql" and "embedded" in connection.settings_dict["ENGINE"]:
        with owner_cursor() as cursor:
            cursor.execute("CHECKPOINT")
        cluster = [("the server's log", log_file().read_bytes())]
    yield from leak_search.tables()
    yield from leak_search.sessions()
    yield "the log", log.getvalue().encode()
    yield from cluster
    yield from leak_search.files([Path(django_settings.MEDIA_ROOT), Path(django_settings.VAR_DIR)], since=started)
    yield from leak_search.files(_temporary(), since=started)


def _temporary():
    """Ours among the temporary files: another program's may be large, and are none of our business."""
    return [path for path in Path(tempfile.gettempdir()).iterdir() if path.name.startswith(("tmp", "redemption"))]


def test_codes_and_mistyped_codes_are_nowhere(log):
    started = time.time() - 1
    secrets = Secrets()
    cookies, said = lead_codes_through_their_lives(secrets)
    places = [
        *written_on_the_way(log, started),
        ("a cookie", str(cookies).encode()),
        ("what records say of themselves", " ".join(f"{one!r} {one}" for one in said).encode()),
    ]
    # The search has something to search: every kind of place was written to.
    content = dict(places)
    assert b"Redemption Desk" in b" ".join(content.values())
    for written in (
        "public.redemption_attempt.reference",
        "public.support_auditevent.target",
        "public.procrastinate_jobs.args",
        "public.django_session.session_data",
        "public.redemption_code.digest",
        "pg_stat_activity.query",
        "a session",
        "the log",
    ):
        assert content[written].strip(), written
    assert any(str(django_settings.MEDIA_ROOT) in place for place in content)
    assert len(secrets.needles) > 10_000
    assert leak_search.Search(secrets.needles, secrets.plain)(places) == set()


# --- That the search finds what there is to find


CODE, PRINTED = "7K2M9QX40PW3", "SPOTIFY-7K2M-9QX4-0PW3"


@pytest.mark.parametrize(
    "leak",
    [
        PRINTED.encode(),
        CODE.lower().encode(),
        b"SPOTIFY7K2M9QX40PW3",
        b"7K2M 9QX4 0PW3",
        b"7k2m-9qx4-0pw3",
        "7K2M\u20139QX4\u20130PW3".encode(),
        CODE.encode("utf-16-le"),
        PRINTED.encode("utf-16-be"),
        CODE.encode().hex().encode(),
        b"x" + base64.b64encode(b"a" + PRINTED.encode() + b"b"),
        base64.b64encode(b"ab" + CODE.encode()),
        base64.urlsafe_b64encode(b"abc" + CODE.encode() + b"de"),
        b"%53%50%4F%54%49%46%59%2D%37%4B%32%4D%2D%39%51%58%34%2D%30%50%57%33",
        b"7K2M%209QX4%200PW3",
        CODE[::-1].encode(),
        b"7K2M9QX4OPW3",
    ],
)
def test_the_search_finds_a_code_in_every_dress(leak):
    needles = leak_search.spellings(CODE, PRINTED)
    assert leak_search.Search(needles, {PRINTED.encode()})([("here", b"before " + leak + b" after")]) == {"here"}
    assert leak_search.Search(needles, {PRINTED.encode()})([("here", b"before " + leak[:5] + b" after")]) == set()


def test_the_search_finds_most_of_a_code():
    assert leak_search.Search(leak_search.parts(CODE, 10))([("here", b"...K2M9QX40PW...")]) == {"here"}


@pytest.mark.parametrize(
    ("table", "column", "plant"),
    [
        ("redemption_retailer", "name", lambda code: {"name": f"Shop {code}"}),
        ("redemption_program", "wording", lambda code: {"wording": {"unavailable": f"About {code}"}}),
        ("redemption_program", "share_link_patterns", lambda code: {"share_link_patterns": [code]}),
    ],
)
def test_the_search_looks_into_columns_of_every_type(table, column, plant):
    made = (factories.retailer if table == "redemption_retailer" else factories.program)(**plant(PRINTED))
    assert made.pk
    found = leak_search.Search(leak_search.spellings(CODE, PRINTED))(leak_search.tables())
    assert {f"public.{table}.{column}", f"public.{table} as text"} <= found


def test_the_search_looks_into_bytes_sessions_logs_and_files(log, tmp_path):
    started = time.time() - 1
    needles = leak_search.spellings(CODE, PRINTED)
    client, _ = at_the_desk(Role.AGENT)
    session = client.session
    session["typed"] = PRINTED
    session.save()
    assert leak_search.Search(needles, {PRINTED.encode()})(leak_search.sessions()) == {"a session"}
    logging.getLogger("redemption.somewhere").debug("%s", {"typed": CODE})
    assert leak_search.Search(needles, {PRINTED.encode()})([("the log", log.getvalue().encode())]) == {"the log"}
    (tmp_path / "deep").mkdir()
    path = tmp_path / "deep" / "left.csv"
    # On the border of two pieces.
    path.write_bytes(b"x" * (leak_search.PIECE - 5) + PRINTED.encode())
    assert leak_search.Search(needles, {PRINTED.encode()})(leak_search.files([tmp_path], since=started)) == {str(path)}
    assert (
        leak_search.Search(needles, {PRINTED.encode()})(leak_search.files([tmp_path], since=time.time() + 60)) == set()
    )
    with owner_cursor() as cursor:
        cursor.execute("CREATE TABLE forgotten (kept bytea)")
        try:
            cursor.execute("INSERT INTO forgotten VALUES (%s)", [PRINTED.encode()])
            found = leak_search.Search(needles, {PRINTED.encode()})(leak_search.tables())
        finally:
            cursor.execute("DROP TABLE forgotten")
    assert {"public.forgotten.kept", "public.forgotten as text"} <= found
