"""What the API says about favourites."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from port444.kit.rest import Moment, Money, Row

from .models import Favourite
from .queries import stand


class FavouriteOut(Row):
    id: UUID
    service: str | None = Field(description="The slug of a service, or null for a builder")
    builder: str = Field(description="The slug of the builder, or of whose service it is")
    name: str
    state: str = Field(description="open, away, paused, or gone when it cannot be opened any more", examples=["open"])
    price: Money | None = Field(description="From where the service costs now")
    price_then: Money | None = Field(description="From where it cost when it was saved")
    saved_at: Moment


def favourite_out(row: Favourite, moment: datetime) -> FavouriteOut:
    """The service or builder, with the builder's user, must be at hand."""
    saved = stand(row, moment)
    return FavouriteOut(
        id=row.pk,
        service=row.service.slug if row.service else None,
        builder=saved.builder.slug,
        name=row.service.title if row.service else saved.builder.user.name,
        state=saved.state,
        price=row.service.from_price if row.service else None,
        price_then=row.price,
        saved_at=row.created_at,
    )
