"""The API of finding: what everybody sees, signed in or not."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.kit.rest import Amount, Text, answers, chosen

from .forms import MOST_DAYS, SearchForm
from .models import Category, Package, Service, ServiceStatus
from .queries import Sort, find_services, read_cursor
from .schemas import BuilderOut, CategoriesOut, ServiceOut, ServiceRow, ServicesOut, builder_out, category_out, service_out, service_row

router = Router(tags=["Finding"])
REVIEWS = 10
SERVICES = 50


class Finding(Schema):
    q: Text = Field("", max_length=120, description="Words; quotes and a minus mean what they mean on the page")
    category: Text = Field("", max_length=60, description="The slug of a category")
    lowest: Amount | SkipJsonSchema[None] = None
    highest: Amount | SkipJsonSchema[None] = None
    days: int | SkipJsonSchema[None] = Field(None, ge=1, le=MOST_DAYS, description="Delivered within")
    calls: bool = Field(False, description="Of builders who take calls")
    language: Text = Field("", max_length=30, description="That the builder speaks", examples=["English"])
    sort: Sort = Sort.BEST
    after: Text | SkipJsonSchema[None] = Field(None, max_length=200, description="From `next` of the page before")
    fields: str | SkipJsonSchema[None] = Field(None, description="Names of fields, with commas between; the id always comes", max_length=600)


@router.get("/categories", response=answers(200, CategoriesOut), auth=None, summary="Categories")
def list_categories(request: HttpRequest) -> CategoriesOut:
    return CategoriesOut(items=[category_out(row) for row in Category.objects.all()])


@router.get("/services", response=answers(200, ServicesOut), auth=None, summary="Find services")
def find(request: HttpRequest, asked: Query[Finding]) -> HttpResponse:
    """The search of the front page, 20 at a time. What search leaves out, because its builder is away, a link still opens."""
    form = SearchForm(request.GET, list(Category.objects.all()))
    wanted = form.search()
    if form.errors:  # a page passes over what makes no sense; a program is told
        name, faults = next(iter(form.errors.items()))
        raise Invalid(f"{name}: {faults[0]}", code="invalid")
    cursor = read_cursor(asked.after, wanted.sort) if asked.after else None
    if asked.after and cursor is None:
        raise Invalid("`after` is not from a page of these.", code="bad_cursor")
    found = find_services(wanted, cursor)
    following = None
    if found.after:
        again = request.GET.copy()
        again["after"] = found.after
        following = f"{request.path}?{again.urlencode()}"
    items = chosen(map(service_row, found.services), ServiceRow, asked.fields)
    return JsonResponse({"items": items, "next": following, "count": found.count, "is_near": found.near})


@router.get("/services/{slug}", response=answers(200, ServiceOut), auth=None, summary="A service")
def get_service(request: HttpRequest, slug: str) -> ServiceOut:
    """What it is, what it costs, and what clients said. The ids of its packages are what an order names."""
    row = get_object_or_404(Service.objects.visible_to(request.user).select_related("builder__user", "category"), slug=slug)
    packages = Package.objects.filter(service=row, is_offered=True).order_by("price", "pk")
    moment = now()
    reviews: Any = row.reviews.public(moment).select_related("author").newest_first()[:REVIEWS] if row.rating_count else []
    return service_out(row, packages, reviews, moment)


@router.get("/builders/{slug}", response=answers(200, BuilderOut), auth=None, summary="A builder")
def get_builder(request: HttpRequest, slug: str) -> BuilderOut:
    builder = get_object_or_404(Builder.objects.visible().select_related("user"), slug=slug)
    services = Service.objects.filter(builder=builder, status=ServiceStatus.PUBLISHED).select_related("builder__user")
    moment = now()
    reviews: Any = builder.reviews.public(moment).select_related("author").newest_first()[:REVIEWS] if builder.rating_count else []
    return builder_out(builder, services.defer("description", "questions", "search").order_by("-order_count", "-pk")[:SERVICES], reviews, moment)
