"""The API of finding: what everybody sees, signed in or not."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema
from ninja.responses import Status
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from port444.accounts.callers import may
from port444.accounts.models import Scope
from port444.builders.models import Builder, Level
from port444.catalog import actions
from port444.catalog.forms import MOST_DAYS, SearchForm
from port444.catalog.models import Category, Package, SavedSearch, Service, ServiceStatus
from port444.catalog.queries import Sort, asked, find_services, market_of, read_cursor, saved_by, services_in, suggest
from port444.catalog.schemas import (
    BuilderOut,
    CategoriesOut,
    CategoryDetailOut,
    SavedSearchesOut,
    SavedSearchOut,
    SearchChangeIn,
    SearchIn,
    SearchWordsOut,
    ServiceOut,
    ServiceRow,
    ServicesOut,
    builder_out,
    category_detail_out,
    category_out,
    saved_search_out,
    service_out,
    service_row,
)
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.kit.http import UserRequest
from port444.kit.rest import Amount, Text, answers, chosen

router = Router(tags=["Finding"])
REVIEWS = 10
SERVICES = 50


class Finding(Schema):
    q: Text = Field("", max_length=120, description="Words; quotes and a minus mean what they mean on the page")
    category: Text = Field("", max_length=60, description="The slug of a category")
    lowest: Amount | SkipJsonSchema[None] = None
    highest: Amount | SkipJsonSchema[None] = None
    days: int | SkipJsonSchema[None] = Field(None, ge=1, le=MOST_DAYS, description="Delivered within")
    level: Level | SkipJsonSchema[None] = None
    rating: Literal["4.0", "4.5", "4.8"] | SkipJsonSchema[None] = Field(None, description="Stars, at least")
    calls: bool = Field(False, description="Of builders who take calls")
    free: bool = Field(False, description="Of builders who are not away within the next seven days")
    language: Text = Field("", max_length=30, description="That the builder speaks", examples=["English"])
    sort: Sort = Sort.BEST
    literal: bool = Field(False, description="Take the words as they stand, even if nothing has them")
    after: Text | SkipJsonSchema[None] = Field(None, max_length=200, description="From `next` of the page before")
    fields: str | SkipJsonSchema[None] = Field(None, description="Names of fields, with commas between; the id always comes", max_length=600)


@router.get("/categories", response=answers(200, CategoriesOut), auth=None, summary="Categories")
def list_categories(request: HttpRequest) -> CategoriesOut:
    return CategoriesOut(items=[category_out(row) for row in Category.objects.all()])


@router.get("/categories/{slug}", response=answers(200, CategoryDetailOut), auth=None, summary="A category")
def get_category(request: HttpRequest, slug: str) -> CategoryDetailOut:
    """What it is for, its parts, what packages in it cost, and the best of its services."""
    row = get_object_or_404(Category.objects.select_related("parent"), slug=slug)
    return category_detail_out(row, list(row.children.all()), market_of(row), services_in(row))


@router.get("/services/suggestions", response=answers(200, SearchWordsOut), auth=None, summary="Complete the words of a search")
def suggest_words(request: HttpRequest, q: Annotated[Text, Field(max_length=120)] = "") -> SearchWordsOut:
    """Up to eight: the last word completed, categories, and builders by name."""
    return SearchWordsOut(items=suggest(q))


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
    return JsonResponse({"items": items, "next": following, "count": found.count, "is_near": found.near, "corrected": found.corrected or None})


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
    return builder_out(builder, services.defer("description", "questions").order_by("-order_count", "-pk")[:SERVICES], reviews, moment)


# Saved searches


def _own_search(request: UserRequest, search_id: UUID) -> SavedSearch:
    return get_object_or_404(SavedSearch, pk=search_id, user=request.user)


@router.get("/saved-searches", response=answers(200, SavedSearchesOut), auth=may(), summary="Your saved searches")
def list_saved_searches(request: UserRequest) -> SavedSearchesOut:
    """At most twenty, newest first."""
    return SavedSearchesOut(items=[saved_search_out(one.row, one.news) for one in saved_by(request.user)])


@router.post("/saved-searches", response=answers(201, SavedSearchOut), auth=may(Scope.ORDERS), summary="Save a search")
def save_search(request: UserRequest, body: SearchIn) -> Status[SavedSearchOut]:
    """What is new comes in one mail for all searches, at most once a day or a week."""
    form = SearchForm(QueryDict(body.query), list(Category.objects.all()))
    wanted = form.search()
    if form.errors:
        name, faults = next(iter(form.errors.items()))
        raise Invalid(f"{name}: {faults[0]}", code="invalid")
    row = actions.save_search(asked(wanted), actor=request.user, name=body.name, frequency=body.frequency)
    return Status(201, saved_search_out(row))


@router.put("/saved-searches/{uuid:search_id}", response=answers(200, SavedSearchOut), auth=may(Scope.ORDERS), summary="Change a saved search")
def change_saved_search(request: UserRequest, search_id: UUID, body: SearchChangeIn) -> SavedSearchOut:
    """Its name, and how often mail may come."""
    row = actions.change_search(_own_search(request, search_id).pk, actor=request.user, name=body.name, frequency=body.frequency)
    return saved_search_out(row)


@router.post("/saved-searches/{uuid:search_id}/look", response=answers(200, SavedSearchOut), auth=may(Scope.ORDERS), summary="Note that you looked")
def look_at_saved_search(request: UserRequest, search_id: UUID) -> SavedSearchOut:
    """What is there now is not new any more."""
    row = _own_search(request, search_id)
    actions.look_at_search(row.pk, actor=request.user)
    row.refresh_from_db()
    return saved_search_out(row, 0)


@router.delete("/saved-searches/{uuid:search_id}", response=answers(204, None), auth=may(Scope.ORDERS), summary="Remove a saved search")
def remove_saved_search(request: UserRequest, search_id: UUID) -> Status[None]:
    actions.remove_search(_own_search(request, search_id).pk, actor=request.user)
    return Status(204, None)
