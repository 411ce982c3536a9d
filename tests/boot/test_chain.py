"""The local chain: how anvil is found and installed, what is deployed, and what a restart keeps."""

import json
import os
import re
from pathlib import Path

import pytest

from scripts import bootstrap, chain, development


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which anvil was never installed and nothing is on the path."""
    monkeypatch.delenv("PORT444_ANVIL", raising=False)
    monkeypatch.setattr(chain, "FOLDER", tmp_path / "anvil")
    monkeypatch.setattr("shutil.which", lambda name: None)
    return tmp_path


def test_lock_file_has_a_hash_and_no_host() -> None:
    text = (chain.LOCK / "package-lock.json").read_text()
    packages = [found for path, found in json.loads(text)["packages"].items() if path]
    assert [found["version"] for found in packages] == [chain.VERSION]
    assert all(found["integrity"].startswith("sha512-") for found in packages)
    assert re.findall(r"https?://|resolved", text) == []


def test_named_program_is_taken(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = nowhere / "mine"
    program.touch(0o755)
    monkeypatch.setenv("PORT444_ANVIL", str(program))
    assert chain.anvil() == program
    program.unlink()
    with pytest.raises(chain.ChainFailed, match="is not a program"):
        chain.anvil()


def test_machine_without_a_package_is_told_what_to_do(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "mips")
    with pytest.raises(chain.ChainFailed, match=r"no package of anvil for \w+ on mips.\n.*PORT444_ANVIL"):
        chain.anvil()


def test_machine_without_npm_is_told_what_to_do(nowhere: Path) -> None:
    with pytest.raises(chain.ChainFailed, match="apt-get install npm"):
        chain.anvil()


def test_half_an_install_does_not_count(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("sys.platform", "linux")
    program = chain.installed("linux-amd64")
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    assert not chain.is_here()
    (chain.FOLDER / "version").write_text(chain.VERSION)
    assert chain.is_here()


def test_chain_keeps_its_contracts_over_a_restart(tmp_path: Path) -> None:
    kept = ("--state", str(tmp_path / "chain.json"))
    with chain.running(0, *kept) as url:
        deployed = chain.deploy(url)
        blocks = int(chain.ask(url, "eth_blockNumber"), 16)
    with chain.running(0, *kept) as url:
        assert int(chain.ask(url, "eth_blockNumber"), 16) == blocks > 0
        assert len(chain.ask(url, "eth_getCode", deployed["ESCROW_ADDRESS"], "latest")) > 1000
        assert len(chain.ask(url, "eth_getLogs", {"address": deployed["ESCROW_ADDRESS"], "fromBlock": "0x0"})) == len(chain.ROLES)


def test_half_a_file_of_state_is_replaced_by_the_last_good_one(tmp_path: Path) -> None:
    """anvil writes every two seconds; a kill may come between."""
    state = tmp_path / "anvil.json"
    chain.mend(state)
    assert not state.exists()
    state.write_text('{"block": 7}')
    chain.mend(state)
    state.write_text('{"block": 8, "acc')
    chain.mend(state)
    assert json.loads(state.read_text()) == {"block": 7}


def test_the_words_after_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT444_VAR", "to be put back")
    monkeypatch.delenv("PORT444_VAR")
    assert bootstrap.parse(["--chain"]) == ("serve", ["--chain"])
    assert os.environ["PORT444_VAR"].endswith("var/chain")
    assert bootstrap.parse(["--chain", "manage", "reconcile_chain"]) == ("manage", ["reconcile_chain"])
    with pytest.raises(SystemExit) as refused:
        bootstrap.parse(["--chain", "test"])
    assert refused.value.code == 2


def test_what_was_deployed_is_known_to_every_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "KEPT", tmp_path / "chain.json")
    assert "ESCROW_BACKEND" not in development.environment({})
    (tmp_path / "chain.json").write_text('{"ESCROW_BACKEND": "web3"}')
    assert development.environment({})["ESCROW_BACKEND"] == "web3"
    monkeypatch.setenv("ESCROW_BACKEND", "ledger")
    assert development.environment({})["ESCROW_BACKEND"] == "ledger"


def test_a_chain_that_forgot_its_contracts_is_not_given_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "KEPT", tmp_path / "chain.json")
    with chain.running() as url:
        first = chain.settle_in(url)
        assert chain.settle_in(url) == first == chain.kept_settings()
        assert len(chain.ask(url, "eth_getCode", first["ESCROW_ADDRESS"], "latest")) > 1000
    with chain.running() as url, pytest.raises(chain.ChainFailed, match="has forgotten"):
        chain.settle_in(url)
