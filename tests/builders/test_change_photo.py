from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.builders.actions import change_photo, remove_photo
from port444.builders.models import Builder
from port444.builders.pictures import portrait
from port444.kit.errors import Invalid, NotAllowed


def picture(form: str = "PNG", size: tuple[int, int] = (900, 600)) -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    Image.new("RGB", size, "#336699").save(out, form, exif=exif)
    return out.getvalue()


def upload(content: bytes, name: str = "me.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def stored(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "storage").rglob("*.*"))


@pytest.mark.parametrize(("form", "name"), [("PNG", "me.png"), ("JPEG", "me.JPG"), ("WEBP", "me.webp")])
def test_a_photo_is_drawn_anew(client: Client, builder: Builder, form: str, name: str) -> None:
    change_photo(builder.pk, actor=builder.user, upload=upload(picture(form) + b"<script>alert(1)</script>", name))
    answer = client.get(Builder.objects.get().photo_url)
    content = b"".join(answer)
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["Content-Security-Policy"] == "default-src 'none'"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert b"secret" not in content
    assert b"script" not in content
    with Image.open(io.BytesIO(content)) as shown:
        assert (shown.format, shown.size) == ("JPEG", (512, 512))


def test_a_new_photo_takes_the_place_of_the_old_file(
    builder: Builder, tmp_path: Path, django_capture_on_commit_callbacks: Any, client: Client
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        change_photo(builder.pk, actor=builder.user, upload=upload(picture()))
    old = stored(tmp_path)
    with django_capture_on_commit_callbacks(execute=True):
        change_photo(builder.pk, actor=builder.user, upload=upload(picture()))
    assert len(old) == len(stored(tmp_path)) == 1
    assert old != stored(tmp_path)
    with django_capture_on_commit_callbacks(execute=True):
        remove_photo(builder.pk, actor=builder.user)
    assert stored(tmp_path) == []
    assert client.get(f"/b/{builder.slug}/photo.svg")["Content-Type"] == "image/svg+xml"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "me.svg"),
        (b"<script>", "me.png"),
        (b"\x89PNG\r\n\x1a\n" + b"0" * 50, "me.png"),
        (b"", "me.png"),
        (b"%PDF-1.4", "me.pdf"),
        (b"GIF89a" + b"0" * 50, "me.gif"),
        (picture(size=(7000, 6000)), "me.png"),
    ],
)
def test_what_is_no_photo_is_refused(client: Client, builder: Builder, tmp_path: Path, content: bytes, name: str) -> None:
    with pytest.raises(Invalid):
        change_photo(builder.pk, actor=builder.user, upload=upload(content, name))
    client.force_login(builder.user)
    assert client.post("/settings/profile/photo/", {"photo": upload(content, name)}).status_code == 422
    assert stored(tmp_path) == []
    assert Builder.objects.get().photo.name == ""
    assert AuditLog.objects.events().count() == 0


def test_nobody_else_changes_the_photo(builder: Builder, stranger: User, tmp_path: Path) -> None:
    with pytest.raises(NotAllowed):
        change_photo(builder.pk, actor=stranger, upload=upload(picture()))
    assert stored(tmp_path) == []
    assert Builder.objects.get().photo.name == ""


def test_the_page_takes_a_photo(client: Client, builder: Builder) -> None:
    client.force_login(builder.user)
    assert client.post("/settings/profile/photo/", {"photo": upload(picture())}).status_code == 302
    assert str(Builder.objects.get().photo.name).endswith(".jpg")
    assert client.post("/settings/profile/photo/", {"remove": "1"}).status_code == 302
    assert Builder.objects.get().photo.name == ""


def test_portraits_differ_stay_and_carry_no_styles() -> None:
    drawn = {portrait(name) for name in ("anaya-krishnan", "tom-sato", "pilar-ortega", "lena-farouk")}
    assert len(drawn) == 4
    assert portrait("tom-sato") in drawn
    assert not any("style" in svg or "script" in svg for svg in drawn)


def test_a_portrait_is_asked_for_once(client: Client, builder: Builder) -> None:
    first = client.get(builder.photo_url)
    assert first["Content-Security-Policy"] == "default-src 'none'"
    again = client.get(builder.photo_url, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
