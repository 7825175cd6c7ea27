"""Exports from the asking to the removal: who may, what is in them, and what is recorded."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.files.storage import storages
from django.utils import timezone

from redemption.models import Channel, JobStatus
from redemption.redeem import redeem
from redemption.roles import PERMISSIONS, Permission, Role
from support import audit
from support.actions import credits, decisions
from support.exports import files, making
from support.exports.catalogue import LISTS
from support.jobs import make_export_job, remove_exports
from support.models import AuditAction, AuditEvent, Export, ExportFormat
from tests import factories

pytestmark = pytest.mark.django_db
MARCH = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


@pytest.fixture
def manager():
    return factories.user(Role.MANAGER)


def taken(export):
    """The rows of a finished CSV, {heading: text} each."""
    export.refresh_from_db()
    assert (export.status, export.message) == (JobStatus.DONE, "")
    with making.fetch(export, by=export.by) as file:
        text = file.read().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == export.total == export.done
    return rows


def exported(by, what="credits", query="period=all"):
    export = making.ask(what=what, query=query, form="csv", by=by)
    make_export_job(export.pk)
    return taken(export)


def test_credits_come_with_their_amounts_as_numbers_and_everything_beside_them(manager):
    agent = factories.user(Role.AGENT, name="Asha Agent")
    account = factories.account(email="ada@example.com")
    card = factories.card(factories.batch(factories.product(account.program)))
    granted = factories.credit(account, by=agent, code=card.row, note="=HYPERLINK(1)", now=MARCH)
    (row,) = exported(manager)
    assert row == {
        "Credit": granted.reference,
        "Granted at (UTC)": "2026-03-04 12:00:00",
        "Amount": "5.00",
        "Currency or days": "GBP",
        "Reason": granted.reason.name,
        "Program": account.program.name,
        "Account": account.reference,
        "E-mail": "ada@example.com",
        "Ticket": granted.ticket.reference,
        "Card": str(card.serial),
        "Retailer": card.batch.retailer.name,
        "With a receipt": "no",
        "The customer had written": "yes",
        "Granted by": "Asha Agent",
        "As": "Support agent",
        "Approved by": "",
        "Approved at (UTC)": "",
        "Moves what a card gave": "no",
        "Taken back": "",
        "Taken back at (UTC)": "",
        "Note": "'=HYPERLINK(1)",
    }


def test_a_query_narrows_the_credits(manager):
    agent = factories.user(Role.AGENT)
    inside = factories.credit(by=agent, now=MARCH)
    factories.credit(by=agent, now=MARCH - timedelta(days=5))
    factories.credit(by=agent, now=MARCH + timedelta(days=5))
    other = factories.credit(now=MARCH)
    day = "from=2026-03-04&until=2026-03-04"
    assert {row["Credit"] for row in exported(manager, query=day)} == {inside.reference, other.reference}
    assert [row["Credit"] for row in exported(manager, query=f"{day}&agent={agent.pk}")] == [inside.reference]


def test_what_a_second_person_decided_comes_with_how_long_it_took(manager):
    factories.credit_policy(Role.AGENT, Role.MANAGER, single=100, approves=10_000)
    wanted = factories.wanted(amount=500)
    asked = credits.request(wanted, why="He lost an evening.", by=factories.user(Role.AGENT, name="Asha"), now=MARCH)
    decisions.reject(asked, by=manager, reason="No receipt.", now=MARCH + timedelta(minutes=90))
    (row,) = exported(manager, "approvals")
    told = ("What", "Amount", "Currency or days", "Asked by", "Why", "Status", "Hours until then")
    assert [row[name] for name in told] == [
        "Grant a credit", "5.00", "GBP", "Asha", "He lost an evening.", "Rejected", "1.5",
    ]  # fmt: skip
    assert row["The decision’s reason"] == "No receipt."
    assert exported(manager, "approvals", "period=all&status=pending") == []


def test_the_audit_trail_says_what_happened_and_to_whom(manager):
    agent = factories.user(Role.AGENT, name="Asha")
    audit.record(AuditAction.ACCOUNT_OPENED, by=agent, target="account:12", personal="ada@example.com", n=1)
    audit.record(AuditAction.ACCOUNT_OPENED, by=agent, target="account:13")
    (row,) = exported(manager, "audit", f"person={agent.pk}&target=account:12&action=account_opened")
    assert (row["Person"], row["What happened"]) == ("Asha", "Asha opened account 12")
    assert (row["Details"], row["Personal details"]) == ("n: 1", "ada@example.com")


def test_asking_and_each_fetching_are_recorded_and_nothing_else_is(manager):
    export = making.ask(what="credits", query="unit=GBP", form="csv", by=manager)
    make_export_job(export.pk)
    export.refresh_from_db()
    for _ in range(2):
        making.fetch(export, by=manager).close()
    events = AuditEvent.objects.filter(target=f"export:{export.pk}").order_by("pk")
    assert [(event.action, event.actor_id, event.details) for event in events] == [
        ("export_requested", manager.pk, {"what": "credits", "format": "csv", "query": "unit=GBP"}),
        *[("export_fetched", manager.pk, {"what": "credits", "rows": 0})] * 2,
    ]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("what", LISTS)
def test_a_list_is_for_those_who_may_export_and_may_see_it(what, role):
    allowed = {Permission.EXPORT, LISTS[what].permission} <= PERMISSIONS[role]
    by = factories.user(role)
    if allowed:
        assert making.ask(what=what, query="", form="csv", by=by)
    else:
        with pytest.raises(making.ExportError, match="no such list"):
            making.ask(what=what, query="", form="csv", by=by)
        assert not Export.objects.exists()


def test_whoever_lost_the_right_meanwhile_gets_nothing(manager):
    made, queued = (making.ask(what="credits", query="", form="csv", by=manager) for _ in range(2))
    make_export_job(made.pk)
    manager.role = Role.AGENT
    manager.save(update_fields=["role"])
    make_export_job(queued.pk)
    queued.refresh_from_db()
    assert (queued.status, queued.file) == (JobStatus.FAILED, "")
    assert "any more" in queued.message
    made.refresh_from_db()
    with pytest.raises(making.ExportError, match="not yours"):
        making.fetch(made, by=manager)


def test_nobody_fetches_what_another_asked_for(manager):
    export = making.ask(what="credits", query="", form="csv", by=manager)
    make_export_job(export.pk)
    export.refresh_from_db()
    with pytest.raises(making.ExportError, match="not yours"):
        making.fetch(export, by=factories.user(Role.ADMINISTRATOR))
    assert not AuditEvent.objects.filter(action=AuditAction.EXPORT_FETCHED).exists()


def test_personal_columns_are_left_out_for_those_who_may_not_see_who_a_customer_is(manager, monkeypatch):
    factories.credit(factories.account(email="ada@example.com"), note="Ada Lovelace rang")
    monkeypatch.setitem(PERMISSIONS, Role.MANAGER, PERMISSIONS[Role.MANAGER] - {Permission.SEE_PERSONAL_DATA})
    for what in LISTS:
        rows = exported(manager, what)
        assert not {column.title for column in LISTS[what].columns if column.personal} & set(rows[0] if rows else ())
        assert "ada@example.com" not in str(rows)
        assert "Lovelace" not in str(rows)


@pytest.mark.parametrize(
    ("what", "query"),
    [
        ("credits", "from=yesterday"),
        ("credits", "agent=x"),
        ("credits", "agent=99999999999999999999"),
        ("credits", "reason=%00"),
        ("liability", "on=never"),
        ("failures", "program=x"),
        ("signals", "from=2026-03-02&until=2026-03-01"),
        ("credits", "from=2026-02-30"),
        ("approvals", "status=lost"),
        ("audit", "action=nothing"),
        ("audit", "target=%00"),
        ("audit", "person=-1"),
        ("nothing", ""),
        ("credits", "x" * 1001),
    ],
)
def test_what_an_address_cannot_mean_is_refused_with_a_sentence(what, query, manager):
    with pytest.raises(making.ExportError, match=r"[a-z].*\.$"):
        making.ask(what=what, query=query, form="csv", by=manager)
    assert not Export.objects.exists()
    assert not AuditEvent.objects.filter(action=AuditAction.EXPORT_REQUESTED).exists()


@pytest.mark.parametrize(
    ("what", "kept"),
    [
        ("credits", "period=all&unit=GBP"),
        ("approvals", "period=all&unit=GBP&action=credit"),
        ("liability", "period=all&unit=GBP"),
        ("audit", "action=credit_granted&from=2026-03-01"),
    ],
)
def test_only_what_a_list_understands_of_an_address_is_kept(what, kept, manager):
    export = making.ask(what=what, query=f"before=7&code=SPOTIFY-7K2M-9QX4-0PW3&{kept}", form="csv", by=manager)
    assert export.query == kept
    assert AuditEvent.objects.get(action=AuditAction.EXPORT_REQUESTED).details["query"] == kept
    make_export_job(export.pk)
    assert taken(export) is not None


def test_figures_are_those_of_the_pages(manager):
    from support.reports import failures, liability, signals
    from support.reports.filters import Filters

    agent = factories.user(Role.AGENT, name="Bram Agent")
    factories.card(factories.batch(factories.product(value=3000)))
    account = factories.account()
    redeem(account=account, text="SPOTIFY-2222-2222-2222", channel=Channel.WEB)
    factories.credit(by=agent)
    filters = Filters(period="all")
    (line,) = liability.liability_rows(filters)
    (owed,) = exported(manager, "liability")
    assert (owed["Program"], owed["Currency"], owed["Sold"]) == (line.program.name, line.currency, "30.00")
    assert Decimal(owed["Outstanding"]) * 100 == line.outstanding == 3000
    assert [(row["Reason"], row["Failed tries"]) for row in exported(manager, "failures")] == [
        (row.reason_label, str(row.count)) for row in failures.failure_rows(filters)
    ]
    found = {row["Person"]: row for row in exported(manager, "signals")}
    assert set(found) == {str(signs.person) for signs in signals.signal_rows(filters)}
    assert (found["Bram Agent"]["Credits"], found["Bram Agent"]["Granted alone"]) == ("1", "1")


def test_a_sixth_export_waits_for_one_of_five(manager):
    for _ in range(making.MOST_UNDER_WAY):
        last = making.ask(what="credits", query="", form="csv", by=manager)
    with pytest.raises(making.ExportError, match="under way"):
        making.ask(what="credits", query="", form="csv", by=manager)
    make_export_job(last.pk)
    making.ask(what="credits", query="", form="csv", by=manager)


def test_a_job_that_comes_twice_makes_one_file_and_a_killed_one_begins_anew(manager):
    export = making.ask(what="credits", query="", form="csv", by=manager)
    make_export_job(export.pk)
    export.refresh_from_db()
    name, updated = export.file, export.updated_at
    make_export_job(export.pk)
    export.refresh_from_db()
    assert (export.file, export.updated_at) == (name, updated)
    # As a worker leaves it that was killed after the file was stored.
    Export.objects.filter(pk=export.pk).update(status=JobStatus.RUNNING)
    factories.credit()
    make_export_job(export.pk)
    assert len(taken(export)) == 1
    assert Export.objects.get(pk=export.pk).file == name
    assert [len(storages["exports"].listdir(f"exports/{name[8:10]}")[1])] == [1]


def test_more_rows_than_a_sheet_holds_are_told_in_a_sentence(manager, monkeypatch):
    monkeypatch.setattr(making, "MOST_ROWS_OF_XLSX", 2)
    for _ in range(3):
        factories.credit()
    export = making.ask(what="credits", query="", form=ExportFormat.XLSX, by=manager)
    make_export_job(export.pk)
    export.refresh_from_db()
    assert (export.status, export.file) == (JobStatus.FAILED, "")
    assert export.message == making._TOO_LONG
    assert "1,048,575 rows, and this list has more" in export.message
    assert files.MOST_ROWS_OF_XLSX == 2**20 - 1


def test_files_are_removed_after_a_week_and_their_rows_stay(manager):
    old, new = (making.ask(what="credits", query="", form="csv", by=manager) for _ in range(2))
    for export in (old, new):
        make_export_job(export.pk)
        export.refresh_from_db()
    Export.objects.filter(pk=old.pk).update(created_at=timezone.now() - making.KEPT - timedelta(minutes=1))
    remove_exports(0)
    assert not storages["exports"].exists(old.file)
    assert storages["exports"].exists(new.file)
    old.refresh_from_db()
    assert (old.file, old.status) == ("", JobStatus.DONE)
    with pytest.raises(making.ExportError, match="removed after a week"):
        making.fetch(old, by=manager)
    making.fetch(Export.objects.get(pk=new.pk), by=manager).close()


def test_files_are_private(manager, settings):
    export = making.ask(what="credits", query="", form="csv", by=manager)
    make_export_job(export.pk)
    export.refresh_from_db()
    path = settings.MEDIA_ROOT / export.file
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.django_db(transaction=True)
def test_progress_is_seen_from_outside_while_rows_are_still_read(manager, monkeypatch):
    for _ in range(3):
        factories.credit()
    export = making.ask(what="credits", query="", form="csv", by=manager)
    seen = []
    real = LISTS["credits"].rows

    def watched(address, user):
        rows = real(address, user)

        def cells():
            for row in rows.cells:
                monkeypatch.setattr(making, "_TELL_EVERY_SECONDS", -1)
                yield row
                seen.append(_from_outside(export))

        return type(rows)(rows.total, cells())

    monkeypatch.setattr(making, "TELL_EVERY_ROWS", 1)
    monkeypatch.setitem(LISTS, "credits", _with_rows(LISTS["credits"], watched))
    make_export_job(export.pk)
    assert seen == [("running", 1, 3), ("running", 2, 3), ("running", 3, 3)]


def _with_rows(wanted, rows):
    return type(wanted)(wanted.name, wanted.title, wanted.permission, wanted.columns, wanted.address, rows)


def _from_outside(export):
    from django.db import connection

    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT status, done, total FROM support_export WHERE id = %s", [export.pk])
            return cursor.fetchone()
    finally:
        other.close()
