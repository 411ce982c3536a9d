"""What the API says about profiles and portfolios."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urljoin
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from pydantic import Field

from port444.kit.rest import In, Out, Text, same

from .models import Builder, PortfolioPiece


class ProfileIn(In):
    """The whole profile."""

    headline: Text = Field(min_length=1, max_length=120, examples=["Fast Django, without rewriting it"])
    about: Text = Field("", max_length=3000)
    skills: list[Annotated[Text, Field(min_length=1, max_length=30)]] = Field(default_factory=list, max_length=15)
    languages: list[Annotated[Text, Field(min_length=1, max_length=30)]] = Field(
        default_factory=list, max_length=8, description="Those you can work in, in English", examples=[["English", "Hindi"]]
    )
    city: Text = Field("", max_length=60)
    meeting_url: Text = Field("", max_length=200, description="Your own room, for calls", examples=["https://meet.example/anaya"])


class ProfileOut(Out):
    id: UUID
    slug: str
    headline: str
    about: str
    skills: list[str]
    languages: list[str]
    city: str
    meeting_url: str
    has_photo: bool = Field(description="Otherwise a portrait is drawn")
    photo_url: str
    url: str


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


def profile_out(builder: Builder) -> ProfileOut:
    return ProfileOut(
        **same(builder, ProfileOut),
        has_photo=bool(builder.photo),
        photo_url=urljoin(settings.SITE_URL, reverse("builders:photo", args=[builder.slug])),
        url=urljoin(settings.SITE_URL, builder.get_absolute_url()),
    )


def piece_out(piece: PortfolioPiece, builder: Builder) -> PieceOut:
    pictures = [
        PictureOut(
            id=one.pk, url=urljoin(settings.SITE_URL, reverse("builders:picture", args=[builder.slug, one.pk])), width=one.width, height=one.height
        )
        for one in piece.pictures.all()
    ]
    return PieceOut(id=piece.pk, title=piece.title, words=piece.words, link=piece.link, pictures=pictures)
