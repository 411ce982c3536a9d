from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from port444.kit import uploads
from port444.kit.errors import Invalid

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 32


def upload(name: str, content: bytes) -> SimpleUploadedFile:
    file = SimpleUploadedFile("x", content)
    file._name = name  # type: ignore[attr-defined]  # as a browser could send it: Django's setter cleans it
    return file


def test_gives_name_kind_and_digest_and_can_be_read_again() -> None:
    file = upload("Plan.png", PNG)
    assert uploads.check(file) == ("Plan.png", "image/png", hashlib.sha256(PNG).hexdigest())
    assert file.read() == PNG


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.png", b"<html><script>alert(1)</script>"),
        ("photo.jpg", PNG),
        ("photo.webp", b"RIFF\x00\x00\x00\x00AVI LIST"),
        ("paper.pdf", b"MZ\x90\x00"),
        ("film.mp4", b"\x00\x00\x00\x18nope"),
        ("notes.txt", b"text\x00with nul"),
    ],
)
def test_content_has_to_be_what_the_name_says(name: str, content: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        uploads.check(upload(name, content))
    assert caught.value.code == "file_content"


@pytest.mark.parametrize("name", ["page.html", "image.svg", "run.exe", "plan.png.html", "script.js", "noextension", ".png.exe", "", "png"])
def test_kinds_that_are_not_taken(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        uploads.check(upload(name, PNG))
    assert caught.value.code == "file_type"


def test_double_extension_counts_by_the_last() -> None:
    assert uploads.check(upload("invoice.exe.png", PNG))[1] == "image/png"
    with pytest.raises(Invalid):
        uploads.check(upload("invoice.png.exe", PNG))


def test_size_has_an_end(settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 2**20
    with pytest.raises(Invalid) as caught:
        uploads.check(upload("big.png", PNG + b"\x00" * 2**20))
    assert caught.value.code == "file_size"
    with pytest.raises(Invalid) as caught:
        uploads.check(upload("empty.png", b""))
    assert caught.value.code == "file_empty"


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\me\\plan.pdf", "plan.pdf"),
        ("/abs/plan.pdf", "plan.pdf"),
        ('a"b\r\nSet-Cookie: x.txt', "a_b__Set-Cookie_ x.txt"),
        ("..", ""),
        ("x" * 200 + ".png", "x" * 116 + ".png"),
        ("e\u0301te\u0301.txt", "\u00e9t\u00e9.txt"),
    ],
)
def test_name_is_safe_in_a_header_and_a_folder(name: str, clean: str) -> None:
    assert uploads.clean_name(name) == clean
