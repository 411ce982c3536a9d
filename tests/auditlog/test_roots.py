"""Roots worked out by a process beside this one are those of RFC 6962, whatever the lines are like."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog import merkle
from auditlog.roots import MOST_LINES, SLOT, SLOTS, Roots

LINE = st.binary(max_size=40).map(lambda text: text + b"\n")
TREES = st.lists(st.lists(LINE, max_size=30), max_size=20)


def roots_of(trees: list[list[bytes]], size: int = 500) -> list[bytes]:
    with Roots() as roots:
        for lines in trees:
            for begin in range(0, len(lines), size):
                piece = lines[begin : begin + size]
                roots.add([memoryview(line) for line in piece], b"".join(piece))
            roots.end()
        return roots.result()


def expected(trees: list[list[bytes]]) -> list[bytes]:
    return [merkle.root([merkle.leaf(line[:-1]) for line in lines]) for lines in trees]


@settings(max_examples=20, deadline=None)
@given(TREES, st.integers(1, 7))
def test_any_trees_of_any_lines(trees: list[list[bytes]], size: int) -> None:
    assert roots_of(trees, size) == expected(trees)


def test_more_lines_than_lie_in_all_slots_at_once() -> None:
    lines = [b"%d," % number + b"x" * 400 + b"\n" for number in range(4 * SLOTS * SLOT // 400)]
    trees = [lines, [], lines[:3], lines[5:]]
    assert roots_of(trees) == expected(trees)


def test_a_line_that_fits_into_no_slot_and_a_piece_that_does_not() -> None:
    long = b"y" * (SLOT + 1) + b"\n"
    trees = [[b"a\n", long, b"b\n"], [long], [b"z" * (SLOT // 2) + b"\n"] * 5, [b"\n"] * (MOST_LINES + 7)]
    assert roots_of(trees, size=10**6) == expected(trees)


def test_very_many_small_trees() -> None:
    trees = [[b"%d\n" % number] for number in range(20_000)]
    assert roots_of(trees) == expected(trees)


def test_a_process_that_dies_is_an_error_and_no_root() -> None:
    with Roots() as roots:
        roots.add([memoryview(b"a\n")], b"a\n")
        os.kill(roots.process.pid, signal.SIGKILL)
        roots.process.wait()
        roots.end()
        with pytest.raises((RuntimeError, BrokenPipeError)):
            roots.result()


def test_the_process_ends_with_its_context() -> None:
    with pytest.raises(ValueError, match="stop"), Roots() as roots:
        raise ValueError("stop")
    assert roots.process.poll() is not None
