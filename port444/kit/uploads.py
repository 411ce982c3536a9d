"""Checking files that people send: size, name, and that the content is what the name says."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath
from typing import Any

from django.conf import settings
from django.http import FileResponse, Http404
from django.utils.translation import gettext as _

from .errors import Invalid

# extension -> (MIME type, what the file must begin with; empty for text)
KINDS: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "png": ("image/png", (b"\x89PNG\r\n\x1a\n",)),
    "jpg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "jpeg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "gif": ("image/gif", (b"GIF87a", b"GIF89a")),
    "webp": ("image/webp", (b"RIFF",)),
    "pdf": ("application/pdf", (b"%PDF-",)),
    "zip": ("application/zip", (b"PK\x03\x04", b"PK\x05\x06")),
    "gz": ("application/gzip", (b"\x1f\x8b",)),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", (b"PK\x03\x04",)),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", (b"PK\x03\x04",)),
    "pptx": ("application/vnd.openxmlformats-officedocument.presentationml.presentation", (b"PK\x03\x04",)),
    "mp4": ("video/mp4", ()),
    "mp3": ("audio/mpeg", (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")),
    "txt": ("text/plain", ()),
    "md": ("text/plain", ()),
    "csv": ("text/csv", ()),
    "json": ("application/json", ()),
    "patch": ("text/plain", ()),
    "diff": ("text/plain", ()),
    "log": ("text/plain", ()),
}
TEXT = {"txt", "md", "csv", "json", "patch", "diff", "log"}


def clean_name(name: str) -> str:
    """A file name that is safe in a header and a folder: no path, no control characters, at most 120 characters."""
    name = unicodedata.normalize("NFC", PurePosixPath(name.replace("\\", "/")).name)
    name = re.sub(r'[\x00-\x1f\x7f<>:"/|?*]', "_", name).strip(". ")
    stem, dot, extension = name.rpartition(".")
    return f"{stem[: 119 - len(extension)]}{dot}{extension}" if len(name) > 120 else name


def check(upload: Any) -> tuple[str, str, str]:
    """Check an uploaded file; gives its clean name, MIME type and SHA-256. Raises Invalid."""
    name = clean_name(upload.name or "")
    extension = name.rpartition(".")[2].lower()
    if extension not in KINDS or "." not in name:
        raise Invalid(_("Files of this kind cannot be sent. Allowed: %(kinds)s.") % {"kinds": ", ".join(sorted(KINDS))}, code="file_type")
    if upload.size > settings.UPLOAD_MAX_BYTES:
        raise Invalid(_("%(name)s is larger than %(size)s MB.") % {"name": name, "size": settings.UPLOAD_MAX_BYTES // 2**20}, code="file_size")
    if upload.size == 0:
        raise Invalid(_("%(name)s is empty.") % {"name": name}, code="file_empty")
    mimetype, starts = KINDS[extension]
    digest = hashlib.sha256()
    head = b""
    for chunk in upload.chunks():
        head = head or chunk[:4096]
        digest.update(chunk)
    upload.seek(0)
    if (starts and not head.startswith(starts)) or (extension == "webp" and head[8:12] != b"WEBP"):
        raise Invalid(_("%(name)s is not what its name says it is.") % {"name": name}, code="file_content")
    if (extension in TEXT and b"\x00" in head) or (extension == "mp4" and head[4:8] != b"ftyp"):
        raise Invalid(_("%(name)s is not what its name says it is.") % {"name": name}, code="file_content")
    return name, mimetype, digest.hexdigest()


def handed_out(row: Any) -> FileResponse:
    """An uploaded file (`file`, `name`, `mimetype`, `size`), as a download only: nothing that a person sent is ever shown as a page of this site."""
    try:
        content = row.file.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    response = FileResponse(content, as_attachment=True, filename=row.name, content_type=row.mimetype)
    response["Content-Length"] = str(row.size)
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    return response
