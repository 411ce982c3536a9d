"""Merkle trees as in RFC 6962, section 2.1: a leaf is SHA-256(0x00 | line), a node SHA-256(0x01 | left | right)."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256


def leaf(line: bytes) -> bytes:
    """The hash of one line."""
    return sha256(b"\x00" + line).digest()


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
    """The root to which a path leads from a leaf at `index` of `size`; ValueError for a path of the wrong length."""
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


def _above(level: Sequence[bytes]) -> Sequence[bytes]:
    nodes = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return [*nodes, level[-1]] if len(level) % 2 else nodes


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()
