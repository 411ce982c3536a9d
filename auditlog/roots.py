"""Roots of Merkle trees over very many lines, worked out by a process beside this one, which goes on meanwhile.

Hashing a million short lines takes a second that the interpreter's lock shares with nobody. The lines lie in shared memory, a slot
of it at a time; what is said about them goes through pipes. The other process is `merkle.py` alone, without the project.
"""

from __future__ import annotations

import mmap
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import IO, cast

from . import merkle

SLOT = 1 << 18  # bytes; a longer line is hashed here
SLOTS = 4
MOST_LINES = 2000  # in a slot: what is said about all slots has to fit into a pipe, or both would wait for each other


class Roots:
    """The roots of one tree after the other. Use it as a context, which ends the process."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._slot, self._at = 0, 0
        self._lengths = array("I")
        self._asked = 0
        self._roots: list[bytes] = []

    def __enter__(self) -> Roots:
        with self._stack:
            file = self._stack.enter_context(tempfile.TemporaryFile())
            file.truncate(SLOT * SLOTS)
            self._room = self._stack.enter_context(mmap.mmap(file.fileno(), SLOT * SLOTS))
            command = [sys.executable, "-I", "-S", merkle.__file__, str(file.fileno()), str(SLOT)]
            self.process = subprocess.Popen(  # noqa: S603 - this interpreter and a file of this project
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[file.fileno()]
            )
            self._orders, self._answers = cast(IO[bytes], self.process.stdin), cast(IO[bytes], self.process.stdout)
            self._stack.callback(self._end)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    def _end(self) -> None:
        self.process.kill()
        with suppress(BrokenPipeError):  # of what was not written yet
            self._orders.close()
        self._answers.close()
        self.process.wait()

    def add(self, lines: Sequence[memoryview], text: bytes) -> None:
        """Lines with their ends, and the text that they make up, as the next leaves of the tree."""
        if len(text) > SLOT or len(lines) > MOST_LINES:
            for line in lines:
                self._add_one(line)
        else:
            self._take(text, map(len, lines), len(lines))

    def _add_one(self, line: memoryview) -> None:
        if len(line) > SLOT:
            self._take(merkle.leaves([line[:-1]])[0], [merkle.HASHED], 1)
        else:
            self._take(bytes(line), [len(line)], 1)

    def _take(self, text: bytes, lengths: map[int] | list[int], count: int) -> None:
        if self._at + len(text) > SLOT or len(self._lengths) + count > MOST_LINES:
            self._hand_over()
        begin = self._slot * SLOT + self._at
        self._room[begin : begin + len(text)] = text
        self._lengths.extend(lengths)
        self._at += len(text)

    def end(self) -> None:
        """The tree is whole; what comes next is of another."""
        if len(self._lengths) >= MOST_LINES:
            self._hand_over()
        self._lengths.append(merkle.END)

    def result(self) -> list[bytes]:
        """The roots of all trees that were ended, in their order. Raises RuntimeError when the process has died."""
        self._hand_over()
        while self._asked:
            self._answer()
        return self._roots

    def _hand_over(self) -> None:
        """Have the slot worked on, and begin the next as soon as it is free."""
        self._orders.write(merkle.SAID.pack(self._slot, len(self._lengths)) + self._lengths.tobytes())
        self._orders.flush()
        self._asked += 1
        self._slot, self._at, self._lengths = (self._slot + 1) % SLOTS, 0, array("I")
        if self._asked == SLOTS:
            self._answer()

    def _answer(self) -> None:
        said = self._answers.read(merkle.SAID.size)
        if len(said) < merkle.SAID.size:
            raise RuntimeError("The process that works out roots has ended.")
        _, count = merkle.SAID.unpack(said)
        text = self._answers.read(count * merkle.SIZE)
        if len(text) < count * merkle.SIZE:
            raise RuntimeError("The process that works out roots has ended.")
        self._roots += [text[place : place + merkle.SIZE] for place in range(0, len(text), merkle.SIZE)]
        self._asked -= 1
