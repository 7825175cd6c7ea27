"""Verifying: what was changed, removed or added is found and named, also on a copy with nothing but the public key."""

import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from io import StringIO

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings as django_settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from config.embedded_postgres.binaries import bin_folder
from redemption.roles import Role
from support import audit, seal_exports
from support.jobs import mail_seal, seal_rows
from support.models import (
    AuditAction,
    AuditEvent,
    AuditPersonal,
    CreditPolicy,
    ManualCredit,
    Seal,
    SealedRow,
    SealMark,
)
from support.seal_exports import export, read_exported
from support.sealing import standing
from support.signing import SealLineError, by_id, from_line, public_key, seal_hash, sign, to_line
from tests import factories
from tests.owner import owner_cursor
from tests.support.sealed_world import change, seal_now, sealed_world, sentences, settle, verify, write_some

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _without_what_comes_with_the_product():
    """Only the first transactional test finds the policy that migrations make."""
    if CreditPolicy.objects.exists():
        call_command("flush", verbosity=0, interactive=False)


@pytest.fixture(autouse=True)
def outside(settings, tmp_path):
    """Where seals go."""
    folder = tmp_path / "outside"
    settings.STORAGES = {
        **settings.STORAGES,
        "seals": {**settings.STORAGES["seals"], "OPTIONS": {"location": str(folder)}},
    }
    return folder


def record(**fields):
    return audit.record(AuditAction.LOOKED_UP, by=factories.user(Role.AGENT), **fields)


def told(*arguments):
    """(what the command says, whether it found something)"""
    out = StringIO()
    try:
        call_command("verify_audit", *map(str, arguments), stdout=out)
    except CommandError as refused:
        return f"{out.getvalue()}{refused}", True
    return out.getvalue(), False


# --- The command


def test_what_is_as_it_was_is_said_with_the_tail_that_is_not_sealed():
    sealed_world(2)
    record(target="code:77")
    factories.cards(2)
    rows = SealedRow.objects.count()
    oldest = AuditEvent.objects.order_by("-pk").first().at
    said, found = told()
    assert not found
    key = Seal.objects.first().key_id.hex()
    assert said.splitlines() == [
        f"Looked at 2 seals over {rows} rows, signed with {key} (this installation's own key).",
        f"Not sealed yet, and not vouched for: 1 audit event, 2 transfers; the oldest is of {oldest:%Y-%m-%d %H:%M:%S} "
        "UTC.",
        "Everything sealed is as it was.",
    ]


def test_without_any_seal_nothing_is_vouched_for():
    record()
    assert told() == ("There is no seal, so nothing is vouched for.", True)


def test_the_first_change_is_named_and_the_rest_counted():
    sealed_world(1, events=30)
    first = AuditEvent.objects.order_by("pk").first().pk
    change("UPDATE support_auditevent SET actor_id = actor_id + 1")
    said, found = told()
    lines = said.splitlines()
    assert found
    assert lines[0] == f"Audit event {first} was changed: it is not what was put under seal 1."
    total = AuditEvent.objects.count()
    assert lines[20] == f"And {total - 20} more."
    assert lines[-1] == f"{total} findings."


def test_the_process_ends_with_one_where_it_finds_something_and_with_none_else():
    record()
    seal_now()
    run = [sys.executable, "manage.py", "verify_audit"]
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.support.verify_settings",
        "TEST_DATABASE_NAME": name_of_database(),
    }
    runs = {"cwd": django_settings.BASE_DIR, "env": environment, "capture_output": True, "text": True, "check": False}
    good = subprocess.run(run, **runs, timeout=120)
    assert (good.returncode, good.stdout.splitlines()[-1]) == (0, "Everything sealed is as it was.")
    change("DELETE FROM support_auditevent")
    bad = subprocess.run(run, **runs, timeout=120)
    assert (bad.returncode, bad.stderr.strip()) == (1, "CommandError: 1 finding.")


def name_of_database():
    return connection.settings_dict["NAME"]


# --- Each kind of change has its sentence


def test_a_changed_row():
    sealed_world()
    credit = ManualCredit.objects.order_by("pk").first().pk
    change("UPDATE support_manualcredit SET note = 'Nothing.' WHERE id = %s", credit)
    assert sentences() == [f"Manual credit {credit} was changed: it is not what was put under seal 1."]


def test_a_removed_row():
    sealed_world()
    event = AuditEvent.objects.order_by("pk").first().pk
    change("DELETE FROM support_auditevent WHERE id = %s", event)
    assert f"Audit event {event} is missing: seal 1 vouches for it." in sentences()


