"""What to try, role by role. Some of it are codes in the clear, which the database does not have: the demo, and only
the demo, keeps these few in `var/demo.json` (mode 0600), because a second start prints them again."""

import json
import os
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from redemption.models import MemberRole
from redemption.roles import Role

# Everyone's, and no secret: the demo answers on this machine only, and never with DEBUG off.
PASSWORD = "listen-and-redeem"  # noqa: S105

LOGINS = {
    Role.AGENT: "agent@demo.example",
    Role.SENIOR_AGENT: "senior@demo.example",
    Role.MANAGER: "manager@demo.example",
    Role.ADMINISTRATOR: "admin@demo.example",
    Role.AUDITOR: "auditor@demo.example",
    Role.SOCIAL_MEDIA: "social@demo.example",
    Role.CUSTOMER: "customer@demo.example",
}


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of a retailer."""

    email: str
    name: str
    retailer: str
    role: MemberRole


MEMBERS = {
    "clerk": Member("clerk@demo.example", "Clara Clerk", "Maple & Main", MemberRole.CLERK),
    "shop manager": Member("shop@demo.example", "Max Maple", "Maple & Main", MemberRole.MANAGER),
    "other manager": Member("other@demo.example", "Cora Corner", "Corner Lantern", MemberRole.MANAGER),
}


@dataclass(frozen=True, slots=True)
class Examples:
    """`tries`: things to do, by role, and by member of a retailer."""

    tries: dict[str, list[str]]


def _path() -> Path:
    return Path(settings.VAR_DIR) / "demo.json"


def keep(examples: Examples) -> None:
    draft = _path().with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(examples.tries, file, ensure_ascii=False, indent=1)
    draft.rename(_path())


def recall() -> Examples:
    """What was kept; empty where the file is gone, for the codes are nowhere else."""
    try:
        kept = json.loads(_path().read_text())
    except (OSError, ValueError):
        kept = {}
    return Examples({key: kept.get(key, []) for key, _, _ in _rows()})


def forget() -> None:
    _path().unlink(missing_ok=True)


def _rows() -> Iterator[tuple[str, str, str]]:
    """Who may sign in: (key among the tries, what he is, address)"""
    for role, email in LOGINS.items():
        yield role.value, role.label, email
    for key, member in MEMBERS.items():
        yield key, f"{member.role.label} of {member.retailer}", member.email


_WIDTHS = (18, 25, 74)


def table(examples: Examples, address: str) -> str:
    """The one table: for each person where to sign in, with what, and what to try."""
    rule = "+".join(["", *("-" * (width + 2) for width in _WIDTHS), ""])
    lines = [rule, *_cells(["Role"], ["Address, login, password"], ["Try"]), rule.replace("-", "=")]
    for key, label, login in _rows():
        tries = examples.tries.get(key) or ["The examples are gone from var/: “demo --reset” makes new ones."]
        numbered = [
            line
            for number, text in enumerate(tries, start=1)
            for line in textwrap.wrap(
                f"{number}. {text}", _WIDTHS[2], subsequent_indent="   ", break_long_words=False, break_on_hyphens=False
            )
        ]
        lines += [*_cells(textwrap.wrap(label, _WIDTHS[0]), [address, login, PASSWORD], numbered), rule]
    return "\n".join(lines)


def _cells(*columns: list[str]) -> list[str]:
    height = max(map(len, columns))
    filled = [column + [""] * (height - len(column)) for column in columns]
    return [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, _WIDTHS, strict=True)) + " |"
        for row in zip(*filled, strict=True)
    ]
