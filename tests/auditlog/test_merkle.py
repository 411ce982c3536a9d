"""The trees against the definition in RFC 6962, for every small size and every path, and random ones beyond."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog import merkle

SIZES = 70  # past two powers of two


def defined_root(leaves: Sequence[bytes]) -> bytes:
    """Section 2.1, as it is written: split at the largest power of two below the size."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + defined_root(leaves[:split]) + defined_root(leaves[split:])).digest()


def defined_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Section 2.1.1, as it is written."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*defined_path(leaves[:split], index), defined_root(leaves[split:])]
    return [*defined_path(leaves[split:], index - split), defined_root(leaves[:split])]


def leaves_of(size: int) -> list[bytes]:
    return [merkle.leaf(str(number).encode()) for number in range(size)]


def refused(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    try:
        return merkle.climb(leaf, index, size, path) != root
    except ValueError:
        return True


def test_known_answers() -> None:
    """The test vectors of Certificate Transparency's reference implementation."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    roots = [
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
    leaves = merkle.leaves(map(bytes.fromhex, inputs))
    assert leaves == [merkle.leaf(bytes.fromhex(text)) for text in inputs]
    assert [merkle.root(leaves[:size]).hex() for size in range(len(inputs) + 1)] == roots


@pytest.mark.parametrize("size", range(SIZES))
def test_every_size_and_every_path_is_as_defined(size: int) -> None:
    leaves = leaves_of(size)
    root = merkle.root(leaves)
    assert root == defined_root(leaves)
    for index, leaf in enumerate(leaves):
        path = merkle.path(leaves, index)
        assert path == defined_path(leaves, index)
        assert merkle.climb(leaf, index, size, path) == root


@pytest.mark.parametrize("size", range(1, SIZES, 3))
def test_a_path_holds_for_its_leaf_at_its_place_alone(size: int) -> None:
    leaves = leaves_of(size)
    root = merkle.root(leaves)
    for index, leaf in enumerate(leaves):
        path = merkle.path(leaves, index)
        assert refused(merkle.leaf(b"another"), index, size, path, root)
        assert all(refused(leaf, other, size, path, root) for other in range(-1, 2 * size + 2) if other != index)
        assert refused(leaf, index, size, [*path, root], root)
        assert refused(leaf, index, size, [leaf, *path], root)
        for step in range(len(path)):
            assert refused(leaf, index, size, path[:step] + path[step + 1 :], root)
            flipped = bytes([path[step][0] ^ 1]) + path[step][1:]
            assert refused(leaf, index, size, [*path[:step], flipped, *path[step + 1 :]], root)
        assert refused(leaf, index, 0, path, root)


def test_a_node_does_not_pass_for_a_leaf() -> None:
    """Without the two prefixes a tree of two could be told as one leaf that is made of both."""
    left, right = leaves_of(2)
    assert merkle.leaf(left + right) != merkle.root([left, right])


@settings(max_examples=60, deadline=None)
@given(lines=st.lists(st.binary(max_size=40), min_size=1, max_size=700, unique=True), data=st.data())
def test_any_change_moves_the_root(lines: list[bytes], data: st.DataObject) -> None:
    leaves = [merkle.leaf(line) for line in lines]
    root = merkle.root(leaves)
    index = data.draw(st.integers(0, len(lines) - 1))
    assert merkle.climb(leaves[index], index, len(leaves), merkle.path(leaves, index)) == root
    changed = [*leaves[:index], merkle.leaf(lines[index] + b"x"), *leaves[index + 1 :]]
    added = [*leaves[:index], leaves[index], *leaves[index:]]
    removed = leaves[:index] + leaves[index + 1 :]
    reordered = [*leaves[1:], leaves[0]]
    assert root not in {merkle.root(changed), merkle.root(added), merkle.root(removed)}
    assert len(leaves) == 1 or merkle.root(reordered) != root
