"""What the API says about reviews."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from port444.kit.rest import In, Moment, Out, Row, Text
from port444.messaging.models import ReportReason
from port444.orders.models import REPLY_LENGTH, Review
from port444.orders.queries.reviews import Exchange, ReviewPage

Stars = Annotated[int, Field(ge=1, le=5)]


class ReviewIn(In):
    stars: Stars
    as_described: Stars | None = Field(None, description="For clients: was it as described?")
    communication: Stars | None = Field(None, description="For clients: how was the communication?")
    text: Text = Field("", max_length=2000, description="Everybody can read a client's; a builder's is for builders who talk with the client")
    private_note: Text = Field("", max_length=1000, description="Read by the other side alone")


class ReplyIn(In):
    text: Text = Field(min_length=1, max_length=REPLY_LENGTH)


class ReviewReportIn(In):
    reason: ReportReason
    text: Text = Field("", max_length=1000)


class ReviewRow(Row):
    id: UUID
    author: str
    stars: int
    as_described: int | None
    communication: int | None
    text: str
    shown_at: Moment
    reply: str
    replied_at: Moment | None


class ReviewOut(ReviewRow):
    order_id: UUID
    private_note: str
    is_shown: bool
    may_reply: bool = Field(description="For who was reviewed: once, and to change it for 24 hours")


class ReviewsOut(Out):
    """Both reviews of an order, as far as you may read them."""

    yours: ReviewOut | None
    theirs: ReviewOut | None = Field(description="Null until both have written, or the time is over")
    is_open: bool = Field(description="Whether you may write or change yours")
    until: Moment = Field(description="The end of the time to write")


class ReviewsPageOut(Out):
    """All reviews together; `items` is one page of them."""

    count: int
    mean: str | None = Field(examples=["4.8"])
    as_described: str | None
    communication: str | None
    stars: dict[int, int] = Field(description="How many gave how many stars")
    items: list[ReviewRow]
    next: str | None


def review_row(review: Review) -> ReviewRow:
    """Its author must be at hand."""
    return ReviewRow(**_told(review))


def _told(review: Review) -> dict[str, Any]:
    return {name: getattr(review, name) for name in ReviewRow.model_fields if name != "author"} | {"author": review.author.name}


def review_out(review: Review, reader: Any, moment: datetime) -> ReviewOut:
    more: dict[str, Any] = {"order_id": review.order_id, "private_note": review.private_note, "is_shown": review.is_shown(moment)}
    return ReviewOut(**_told(review), **more, may_reply=review.about_id == reader.pk and review.may_reply(moment))


def reviews_out(found: Exchange, reader: Any, moment: datetime) -> ReviewsOut:
    yours, theirs = (review_out(one, reader, moment) if one else None for one in (found.mine, found.theirs))
    return ReviewsOut(yours=yours, theirs=theirs, is_open=found.is_open, until=found.until)


def reviews_page_out(page: ReviewPage, following: str | None) -> ReviewsPageOut:
    return ReviewsPageOut(
        count=page.count,
        mean=_text(page.mean),
        as_described=_text(page.as_described),
        communication=_text(page.communication),
        stars={bar.stars: bar.count for bar in page.bars},
        items=[review_row(one) for one in page.reviews],
        next=following,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
