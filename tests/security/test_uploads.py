"""Files that people send: what they may be, what becomes of them, and how they are handed out. Names, sizes and first bytes are tried in
tests/kit/test_uploads.py, pictures in tests/messaging/test_previews.py and tests/builders."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as ours
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import previews, uploads
from port444.messaging.actions import open_conversation
from port444.messaging.models import Attachment, Conversation, Message

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 32
SCRIPT = b"<script>alert(document.domain)</script>"


@pytest.fixture
def conversation(client_user: User, builder: Builder) -> Conversation:
    return open_conversation(client_user, builder.user, actor=client_user)


@pytest.fixture
def send(client_user: User, conversation: Conversation) -> Callable[[str, bytes], Any]:
    browser = Client()
    browser.force_login(client_user)

    def post(name: str, content: bytes) -> Any:
        body = {"body": "Look", "client_key": uuid4(), "uploads": SimpleUploadedFile(name, content, content_type="text/html")}
        return browser.post(conversation.get_absolute_url(), body)

    return post


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.html", SCRIPT),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'>" + SCRIPT + b"</svg>"),
        ("style.xsl", b"<xsl:stylesheet/>"),
        ("page.xhtml", SCRIPT),
        ("script.mjs", b"alert(1)"),
        ("shell.php", b"<?php system($_GET[0]);"),
        ("macro.docm", b"PK\x03\x04"),
        ("page.png", SCRIPT),
        ("page.pdf", SCRIPT),
        (".htaccess", b"AddType text/html .txt"),
    ],
)
def test_what_a_browser_would_run_is_not_taken(name: str, content: bytes, send: Callable[[str, bytes], Any], tmp_path: Path) -> None:
    assert send(name, content).status_code == 422
    assert not Message.objects.exists()
    assert list((tmp_path / "storage").rglob("*.*")) == []


TAKEN = {
    "notes.txt": SCRIPT,
    "data.json": SCRIPT,
    "table.csv": SCRIPT,
    "polyglot.png": PNG + SCRIPT,
    "paper.pdf": b"%PDF-1.7 " + SCRIPT,
}


@pytest.mark.parametrize(("name", "content"), TAKEN.items())
def test_whatever_is_taken_is_handed_out_to_be_kept_and_not_shown(
    name: str, content: bytes, send: Callable[[str, bytes], Any], builder: Builder
) -> None:
    assert send(name, content).status_code == 302
    row = Attachment.objects.get()
    reader = Client()
    reader.force_login(builder.user)
    answer = reader.get(row.href)
    assert answer["Content-Disposition"].startswith("attachment;")
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Type"].partition(";")[0] in {kind for kind, _ in uploads.KINDS.values()} - {"text/html", "image/svg+xml"}
    assert b"".join(answer.streaming_content) == content  # type: ignore[attr-defined]  # a FileResponse


@pytest.mark.parametrize("name", ["../../../../tmp/evil.txt", "..\\..\\evil.txt", "/etc/cron.d/evil.txt", "evil.txt\x00.png", "a/../../evil.txt"])
def test_a_name_leads_nowhere(name: str, send: Callable[[str, bytes], Any], tmp_path: Path) -> None:
    send(name, b"text")
    written = [path.resolve() for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.is_relative_to((tmp_path / "storage").resolve()) for path in written)
    for row in Attachment.objects.all():
        assert "evil" not in str(row.file.name), "the place of a file is named by us"
        assert "/" not in row.name


def test_nobody_reads_beside_the_folder() -> None:
    for name in ("../../manage.py", "/etc/passwd", "a/../../b"):
        with pytest.raises(SuspiciousFileOperation):
            default_storage.open(name)


def test_uploads_lie_where_no_address_leads(client: Client, send: Callable[[str, bytes], Any], db: None) -> None:
    send("notes.txt", b"text")
    row = Attachment.objects.get()
    assert not getattr(ours, "MEDIA_URL", "").startswith("http")
    for path in (f"/{row.file.name}", f"/media/{row.file.name}", f"/static/{row.file.name}", f"/storage/{row.file.name}"):
        assert client.get(path).status_code == 404


def pdf(*objects: bytes) -> bytes:
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % (number, one) for number, one in enumerate(objects, 1))
    return b"%PDF-1.7\n" + body + b"trailer << /Root 1 0 R /Size 99 >>\n%%EOF"


def stream(data: bytes, extra: bytes = b"") -> bytes:
    packed = zlib.compress(data, 9)
    return b"<< /Length %d /Filter /FlateDecode %s >>\nstream\n%s\nendstream" % (len(packed), extra, packed)


PAGE = (b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>")


def bombs() -> dict[str, bytes]:
    """Small PDFs that want much: paper as wide as a street, a page that unpacks to 100 MB, and forms that draw forms, 4^20 of them."""
    wide = pdf(*PAGE, b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9999999 9999999] >>")
    packed = pdf(*PAGE, b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R >>", stream(b"0 0 m 9 9 l S\n" * 7_000_000))
    resources = b"/Type /XObject /Subtype /Form /BBox [0 0 99 99] /Resources << /XObject << /X %d 0 R >> >>"
    forms = [stream(b"/X Do " * 4, resources % (number + 1)) for number in range(5, 25)]
    nested = pdf(
        *PAGE,
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R /Resources << /XObject << /X 5 0 R >> >> >>",
        stream(b"/X Do"),
        *forms,
        stream(b"0 0 m 99 99 l S", b"/Type /XObject /Subtype /Form /BBox [0 0 99 99]"),
    )
    return {"wide": wide, "packed": packed, "nested": nested}


def test_a_pdf_that_wants_much_gets_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is drawn within the limits or not at all; the process that draws it ends, and ours stays as it is."""
    monkeypatch.setattr(previews, "SECONDS", 4)
    for name, content in bombs().items():
        assert len(content) < 2**20, name
        drawn = previews.draw(io.BytesIO(content), "application/pdf")
        assert drawn is None or max(drawn.width, drawn.height) <= 1280, name


def test_a_picture_that_wants_much_is_refused_before_it_is_unpacked(builder: Builder) -> None:
    """By its header, in the request itself."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(2_000_000))) + chunk(b"IEND", b"")
    browser = Client()
    browser.force_login(builder.user)
    answer = browser.post("/settings/profile/photo/", {"photo": SimpleUploadedFile("me.png", bomb)})
    assert answer.status_code == 422
    assert Builder.objects.get().photo.name == ""


def test_no_request_is_larger_than_is_taken(send: Callable[[str, bytes], Any], client_user: User, conversation: Conversation, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 1000
    assert send("notes.txt", b"x" * 1001).status_code == 422
    browser = Client(raise_request_exception=False)
    browser.force_login(client_user)
    long = browser.post(conversation.get_absolute_url(), {"body": "x" * (ours.DATA_UPLOAD_MAX_MEMORY_SIZE + 1), "client_key": uuid4()})
    assert long.status_code in (400, 413)
    many = browser.post(conversation.get_absolute_url(), {f"f{number}": "x" for number in range(1100)})
    assert many.status_code == 400
    assert not Message.objects.exists()