INSERT = """
    INSERT INTO support_auditevent (at, actor_id, actor_role, action, target, details, xact)
    SELECT {at}, actor_id, actor_role, action, target, details, {xact} FROM support_auditevent ORDER BY id LIMIT 1
"""


def test_a_row_that_was_added_as_if_it_were_old():
    sealed_world()
    change(INSERT.format(at="at", xact="xact"))
    added = AuditEvent.objects.order_by("-pk").first().pk
    assert sentences() == [
        f"Audit event {added} was added, or taken from under its seal: it says it was written before seal 3."
    ]


def test_a_row_with_a_transaction_that_has_not_been():
    sealed_world()
    change(INSERT.format(at="now()", xact="'88888888888'"))
    added = AuditEvent.objects.order_by("-pk").first().pk
    assert sentences() == [f"Audit event {added} was added: it names transaction 88888888888, which has not been yet."]


def test_a_row_that_is_dated_long_before_it_was_written_is_found_sealed_or_not():
    sealed_world()
    change(INSERT.format(at="now() - interval '61 minutes'", xact="pg_current_xact_id()"))
    event = AuditEvent.objects.order_by("-pk").first()
    expected = (
        f"Audit event {event.pk} was added late: it is dated {event.at:%Y-%m-%d %H:%M:%S} UTC, long before seal 3, and "
        "was written after it."
    )
    assert sentences() == [expected]
    seal_now()
    assert sentences() == [expected]


def test_a_row_that_is_dated_a_little_before_it_was_written_is_a_slow_transactions():
    sealed_world()
    change(INSERT.format(at="now() - interval '59 minutes'", xact="pg_current_xact_id()"))
    assert sentences() == []


def test_a_row_under_a_seal_that_took_whatever_was_there():
    """Of the first seal, no time says what belongs to it."""
    sealed_world(3)
    events = [SealedRow.objects.filter(kind=1, seal=seal).first().row for seal in (2, 3)]
    for event in events:
        change("UPDATE support_sealedrow SET seal = 1 WHERE kind = 1 AND row = %s", event)
    first, second, third = Seal.objects.order_by("number")
    assert sentences() == [
        *(f"Audit event {event} is under seal 1, which holds other rows than it says, and was written after it."
          for event in events),
        f"Seal 1 says {first.count} rows and holds {first.count + 2}.",
        f"Seal 2 says {second.count} rows and holds {second.count - 1}.",
        f"Seal 3 says {third.count} rows and holds {third.count - 1}.",
    ]  # fmt: skip


def test_a_row_under_another_seal_than_its_own():
    sealed_world()
    event = SealedRow.objects.filter(kind=1, seal=1).first().row
    change("UPDATE support_sealedrow SET seal = 2 WHERE kind = 1 AND row = %s", event)
    first, second = (Seal.objects.get(number=number) for number in (1, 2))
    assert sentences() == [
        f"Audit event {event} is under seal 2, but was not written between that one and seal 1.",
        f"Seal 1 says {first.count} rows and holds {first.count - 1}.",
        f"Seal 2 says {second.count} rows and holds {second.count + 1}.",
    ]


def test_personal_details_may_be_erased_and_nothing_else():
    sealed_world()
    kept, erased, *_ = AuditPersonal.objects.order_by("pk")
    erased.delete()
    assert sentences() == []
    AuditPersonal.objects.filter(pk=kept.pk).update(text="typed bob@example.com")
    assert sentences() == [f"The personal details of audit event {kept.pk} were changed."]
    AuditPersonal.objects.filter(pk=kept.pk).update(salt=b"x" * 65)
    assert sentences() == [f"The personal details of audit event {kept.pk} were changed."]


def test_what_was_approved_is_what_was_asked_for():
    sealed_world(1)
    approval = ManualCredit.objects.get(reversal__isnull=False).reversal.approval
    with owner_cursor() as cursor, cursor.connection.transaction():
        cursor.execute("ALTER TABLE redemption_approvalrequest DISABLE TRIGGER USER")
        cursor.execute("""UPDATE redemption_approvalrequest SET payload = payload || '{"amount": 1}'""")
        cursor.execute("ALTER TABLE redemption_approvalrequest ENABLE TRIGGER USER")
    assert sentences() == [f"Approval {approval.pk} decided something else than its request says now."]


