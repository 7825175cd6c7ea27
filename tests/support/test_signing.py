"""Exported lines: what is read back is what was written, and what is no seal is refused in a sentence."""

from datetime import UTC, datetime

import pytest

from support.models import Seal
from support.seal_exports import read_exported
from support.signing import NOTHING, SealLineError, from_line, is_signed, microseconds, public_key, sign, to_line

WHEN = datetime(2026, 11, 21, 14, 30, 15, 123456, tzinfo=UTC)
HEAD = '{"number": 1, "version": 1, "horizon": 1, "count": 1, "cluster": "", "counts": {}, '


def made(**fields):
    seal = Seal(
        **{
            "number": 1, "version": 1, "at": WHEN, "cluster": "7", "horizon": 10**15, "counts": {"2": 1, "1": 3},
            "count": 4, "root": b"r" * 32, "previous": NOTHING, **fields,
        }
    )  # fmt: skip
    sign(seal)
    return seal


def test_a_line_says_everything():
    seal = made()
    read, public = from_line(to_line(seal, public_key()))
    assert public == public_key()
    assert is_signed(read, public)
    for field in Seal._meta.fields:
        assert getattr(read, field.name) == getattr(seal, field.name), field.name


def test_a_line_that_was_signed_with_a_former_key_has_no_public_key(settings):
    seal = made()
    settings.SEAL_KEY = b"\x01" * 32
    assert from_line(to_line(seal, public_key()))[1] is None


@pytest.mark.parametrize(
    "change",
    [
        {"number": 2}, {"version": 2}, {"at": WHEN.replace(microsecond=123457)}, {"cluster": "8"}, {"horizon": 1},
        {"counts": {"1": 3}}, {"count": 5}, {"root": b"s" * 32}, {"previous": b"p" * 32}, {"key_id": b"k" * 8},
        {"signature": b"s" * 64},
    ],
)  # fmt: skip
def test_the_signature_is_over_all_that_a_seal_says(change):
    seal = made()
    assert is_signed(seal, public_key())
    for name, value in change.items():
        setattr(seal, name, value)
    assert not is_signed(seal, public_key())


def test_times_are_exact_to_the_microsecond():
    assert microseconds(WHEN) == 1_795_271_415_123_456


@pytest.mark.parametrize(
    "line",
    [
        "", "nonsense", "{}", "[]", "null", '{"number": true}', "[" * 9000, "x" * 20_000, "\x00", "\ud800",
        HEAD + '"at": 1e400}',
        HEAD + '"at": 99999999999999999999}',
        HEAD + '"at": 1, "root": "x"}',
        HEAD + '"at": 1, "root": 7}',
    ],
    ids=range(14),
)  # fmt: skip
def test_a_line_that_is_no_seal_is_named(line, tmp_path):
    path = tmp_path / "seals.jsonl"
    path.write_bytes(line.encode(errors="surrogatepass") + b"\n")
    with pytest.raises(SealLineError, match=r"seals\.jsonl, line 1, is no exported seal: "):
        list(read_exported(path))
