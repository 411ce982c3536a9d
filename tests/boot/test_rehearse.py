"""A site that is backed up, destroyed and restored is what it was; of a backup that is not whole, nothing comes."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts import backup, database, devpg, rehearse
from tests import copies


@pytest.fixture
def play(tmp_path: Path) -> Iterator[rehearse.Rehearsal]:
    made = rehearse.Rehearsal(tmp_path / "rehearsal")
    made.folder.mkdir()
    yield made
    made.end()


def make(play: rehearse.Rehearsal) -> None:
    """The site, from the demo data that this run of the tests has anyway."""
    name = copies.kept(copies.DEMO)
    if name is None:
        play.make()
        return
    play.keys = {"SECRET_KEY": copies.secret()}
    play.server.make_folders()
    play.server.start()
    dump = play.folder / "demo.dump"
    source = copies.libpq(copies.on_database(copies.owner_url(), name))
    for command in (
        ("pg_dump", "--format=custom", "--compress=0", "--file", dump, source),
        ("pg_restore", "--exit-on-error", "--dbname", play.url, dump),
    ):
        subprocess.run([play.server.binaries / command[0], *command[1:]], check=True)
    with play.server.connect(devpg.DATABASE) as connection:  # what a dump restores has the rights that roles.sql gives to new things
        connection.execute("REVOKE ALL ON SEQUENCE audit_log_id_seq FROM port444_app")
    shutil.copytree(Path(os.environ["PORT444_COPIES"]) / "make_demo", play.roots["storage"])


def flip(path: Path, at: int) -> None:
    """Change one byte."""
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0xFF]))


def largest(folder: Path) -> Path:
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


@pytest.mark.timeout(400)  # on a machine that does much else
def test_whatever_is_lost_comes_back_and_a_broken_backup_is_refused(play: rehearse.Rehearsal, capsys: pytest.CaptureFixture[str]) -> None:
    make(play)
    play.python("-m", "scripts.rehearsing", "seal")
    play.back_up()
    play.live_on()
    before = play.state()
    backup.check(play.kept, play.tools)
    play.destroy()

    base = backup.bases(play.kept)[0]
    page, change = largest(base.database / "base"), play.kept / "wal" / base.start()[1]
    upload = largest(play.kept / "files" / "objects")
    breaks: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
        ("checksum mismatch", lambda: flip(page, 5000), lambda: flip(page, 5000)),
        ("cannot be read to their end", lambda: flip(change, 100), lambda: flip(change, 100)),
        ("files of changes are missing", lambda: change.rename(play.folder / "aside"), lambda: (play.folder / "aside").rename(change)),
        ("is not what was backed up", lambda: flip(upload, 10), lambda: flip(upload, 10)),
    ]
    for words, do, undo in breaks:
        do()
        for refused in (lambda: backup.check(play.kept, play.tools), lambda: play.restore()):
            with pytest.raises(SystemExit, match=words):
                refused()
        assert not play.server.answers()
        undo()
        for folder in (play.server.data, *play.roots.values()):
            shutil.rmtree(folder, ignore_errors=True)

    play.restore()
    assert "files" in play.compare(before)
    with pytest.raises(SystemExit, match="is not empty"):
        play.restore()
    with play.server.connect(devpg.DATABASE) as connection:
        connection.execute("UPDATE catalog_service SET title = 'x' WHERE id = (SELECT id FROM catalog_service LIMIT 1)")
    with pytest.raises(rehearse.Differs, match=r"public\.catalog_service: \d+ "):
        play.compare(before)
    play.check()


def test_the_command_ends_with_1_when_something_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a server: what was counted before is not what comes back."""
    monkeypatch.setattr(database, "VAR", tmp_path)
    for name in ("make", "python", "back_up", "live_on", "destroy", "restore", "check", "end"):
        monkeypatch.setattr(rehearse.Rehearsal, name, lambda *_, **__: [])
    monkeypatch.setattr(rehearse, "size_of", lambda folder: "0 MiB")
    rows = iter([3, 2])
    monkeypatch.setattr(rehearse.Rehearsal, "state", lambda self: {"public.orders": (next(rows), "0")})
    with pytest.raises(SystemExit) as ended:
        rehearse.main(["--short"])
    assert "public.orders: 3 (0) before, 2 (0) now" in str(ended.value.code)
    assert "FAILED" in capsys.readouterr().out
    assert rehearse.main(["no such folder"]) == 2
