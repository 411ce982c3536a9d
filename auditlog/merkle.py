"""Merkle trees as in RFC 6962, section 2.1: a leaf is SHA-256(0x00 | line), a node SHA-256(0x01 | left | right).

Run as a script it works out roots for another process: see `roots`.
"""

from __future__ import annotations

import mmap
import sys
from array import array
from collections.abc import Buffer, Iterable, Sequence
from hashlib import sha256
from struct import Struct
from typing import BinaryIO

SIZE = 32  # bytes of a hash
SUBTREE = 1024  # leaves of a subtree that is kept by its root; a power of two
_LEAF, _NODE = sha256(b"\x00"), sha256(b"\x01")  # begun once: to copy one is cheaper than to begin one, a million times


def leaf(line: bytes) -> bytes:
    """The hash of one line."""
    return sha256(b"\x00" + line).digest()


def leaves(lines: Iterable[Buffer]) -> list[bytes]:
    """The hashes of many lines."""
    hashes, begin = [], _LEAF.copy
    for line in lines:
        hash_ = begin()
        hash_.update(line)
        hashes.append(hash_.digest())
    return hashes


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes; of no leaves, SHA-256 of nothing.

    Pairing level by level and letting a last odd node rise gives the same tree as splitting at the largest power of two.
    """
    level = leaves
    if not level:
        return sha256().digest()
    while len(level) > 1:
        level = _above(level)
    return level[0]


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from the leaf at `index` to the root, lowest first (RFC 6962, 2.1.1)."""
    hashes, level = [], leaves
    while len(level) > 1:
        if (beside := index ^ 1) < len(level):
            hashes.append(level[beside])
        level, index = _above(level), index // 2
    return hashes


def climb(leaf_hash: bytes, index: int, size: int, hashes: Sequence[bytes]) -> bytes:
    """The root to which a path leads from a leaf at `index` of `size`; ValueError for a path of the wrong length or no such place."""
    if not 0 <= index < size:
        raise ValueError("there is no such place in the tree")
    node, last, rest = leaf_hash, size - 1, list(hashes)
    while last > 0:
        if index % 2 == 1 or index < last:
            if not rest:
                raise ValueError("the path is too short")
            beside = rest.pop(0)
            node = _node(beside, node) if index % 2 == 1 else _node(node, beside)
        index, last = index // 2, last // 2
    if rest:
        raise ValueError("the path is too long")
    return node


class Growing:
    """The root over leaves that come bit by bit. Keeps the roots of whole subtrees, which are as good as their leaves."""

    def __init__(self) -> None:
        self._subtrees: list[bytes] = []
        self._waiting: list[bytes] = []

    def add(self, leaves: Sequence[bytes]) -> None:
        self._waiting += leaves
        while len(self._waiting) >= SUBTREE:
            self._subtrees.append(root(self._waiting[:SUBTREE]))
            del self._waiting[:SUBTREE]

    def root(self) -> bytes:
        return root([*self._subtrees, root(self._waiting)] if self._waiting else self._subtrees)


def _above(level: Sequence[bytes]) -> Sequence[bytes]:
    nodes, begin = [], _NODE.copy
    for left, right in zip(level[::2], level[1::2], strict=False):
        hash_ = begin()
        hash_.update(left)
        hash_.update(right)
        nodes.append(hash_.digest())
    return [*nodes, level[-1]] if len(level) % 2 else nodes


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


# For another process

SAID = Struct("<II")  # a slot of the shared memory and how many lengths follow; back: the slot and how many roots follow
END, HASHED = 0, 2**32 - 1  # in place of a length: the tree ends here; the leaf lies there, not its line


def serve(room: memoryview, slot_size: int, orders: BinaryIO, answers: BinaryIO) -> None:
    """Work out the roots over lines in shared memory, a slot for each order, until there are no more orders."""
    tree = Growing()
    while said := orders.read(SAID.size):
        slot, count = SAID.unpack(said)
        lengths = array("I", orders.read(count * 4))
        at, lines, roots = slot * slot_size, list[memoryview](), list[bytes]()
        for length in lengths:
            if END < length < HASHED:
                lines.append(room[at : at + length - 1])  # without its line end
                at += length
                continue
            tree.add(leaves(lines))
            lines = []
            if length == HASHED:
                tree.add([bytes(room[at : at + SIZE])])
                at += SIZE
            else:
                roots.append(tree.root())
                tree = Growing()
        tree.add(leaves(lines))
        answers.write(SAID.pack(slot, len(roots)) + b"".join(roots))
        answers.flush()


if __name__ == "__main__":
    with mmap.mmap(int(sys.argv[1]), 0) as shared:
        serve(memoryview(shared), int(sys.argv[2]), sys.stdin.buffer, sys.stdout.buffer)
