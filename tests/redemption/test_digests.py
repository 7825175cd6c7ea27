import hashlib
import pickle

import pytest
from django.test import override_settings

from redemption.digests import Digester, digester

KEYS = {1: b"first key".ljust(32, b"."), 2: b"second key".ljust(48, b"."), 3: b"third key".ljust(64, b".")}
CODE = "0123456789AB"


def reference(key, message, digest_name="music-us"):
    """Keyed BLAKE2b as RFC 7693 has it, spelt out without the class under test."""
    return hashlib.blake2b(message, key=key, person=digest_name.encode(), digest_size=16).digest()


def chain(code, versions, digest_name="music-us"):
    digest = code.encode()
    for version in range(1, versions + 1):
        digest = reference(KEYS[version], digest, digest_name)
    return digest


def keys_up_to(version):
    return {number: KEYS[number] for number in range(1, version + 1)}


@pytest.mark.parametrize("newest", [1, 2, 3])
def test_the_current_digest_is_the_chain_over_all_keys(newest):
    music = Digester(keys_up_to(newest), "music-us")
    assert music.version == newest
    assert music.current(CODE) == chain(CODE, newest)
    assert len(music.current(CODE)) == 16
    assert music.current(CODE.encode()) == music.current(CODE)


def test_every_version_of_a_digest_is_given_oldest_first():
    assert Digester(KEYS, "music-us").every(CODE) == [(version, chain(CODE, version)) for version in (1, 2, 3)]


def test_the_order_of_the_settings_does_not_matter():
    backwards = dict(reversed(KEYS.items()))
    assert Digester(backwards, "music-us").every(CODE) == Digester(KEYS, "music-us").every(CODE)


@pytest.mark.parametrize("newest", [1, 2, 3])
def test_many_digests_are_the_current_ones_in_order(newest):
    music = Digester(keys_up_to(newest), "music-us")
    codes = [f"{number:012d}" for number in range(100)]
    expected = [chain(code, newest) for code in codes]
    assert music.many(code.encode() for code in codes) == expected
    assert music.many([]) == []


def test_a_stored_digest_is_rotated_without_its_code():
    before, after = Digester(keys_up_to(1), "music-us"), Digester(keys_up_to(3), "music-us")
    second = after.wrap(before.current(CODE), 1)
    third = after.wrap(second, 2)
    assert [(2, second), (3, third)] == after.every(CODE)[1:]


@pytest.mark.parametrize("version", [-1, 0, 3, 4])
def test_there_is_nothing_to_wrap_a_digest_of_the_newest_version_in(version):
    with pytest.raises(ValueError, match="no key version after"):
        Digester(KEYS, "music-us").wrap(b"d" * 16, version)


def test_the_same_code_in_two_programs_has_two_digests():
    music, films = Digester(KEYS, "music-us"), Digester(KEYS, "films-us")
    assert not {digest for _, digest in music.every(CODE)} & {digest for _, digest in films.every(CODE)}
    assert films.current(CODE) == chain(CODE, 3, "films-us")


def test_another_key_gives_another_digest():
    other = Digester({1: b"another key".ljust(32, b".")}, "music-us")
    assert other.current(CODE) != Digester(keys_up_to(1), "music-us").current(CODE)


def test_a_digester_shows_no_key():
    shown = repr(Digester(KEYS, "music-us"))
    assert shown == "<Digester 'music-us', key version 3>"
    assert not hasattr(Digester(KEYS, "music-us"), "__dict__")
    with pytest.raises(TypeError):
        pickle.dumps(Digester(KEYS, "music-us"))


@pytest.mark.parametrize("name", ["", "seventeen letters", "nine ümläüts äö", "music\0"], ids=ascii)
def test_a_name_that_could_not_keep_programs_apart_is_refused(name):
    with pytest.raises(ValueError, match="1 to 16 bytes"):
        Digester(KEYS, name)


def test_a_name_of_16_bytes_is_the_longest():
    assert Digester(keys_up_to(1), "sixteen letters!").current(CODE) == chain(CODE, 1, "sixteen letters!")


@pytest.mark.parametrize("keys", [{}, {2: KEYS[2]}, {1: KEYS[1], 3: KEYS[3]}, {0: KEYS[1], 1: KEYS[2]}], ids=list)
def test_keys_with_a_gap_are_refused(keys):
    with pytest.raises(ValueError, match="without a gap"):
        Digester(keys, "music-us")


@pytest.mark.parametrize("length", [0, 31, 65])
def test_a_key_that_is_too_short_or_too_long_is_refused(length):
    with pytest.raises(ValueError, match="32 to 64 bytes"):
        Digester({1: b"k" * length}, "music-us")


def test_a_code_that_is_not_normalised_is_refused():
    with pytest.raises(UnicodeEncodeError):
        Digester(KEYS, "music-us").current("\uff10\uff11\uff12")


def test_the_programs_digester_follows_the_settings():
    with override_settings(CODE_KEYS=keys_up_to(1)):
        old = digester("music-us")
        assert old.current(CODE) == chain(CODE, 1)
        assert digester("music-us") is old
        assert digester("films-us").current(CODE) == chain(CODE, 1, "films-us")
    with override_settings(CODE_KEYS=keys_up_to(2)):
        assert digester("music-us").current(CODE) == chain(CODE, 2)
    with override_settings(CODE_KEYS={1: KEYS[2]}):
        assert digester("music-us").current(CODE) == reference(KEYS[2], CODE.encode())
