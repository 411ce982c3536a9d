"""What the API says about custom offers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from pydantic import Field

from port444.accounts.schemas import PersonOut, person_out
from port444.kit.rest import Amount, In, Moment, Money, Out, Row, Text, same
from port444.orders.models import Offer, OfferStatus, Suggestion, SuggestionStatus
from port444.orders.terms import (
    HOURS,
    LONGEST_DELIVERABLE,
    LONGEST_SCOPE,
    LONGEST_TITLE,
    MOST_DAYS,
    MOST_DELIVERABLES,
    MOST_REVISIONS,
)


class OfferRow(Row):
    id: UUID
    conversation_id: UUID
    client: PersonOut
    builder: PersonOut
    by_client: bool = Field(description="The client's terms: the builder can take them up in an offer of their own")
    service_id: UUID
    package_id: UUID | None
    title: str
    scope: str
    deliverables: list[str]
    price: Money
    client_fee: Money
    total: Money = Field(description="What the client would pay, before credits")
    list_price: Money | None = Field(description="Of the package, where the offer is below it")
    delivery_days: int
    revisions: int
    asks_questions: bool
    status: OfferStatus
    expires_at: Moment
    answers_id: UUID | None = Field(description="The one that it counters or replaces")
    order_id: UUID | None
    reason: str
    created_at: Moment
    settled_at: Moment | None


class OfferOut(OfferRow):
    you_are: str = Field(examples=["client", "builder"])
    your_turn: bool = Field(description="You can accept, decline, counter or take it up")
    time_zone: str = Field(description="The zone of who asks")


class OffersOut(Out):
    items: list[OfferRow]
    next: str | None


class SuggestionRow(Row):
    id: UUID
    conversation_id: UUID
    package_id: UUID
    price: Money
    list_price: Money = Field(description="Of the package")
    messages: int = Field(description="How many there were in a week")
    status: SuggestionStatus
    created_at: Moment
    settled_at: Moment | None


class SuggestionsOut(Out):
    items: list[SuggestionRow]
    next: str | None


class OfferIn(In):
    """From a package of yours, or free of any and then for a service of yours."""

    service_id: UUID | None = Field(None, description="Needed without a package")
    package_id: UUID | None = None
    title: Text = Field(min_length=1, max_length=LONGEST_TITLE)
    scope: Text = Field(min_length=1, max_length=LONGEST_SCOPE, description="What you do for that price")
    deliverables: list[Annotated[Text, Field(min_length=1, max_length=LONGEST_DELIVERABLE)]] = Field(
        default_factory=list, max_length=MOST_DELIVERABLES
    )
    price: Amount
    delivery_days: int = Field(ge=1, le=MOST_DAYS)
    revisions: int = Field(1, ge=0, le=MOST_REVISIONS)
    asks_questions: bool = Field(False, description="Ask the questions of the service after the payment")
    hours: int = Field(settings.OFFER_HOURS, ge=min(HOURS), le=max(HOURS), description="How long it stands")
    answers_id: UUID | None = Field(None, description="The open offer in whose place it comes: your own, or what the client proposed")


class CounterIn(In):
    price: Amount
    delivery_days: int = Field(ge=1, le=MOST_DAYS)
    revisions: int = Field(ge=0, le=MOST_REVISIONS)
    scope: Text = Field(min_length=1, max_length=LONGEST_SCOPE, description="What is done for it")


class DeclineIn(In):
    reason: Text = Field("", max_length=300, description="The other side reads it")


def _facts(offer: Offer, moment: datetime) -> dict[str, Any]:
    own = ("client", "builder", "total", "status")
    told = {name: getattr(offer, name) for name in OfferRow.model_fields if name not in own}
    expired = offer.status == OfferStatus.OPEN and not offer.is_open_at(moment)
    return told | {
        "client": person_out(offer.client),
        "builder": person_out(offer.builder.user),
        "total": offer.price + offer.client_fee,
        "status": OfferStatus.EXPIRED if expired else offer.status,
    }


def offer_row(offer: Offer, moment: datetime) -> OfferRow:
    """As it is at `moment`: past its end it is expired, whether or not anybody has written so down."""
    return OfferRow(**_facts(offer, moment))


def offer_out(offer: Offer, reader: Any, moment: datetime) -> OfferOut:
    return OfferOut(
        **_facts(offer, moment),
        you_are="client" if reader.pk == offer.client_id else "builder",
        your_turn=offer.is_open_at(moment) and reader.pk == offer.reader.pk,
        time_zone=reader.time_zone,
    )


def suggestion_row(hint: Suggestion) -> SuggestionRow:
    return SuggestionRow(**same(hint, SuggestionRow))
