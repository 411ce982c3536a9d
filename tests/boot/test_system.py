"""What `./run test` installs, and what it says when it may not."""

import pytest

from scripts import chain, system


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
    monkeypatch.setattr(chain, "anvil", lambda: None)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    return asked


def test_root_gets_what_is_missing(bare: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    system.prepare([])
    assert bare == [["libpango-1.0-0", "chromium-headless-shell"]]


def test_where_there_is_no_browser_without_a_window_one_with_it_is_taken(bare: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    def install(packages: list[str]) -> bool:
        bare.append(packages)
        return "chromium" in packages

    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(system, "install", install)
    system.prepare([])
    assert bare == [["libpango-1.0-0", "chromium-headless-shell"], ["libpango-1.0-0", "chromium"]]


def test_others_are_told(bare: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    system.prepare([])
    assert bare == []
    assert "apt-get install -y --no-install-recommends libpango-1.0-0 chromium-headless-shell" in capsys.readouterr().out


def test_complete_machine_is_left_alone(bare: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(system, "missing_libraries", list)
    monkeypatch.setattr(system, "find_browser", lambda: "/usr/bin/chromium")
    system.prepare([])
    assert bare == []
    assert capsys.readouterr().out == ""


def test_library_that_is_not_there() -> None:
    assert not system.can_load("libport444-is-no-library.so.1")


@pytest.mark.parametrize(("arguments", "expected"), [([], True), (["tests/chain/test_x.py"], True), (["tests/orders"], False)])
def test_runs_that_need_a_chain(arguments: list[str], expected: bool) -> None:
    assert system.wants_chain(arguments) is expected


def test_machine_without_npm_gets_it_and_then_anvil(bare: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(system, "needs_npm", lambda: True)
    order: list[str] = []
    monkeypatch.setattr(chain, "anvil", lambda: order.append(f"anvil after {bare}"))
    system.prepare(["tests/chain"])
    assert order == ["anvil after [['libpango-1.0-0', 'npm']]"]


def test_run_goes_on_without_anvil(bare: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def none() -> None:
        raise chain.ChainFailed("There is no package of anvil for plan9 on mips.")

    monkeypatch.setattr(chain, "anvil", none)
    system.prepare(["tests/chain"])
    assert "the tests that need a chain will fail. There is no package of anvil for plan9" in capsys.readouterr().out
