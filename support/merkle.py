"""Merkle trees as in RFC 6962: leaves and nodes are hashed under different prefixes, so that neither passes for the
other."""

from hashlib import sha256

LEAF = b"\x00"
NODE = b"\x01"


def leaf(content: bytes) -> bytes:
    return sha256(LEAF + content).digest()


class Tree:
    """A tree whose leaves come one after the other; it remembers as many hashes as it is high."""

    __slots__ = ("_whole", "count")

    def __init__(self) -> None:
        self.count = 0
        # The roots of the whole subtrees so far, from the left, each smaller than the one before it.
        self._whole: list[bytes] = []

    def add(self, hashed: bytes) -> None:
        """The next leaf, hashed already."""
        # A one at the end of the count is a whole subtree that waits for one of its own size.
        waiting = self.count
        while waiting & 1:
            hashed = sha256(NODE + self._whole.pop() + hashed).digest()
            waiting >>= 1
        self._whole.append(hashed)
        self.count += 1

    @property
    def root(self) -> bytes:
        """Of the leaves so far; of none, the hash of nothing."""
        if not self._whole:
            return sha256(b"").digest()
        found = self._whole[-1]
        for left in reversed(self._whole[:-1]):
            found = sha256(NODE + left + found).digest()
        return found
