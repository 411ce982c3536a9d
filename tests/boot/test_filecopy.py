"""Copies of files: each content once, as of any moment, and nothing that is not as it was written."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts import filecopy


@pytest.fixture
def roots(tmp_path: Path) -> dict[str, Path]:
    roots = {"storage": tmp_path / "storage", "cold": tmp_path / "cold"}
    for name, folder in roots.items():
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "a.txt").write_text(f"a of {name}")
    return roots


def contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def moment() -> datetime:
    time.sleep(0.002)
    return datetime.now(UTC)


def put_back(kept: Path, target: Path, until: datetime | None = None) -> dict[str, str]:
    filecopy.restore(kept, {"storage": target}, until)
    return contents(target)


def test_each_content_is_kept_once_and_read_once(tmp_path: Path, roots: dict[str, Path]) -> None:
    kept = tmp_path / "kept"
    (roots["storage"] / "same.txt").write_text("a of cold")
    (roots["storage"] / ".half.part").write_text("being written")
    assert filecopy.save(kept, roots) == 2
    assert filecopy.save(kept, roots) == 0
    assert filecopy.check(kept) == 2
    assert put_back(kept, tmp_path / "back") == {"deep/a.txt": "a of storage", "same.txt": "a of cold"}


def test_files_come_back_as_of_a_moment(tmp_path: Path, roots: dict[str, Path]) -> None:
    kept, folder = tmp_path / "kept", roots["storage"]
    filecopy.save(kept, roots)
    first = moment()
    (folder / "b.txt").write_text("b")
    (folder / "deep" / "a.txt").unlink()
    filecopy.save(kept, roots)
    (folder / "c.txt").write_text("c")
    second = moment()
    filecopy.save(kept, roots)
    (folder / "b.txt").unlink()
    filecopy.save(kept, roots)
    # What the look after the moment finds belongs to it, and what that misses may have been there.
    assert put_back(kept, tmp_path / "1", first) == {"deep/a.txt": "a of storage", "b.txt": "b"}
    assert put_back(kept, tmp_path / "2", second) == {"b.txt": "b", "c.txt": "c"}
    assert put_back(kept, tmp_path / "3") == {"c.txt": "c"}


def test_contents_that_no_kept_moment_needs_are_removed(tmp_path: Path, roots: dict[str, Path]) -> None:
    kept, folder = tmp_path / "kept", roots["storage"]
    (folder / "old.txt").write_text("old")
    filecopy.save(kept, roots)
    (folder / "old.txt").unlink()
    (folder / "young.txt").write_text("young")
    filecopy.save(kept, roots)
    start = moment()
    (folder / "young.txt").unlink()
    filecopy.save(kept, roots)
    assert filecopy.expire(kept, start) == 1
    assert put_back(kept, tmp_path / "back", start) == {"deep/a.txt": "a of storage", "young.txt": "young"}


def test_a_content_that_was_changed_or_lost_is_named(tmp_path: Path, roots: dict[str, Path]) -> None:
    kept = tmp_path / "kept"
    filecopy.save(kept, roots)
    content = filecopy.place(kept / "objects", filecopy.digest_of(roots["storage"] / "deep" / "a.txt"))
    content.chmod(0o644)
    content.write_text("A of storage")
    for attempt in (lambda: filecopy.check(kept), lambda: put_back(kept, tmp_path / "back")):
        with pytest.raises(filecopy.FilesFailed, match=r"storage/deep/a\.txt is not what was backed up"):
            attempt()
    content.unlink()
    for attempt in (lambda: filecopy.check(kept), lambda: put_back(kept, tmp_path / "again")):
        with pytest.raises(filecopy.FilesFailed, match=r"storage/deep/a\.txt is not in the backup"):
            attempt()


def test_half_a_line_of_a_killed_run_is_written_anew(tmp_path: Path, roots: dict[str, Path]) -> None:
    kept = tmp_path / "kept"
    filecopy.save(kept, roots)
    with (kept / "journal.jsonl").open("a") as journal:
        journal.write('["2026-')
    with pytest.raises(filecopy.FilesFailed, match="cannot be read"):
        filecopy.as_of(kept)
    (roots["storage"] / "b.txt").write_text("b")
    filecopy.save(kept, roots)
    assert put_back(kept, tmp_path / "back") == {"deep/a.txt": "a of storage", "b.txt": "b"}
    assert all(json.loads(line) for line in (kept / "journal.jsonl").read_text().splitlines())
