"""Set up `.venv` from the hash-pinned requirements. Standard library only."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NoReturn

# A `.venv` without a readable stamp is half made, and is made anew.
STAMP = "port444.json"


class SetupFailed(SystemExit):
    """The environment could not be made; the message says what to do."""


def prepare(home: Path, requirements: str) -> Path:
    """Make sure that `.venv` holds `base` or `dev` requirements, and return its Python."""
    venv = home / ".venv"
    python = venv / "bin" / "python"
    if venv.is_symlink() and python.exists():
        return python  # shared between working trees: whoever owns it keeps it up to date
    with locked(home / "var" / "environment.lock", "another ./run is setting up .venv; waiting for it"):
        if not is_ready(home, venv, requirements):
            started = time.monotonic()
            say(f"setting up .venv with requirements/{requirements}.txt")
            build(home, venv, requirements)
            say(f"environment ready in {time.monotonic() - started:.1f} s")
    return python


def is_ready(home: Path, venv: Path, requirements: str) -> bool:
    """Whether `.venv` was completed with these requirements as they are now."""
    stamp = read_stamp(venv)
    has_all = stamp.get("requirements") in (requirements, "dev")  # dev.in includes base.in
    return has_all and stamp.get("digest") == digest(home) and (venv / "bin" / "python").exists()


def read_stamp(venv: Path) -> dict[str, str]:
    """What `.venv` was completed with; empty when it is missing or half made."""
    try:
        stamp = json.loads((venv / STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def digest(home: Path) -> str:
    """One hash over the lock files."""
    locks = [home / "requirements" / f"{name}.txt" for name in ("base", "dev")]
    return hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()


def build(home: Path, venv: Path, requirements: str) -> None:
    """Create or complete `.venv`; the stamp is written last."""
    stamp = read_stamp(venv)
    (venv / STAMP).unlink(missing_ok=True)
    if not stamp or not (venv / "bin" / "python").exists():
        create(venv)
    elif stamp.get("digest") != digest(home) and stamp.get("requirements") == "dev":
        requirements = "dev"  # renew all that is there, not a part of it
    install(home, venv, requirements)
    content = {"requirements": requirements, "digest": digest(home)}
    (venv / STAMP).write_text(json.dumps(content))


def create(venv: Path) -> None:
    """An empty environment of the Python that runs this."""
    base = str(getattr(sys, "_base_executable", None) or sys.executable)
    made = run([base, "-m", "venv", "--clear", str(venv)])
    if made.returncode == 0:
        return
    if uv := shutil.which("uv"):  # a system Python may come without ensurepip
        shutil.rmtree(venv, ignore_errors=True)
        if run([uv, "venv", "-q", "--seed", "--python", base, str(venv)]).returncode == 0:
            return
    raise SetupFailed(f"{base} could not make a virtual environment (on Debian and Ubuntu: apt-get install python3-venv):\n{made.stdout[-800:]}")


def install(home: Path, venv: Path, requirements: str) -> None:
    """Install a lock file by uv, which is fast, or by pip when uv cannot."""
    python = str(venv / "bin" / "python")
    lock = str(home / "requirements" / f"{requirements}.txt")
    tools = str(home / "requirements" / "tools.txt")
    pip = [python, "-m", "pip", "install", "-q", "--require-hashes", "-r"]
    if os.environ.get("PORT444_INSTALLER") != "pip" and run([*pip, tools]).returncode == 0:
        by_uv = run([python, "-m", "uv", "pip", "install", "-q", "--python", python, "--require-hashes", "-r", lock])
        if by_uv.returncode == 0:
            return
        say("uv could not install the requirements; going on with pip, which takes a minute or two")
    by_pip = run([*pip, lock])
    if by_pip.returncode != 0:
        raise SetupFailed(f"The requirements could not be installed:\n{by_pip.stdout[-2000:]}")


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run an installer quietly; its output is kept for an error message."""
    settings = {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    inherited = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONHOME")}
    return subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**inherited, **settings},
    )


@contextlib.contextmanager
def locked(path: Path, waiting: str) -> Iterator[None]:
    """Hold a file lock; say `waiting` when somebody else has it. The kernel frees it with the process."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except PermissionError as error:
        raise SetupFailed(f"{error.filename} cannot be written: it belongs to another user") from error
    with file:
        if not try_lock(file):
            say(waiting)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def try_lock(file: IO[str]) -> bool:
    """Take the file lock unless somebody else holds or shares it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def leave(main: Callable[[], int]) -> NoReturn:
    """End with the exit code of `main`; Ctrl-C ends without a traceback."""
    try:
        code = main()
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def say(message: str) -> None:
    """A line about the progress."""
    tell(f"[run] {message}")


def tell(text: str) -> None:
    """Print; a reader that has gone away (`./run | head`) is no reason to stop."""
    with contextlib.suppress(BrokenPipeError):
        print(text, flush=True)
