"""The comparison of `./run bench gas` with others: what it measures is what was published, or it says why there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import peers

PAGE = Path(__file__).resolve().parents[2] / "docs" / "escrow.md"


def fetching(folder: Path, monkeypatch: pytest.MonkeyPatch, npm: str = "") -> None:
    """Nothing is here yet, and npm is this script, or is missing."""
    monkeypatch.setattr(peers, "HOME", folder)
    monkeypatch.setattr(peers, "FOLDER", folder / "peers")
    monkeypatch.setenv("PATH", str(folder))
    if npm:
        (folder / "npm").write_text(f"#!/bin/sh\n{npm}\n")
        (folder / "npm").chmod(0o755)


def test_without_npm_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetching(tmp_path, monkeypatch)
    with pytest.raises(peers.NotMeasured, match="there is no npm"):
        peers.measure()


def test_what_npm_cannot_fetch_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetching(tmp_path, monkeypatch, npm="exit 1")
    with pytest.raises(peers.NotMeasured, match=f"npm could not fetch {peers.REQUEST}"):
        peers.measure()


def test_what_has_another_hash_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetching(tmp_path, monkeypatch, npm=f"echo other > {peers.archive(peers.REQUEST).name}; echo here > came")
    with pytest.raises(peers.NotMeasured, match=f"npm could not fetch {peers.REQUEST} with the hash"):
        peers.measure()
    assert (tmp_path / "peers" / "came").exists()
    assert not peers.archive(peers.REQUEST).exists()


def test_addresses_of_libraries_are_put_where_the_compiler_left_room() -> None:
    references = {"src/A.sol": {"A": [{"start": 1, "length": 20}, {"start": 23, "length": 20}]}}
    code = "0xaa" + "_" * 40 + "bbcc" + "_" * 40 + "dd"
    address = "0x" + "Ab" * 20
    assert peers.linked(code, references, {"A": address}) == "0xaa" + "ab" * 20 + "bbcc" + "ab" * 20 + "dd"


def test_the_page_names_the_versions_that_are_measured() -> None:
    written = PAGE.read_text()
    assert {package for package in peers.HASHES if package not in written} == set()