CHANGES = {
    "at": "at + interval '1 microsecond'",
    "cluster": "'1'",
    "horizon": "horizon + 1",
    "counts": """counts || '{"1": 999}'""",
    "count": "count + 1",
    "root": "sha256(root)",
    "previous": "sha256(previous)",
    "hash": "sha256(hash)",
    "key_id": r"'\x0011223344556677'",
    "version": "2",
}


def test_a_changed_seal():
    kept = sealed_world()[1]
    for column, value in CHANGES.items():
        change(f"UPDATE support_seal SET {column} = {value} WHERE number = 2")
        assert "Seal 2 was changed: it is not what its hash says." in sentences(), column
        change("DELETE FROM support_seal WHERE number = 2")
        kept.save(force_insert=True)
    assert sentences() == []


def test_a_seal_that_somebody_else_has_signed():
    """Whole and consistent, from the tampered row to the root and the hash: only the key is not theirs."""
    sealed_world()
    made = Seal.objects.get(number=3)
    made.count += 1
    forger = Ed25519PrivateKey.generate()
    hashed = seal_hash(made)
    change(
        "UPDATE support_seal SET count = %s, hash = %s, signature = %s WHERE number = 3",
        made.count, hashed, forger.sign(hashed),
    )  # fmt: skip
    assert sentences()[0] == "Seal 3 is not signed by whom it says."
    change("UPDATE support_seal SET signature = 'nonsense' WHERE number = 3")
    assert sentences()[0] == "Seal 3 is not signed by whom it says."


def test_a_removed_seal_in_the_middle():
    sealed_world()
    rows = SealedRow.objects.filter(seal=2)
    first = rows.order_by("kind", "row").first()
    change("DELETE FROM support_seal WHERE number = 2")
    assert sentences() == [
        "Seal 2 is missing.",
        f"Seal 2 is missing: {rows.count()} rows are under it, the first is Audit event {first.row}.",
    ]
    change("UPDATE support_seal SET number = 10 WHERE number = 3")
    assert sentences()[0] == "Seals 2 to 9 are missing."


def test_seals_that_changed_places():
    sealed_world()
    for old, new in ((2, 9), (3, 2), (9, 3)):
        change("UPDATE support_seal SET number = %s WHERE number = %s", new, old)
    assert {
        "Seal 2 was changed: it is not what its hash says.",
        "Seal 3 was changed: it is not what its hash says.",
    } <= {*sentences()}


def test_keys_that_are_not_trusted():
    sealed_world(1)
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    key = Seal.objects.get().key_id.hex()
    assert sentences(keys=by_id([other])) == [f"Seal 1 is signed with key {key}, which is not a trusted one."]
    said, found = told("--public-key", other.hex())
    assert found
    assert f"signed with key {key}, which is not a trusted one" in said
    assert not told("--public-key", other.hex(), "--public-key", public_key().hex())[1]
    for nonsense in ("", "xyz", "00", "é" * 64):
        assert told("--public-key", nonsense) == (
            "A public key is 64 hexadecimal digits, as the page of the seals shows it.", True
        )  # fmt: skip


def test_a_seal_of_a_version_to_come_is_said_to_be_unknown():
    sealed_world(1)
    made = Seal.objects.get()
    made.version = 99
    sign(made)
    change("UPDATE support_seal SET version = 99, hash = %s, signature = %s", made.hash, made.signature)
    assert sentences() == ["Seal 1 is of version 99, which is not known here."]


# --- What left the database


def test_each_seal_leaves_once_in_lines_that_say_everything(outside):
    sealed_world(2)
    assert (export(), export()) == (2, 0)
    write_some()
    seal_now()
    assert export() == 1
    files = sorted(path.relative_to(outside).as_posix() for path in outside.rglob("*.jsonl"))
    day = f"{timezone.now():%Y-%m-%d}"
    assert files == [f"{day}/000000000001-000000000002.jsonl", f"{day}/000000000003-000000000003.jsonl"]
    left = list(read_exported(outside))
    for (exported, public), kept in zip(left, Seal.objects.order_by("number"), strict=True):
        assert public == public_key()
        assert from_line(to_line(exported, public))[0].hash == kept.hash == seal_hash(exported)
    assert SealMark.objects.get().exported == 3


