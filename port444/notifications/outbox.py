"""Captured mails and SMS, read back from their files for the development outbox."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message, MIMEPart
from pathlib import Path

from django.conf import settings
from django.utils.http import content_disposition_header
from django.utils.text import get_valid_filename

NEWEST = 100


@dataclass(frozen=True, slots=True)
class File:
    name: str
    mimetype: str
    content: bytes

    @property
    def disposition(self) -> str:
        return content_disposition_header(as_attachment=True, filename=self.name) or "attachment"

    @property
    def size(self) -> int:
        return len(self.content)


@dataclass(frozen=True, slots=True)
class Letter:
    """One captured message."""

    name: str
    at: datetime
    sender: str
    to: str
    subject: str
    is_sms: bool
    headers: list[tuple[str, str]] = field(default_factory=list)
    text: str = ""
    html: str = ""
    files: list[File] = field(default_factory=list)


def newest() -> list[Letter]:
    """The last messages, newest first; a file that cannot be read is left out."""
    stamps: list[tuple[float, Path]] = []
    for path in Path(settings.MAIL_DIR).glob("*.eml"):
        try:
            stamps.append((path.stat().st_mtime, path))
        except OSError:
            continue
    stamps.sort(reverse=True)
    return [letter for _, path in stamps[:NEWEST] if (letter := read(path.stem))]


def read(name: str) -> Letter | None:
    """The message in the file `name` (without ending), or None. A name with anything but letters, digits, - and _ is no file of ours."""
    path = Path(settings.MAIL_DIR) / f"{get_valid_filename(name)}.eml"
    try:
        content, stamp = path.read_bytes(), path.stat().st_mtime
    except OSError:
        return None
    message = email.message_from_bytes(content, policy=email.policy.default)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    return Letter(
        name=name,
        at=datetime.fromtimestamp(stamp, UTC),
        sender=str(message["From"] or ""),
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        is_sms=message["X-Channel"] == "sms",
        headers=[(key, str(value)) for key, value in message.items()],
        text=_words(text),
        html=_words(html),
        files=[_file(part, number) for number, part in enumerate(message.iter_attachments())],
    )


def _words(part: MIMEPart | None) -> str:
    if part is None:
        return ""
    content = part.get_content()
    return content if isinstance(content, str) else ""


def _file(part: Message, number: int) -> File:
    content = part.get_payload(decode=True)
    return File(part.get_filename() or f"part-{number}", part.get_content_type(), content if isinstance(content, bytes) else b"")
