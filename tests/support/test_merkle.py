"""Merkle trees, beside RFC 6962's own definition and the published roots of its reference implementation."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.merkle import Tree, leaf

# The inputs and roots that Certificate Transparency's implementations are tested with.
INPUTS = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def root_of(contents):
    tree = Tree()
    for content in contents:
        tree.add(leaf(content))
    assert tree.count == len(contents)
    return tree.root


def by_the_book(contents):
    """RFC 6962, 2.1, word for word."""
    if not contents:
        return sha256(b"").digest()
    if len(contents) == 1:
        return sha256(b"\x00" + contents[0]).digest()
    split = 1
    while split * 2 < len(contents):
        split *= 2
    return sha256(b"\x01" + by_the_book(contents[:split]) + by_the_book(contents[split:])).digest()


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size):
    assert root_of([bytes.fromhex(text) for text in INPUTS[:size]]).hex() == ROOTS[size]


@given(st.lists(st.binary(max_size=3), max_size=70))
def test_a_root_is_by_the_book_whatever_the_number_of_leaves(contents):
    assert root_of(contents) == by_the_book(contents)


def test_a_node_passes_for_no_leaf():
    """Why there are prefixes: without them a tree of two is the tree of one whose content is their hashes."""
    two = root_of([b"one", b"two"])
    assert root_of([leaf(b"one") + leaf(b"two")]) != two