def test_the_removal_of_the_newest_seal_is_found_by_what_left(outside):
    """With its rows, the database alone tells nothing: they might never have been sealed."""
    sealed_world()
    export()
    assert told("--against", outside)[1] is False
    newest = Seal.objects.first()
    change("DELETE FROM support_seal WHERE number = 3")
    change("DELETE FROM support_sealedrow WHERE seal = 3")
    assert sentences() == []
    expected = f"Seal 3 is missing: it was exported, of {newest.at:%Y-%m-%d %H:%M:%S} UTC, with {newest.count} rows."
    assert sentences(against=outside) == [expected]
    only = next(path for path in outside.rglob("*.jsonl"))
    assert sentences(against=only) == [expected]
    said, found = told("--against", outside)
    assert found
    assert said.startswith(expected)
    # The worker seals the rows anew: that is another seal, which the alarm does not miss either.
    assert "Seals are missing: 3 were written outside the database, and it has 2." in standing().alarm
    assert seal_now().number == 3
    assert sentences() == []
    assert sentences(against=outside) == ["Seal 3 is another than the one that was exported."]


def test_all_seals_and_rows_removed_is_found_by_what_left(outside):
    sealed_world(1)
    export()
    for table in ("support_seal", "support_sealedrow"):
        change(f"DELETE FROM {table}")
    assert [sentence[:17] for sentence in sentences(against=outside)] == ["Seal 1 is missing"]
    assert told("--against", outside)[1]


def test_an_exported_file_that_was_tampered_with(outside):
    sealed_world(1)
    export()
    path = next(outside.rglob("*.jsonl"))
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "count": said["count"] + 1}) + "\n")
    assert sentences(against=outside) == ["The exported copy of seal 1 is not genuine."]


def test_a_line_that_is_no_seal_is_named(outside):
    sealed_world(1)
    export()
    path = next(outside.rglob("*.jsonl"))
    path.write_text(path.read_text() + "nonsense\n")
    assert told("--against", path) == (f"{path}, line 2, is no exported seal: it is not JSON of this form.", True)


def test_a_last_line_that_was_cut_off_is_left_out(outside, caplog):
    sealed_world(2)
    export()
    path = next(outside.rglob("*.jsonl"))
    path.write_text(path.read_text()[:-40])
    assert len(list(read_exported(outside))) == 1
    assert "its last line is cut off and was left out" in caplog.text
    with pytest.raises(SealLineError):
        from_line(path.read_text().splitlines()[-1])


def test_the_key_comes_with_the_exported_seals_where_none_is_given(outside, settings):
    """As on the auditor's machine, whose own key is another."""
    sealed_world(1)
    export()
    key = Seal.objects.get().key_id.hex()
    settings.SEAL_KEY = os.urandom(32)
    assert f"signed with key {key}, which is not a trusted one." in told()[0]
    said, found = told("--against", outside)
    assert not found
    assert f"signed with {key} (the key that came with the exported seals: compare it" in said


def test_a_key_that_was_changed_is_told_apart_by_its_id(settings, outside):
    sealed_world(1)
    export()
    old, settings.SEAL_KEY = public_key(), os.urandom(32)
    write_some()
    seal_now()
    export()
    assert [public for _, public in read_exported(outside)] == [old, public_key()]
    assert told("--against", outside)[1] is False
    assert told("--public-key", old.hex(), "--public-key", public_key().hex())[1] is False
    assert told("--public-key", old.hex())[1]


def test_nothing_there_to_compare_with_is_said(tmp_path):
    assert told("--against", tmp_path / "nothing") == (f"There is nothing at {tmp_path / 'nothing'}.", True)


def test_the_job_seals_exports_and_says_what_does_not_work(outside, settings, caplog):
    record()
    settle()
    seal_rows(timestamp=0)
    assert (Seal.objects.count(), SealMark.objects.get().exported) == (1, 1)
    settings.STORAGES = {
        **settings.STORAGES,
        "seals": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": "/dev/null/x"}},
    }
    record()
    settings.SEAL_LAG_ALARM = 0
    caplog.clear()
    settle()
    seal_rows(timestamp=0)
    assert (Seal.objects.count(), SealMark.objects.get().exported) == (2, 1)
    assert [(line.levelname, line.message) for line in caplog.records] == [
        ("WARNING", "Seals were not written outside the database (NotADirectoryError)."),
        ("ERROR", "Seals: Seals from number 2 on could not be written outside the database."),
    ]


def test_a_run_that_died_before_it_was_noted_writes_the_same_once_more(outside):
    sealed_world(1)
    storages["seals"].save(f"{timezone.now():%Y-%m-%d}/000000000001-000000000001.jsonl", ContentFile(b'{"number": 1, '))
    assert export() == 1
    assert len(list(outside.rglob("*.jsonl"))) == 2
    assert [seal.number for seal, _ in read_exported(outside)] == [1]


