"""Programs as forks of a process that has Django loaded: each is spared the second and more that loading takes.

For the shell of a site (`tests.console`), which itself stays off the database. What a fork does is what `python -m MODULE ARGUMENTS` would
do: it has a group, an output and variables of its own, opens its own connections, and dies with the shell.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
import traceback
from collections.abc import Mapping, Sequence

from scripts import tether


def begin(module: str, arguments: Sequence[str], environment: Mapping[str, str], output: str) -> int:
    """Start a program; gives its process."""
    child = os.fork()
    if child:
        with contextlib.suppress(PermissionError, ProcessLookupError):  # the child was quicker
            os.setpgid(child, child)  # now: whoever kills the group has to find it
        return child
    try:
        os.setpgid(0, 0)
        tether.tie()
        os.register_at_fork(after_in_child=tether.tie)
        for descriptor, path, how in ((0, os.devnull, os.O_RDONLY), (1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)):
            os.dup2(os.open(path, how), descriptor)
        os.dup2(1, 2)
        sys.stdout = sys.__stdout__
        sys.argv = [module, *arguments]
        os.environ.update(environment)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except Exception:  # noqa: BLE001 - said where its output goes
        traceback.print_exc()
        sys.exit(1)
    sys.exit()  # and no quicker way: the queue waits for its workers at the very end


def ended(child: int) -> int:
    """Wait for the end of a program; gives its code, or the signal below zero."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
