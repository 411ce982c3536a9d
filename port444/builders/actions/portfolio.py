"""What a builder shows of their work."""

from __future__ import annotations

from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.builders.models import PortfolioPicture, PortfolioPiece
from port444.builders.pictures import redraw
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.kit.ids import uuid7

from .profiles import check_fields, own, write_changes

MOST_PIECES, MOST_PICTURES = 12, 4


class PieceText(TypedDict, total=False):
    """What is said about a piece."""

    title: str
    words: str
    link: str


@transaction.atomic
def add_piece(builder_id: UUID, *, actor: User, **text: Unpack[PieceText]) -> PortfolioPiece:
    """Show another piece, below the others."""
    builder = own(builder_id, actor)
    pieces = builder.portfolio.aggregate(last=Max("position"))
    if builder.portfolio.count() >= MOST_PIECES:
        raise Invalid(_("A portfolio has at most %(most)s pieces. Take one away first.") % {"most": MOST_PIECES}, code="too_many_pieces")
    piece = PortfolioPiece(builder=builder, position=(pieces["last"] or 0) + 1, created_at=now(), **text)
    check_fields(piece, {"title": "", **text})
    piece.save()
    record(Event.PORTFOLIO_CHANGED, actor=actor, target=builder, after={"piece": str(piece.pk), **text})
    return piece


@transaction.atomic
def change_piece(piece_id: UUID, *, actor: User, **text: Unpack[PieceText]) -> PortfolioPiece:
    """Say something else about a piece."""
    piece = _own_piece(piece_id, actor)
    before, after = write_changes(piece, text)
    if after:
        record(Event.PORTFOLIO_CHANGED, actor=actor, target=piece.builder, before={"piece": str(piece.pk), **before}, after=after)
    return piece


@transaction.atomic
def move_piece(piece_id: UUID, *, actor: User, up: bool) -> PortfolioPiece:
    """Let a piece change places with the one above or below; the outermost stay where they are."""
    piece = _own_piece(piece_id, actor)
    others = list(PortfolioPiece.objects.filter(builder=piece.builder_id))
    place = [other.pk for other in others].index(piece.pk)
    beside = place + (-1 if up else 1)
    if not 0 <= beside < len(others):
        return piece
    others[place], others[beside] = others[beside], others[place]
    for position, other in enumerate(others, start=1):
        other.position = position
    PortfolioPiece.objects.bulk_update(others, ["position"])
    record(Event.PORTFOLIO_CHANGED, actor=actor, target=piece.builder, after={"order": [str(other.pk) for other in others]})
    return others[beside]


@transaction.atomic
def remove_piece(piece_id: UUID, *, actor: User) -> None:
    """Take a piece away, with its pictures."""
    piece = _own_piece(piece_id, actor)
    names = list(piece.pictures.values_list("file", flat=True))
    record(Event.PORTFOLIO_CHANGED, actor=actor, target=piece.builder, before={"piece": str(piece.pk), "title": piece.title})
    piece.delete()
    _forget(names)


def add_picture(piece_id: UUID, *, actor: User, upload: Any) -> PortfolioPicture:
    """Put a picture to a piece. The file is stored before the transaction, because storage may be across the network."""
    content, width, height = redraw(upload)
    name = default_storage.save(f"portfolio/{uuid7()}.jpg", ContentFile(content))
    try:
        return _keep_picture(piece_id, actor, name, width, height)
    except Exception:
        default_storage.delete(name)
        raise


@transaction.atomic
def _keep_picture(piece_id: UUID, actor: User, name: str, width: int, height: int) -> PortfolioPicture:
    piece = _own_piece(piece_id, actor)
    if piece.pictures.count() >= MOST_PICTURES:
        raise Invalid(_("A piece has at most %(most)s pictures. Take one away first.") % {"most": MOST_PICTURES}, code="too_many_pictures")
    picture = PortfolioPicture.objects.create(piece=piece, file=name, width=width, height=height)
    record(Event.PORTFOLIO_CHANGED, actor=actor, target=piece.builder, after={"piece": str(piece.pk), "picture": str(picture.pk)})
    return picture


@transaction.atomic
def remove_picture(picture_id: UUID, *, actor: User) -> None:
    """Take a picture away."""
    picture = PortfolioPicture.objects.select_related("piece").get(pk=picture_id)
    builder = own(picture.piece.builder_id, actor)
    record(Event.PORTFOLIO_CHANGED, actor=actor, target=builder, before={"piece": str(picture.piece_id), "picture": str(picture.pk)})
    picture.delete()
    _forget([str(picture.file.name)])


def _own_piece(piece_id: UUID, actor: User) -> PortfolioPiece:
    """Behind the lock of its builder, so that nobody counts or orders the pieces at the same time."""
    piece = PortfolioPiece.objects.get(pk=piece_id)
    piece.builder = own(piece.builder_id, actor)
    return piece


def _forget(names: list[str]) -> None:
    for name in names:
        transaction.on_commit(lambda name=name: default_storage.delete(name))  # type: ignore[misc]  # a lambda with a default
