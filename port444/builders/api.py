"""The API of portfolios, for the builders whose they are."""

from __future__ import annotations

from uuid import UUID

from django.shortcuts import get_object_or_404
from ninja import File, Router
from ninja.files import UploadedFile
from ninja.responses import Status

from port444.accounts.callers import may, once
from port444.accounts.models import Scope
from port444.kit.http import UserRequest
from port444.kit.rest import KEY, also, answers

from . import actions
from .models import Builder, PortfolioPicture, PortfolioPiece
from .schemas import PieceIn, PieceMoveIn, PieceOut, PortfolioOut, piece_out

router = Router(tags=["Portfolio"])


def _builder(request: UserRequest) -> Builder:
    return get_object_or_404(Builder, user=request.user)


def _piece(request: UserRequest, piece_id: UUID) -> PortfolioPiece:
    return get_object_or_404(PortfolioPiece.objects.select_related("builder"), pk=piece_id, builder__user=request.user)


@router.get("/portfolio", response=answers(200, PortfolioOut), auth=may(), summary="Your portfolio")
def list_portfolio(request: UserRequest) -> PortfolioOut:
    """At most twelve pieces, in their order."""
    builder = _builder(request)
    return PortfolioOut(items=[piece_out(one, builder) for one in builder.portfolio.prefetch_related("pictures")])


@router.post("/portfolio", response=answers(201, PieceOut), auth=may(Scope.ORDERS), summary="Show a piece")
def add_portfolio_piece(request: UserRequest, body: PieceIn) -> Status[PieceOut]:
    """Below the others."""
    builder = _builder(request)
    return Status(201, piece_out(actions.add_piece(builder.pk, actor=request.user, title=body.title, words=body.words, link=body.link), builder))


@router.put("/portfolio/{uuid:piece_id}", response=answers(200, PieceOut), auth=may(Scope.ORDERS), summary="Change a piece")
def change_portfolio_piece(request: UserRequest, piece_id: UUID, body: PieceIn) -> PieceOut:
    piece = _piece(request, piece_id)
    return piece_out(actions.change_piece(piece.pk, actor=request.user, title=body.title, words=body.words, link=body.link), piece.builder)


@router.post("/portfolio/{uuid:piece_id}/move", response=answers(200, PieceOut), auth=may(Scope.ORDERS), summary="Move a piece")
def move_portfolio_piece(request: UserRequest, piece_id: UUID, body: PieceMoveIn) -> PieceOut:
    piece = _piece(request, piece_id)
    return piece_out(actions.move_piece(piece.pk, actor=request.user, up=body.up), piece.builder)


@router.delete("/portfolio/{uuid:piece_id}", response=answers(204, None), auth=may(Scope.ORDERS), summary="Take a piece away")
def remove_portfolio_piece(request: UserRequest, piece_id: UUID) -> Status[None]:
    """With its pictures."""
    actions.remove_piece(_piece(request, piece_id).pk, actor=request.user)
    return Status(204, None)


@router.post(
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


@router.delete("/portfolio-pictures/{uuid:picture_id}", response=answers(204, None), auth=may(Scope.ORDERS), summary="Take a picture away")
def remove_portfolio_picture(request: UserRequest, picture_id: UUID) -> Status[None]:
    picture = get_object_or_404(PortfolioPicture, pk=picture_id, piece__builder__user=request.user)
    actions.remove_picture(picture.pk, actor=request.user)
    return Status(204, None)
