"""The API of a builder's own services."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router
from ninja.responses import Status
from pydantic import Field

from port444.accounts.callers import may
from port444.accounts.models import Scope
from port444.builders.models import Builder
from port444.catalog import actions
from port444.catalog.models import Category, Service, Tier
from port444.catalog.queries import check_prices, price_hints
from port444.catalog.schemas import OwnServiceIn, OwnServiceOut, OwnServicesOut, PriceHintsOut, own_service_out, own_service_row, price_hint_out
from port444.kit.errors import Invalid
from port444.kit.http import UserRequest
from port444.kit.rest import IF_MATCH, Amount, Text, also, answers, tagged, unless_changed

router = Router(tags=["Selling"])
Typed = Annotated[Amount | None, Field(description="The price of this size, if there is one", gt=0)]


def _builder(request: UserRequest) -> Builder:
    return get_object_or_404(Builder.objects.select_related("user"), user=request.user)


def _own(request: UserRequest, service_id: UUID) -> Service:
    rows = Service.objects.owned_by(request.user).select_related("category", "builder__user").prefetch_related("packages")
    return get_object_or_404(rows, pk=service_id)


def _told(request: UserRequest, response: HttpResponse, service_id: UUID) -> OwnServiceOut:
    row = _own(request, service_id)
    tagged(response, row)
    return own_service_out(row, actions.missing(row))


@router.get("/own-services", response=answers(200, OwnServicesOut), auth=may(), summary="Your services")
def list_own_services(request: UserRequest) -> OwnServicesOut:
    """Drafts and paused ones too, at most fifty, newest first."""
    builder = _builder(request)
    rows = builder.services.defer("description", "questions").order_by("-created_at", "-pk")[: actions.MOST_SERVICES]
    return OwnServicesOut(items=[own_service_row(row) for row in rows])


@router.post("/own-services", response=answers(201, OwnServiceOut), auth=may(Scope.ORDERS), summary="Write a service")
def create_service(request: UserRequest, response: HttpResponse, body: OwnServiceIn) -> Status[OwnServiceOut]:
    """A draft, which may lack anything but its title and category; `missing` says what."""
    builder = _builder(request)
    row = actions.create_service(builder.pk, actor=request.user, packages=body.offers(), **body.words(_category(body.category).pk))
    return Status(201, _told(request, response, row.pk))


@router.get("/own-services/{uuid:service_id}", response=answers(200, OwnServiceOut), auth=may(), summary="One of your services")
def get_own_service(request: UserRequest, response: HttpResponse, service_id: UUID) -> OwnServiceOut:
    """With the packages that are off, and what it lacks for being published."""
    return _told(request, response, service_id)


@router.put(
    "/own-services/{uuid:service_id}",
    response=answers(200, OwnServiceOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Change a service",
)
def change_service(request: UserRequest, response: HttpResponse, service_id: UUID, body: OwnServiceIn) -> OwnServiceOut:
    """The whole of it: what is left out is empty, and a size that is left out is taken off. Orders that run keep what they were sold."""
    row = _own(request, service_id)
    with unless_changed(request, row):
        actions.change_service(row.pk, actor=request.user, packages=body.offers(), **body.words(_category(body.category).pk))
    return _told(request, response, service_id)


@router.post(
    "/own-services/{uuid:service_id}/publish",
    response=answers(200, OwnServiceOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Publish a service",
)
def publish_service(request: UserRequest, response: HttpResponse, service_id: UUID) -> OwnServiceOut:
    """A draft or a paused one. 422 with what it lacks."""
    row = _own(request, service_id)
    with unless_changed(request, row):
        actions.publish_service(row.pk, actor=request.user)
    return _told(request, response, service_id)


@router.post(
    "/own-services/{uuid:service_id}/pause",
    response=answers(200, OwnServiceOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Pause a service",
)
def pause_service(request: UserRequest, response: HttpResponse, service_id: UUID) -> OwnServiceOut:
    """It leaves search; orders that run are not touched."""
    row = _own(request, service_id)
    with unless_changed(request, row):
        actions.pause_service(row.pk, actor=request.user)
    return _told(request, response, service_id)


@router.get("/price-hints", response=answers(200, PriceHintsOut), auth=may(), summary="How prices compare")
def get_price_hints(
    request: UserRequest,
    category: Annotated[Text, Field(max_length=60, description="Its slug")],
    basic: Typed = None,
    standard: Typed = None,
    premium: Typed = None,
) -> PriceHintsOut:
    """With what clients paid in the category for the same size from builders of your level, your own sales left out."""
    builder = _builder(request)
    typed = {Tier.BASIC: basic, Tier.STANDARD: standard, Tier.PREMIUM: premium}
    asked = {tier: price for tier, price in typed.items() if price is not None}
    checks = check_prices(asked, set(asked), {})
    return PriceHintsOut(items=[price_hint_out(hint) for hint in price_hints(builder, _category(category), asked, checks)])


def _category(slug: str) -> Category:
    found = Category.objects.filter(slug=slug).first()
    if found is None:
        raise Invalid("There is no such category.", code="category")
    return found
