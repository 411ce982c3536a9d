"""Finding a Python that is new enough."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import interpreter

HOME = Path(__file__).resolve().parents[2]


def fake_python(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\n" if version else "#!/bin/sh\nexit 127\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on it: empty PATH, home, pyenv and uv."""
    for name in ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin")
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(interpreter, "ON_PATH", ("python3.13", "python3.12", "python4-x"))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "version"),
    [("3.13.0", (3, 13, 0)), ("3.13", (3, 13)), (" 3.12.1\n", (3, 12, 1)), ("3.14.0rc1", (3, 14, 0)), ("pypy", ())],
)
def test_versions_are_read(text: str, version: tuple[int, ...]) -> None:
    assert interpreter.parse_version(text) == version


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("3.13.0", (3, 13, 0)),
        ("cpython-3.12.8-linux-x86_64-gnu", (3, 12, 8)),
        ("cpython-3.14-macos-aarch64-none", (3, 14)),
        ("3.13.0t", ()),
        ("pypy3.10-7.3", ()),
        ("system", ()),
    ],
)
def test_install_folders_name_their_version(name: str, version: tuple[int, ...]) -> None:
    assert interpreter.version_in_name(name) == version


def test_shim_without_a_selected_version_is_passed_over(machine: Path) -> None:
    fake_python(machine / "bin" / "python3.13", "")
    good = fake_python(machine / "bin" / "python3.12", "3.12.4")
    assert interpreter.find(str(machine)) == str(good)


def test_path_comes_before_installs(machine: Path) -> None:
    fake_python(machine / ".pyenv/versions/3.13.0/bin/python3", "3.13.0")
    on_path = fake_python(machine / "bin" / "python3.12", "3.12.4")
    assert interpreter.find(str(machine)) == str(on_path)


def test_wanted_version_comes_before_newer_installs(machine: Path) -> None:
    (machine / ".python-version").write_text("3.13\n")
    fake_python(machine / ".pyenv/versions/3.14.2/bin/python3", "3.14.2")
    wanted = fake_python(machine / ".local/share/uv/python/cpython-3.13.1-linux-x86_64-gnu/bin/python3", "3.13.1")
    fake_python(machine / ".pyenv/versions/3.11.7/bin/python3", "3.11.7")
    assert interpreter.find(str(machine)) == str(wanted)


def test_newest_install_is_taken_when_the_wanted_one_is_missing(machine: Path) -> None:
    (machine / ".python-version").write_text("3.13\n")
    fake_python(machine / ".pyenv/versions/3.12.9/bin/python3", "3.12.9")
    newest = fake_python(machine / ".pyenv/versions/3.14.2/bin/python3", "3.14.2")
    assert interpreter.find(str(machine)) == str(newest)


def test_nothing_new_enough(machine: Path) -> None:
    fake_python(machine / "bin" / "python3.12", "3.11.9")
    fake_python(machine / ".pyenv/versions/3.9.18/bin/python3", "3.9.18")
    assert interpreter.find(str(machine)) is None


def test_old_python_says_what_is_missing(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 8, 10))
    with pytest.raises(SystemExit, match=r"needs Python 3\.12 or newer"):
        interpreter.require(str(machine))


def test_old_python_does_not_look_for_ever(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_python(machine / "bin" / "python3.13", "3.13.0")
    monkeypatch.setattr(sys, "version_info", (3, 8, 10))
    monkeypatch.setenv(interpreter.LOOKED, "1")
    with pytest.raises(SystemExit, match="no newer one was found"):
        interpreter.require(str(machine))


@pytest.mark.parametrize("word", ["tests", "--port", "serve me"])
def test_unknown_words_are_refused(word: str) -> None:
    answer = subprocess.run([sys.executable, str(HOME / "run"), *word.split()], check=False, capture_output=True, text=True, env=os.environ)
    assert answer.returncode == 2
    assert "unknown word" in answer.stderr
    assert "usage:" in answer.stderr
