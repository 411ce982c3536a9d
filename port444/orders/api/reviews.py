"""The API of reviews: of an order by its two sides, and those of a service, a builder or a client."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema
from ninja.responses import Status
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from port444.accounts.callers import may
from port444.accounts.models import Scope
from port444.builders.models import Builder
from port444.catalog.models import Service
from port444.kit.clock import now
from port444.kit.http import UserRequest
from port444.kit.rest import answers
from port444.messaging.models import Conversation
from port444.orders import actions
from port444.orders.api.orders import order_of
from port444.orders.models import Review, ReviewQuerySet
from port444.orders.queries.reviews import PAGE, exchange, review_page
from port444.orders.schemas import ReplyIn, ReviewIn, ReviewOut, ReviewReportIn, ReviewsOut, ReviewsPageOut, review_out, reviews_out, reviews_page_out

router = Router(tags=["Reviews"])


class ReviewPaging(Schema):
    stars: int | SkipJsonSchema[None] = Field(None, ge=1, le=5, description="Those with so many stars alone")
    after: UUID | SkipJsonSchema[None] = Field(None, description="The id of the last review of the page before")
    limit: int = Field(PAGE, ge=1, le=100)


def _review(request: UserRequest, review_id: UUID) -> Review:
    return get_object_or_404(Review.objects.readable_by(request.user, now()).select_related("author"), pk=review_id)


@router.get("/orders/{uuid:order_id}/reviews", response=answers(200, ReviewsOut), auth=may(), summary="The reviews of an order")
def list_order_reviews(request: UserRequest, order_id: UUID) -> ReviewsOut:
    """Yours, and the other side's once both have written or seven days have passed since the end. 404 before the order is complete."""
    moment = now()
    found = exchange(order_of(request, order_id), request.user, moment)
    if found is None:
        raise Http404
    return reviews_out(found, request.user, moment)


@router.post("/orders/{uuid:order_id}/review", response=answers(201, ReviewOut), auth=may(Scope.ORDERS), summary="Review an order")
def review_order(request: UserRequest, order_id: UUID, body: ReviewIn) -> Status[ReviewOut]:
    """For both sides of a completed order, once, within seven days after its end."""
    made = actions.leave_review(order_of(request, order_id).pk, actor=request.user, **body.model_dump())
    return Status(201, review_out(made, request.user, now()))


@router.put("/orders/{uuid:order_id}/review", response=answers(200, ReviewOut), auth=may(Scope.ORDERS), summary="Change your review of an order")
def change_review(request: UserRequest, order_id: UUID, body: ReviewIn) -> ReviewOut:
    """As long as it is not shown. What is left out is taken back."""
    changed = actions.change_review(order_of(request, order_id).pk, actor=request.user, **body.model_dump())
    return review_out(changed, request.user, now())


@router.post("/reviews/{uuid:review_id}/reply", response=answers(200, ReviewOut), auth=may(Scope.ORDERS), summary="Reply to a review of you")
def reply_to_review(request: UserRequest, review_id: UUID, body: ReplyIn) -> ReviewOut:
    """One reply, read by whoever reads the review. The same call changes it, for 24 hours."""
    replied = actions.reply_to_review(_review(request, review_id).pk, actor=request.user, text=body.text)
    return review_out(replied, request.user, now())


@router.post("/reviews/{uuid:review_id}/report", response=answers(204, None), auth=may(Scope.ORDERS), summary="Report a review to support")
def report_review(request: UserRequest, review_id: UUID, body: ReviewReportIn) -> Status[None]:
    """Once; its author is not told."""
    actions.report_review(_review(request, review_id).pk, actor=request.user, reason=body.reason, text=body.text)
    return Status(204, None)


@router.get("/services/{slug}/reviews", response=answers(200, ReviewsPageOut), auth=None, summary="Reviews of a service")
def list_service_reviews(request: HttpRequest, slug: str, paging: Query[ReviewPaging]) -> ReviewsPageOut:
    service = get_object_or_404(Service.objects.visible_to(request.user), slug=slug)
    return _page(request, Review.objects.public(now()).filter(service=service), paging)


@router.get("/builders/{slug}/reviews", response=answers(200, ReviewsPageOut), auth=None, summary="Reviews of a builder")
def list_builder_reviews(request: HttpRequest, slug: str, paging: Query[ReviewPaging]) -> ReviewsPageOut:
    builder = get_object_or_404(Builder.objects.visible(), slug=slug)
    return _page(request, Review.objects.public(now()).filter(builder=builder), paging)


@router.get(
    "/conversations/{uuid:conversation_id}/client-reviews",
    response=answers(200, ReviewsPageOut),
    auth=may(),
    summary="What builders say about a client",
)
def list_client_reviews(request: UserRequest, conversation_id: UUID, paging: Query[ReviewPaging]) -> ReviewsPageOut:
    """For the builder of the conversation."""
    talk = get_object_or_404(Conversation.objects.filter(builder=request.user), pk=conversation_id)
    return _page(request, Review.objects.of_client(talk.client_id, now()), paging)


def _page(request: HttpRequest, rows: ReviewQuerySet, paging: ReviewPaging) -> ReviewsPageOut:
    found = review_page(rows, stars=paging.stars, after=paging.after, limit=paging.limit)
    asked = request.GET.copy()
    asked["after"] = found.after
    return reviews_page_out(found, f"{request.path}?{asked.urlencode()}" if found.after else None)
