"""When `.venv` is made, completed, or left alone."""

import json
import sys
from pathlib import Path

import pytest

from scripts import bootstrap, environment


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose installer only writes down what it was asked for."""
    (tmp_path / "requirements").mkdir()
    for name in ("base", "dev", "tools"):
        (tmp_path / "requirements" / f"{name}.txt").write_text(f"{name}==1\n")

    def create(venv: Path) -> None:
        done(tmp_path).append("create")
        (venv / "bin").mkdir(parents=True, exist_ok=True)
        (venv / "bin" / "python").symlink_to(sys.executable)

    monkeypatch.setattr(environment, "create", create)
    monkeypatch.setattr(environment, "install", lambda home, venv, requirements: done(home).append(requirements))
    return tmp_path


ASKED: dict[Path, list[str]] = {}


def done(home: Path) -> list[str]:
    return ASKED.setdefault(home, [])


def test_first_start_creates_and_installs_once(home: Path) -> None:
    environment.prepare(home, "base")
    environment.prepare(home, "base")
    assert done(home) == ["create", "base"]


def test_tests_complete_what_serving_has_made(home: Path) -> None:
    for requirements in ("base", "dev", "base", "dev"):
        environment.prepare(home, requirements)
    assert done(home) == ["create", "base", "dev"]


def test_changed_requirements_are_installed_over(home: Path) -> None:
    environment.prepare(home, "dev")
    (home / "requirements" / "base.txt").write_text("base==2\n")
    environment.prepare(home, "base")
    environment.prepare(home, "dev")
    assert done(home) == ["create", "dev", "dev"]


@pytest.mark.parametrize("stamp", [None, "", "[]", "{"])
def test_half_made_environment_is_made_anew(home: Path, stamp: str | None) -> None:
    environment.prepare(home, "base")
    file = home / ".venv" / environment.STAMP
    file.unlink()
    if stamp is not None:
        file.write_text(stamp)
    (home / ".venv" / "bin" / "python").unlink()
    environment.prepare(home, "base")
    assert done(home) == ["create", "base", "create", "base"]
    assert json.loads(file.read_text())["requirements"] == "base"


def test_cut_off_install_leaves_no_stamp(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.prepare(home, "base")

    def cut_off(home: Path, venv: Path, requirements: str) -> None:
        raise environment.SetupFailed("no network")

    monkeypatch.setattr(environment, "install", cut_off)
    with pytest.raises(environment.SetupFailed):
        environment.prepare(home, "dev")
    assert environment.read_stamp(home / ".venv") == {}


def test_environment_of_another_working_tree_is_trusted(home: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    environment.create(shared)
    (home / ".venv").symlink_to(shared)
    assert environment.prepare(home, "dev") == home / ".venv" / "bin" / "python"
    assert done(home) == ["create"]


def test_two_first_starts_wait_for_each_other(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = home / "var" / "environment.lock"
    with environment.locked(lock, "waiting"), lock.open("a") as second:
        assert not environment.try_lock(second)
    with environment.locked(lock, "waiting"):
        pass
    assert capsys.readouterr().out == ""


def test_bytecode_lies_in_var_where_it_may_not_lie_beside_the_sources() -> None:
    forbidden, free = {"PYTHONDONTWRITEBYTECODE": "1"}, {"LANG": "C"}
    bootstrap.keep_bytecode(forbidden)
    bootstrap.keep_bytecode(free)
    assert forbidden == {"PYTHONPYCACHEPREFIX": str(bootstrap.HOME / "var" / "bytecode")}
    assert free == {"LANG": "C"}
