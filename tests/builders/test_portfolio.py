from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from PIL import Image

from port444.accounts.models import User
from port444.builders import actions
from port444.builders.actions import add_picture, add_piece, change_piece, move_piece, remove_piece
from port444.builders.models import Builder, PortfolioPicture, PortfolioPiece
from port444.kit.errors import Invalid, NotAllowed

from .test_change_photo import picture, stored, upload


def titles() -> list[str]:
    return [piece.title for piece in PortfolioPiece.objects.all()]


def test_pieces_are_shown_in_their_order(client: Client, builder: Builder, stranger: User) -> None:
    rows = [add_piece(builder.pk, actor=builder.user, title=f"Piece {name}", words="What I did.", link="https://ferry.example") for name in "ABC"]
    move_piece(rows[2].pk, actor=builder.user, up=True)
    move_piece(rows[0].pk, actor=builder.user, up=True)
    assert titles() == ["Piece A", "Piece C", "Piece B"]
    with pytest.raises(NotAllowed):
        change_piece(rows[0].pk, actor=stranger, title="Mine")
    with pytest.raises(Invalid):
        change_piece(rows[0].pk, actor=builder.user, link="javascript:alert(1)")
    html = client.get(builder.get_absolute_url()).content.decode()
    assert html.index("Piece A") < html.index("Piece C") < html.index("Piece B")
    assert 'href="https://ferry.example" rel="nofollow ugc noopener"' in html


def test_a_picture_is_drawn_anew_and_goes_with_its_piece(
    client: Client, builder: Builder, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    piece = add_piece(builder.pk, actor=builder.user, title="A ferry")
    add_picture(piece.pk, actor=builder.user, upload=upload(picture("PNG", (3200, 800)) + b"<script>", "ferry.png"))
    row = PortfolioPicture.objects.get()
    assert (row.width, row.height) == (1600, 400)
    address = f"/b/{builder.slug}/work/{row.pk}.jpg"
    answer = client.get(address)
    content = b"".join(answer)
    assert b"secret" not in content
    assert b"script" not in content
    assert answer["Content-Security-Policy"] == "default-src 'none'"
    with Image.open(io.BytesIO(content)) as shown:
        assert (shown.format, shown.size) == ("JPEG", (1600, 400))
    assert client.get(address, headers={"If-None-Match": answer["ETag"]}).status_code == 304
    assert client.get(f"/b/somebody/work/{row.pk}.jpg").status_code == 404
    User.objects.filter(pk=builder.user_id).update(is_active=False)
    assert client.get(address).status_code == 404
    User.objects.filter(pk=builder.user_id).update(is_active=True)
    with django_capture_on_commit_callbacks(execute=True):
        remove_piece(piece.pk, actor=builder.user)
    assert stored(tmp_path) == []
    assert client.get(address).status_code == 404


def test_what_is_no_picture_or_too_much_leaves_nothing(builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions.portfolio, "MOST_PIECES", 1)
    monkeypatch.setattr(actions.portfolio, "MOST_PICTURES", 1)
    piece = add_piece(builder.pk, actor=builder.user, title="A ferry")
    with pytest.raises(Invalid):
        add_piece(builder.pk, actor=builder.user, title="Another")
    with pytest.raises(Invalid):
        add_picture(piece.pk, actor=builder.user, upload=upload(b"\x89PNG\r\n\x1a\nnothing", "ferry.png"))
    add_picture(piece.pk, actor=builder.user, upload=upload(picture()))
    with pytest.raises(Invalid):
        add_picture(piece.pk, actor=builder.user, upload=upload(picture()))
    assert (titles(), len(stored(tmp_path))) == (["A ferry"], 1)


def test_the_pages_of_the_builder(client: Client, builder: Builder, stranger: User, client_user: User) -> None:
    client.force_login(client_user)
    assert client.get("/settings/portfolio/")["Location"] == "/settings/profile/"
    client.force_login(builder.user)
    assert "Your first piece" in client.get("/settings/portfolio/").content.decode()
    assert client.post("/settings/portfolio/", {"title": ""}).status_code == 422
    answer = client.post("/settings/portfolio/", {"title": "A ferry", "words": "Small.", "link": ""})
    piece = PortfolioPiece.objects.get()
    assert answer["Location"] == f"/settings/portfolio/{piece.pk}/"
    assert client.post(f"{answer['Location']}picture/", {"picture": upload(picture())}).status_code == 302
    assert client.post(f"{answer['Location']}picture/", {"picture": upload(b"no")}).status_code == 422
    assert client.post(answer["Location"], {"title": "A boat", "words": "", "link": ""}).status_code == 302
    assert f"{piece.pictures.get().pk}.jpg" in client.get("/settings/portfolio/").content.decode()
    client.force_login(stranger)
    for verb in ("", "picture/", "move/", "remove/"):
        assert client.post(f"/settings/portfolio/{piece.pk}/{verb}").status_code == 404
    client.force_login(builder.user)
    assert client.post(f"/settings/portfolio/pictures/{piece.pictures.get().pk}/remove/").status_code == 302
    assert client.post(f"/settings/portfolio/{piece.pk}/move/", {"down": "1"}).status_code == 302
    assert client.post(f"/settings/portfolio/{piece.pk}/remove/").status_code == 302
    assert titles() == []


@pytest.mark.parametrize(
    ("minutes", "count", "words"),
    [
        (None, 0, ""),
        (5, 2, ""),
        (0, 3, "about 1 minute"),
        (54, 3, "about 54 minutes"),
        (55, 3, "about 1 hour"),
        (170, 9, "about 3 hours"),
        (36 * 60, 3, "about 2 days"),
    ],
)
def test_how_soon_is_said_in_words(minutes: int | None, count: int, words: str) -> None:
    assert Builder(answer_minutes=minutes, answer_count=count).answers_in == words


def test_on_time_is_said_when_there_are_enough() -> None:
    assert Builder(on_time_count=2, timed_count=2).on_time_percent is None
    assert Builder(on_time_count=2, timed_count=3).on_time_percent == 66
