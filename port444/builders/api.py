"""The API of profiles and portfolios, for the builders whose they are."""

from __future__ import annotations

from uuid import UUID

from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404
from ninja import File, Router
from ninja.files import UploadedFile
from ninja.responses import Status

from port444.accounts.callers import may, once
from port444.accounts.models import Scope
from port444.kit.errors import Invalid
from port444.kit.http import UserRequest
from port444.kit.rest import KEY, also, answers

from . import actions
from .forms import known_languages
from .models import Builder, PortfolioPicture, PortfolioPiece
from .schemas import PieceIn, PieceMoveIn, PieceOut, PortfolioOut, ProfileIn, ProfileOut, piece_out, profile_out

profile = Router(tags=["Profile"])
portfolio = Router(tags=["Portfolio"])


def _builder(request: UserRequest) -> Builder:
    return get_object_or_404(Builder, user=request.user)


def _piece(request: UserRequest, piece_id: UUID) -> PortfolioPiece:
    return get_object_or_404(PortfolioPiece.objects.select_related("builder"), pk=piece_id, builder__user=request.user)


# Profile


@profile.get("/profile", response=answers(200, ProfileOut), auth=may(), summary="Your profile")
def get_profile(request: UserRequest) -> ProfileOut:
    """What you say about yourself, and what only clients with a confirmed call see."""
    return profile_out(_builder(request))


@profile.put("/profile", response=answers(200, ProfileOut), auth=may(Scope.ORDERS), summary="Open or change your profile")
def set_profile(request: UserRequest, body: ProfileIn) -> ProfileOut:
    """The whole of it: what is left out is empty. Who has said to offer work opens their profile with it."""
    try:
        languages = known_languages(body.languages)
    except ValidationError as error:
        raise Invalid(error.messages[0], code="language") from None
    said = {**body.model_dump(), "languages": languages}
    builder = Builder.objects.filter(user=request.user).first()
    if builder is None:
        return profile_out(actions.create_builder(request.user, actor=request.user, **said))
    return profile_out(actions.change_builder(builder.pk, actor=request.user, **said))


@profile.post("/profile/photo", response=answers(200, ProfileOut), auth=may(Scope.ORDERS), openapi_extra=also(KEY), summary="Put up a photo")
@once
def put_photo(request: UserRequest, photo: File[UploadedFile]) -> Status[ProfileOut]:
    """PNG, JPEG or WebP, up to 8 MB; it is cut to a square."""
    return Status(200, profile_out(actions.change_photo(_builder(request).pk, actor=request.user, upload=photo)))


@profile.delete("/profile/photo", response=answers(204, None), auth=may(Scope.ORDERS), summary="Take the photo away")
def remove_photo(request: UserRequest) -> Status[None]:
    """The drawn portrait comes back."""
    actions.remove_photo(_builder(request).pk, actor=request.user)
    return Status(204, None)


# Portfolio


@portfolio.get("/portfolio", response=answers(200, PortfolioOut), auth=may(), summary="Your portfolio")
def list_portfolio(request: UserRequest) -> PortfolioOut:
    """At most twelve pieces, in their order."""
    builder = _builder(request)
    return PortfolioOut(items=[piece_out(one, builder) for one in builder.portfolio.prefetch_related("pictures")])


@portfolio.post("/portfolio", response=answers(201, PieceOut), auth=may(Scope.ORDERS), summary="Show a piece")
def add_portfolio_piece(request: UserRequest, body: PieceIn) -> Status[PieceOut]:
    """Below the others."""
    builder = _builder(request)
    return Status(201, piece_out(actions.add_piece(builder.pk, actor=request.user, title=body.title, words=body.words, link=body.link), builder))


@portfolio.put("/portfolio/{uuid:piece_id}", response=answers(200, PieceOut), auth=may(Scope.ORDERS), summary="Change a piece")
def change_portfolio_piece(request: UserRequest, piece_id: UUID, body: PieceIn) -> PieceOut:
    piece = _piece(request, piece_id)
    return piece_out(actions.change_piece(piece.pk, actor=request.user, title=body.title, words=body.words, link=body.link), piece.builder)


@portfolio.post("/portfolio/{uuid:piece_id}/move", response=answers(200, PieceOut), auth=may(Scope.ORDERS), summary="Move a piece")
def move_portfolio_piece(request: UserRequest, piece_id: UUID, body: PieceMoveIn) -> PieceOut:
    piece = _piece(request, piece_id)
    return piece_out(actions.move_piece(piece.pk, actor=request.user, up=body.up), piece.builder)


@portfolio.delete("/portfolio/{uuid:piece_id}", response=answers(204, None), auth=may(Scope.ORDERS), summary="Take a piece away")
def remove_portfolio_piece(request: UserRequest, piece_id: UUID) -> Status[None]:
    """With its pictures."""
    actions.remove_piece(_piece(request, piece_id).pk, actor=request.user)
    return Status(204, None)


@portfolio.post(
    "/portfolio/{uuid:piece_id}/pictures",
    response=answers(201, PieceOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY),
    summary="Put up a picture",
)
@once
def add_portfolio_picture(request: UserRequest, piece_id: UUID, picture: File[UploadedFile]) -> Status[PieceOut]:
    """PNG, JPEG or WebP, up to 8 MB; it is drawn anew, at most 1,600 px on either side. Four for a piece."""
    piece = _piece(request, piece_id)
    actions.add_picture(piece.pk, actor=request.user, upload=picture)
    return Status(201, piece_out(piece, piece.builder))


@portfolio.delete("/portfolio-pictures/{uuid:picture_id}", response=answers(204, None), auth=may(Scope.ORDERS), summary="Take a picture away")
def remove_portfolio_picture(request: UserRequest, picture_id: UUID) -> Status[None]:
    picture = get_object_or_404(PortfolioPicture, pk=picture_id, piece__builder__user=request.user)
    actions.remove_picture(picture.pk, actor=request.user)
    return Status(204, None)
