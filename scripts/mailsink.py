"""A mail server that delivers nothing: it keeps each message as a file, to be read in the browser.

    python -m scripts.mailsink FD FOLDER

FD is a listening socket. A message is stored once, however often a job that was cut off hands it over again.
"""

import asyncio
import contextlib
import hashlib
import os
import signal
import socket
import sys
import tempfile
from email.parser import BytesHeaderParser
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

TEMPORARY_FAILURE = "451 The message could not be stored, try again"


class Handler:
    """Stores what is sent into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (the name is called)
        """Answer the end of a message; only what is on disk is accepted."""
        content = envelope.original_content or b""
        try:
            store(self.folder, content)
        except OSError as error:
            print(f"mail: {error}", file=sys.stderr, flush=True)
            return TEMPORARY_FAILURE
        return "250 OK"


def store(folder: Path, content: bytes) -> Path:
    """Write the message unless it is there already; a reader never sees half of one."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{key(content)}.eml"
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".part") as part:
        part.write(content)
        part.flush()
        with contextlib.suppress(FileExistsError):
            os.link(part.name, target)
    return target


def key(content: bytes) -> str:
    """What makes a message the same one: its Message-ID, or all of it when it has none."""
    message_id = str(BytesHeaderParser().parsebytes(content).get("Message-ID", "")).strip()
    return hashlib.sha256(message_id.encode(errors="replace") or content).hexdigest()


async def serve(listener: socket.socket, folder: Path) -> None:
    """Take mail until SIGTERM."""
    handler = Handler(folder)
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(handler, enable_SMTPUTF8=True), sock=listener)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with server:
        await stopped.wait()


if __name__ == "__main__":
    asyncio.run(serve(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2])))
