"""Messages, files, reports and hints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from port444.kit.ids import uuid7

from .asking import NUL, PNG, Ask, World, everything, fault, faults, file, not_taken, on_order, ready

pytestmark = pytest.mark.django_db


def report(**changes: Any) -> Ask:
    """A report of the client."""
    form = {"reason": "spam", "text": ""} | changes
    return lambda world: (world.client_user, f"/messages/{world.asking.conversation_id}/report/", form)


def report_person(**changes: Any) -> Ask:
    """The same about a builder."""
    form = {"reason": "spam", "text": ""} | changes
    return lambda world: (world.client_user, f"/b/{world.builder.slug}/report/", form)


BAD: dict[str, Ask] = {
    "message with NUL": on_order("asking", "message", body=NUL),
    "message too long": on_order("asking", "message", body="x" * 5001),
    "message without a key": on_order("asking", "message", body="Hello", client_key="x"),
    "report with NUL": report(text=NUL),
    "report too long": report(text="x" * 1001),
    "report for no reason": report(reason="boredom"),
    "report of a person too long": report_person(text="x" * 1001),
    "report of a person for no reason": report_person(reason="boredom"),
    "report of oneself": lambda world: (world.builder.user, report_person()(world)[1], {"reason": "spam"}),
    "report by another": lambda world: (world.other.user, report()(world)[1], {"reason": "spam"}),
    "hint of nobody": lambda world: (world.builder.user, f"/suggestions/{world.asking.pk}/send/", {}),
    "hint of nobody put aside": lambda world: (world.builder.user, f"/suggestions/{world.asking.pk}/dismiss/", {}),
}

FILES: dict[str, Callable[[], SimpleUploadedFile]] = {
    "program named as a picture": lambda: file("photo.png", b"MZ\x90\x00" + b"\x00" * 60),
    "picture named as a document": lambda: file("contract.pdf"),
    "drawing with a script": lambda: file("logo.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
    "page": lambda: file("index.html", b"<script>alert(1)</script>"),
    "page named as a picture": lambda: file("index.html.png", b"<script>alert(1)</script>"),
    "program": lambda: file("setup.exe", b"MZ"),
    "no extension": lambda: file("png", PNG),
    "nothing in it": lambda: file("empty.png", b""),
    "too large": lambda: file("large.png", PNG + b"\x00" * 2000),
    "text with NUL": lambda: file("notes.txt", b"a\x00b"),
}
FILES_TO: dict[str, Ask] = {
    "message": on_order("asking", "message", body="See the file"),
    "delivery": on_order("working", "deliver", note="Done"),
    "answer": on_order("asking", "answer", q1="All", q2="MySQL"),
    "conversation": lambda world: (world.client_user, f"/messages/{world.asking.conversation_id}/", {"body": "Look", "client_key": str(uuid7())}),
    "photo": lambda world: (world.builder.user, "/settings/profile/photo/", {}),
}
FILE_FIELD = {"answer": "q3", "photo": "photo"}

GOOD: dict[str, Ask] = {
    "message": FILES_TO["message"],
    "conversation": FILES_TO["conversation"],
}


def test_nothing_is_written_or_reported_badly(world: World) -> None:
    assert faults(world, BAD) == {}
    assert not_taken(world, GOOD) == []


def test_a_bad_file_is_refused_in_words_and_a_good_one_taken(world: World, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 1500
    words = r"cannot be sent|not what its name says|is empty|larger than|cannot be read|PNG, JPEG or WebP"
    found = {
        (name, place): fault(world, ask, words, **{FILE_FIELD.get(place, "uploads"): make()})
        for name, make in FILES.items()
        for place, ask in FILES_TO.items()
    }
    assert {name: what for name, what in found.items() if what} == {}
    for place in ("message", "delivery", "answer", "conversation"):
        send = ready(world, FILES_TO[place], **{FILE_FIELD.get(place, "uploads"): file("a.png")})
        before = everything()
        assert send().status_code == 302, place
        assert everything()["messaging_attachment"] != before["messaging_attachment"], place
