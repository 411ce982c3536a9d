"""The API of favourites."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from ninja.responses import Status

from port444.accounts.callers import may
from port444.accounts.models import Scope
from port444.builders.models import Builder
from port444.catalog.models import Service
from port444.kit.clock import now
from port444.kit.http import UserRequest
from port444.kit.rest import Out, Paging, answers, page

from . import actions
from .models import Favourite
from .schemas import FavouriteOut, favourite_out

router = Router(tags=["Finding"])


class FavouritesOut(Out):
    items: list[FavouriteOut]
    next: str | None


@router.get("/favourites", response=answers(200, FavouritesOut), auth=may(), summary="What you saved")
def list_favourites(request: UserRequest, paging: Query[Paging]) -> HttpResponse:
    """Services and builders, as they stand now. Nobody else sees them."""
    rows = Favourite.objects.filter(user=request.user).select_related("service__builder__user", "builder__user")
    return page(request, paging, rows, FavouriteOut, partial(favourite_out, moment=now()))


@router.put("/services/{slug}/favourite", response=answers(204, None), auth=may(Scope.ORDERS), summary="Save a service")
def save_service(request: UserRequest, slug: str) -> Status[None]:
    actions.save_service(get_object_or_404(Service.objects.visible_to(request.user), slug=slug).pk, actor=request.user)
    return Status(204, None)


@router.put("/builders/{slug}/favourite", response=answers(204, None), auth=may(Scope.ORDERS), summary="Save a builder")
def save_builder(request: UserRequest, slug: str) -> Status[None]:
    actions.save_builder(get_object_or_404(Builder.objects.visible(), slug=slug).pk, actor=request.user)
    return Status(204, None)


@router.delete("/favourites/{uuid:favourite_id}", response=answers(204, None), auth=may(Scope.ORDERS), summary="Let go what you saved")
def drop_favourite(request: UserRequest, favourite_id: UUID) -> Status[None]:
    actions.drop(get_object_or_404(Favourite, pk=favourite_id, user=request.user).pk, actor=request.user)
    return Status(204, None)
