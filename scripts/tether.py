"""Run a Python program that dies with the process that started it, and whose forks die with it (Linux).

    python -m scripts.tether PARENT_PID -m gunicorn ...
    python -m scripts.tether PARENT_PID manage.py qcluster

A supervisor that is killed cannot stop its children; left alone, they would hold the port and go on executing jobs
beside the ones of the next start. So the kernel is asked to kill them, and each process they fork asks for itself.
"""

import ctypes
import os
import runpy
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, then run the program in it."""
    parent, program = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        tie()
        os.register_at_fork(after_in_child=tie)
    if os.getppid() != parent:
        sys.exit("the process that started this one is gone")
    if program[0] == "-m":
        sys.argv = program[1:]
        runpy.run_module(program[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = program
        runpy.run_path(program[0], run_name="__main__")


def tie() -> None:
    """Have the kernel kill this process when its parent ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


LIBC = ctypes.CDLL(None)

if __name__ == "__main__":
    main(sys.argv[1:])
