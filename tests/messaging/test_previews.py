"""Pictures of files: drawn anew and small, of pictures and first pages alone, for the two people alone; what cannot be drawn has none."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django_q.models import OrmQ
from PIL import Image

from port444.accounts.models import User
from port444.kit import clock, previews
from port444.messaging import jobs
from port444.messaging.actions import send_message
from port444.messaging.models import Attachment, Conversation, PreviewStatus
from port444.orders import actions as orders
from port444.orders.models import OrderStatus
from tests.orders.conftest import MakeOrder, make_order, package, service

__all__ = ["make_order", "package", "service"]  # fixtures


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {"default": settings.STORAGES["default"] | {"OPTIONS": {"location": str(tmp_path)}}}


def photo(width: int = 2000, height: int = 1000, kind: str = "JPEG") -> bytes:
    """Left half red, right half blue; as a JPEG turned by its EXIF and with words in it."""
    image = Image.new("RGB", (width, height), "#c00000")
    image.paste("#0000c0", (width // 2, 0, width, height))
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "secret place"  # to be turned by 90 degrees; a description
    image.save(out, kind, **({"exif": exif} if kind == "JPEG" else {}))
    return out.getvalue()


def bomb() -> bytes:
    """A PNG of a few kB that would be 3.6 billion pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(4_000_000))) + chunk(b"IEND", b"")


def test_a_picture_is_drawn_anew_upright_and_small() -> None:
    drawn = previews.draw(io.BytesIO(photo()), "image/jpeg")
    assert drawn is not None
    assert (drawn.width, drawn.height) == (640, 1280)
    for data, size in ((drawn.large, (640, 1280)), (drawn.small, (160, 320))):
        with Image.open(io.BytesIO(data)) as again:
            assert (again.format, again.size, dict(again.getexif())) == ("JPEG", size, {})
            red, _, blue = again.convert("RGB").getpixel((size[0] // 2, 5))  # type: ignore[misc]  # of a picture with three colours
            assert red > blue  # what was left is on top
        assert b"secret place" not in data


def test_the_first_page_of_a_pdf_is_drawn() -> None:
    drawn = previews.draw(io.BytesIO(photo(600, 800, "PDF")), "application/pdf")
    assert drawn is not None
    assert drawn.height > drawn.width
    assert drawn.height <= 1280


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (bomb(), "image/png"),
        (photo()[:500], "image/jpeg"),
        (photo(kind="PNG"), "image/gif"),
        (b"%PDF-1.7 nothing more", "application/pdf"),
        (b"", "application/pdf"),
    ],
    ids=["bomb", "cut off", "another kind", "no PDF", "empty"],
)
def test_what_cannot_be_drawn_within_the_limits_is_not(data: bytes, kind: str) -> None:
    assert previews.draw(io.BytesIO(data), kind) is None


def test_what_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "SECONDS", 0.05)
    assert previews.draw(io.BytesIO(photo()), "image/jpeg") is None


def send(conversation: Conversation, author: User, *uploads: SimpleUploadedFile) -> list[Attachment]:
    message = send_message(conversation.pk, actor=author, body="Look.", client_key=uuid4(), uploads=uploads)
    return list(message.attachments.order_by("id"))


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def drawn_by_its_job(row: Attachment) -> Attachment:
    jobs.make_preview(str(row.pk))
    row.refresh_from_db()
    return row


def test_files_are_looked_at_one_by_one_by_the_two_people_alone(
    conversation: Conversation, client_user: User, builder_user: User, stranger: User
) -> None:
    picture, broken, notes = send(
        conversation,
        client_user,
        SimpleUploadedFile("plan.jpg", photo()),
        SimpleUploadedFile("bad.pdf", b"%PDF-1.7 nothing"),
        SimpleUploadedFile("notes.txt", b"measure first"),
    )
    assert [row.preview for row in (picture, broken, notes)] == ["waiting", "waiting", "none"]
    assert OrmQ.objects.count() == 2
    reader = signed_in(builder_user)
    assert "is being drawn" in reader.get(picture.page).content.decode()
    assert reader.get(f"{picture.page}picture/").status_code == 404
    drawn_by_its_job(picture)
    assert drawn_by_its_job(broken).preview == PreviewStatus.FAILED
    assert (picture.preview, picture.preview_width, picture.preview_height) == ("ready", 640, 1280)
    assert picture.small_size == (28, 56)
    page = reader.get(picture.page).content.decode()
    assert f'src="/files/{picture.pk}/picture/"' in page
    assert f'rel="next" href="{broken.page}"' in page
    assert 'rel="prev"' not in page
    assert "1 of 3" in page
    for row, before, after in ((broken, picture, notes), (notes, broken, None)):
        page = reader.get(row.page).content.decode()
        assert "There is no picture of this file" in page
        assert f'rel="prev" href="{before.page}"' in page
        assert ('rel="next"' in page) == (after is not None)
    thread = reader.get(conversation.get_absolute_url()).content.decode()
    assert f'<img src="/files/{picture.pk}/small/" alt="" width="28" height="56" loading="lazy">' in thread
    assert thread.count("/small/") == 1
    for part in ("picture", "small"):
        answer = reader.get(f"{picture.page}{part}/")
        assert answer["Content-Type"] == "image/jpeg"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert answer["Cache-Control"].startswith("private")
        body = b"".join(answer.streaming_content)  # type: ignore[attr-defined]  # a FileResponse
        assert body.startswith(b"\xff\xd8\xff")
        assert b"secret place" not in body
    assert reader.get(picture.href)["Content-Disposition"].startswith("attachment")
    other, nobody = signed_in(stranger), Client()
    for part in ("", "picture/", "small/", "download/"):
        assert other.get(f"{picture.page}{part}").status_code == 404
        assert nobody.get(f"{picture.page}{part}").status_code == 302


def test_the_sweep_draws_what_was_left_lying(conversation: Conversation, client_user: User) -> None:
    (row,) = send(conversation, client_user, SimpleUploadedFile("plan.png", photo(20, 10, "PNG")))
    assert jobs.make_previews() == 0
    with clock.at(row.created_at + jobs.LEFT_LYING):
        assert (jobs.make_previews(), jobs.make_previews()) == (1, 0)
    row.refresh_from_db()
    assert (row.preview, row.preview_width, row.preview_height) == ("ready", 20, 10)


def test_files_of_a_delivery_lie_together_and_a_draft_answer_with_nothing(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    order = make_order(OrderStatus.PENDING_REQUIREMENTS)
    orders.save_answers(
        order.pk, actor=client_user, answers={}, uploads={3: [SimpleUploadedFile("schema.txt", b"a"), SimpleUploadedFile("b.txt", b"b")]}
    )
    draft = Attachment.objects.get(name="schema.txt")
    assert "of 2" not in signed_in(client_user).get(draft.page).content.decode()
    orders.answer_requirements(order.pk, actor=client_user, answers={1: "All of them.", 2: "PostgreSQL"})
    assert "1 of 2" in signed_in(builder_user).get(draft.page).content.decode()
    orders.deliver(order.pk, actor=builder_user, note="", uploads=[SimpleUploadedFile(f"{n}.txt", b"x") for n in range(3)])
    second = Attachment.objects.get(name="1.txt")
    assert "2 of 3" in signed_in(client_user).get(second.page).content.decode()
    page = signed_in(client_user).get(f"/orders/{order.number}/").content.decode()
    assert f'href="{second.page}"' in page
    assert "TXT, 1" in page
