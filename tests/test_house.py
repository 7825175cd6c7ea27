"""Rules of the house that no type checker knows."""

import ast
from pathlib import Path
from string import Formatter

import pytest
from django.conf import settings

from redemption.refusals import PUBLIC_TEXT, REFUSALS, Answer, RefusalReason
from support.models import AuditAction

# “About 400 lines”; a table of cases may be longer.
LONGEST = {"config": 430, "redemption": 430, "support": 430, "templates": 430, "tests": 700}


def files(*folders, suffixes=(".py",)):
    for folder in folders:
        for path in sorted((settings.BASE_DIR / folder).rglob("*")):
            if path.suffix in suffixes and path.parent.name != "migrations":
                yield path


def imported_by(path: Path):
    """The modules that a file imports, wherever in it, by their whole names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


@pytest.mark.parametrize(
    ("folder", "others"), [("redemption", {"support", "tests"}), ("support", {"tests"}), ("config", {"tests"})]
)
def test_imports_go_one_way(folder, others):
    wrong = [
        f"{path.relative_to(settings.BASE_DIR)} imports {module}"
        for path in files(folder)
        for module in imported_by(path)
        if module.split(".")[0] in others
    ]
    assert wrong == []


def test_no_file_is_longer_than_one_can_read():
    too_long = [
        f"{path.relative_to(settings.BASE_DIR)}: {lines} lines"
        for folder, longest in LONGEST.items()
        for path in files(folder, suffixes=(".py", ".html"))
        if (lines := len(path.read_text().splitlines())) > longest
    ]
    assert too_long == []


@pytest.mark.parametrize("reason", RefusalReason)
def test_every_refusal_has_its_three_texts_and_a_remedy(reason):
    refusal = REFUSALS[reason]
    for text in (PUBLIC_TEXT, refusal.answer.text(), refusal.agent, refusal.remedy):
        assert text[0].isupper()
        assert text.endswith(".")


def test_answers_to_customers_say_nothing_that_the_code_alone_would_tell():
    """Unknown, foreign, expired, inactive, frozen and void codes are told apart by nobody."""
    alike = [
        RefusalReason.NOT_RECOGNISED,
        RefusalReason.UNKNOWN,
        RefusalReason.VOID,
        RefusalReason.REPLACED,
        RefusalReason.BATCH_NOT_ISSUED,
        RefusalReason.BATCH_NOT_ACTIVE,
        RefusalReason.BATCH_FROZEN,
        RefusalReason.BATCH_CLOSED,
        RefusalReason.NOT_ACTIVATED,
        RefusalReason.FROZEN,
        RefusalReason.EXPIRED,
        RefusalReason.COUNTRY_DIFFERS,
        RefusalReason.CURRENCY_DIFFERS,
    ]
    assert {REFUSALS[reason].answer for reason in alike} == {Answer.NOT_VALID}


@pytest.mark.parametrize("action", AuditAction)
def test_every_audit_action_is_a_sentence_about_somebody(action):
    fields = {name for _, name, _, _ in Formatter().parse(action.label) if name}
    assert "actor" in fields
    assert fields <= {"actor", "target"}
