"""Settings: what the README says of them, and what happens without them."""

import ast
import os
import re
import secrets
import subprocess
import sys

import pyrage
import pytest
from django.conf import settings

README = settings.BASE_DIR / "README.md"
SETTINGS = settings.BASE_DIR / "config" / "settings.py"


def production(**changes):
    """The environment of a production-like start: nothing of ours, and the secrets."""
    environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    environment |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DEBUG": "false",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "CODE_KEYS": f"1:{secrets.token_hex(32)}",
        "OUTBOX_KEY": str(pyrage.x25519.Identity.generate()),
        "SEAL_KEY": secrets.token_hex(32),
        "DATABASE_URL": "postgres://desk:secret@127.0.0.1:1/desk",
        "ALLOWED_HOSTS": "desk.example.com",
        "EMAIL_URL": "smtp://127.0.0.1:25",
    }
    environment |= changes
    return {name: value for name, value in environment.items() if value is not None}


def manage(*arguments, **changes):
    return subprocess.run(
        [sys.executable, settings.BASE_DIR / "manage.py", *arguments],
        env=production(**changes),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def read_in_code():
    """Each variable that the settings read, with its default where that is written out."""
    found = {}
    for node in ast.walk(ast.parse(SETTINGS.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "env" and node.args):
            continue
        if isinstance(node.args[0], ast.Constant):
            default = next((keyword.value for keyword in node.keywords if keyword.arg == "default"), None)
            try:
                found.setdefault(node.args[0].value, ast.literal_eval(default) if default else None)
            except ValueError:
                found.setdefault(node.args[0].value, None)
        elif isinstance(node.args[0], ast.Name) and node.args[0].id == "name":
            found |= dict.fromkeys(secret_names())
    return found


def secret_names():
    for node in ast.walk(ast.parse(SETTINGS.read_text())):
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["_SECRETS"]:
            return ast.literal_eval(node.value)
    raise AssertionError("The settings name their secrets no more.")


def read_in_readme():
    return dict(re.findall(r"^\| `([A-Z0-9_]+)` \| (.+?) \| .+ \|$", README.read_text(), re.MULTILINE))


def test_the_readme_lists_every_variable_and_no_other():
    assert sorted(read_in_readme()) == sorted(read_in_code())


def test_the_readme_gives_every_default_that_is_written_out():
    told = read_in_readme()
    for name, default in read_in_code().items():
        if default is None or default == "":
            continue
        if default == []:
            assert told[name] == "none", name
            continue
        text = ",".join(default) if isinstance(default, list) else str(default)
        assert told[name] == f"`{text.lower() if isinstance(default, bool) else text}`", name


@pytest.mark.parametrize("name", ["SECRET_KEY", "CODE_KEYS", "OUTBOX_KEY", "SEAL_KEY", "DATABASE_URL", "EMAIL_URL"])
def test_production_does_not_start_without_a_secret_and_names_it(name):
    started = manage("check", **{name: None})
    assert started.returncode != 0
    assert started.stderr.startswith(f"Set {name} ")
    assert "Traceback" not in started.stderr


def test_production_names_all_that_is_missing_at_once():
    started = manage("check", SECRET_KEY=None, CODE_KEYS=None, OUTBOX_KEY=None, SEAL_KEY=None, EMAIL_URL=None)
    assert started.stderr.startswith("Set SECRET_KEY, CODE_KEYS, OUTBOX_KEY, SEAL_KEY, EMAIL_URL in the environment")


@pytest.mark.parametrize(
    "keys",
    [
        "secret",
        "1:xyz",
        "1:00",
        f"2:{'0' * 64}",
        f"1:{'0' * 64},3:{'0' * 64}",
        f"1:{'0' * 64};2:{'0' * 64}",
        f"1:{'0' * 64},1:{'1' * 64}",
    ],
)
def test_malformed_code_keys_are_told_in_a_sentence(keys):
    started = manage("check", CODE_KEYS=keys)
    assert started.returncode != 0
    assert started.stderr.startswith("CODE_KEYS ")
    assert "Traceback" not in started.stderr
    assert keys not in started.stderr


# Named, because every worker of the suite makes another key, and they must collect the same tests.
@pytest.mark.parametrize(
    "key", ["secret", str(pyrage.x25519.Identity.generate().to_public())], ids=["no key", "public key"]
)
def test_an_outbox_key_that_is_no_identity_is_told_in_a_sentence(key):
    started = manage("check", OUTBOX_KEY=key)
    assert started.returncode != 0
    assert started.stderr.startswith("OUTBOX_KEY is an age identity")
    assert "Traceback" not in started.stderr
    assert key not in started.stderr


@pytest.mark.parametrize("key", ["secret", "00", "g" * 64], ids=["no key", "too short", "no digits"])
def test_a_seal_key_of_another_form_is_told_in_a_sentence(key):
    started = manage("check", SEAL_KEY=key)
    assert started.returncode != 0
    assert started.stderr.startswith("SEAL_KEY is 64 hexadecimal digits")
    assert "Traceback" not in started.stderr


def test_production_passes_the_deployment_checks():
    checked = manage("check", "--deploy", "--fail-level", "WARNING")
    assert checked.returncode == 0, checked.stderr


def test_the_demo_does_not_start_with_debug_off():
    started = manage("demo", "--no-serve", VAR_DIR="/nonexistent")
    assert started.returncode != 0
    assert "does not start with DEBUG off" in started.stderr
