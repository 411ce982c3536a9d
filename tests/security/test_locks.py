"""./run lock and ./run audit: what is installed is what was looked at."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts import audit, bootstrap, environment, lock

REQUIREMENTS = lock.HOME / "requirements"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the requirements that can be spoiled."""
    return Path(shutil.copytree(REQUIREMENTS, tmp_path / "requirements"))


def test_everything_asked_for_is_pinned_with_hashes() -> None:
    assert lock.check(REQUIREMENTS) == []
    assert {path.stem for path in REQUIREMENTS.glob("*.in")} == set(lock.NAMES)
    assert all(len(dict(lock.pins(REQUIREMENTS / f"{name}.txt"))) >= 1 for name in lock.NAMES)


def replace(path: Path, pattern: str, by: str) -> None:
    text, count = re.subn(pattern, by, path.read_text(), count=1, flags=re.M)
    assert count == 1
    path.write_text(text)


@pytest.mark.parametrize(
    ("file", "pattern", "by", "said"),
    [
        ("base.in", r"^pillow$", "pillow\nbleach", "base.txt does not pin bleach, which base.in asks for"),
        ("base.in", r"^pillow$", "pillow>=99", "but base.in asks for pillow>=99"),
        ("base.in", r"^isal\n", "", "base.txt pins isal for base.in, which does not ask for it any more"),
        ("dev.in", r"^ruff$", "ruff\nblack", "dev.txt does not pin black"),
        ("base.txt", r"^pillow==\S+", "pillow==1.0", "dev.txt pins pillow"),
        ("tools.txt", r"(?s)(^uv==\S+) \\\n.*(?=    # via)", r"\1\n", "tools.txt has no hash for uv"),
        ("audit.in", r"^pip-audit.*$", "pip-audit<1", "but audit.in asks for pip-audit<1"),
    ],
)
def test_what_does_not_fit_is_named(file: str, pattern: str, by: str, said: str, folder: Path) -> None:
    replace(folder / file, pattern, by)
    assert [line for line in lock.check(folder) if said in line]


def test_a_file_that_nobody_locks_is_named(folder: Path) -> None:
    (folder / "extra.in").write_text("x\n")
    assert lock.check(folder) == ["extra.in is not known to scripts/lock.py"]


@pytest.mark.parametrize(
    ("words", "newer"), [([], []), (["--upgrade"], ["--upgrade"]), (["--upgrade", "a", "b"], ["--upgrade-package", "a", "--upgrade-package", "b"])]
)
def test_one_command_resolves_every_lock(words: list[str], newer: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def resolve(name: str, more: list[str]) -> int:
        asked.append((name, more))
        return 0

    monkeypatch.setattr(lock, "resolve", resolve)
    assert lock.main(words) == 0
    assert asked == [(name, newer) for name in lock.NAMES]


def test_words_that_mean_nothing_are_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(lock, "resolve", lambda name, more: 1)
    assert lock.main([]) == 1
    assert [lock.main(words) for words in (["--check", "x"], ["now"], ["--upgrade", "--all"])] == [2, 2, 2]
    assert audit.main(["now"]) == 2
    assert "usage: ./run lock" in capsys.readouterr().out
    assert {"lock", "audit"} <= bootstrap.COMMANDS.keys()


# The audit. The service is played: what pip-audit says is as it says it.


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Let pip-audit say this about every lock file."""

    def use(*answers: tuple[str, str]) -> None:
        told = iter(answers * len(audit.LOCKS) if len(answers) == 1 else answers)

        def run(command: list[str], **options: Any) -> Any:
            assert "--require-hashes" in command
            assert "--disable-pip" in command
            out, err = next(told)
            return subprocess.CompletedProcess(command, 0, out, err)

        monkeypatch.setattr(audit, "installed", lambda venv: tmp_path / "pip-audit")
        monkeypatch.setattr(subprocess, "run", run)

    return use


GOOD = {"name": "pillow", "version": "12.0", "vulns": []}
WEAK = {"name": "idna", "version": "3.6", "vulns": [{"id": "PYSEC-2024-60", "fix_versions": ["3.7"]}, {"id": "CVE-1", "fix_versions": []}]}
SKIPPED = {"name": "uv", "skip_reason": "Dependency not found on PyPI and could not be audited: uv (1)"}


def answer(*packages: Any) -> tuple[str, str]:
    return json.dumps({"dependencies": packages, "fixes": []}), ""


def test_nothing_known_is_safe(says: Any, capsys: pytest.CaptureFixture[str]) -> None:
    says(answer(GOOD, GOOD))
    assert audit.main([]) == audit.SAFE
    assert "no weakness is known of 2 packages" in capsys.readouterr().out


def test_what_is_weak_is_named_with_its_cure(says: Any, capsys: pytest.CaptureFixture[str]) -> None:
    says(answer(GOOD), answer(GOOD, WEAK, SKIPPED), answer(GOOD), answer(SKIPPED), answer(GOOD))
    assert audit.main([]) == audit.WEAK
    said = capsys.readouterr().out
    assert "dev.txt: idna 3.6: PYSEC-2024-60, mended in 3.7" in said
    assert "dev.txt: idna 3.6: CVE-1, mended in no version yet" in said


@pytest.mark.parametrize("told", [answer(GOOD, SKIPPED), answer(), ("", "ConnectionError: nobody there"), ("[]", ""), ("{", "cut off")])
def test_what_could_not_be_asked_is_not_called_safe(told: tuple[str, str], says: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """pip-audit itself ends with 0 and `No known vulnerabilities found` where no package could be looked up."""
    says(told)
    assert audit.main([]) == audit.UNKNOWN
    assert "not audited" in capsys.readouterr().out
    assert len({audit.SAFE, audit.WEAK, audit.UNKNOWN, 2}) == 4


def test_what_cannot_be_installed_is_not_called_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(venv: Path) -> Path:
        raise environment.SetupFailed("no network")

    monkeypatch.setattr(audit, "installed", fail)
    assert audit.main([]) == audit.UNKNOWN


def test_it_is_installed_again_when_its_lock_has_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done: list[str] = []

    def create(venv: Path) -> None:
        venv.mkdir(exist_ok=True)
        done.append("create")

    monkeypatch.setattr(environment, "create", create)
    monkeypatch.setattr(environment, "install", lambda home, venv, name: done.append(name))
    assert audit.installed(tmp_path / "venv") == audit.installed(tmp_path / "venv")
    assert done == ["create", "audit"]
    (tmp_path / "venv" / audit.STAMP).write_text("another")
    audit.installed(tmp_path / "venv")
    assert done == ["create", "audit"] * 2