def test_the_auditor_gets_the_newest_seal_each_day_if_there_is_a_new_one(settings, mailoutbox, tmp_path):
    mail_seal(timestamp=0)
    sealed_world(2)
    mail_seal(timestamp=0)
    assert mailoutbox == []
    settings.AUDITOR_EMAIL = "auditor@example.com"
    mail_seal(timestamp=0)
    mail_seal(timestamp=0)
    (message,) = mailoutbox
    assert message.to == ["auditor@example.com"]
    name, content, _ = message.attachments[0]
    attached = tmp_path / name
    attached.write_text(content if isinstance(content, str) else content.decode())
    assert told("--against", attached)[1] is False
    assert Seal.objects.first().hash.hex() in message.body
    assert f"verify_audit --against {name}" in message.body
    change("DELETE FROM support_seal WHERE number = 2")
    change("DELETE FROM support_sealedrow WHERE seal = 2")
    assert told("--against", attached)[1]
    write_some()
    seal_now()
    mail_seal(timestamp=0)
    assert seal_exports.SealMark.objects.get().mailed == 2


# --- A copy elsewhere


def tool(name):
    """PostgreSQL's own, of the server's version."""
    if "embedded" in connection.settings_dict["ENGINE"]:
        return str(bin_folder() / name)
    return shutil.which(name) or pytest.skip(f"The server's {name} is not here.")


def test_a_restored_dump_is_verified_with_the_public_key_alone(tmp_path, outside):
    """Dumped with PostgreSQL's own tool and restored into another database; then one row of the copy is changed."""
    dump, psql = (tool(name) for name in ("pg_dump", "psql"))
    sealed_world(2)
    export()
    record()
    settings = {**connection.settings_dict, **django_settings.DATABASE_OWNER}
    params = connection.get_connection_params()
    environment = {
        **os.environ,
        "PGHOST": str(params.get("host", "")), "PGPORT": str(params.get("port") or 5432),
        "PGUSER": settings["USER"] or "redemption", "PGPASSWORD": settings["PASSWORD"] or "",
    }  # fmt: skip
    copy = f"{name_of_database()}_copy"
    changed = SealedRow.objects.filter(kind=2, seal=2).first().row
    script = tmp_path / "dump.sql"
    done = subprocess.run(
        [dump, "--no-owner", "--no-privileges", "-f", script, name_of_database()],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with owner_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {copy}")
    try:
        subprocess.run(
            [psql, "-q", "-v", "ON_ERROR_STOP=1", "-d", copy, "-f", script],
            env=environment, capture_output=True, check=True, timeout=120,
        )  # fmt: skip
        run = [
            sys.executable, "manage.py", "verify_audit", "--public-key", public_key().hex(), "--against", outside,
        ]  # fmt: skip
        elsewhere = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.support.verify_settings",
            "TEST_DATABASE_NAME": copy,
            "SEAL_KEY": "00" * 32,
        }
        runs = {"cwd": django_settings.BASE_DIR, "env": elsewhere, "capture_output": True, "text": True, "check": False}
        good = subprocess.run(run, **runs, timeout=120)
        assert good.returncode == 0, good.stdout + good.stderr
        assert "Not sealed yet, and not vouched for: 1 audit event" in good.stdout
        subprocess.run(
            [psql, "-q", "-d", copy, "-c", "ALTER TABLE redemption_transfer DISABLE TRIGGER USER",
             "-c", f"UPDATE redemption_transfer SET amount = amount + 1 WHERE id = {changed}"],
            env=environment, capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        bad = subprocess.run(run, **runs, timeout=120)
        assert bad.returncode == 1
        assert bad.stdout.startswith(f"Transfer {changed} was changed: it is not what was put under seal 2.")
    finally:
        with owner_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {copy} WITH (FORCE)")


def test_on_a_copy_elsewhere_what_was_added_is_told_from_what_is_new_there():
    """Seals of another server, and nothing sealed here yet: ids of transactions say little, dates say more."""
    sealed_world(1)
    made = Seal.objects.get()
    made.cluster, made.horizon = "1234567890123456789", 10**9
    sign(made)
    change(
        "UPDATE support_seal SET cluster = %s, horizon = %s, hash = %s, signature = %s",
        made.cluster, made.horizon, made.hash, made.signature,
    )  # fmt: skip
    new = record()
    findings, run = verify()
    assert [found.sentence for found in findings] == []
    assert sum(run.tail.rows.values()) == 1
    change("UPDATE support_auditevent SET at = %s WHERE id = %s", made.at - timedelta(seconds=1), new.pk)
    assert [found.row for found in verify()[0]] == [new.pk]
