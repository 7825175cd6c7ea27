"""What a sealed row says, as bytes: a JSON array of its kind and every column, in a fixed order, made by the database.

A column that is added later is in no leaf of an older version: a table that grows gets a new version, and old seals are
read by theirs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from support.models import SealedKind


class Form(Enum):
    """How a column's value becomes JSON, the same on every server and under every setting."""

    # Numbers, texts, yes and no, as they are.
    PLAIN = "t.{0}"
    # Microseconds since 1970; infinity says so.
    TIME = "trunc(extract(epoch FROM t.{0}) * 1000000)"
    BYTES = "encode(t.{0}, 'hex')"
    # JSON documents, arrays and transaction ids, as the database writes them.
    TEXT = "t.{0}::text"


@dataclass(frozen=True)
class Columns:
    """A table's columns in one version. `date` says when a row was written, for people and for lag."""

    table: str
    columns: Mapping[str, Form]
    date: str

    def leaf(self, kind: SealedKind) -> str:
        """SQL: the leaf of a row of the table, which is called `t`."""
        values = ", ".join(form.value.format(f'"{name}"') for name, form in self.columns.items())
        return rf"sha256('\x00'::bytea || convert_to(json_build_array({kind.value}, {values})::text, 'UTF8'))"


_PLAIN, _TIME, _BYTES, _TEXT = Form

_FIRST = {
    SealedKind.EVENT: Columns(
        "support_auditevent",
        {
            "id": _PLAIN,
            "at": _TIME,
            "actor_id": _PLAIN,
            "actor_role": _PLAIN,
            "action": _PLAIN,
            "target": _PLAIN,
            "details": _TEXT,
            "personal_hash": _BYTES,
            "xact": _TEXT,
        },
        "t.at",
    ),
    SealedKind.TRANSFER: Columns(
        "redemption_transfer",
        {
            "id": _PLAIN,
            "debit": _PLAIN,
            "credit": _PLAIN,
            "wallet_id": _PLAIN,
            "amount": _PLAIN,
            "currency": _PLAIN,
            "kind": _PLAIN,
            "source": _PLAIN,
            "program_id": _PLAIN,
            "retailer_id": _PLAIN,
            "batch_id": _PLAIN,
            "code_id": _PLAIN,
            "reverses_id": _PLAIN,
            "effective_at": _TIME,
            "recorded_at": _TIME,
            "xact": _TEXT,
        },
        "t.recorded_at",
    ),
    SealedKind.APPROVAL: Columns(
        "redemption_approval",
        {
            "id": _PLAIN,
            "request_id": _PLAIN,
            "action": _PLAIN,
            "target": _PLAIN,
            "payload_hash": _BYTES,
            "decision": _PLAIN,
            "reason": _PLAIN,
            "requested_by_id": _PLAIN,
            "decided_by_id": _PLAIN,
            "customers": _TEXT,
            "decided_at": _TIME,
            "xact": _TEXT,
        },
        "t.decided_at",
    ),
    SealedKind.CREDIT: Columns(
        "support_manualcredit",
        {
            "id": _PLAIN,
            "reference": _PLAIN,
            "key": _TEXT,
            "account_id": _PLAIN,
            "program_id": _PLAIN,
            "unit": _PLAIN,
            "amount": _PLAIN,
            "reason_id": _PLAIN,
            "ticket_id": _PLAIN,
            "code_id": _PLAIN,
            "retailer_id": _PLAIN,
            "receipt_id": _PLAIN,
            "receipt_digest": _BYTES,
            "note": _PLAIN,
            "granted_by_id": _PLAIN,
            "granted_as": _PLAIN,
            "granted_at": _TIME,
            "policy_id": _PLAIN,
            "approval_id": _PLAIN,
            "customers": _TEXT,
            "customer_wrote": _PLAIN,
            "transfer_id": _PLAIN,
            "premium_grant_id": _PLAIN,
            "moves_id": _PLAIN,
            "xact": _TEXT,
        },
        "t.granted_at",
    ),
    SealedKind.REVERSAL: Columns(
        "support_creditreversal",
        {
            "id": _PLAIN,
            "credit_id": _PLAIN,
            "redemption_id": _PLAIN,
            "account_id": _PLAIN,
            "unit": _PLAIN,
            "amount": _PLAIN,
            "transfer_id": _PLAIN,
            "reason": _PLAIN,
            "approval_id": _PLAIN,
            "by_id": _PLAIN,
            "at": _TIME,
            "xact": _TEXT,
        },
        "t.at",
    ),
    SealedKind.POLICY: Columns(
        "support_creditpolicy",
        {
            "id": _PLAIN,
            "made_at": _TIME,
            "reason": _PLAIN,
            "made_by_id": _PLAIN,
            "approval_id": _PLAIN,
            "xact": _TEXT,
        },
        "t.made_at",
    ),
    SealedKind.LIMIT: Columns(
        "support_creditlimit",
        {
            "id": _PLAIN,
            "policy_id": _PLAIN,
            "role": _PLAIN,
            "unit": _PLAIN,
            "single": _PLAIN,
            "day_sum": _PLAIN,
            "day_count": _PLAIN,
            "week_sum": _PLAIN,
            "week_count": _PLAIN,
            "month_sum": _PLAIN,
            "month_count": _PLAIN,
            "account_sum": _PLAIN,
            "account_count": _PLAIN,
            "approves": _PLAIN,
            "xact": _TEXT,
        },
        "(SELECT made_at FROM support_creditpolicy p WHERE p.id = t.policy_id)",
    ),
    SealedKind.STOP: Columns(
        "support_creditstop",
        {
            "id": _PLAIN,
            "is_on": _PLAIN,
            "reason": _PLAIN,
            "by_id": _PLAIN,
            "at": _TIME,
            "xact": _TEXT,
        },
        "t.at",
    ),
}

# {version: {kind: its columns}}; new seals are of the newest.
VERSIONS = {1: _FIRST}
VERSION = max(VERSIONS)
TABLES = VERSIONS[VERSION]

# Whether no seal holds the row `t` of a kind: asked row by row, by the primary key, never by reading all sealed rows.
UNSEALED = "(SELECT s.seal FROM support_sealedrow s WHERE s.kind = {0} AND s.row = t.id) IS NULL"


def leaf_of(kind: SealedKind, version: str) -> str:
    """SQL: the row's leaf in the version that the column `version` says; null where it is none of ours."""
    cases = " ".join(f"WHEN {number} THEN {tables[kind].leaf(kind)}" for number, tables in VERSIONS.items())
    return f"CASE {version} {cases} END"
