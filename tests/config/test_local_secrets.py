"""The demo's and the tests' secrets: made once, the same for everybody who starts at the same time."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings

from config.local_secrets import load_or_create

NAMES = {"SECRET_KEY", "CODE_KEYS", "OUTBOX_KEY", "SEAL_KEY"}
READ = "import json, sys; from pathlib import Path; from config.local_secrets import load_or_create as load; "


def read_by_a_process(folder):
    done = subprocess.run(
        [sys.executable, "-c", f"{READ} print(json.dumps(load(Path({str(folder)!r}))))"],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def test_they_are_made_once_and_for_nobody_else_to_read(tmp_path):
    folder = tmp_path / "deep" / "var"
    made = load_or_create(folder)
    assert set(made) == NAMES
    assert load_or_create(folder) == made
    assert (folder / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == ["secrets.json"]


def test_what_came_later_is_added_and_what_was_there_stays(tmp_path):
    kept = {name: f"mine {name}" for name in NAMES - {"SEAL_KEY"}}
    (tmp_path / "secrets.json").write_text(json.dumps(kept))
    found = load_or_create(tmp_path)
    assert {name: found[name] for name in kept} == kept
    assert len(found["SEAL_KEY"]) == 64
    assert load_or_create(tmp_path) == found


def test_several_first_starts_read_the_same(tmp_path):
    with ThreadPoolExecutor(4) as crowd:
        read = list(crowd.map(read_by_a_process, [tmp_path] * 4))
    assert read == [read[0]] * 4
