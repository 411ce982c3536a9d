"""What the API says about portfolios."""

from __future__ import annotations

from urllib.parse import urljoin
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from pydantic import Field

from port444.kit.rest import In, Out, Text

from .models import Builder, PortfolioPiece


class PieceIn(In):
    title: Text = Field(min_length=1, max_length=90)
    words: Text = Field("", max_length=1000)
    link: Text = Field("", max_length=200, examples=["https://ferry.example"])


class PieceMoveIn(In):
    up: bool = Field(description="Before the piece above; otherwise behind the one below")


class PictureOut(Out):
    id: UUID
    url: str
    width: int
    height: int


class PieceOut(Out):
    id: UUID
    title: str
    words: str
    link: str
    pictures: list[PictureOut]


class PortfolioOut(Out):
    items: list[PieceOut]


def piece_out(piece: PortfolioPiece, builder: Builder) -> PieceOut:
    pictures = [
        PictureOut(
            id=one.pk, url=urljoin(settings.SITE_URL, reverse("builders:picture", args=[builder.slug, one.pk])), width=one.width, height=one.height
        )
        for one in piece.pictures.all()
    ]
    return PieceOut(id=piece.pk, title=piece.title, words=piece.words, link=piece.link, pictures=pictures)
