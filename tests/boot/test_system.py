"""What `./run test` installs, and what it says when it may not."""

import pytest

from scripts import system


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], True),
        (["-k", "browser"], True),
        (["tests/e2e"], True),
        (["tests/orders", "tests/e2e/test_home.py"], True),
        (["tests/orders", "-k", "accept"], False),
    ],
)
def test_runs_that_have_browser_tests(arguments: list[str], expected: bool) -> None:
    assert system.wants_browser(arguments) is expected


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A machine with neither browser nor libraries; the packages that were asked for."""
    asked: list[list[str]] = []

    def install(packages: list[str]) -> bool:
        asked.append(packages)
        return True

    monkeypatch.setattr(system, "missing_libraries", lambda: ["libpango-1.0-0"])
    monkeypatch.setattr(system, "find_browser", lambda: None)
    monkeypatch.setattr(system, "install", install)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    return asked


def test_root_gets_what_is_missing(bare: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    system.prepare([])
    assert bare == [["libpango-1.0-0", "chromium"]]


def test_others_are_told(bare: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    system.prepare([])
    assert bare == []
    assert "apt-get install -y --no-install-recommends libpango-1.0-0 chromium" in capsys.readouterr().out


def test_complete_machine_is_left_alone(bare: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(system, "missing_libraries", list)
    monkeypatch.setattr(system, "find_browser", lambda: "/usr/bin/chromium")
    system.prepare([])
    assert bare == []
    assert capsys.readouterr().out == ""


def test_library_that_is_not_there() -> None:
    assert not system.can_load("libport444-is-no-library.so.1")
