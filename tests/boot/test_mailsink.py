"""The mail sink keeps each message once."""

import os
import smtplib
import socket
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest

from scripts import mailsink

ONE = b"Message-ID: <order-1@port444.example>\r\nSubject: One\r\n\r\nbody\r\n"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_message_is_stored_as_it_came(tmp_path: Path) -> None:
    assert mailsink.store(tmp_path / "mail", ONE).read_bytes() == ONE


def test_same_message_id_is_stored_once(tmp_path: Path) -> None:
    first = mailsink.store(tmp_path, ONE)
    second = mailsink.store(tmp_path, ONE.replace(b"body", b"later"))
    assert first == second
    assert first.read_bytes() == ONE
    assert names(tmp_path) == [first.name]


def test_messages_without_an_id_differ_by_content(tmp_path: Path) -> None:
    for body in (b"a", b"b", b"b"):
        mailsink.store(tmp_path, b"Subject: x\r\n\r\n" + body)
    assert len(names(tmp_path)) == 2


def test_id_cannot_name_a_file_elsewhere(tmp_path: Path) -> None:
    path = mailsink.store(tmp_path / "mail", b"Message-ID: ../../escape\r\n\r\n")
    assert path.parent == tmp_path / "mail"
    assert names(tmp_path) == ["mail"]


def test_failed_store_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*paths: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(OSError, match="disk full"):
        mailsink.store(tmp_path, ONE)
    assert names(tmp_path) == []


def test_server_takes_mail_on_an_open_socket(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sink = subprocess.Popen(
            [sys.executable, "-m", "scripts.mailsink", str(listener.fileno()), str(tmp_path)],
            pass_fds=[listener.fileno()],
        )
        try:
            message = EmailMessage()
            message["Message-ID"], message["To"], message["From"] = "<x@y>", "zoë@port444.example", "a@port444.example"
            message.set_content("Grüße")
            for _ in range(2):
                with smtplib.SMTP("127.0.0.1", listener.getsockname()[1], timeout=20) as client:
                    client.send_message(message)
        finally:
            sink.terminate()
            assert sink.wait(20) == 0
    assert names(tmp_path) == [f"{mailsink.key(b'Message-ID: <x@y>')}.eml"]
