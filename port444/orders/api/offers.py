"""The API of custom offers."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from ninja.responses import Status
from pydantic.json_schema import SkipJsonSchema

from port444.accounts.callers import client_key, may, once
from port444.accounts.models import Scope
from port444.catalog.models import Package
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.kit.http import UserRequest
from port444.kit.rest import IF_MATCH, KEY, Paging, also, answers, page, tagged, unless_changed
from port444.messaging.models import Conversation
from port444.orders import actions, queries
from port444.orders.models import Offer, OfferStatus, Order, Suggestion, SuggestionStatus
from port444.orders.schemas import (
    CounterIn,
    DeclineIn,
    OfferIn,
    OfferOut,
    OfferRow,
    OffersOut,
    OrderOut,
    SuggestionRow,
    SuggestionsOut,
    offer_out,
    offer_row,
    order_out,
    suggestion_row,
)
from port444.orders.terms import OfferTerms, terms_of

router = Router(tags=["Offers"])


class OfferPaging(Paging):
    status: OfferStatus | None = None
    conversation_id: UUID | None = None


def _offer(request: UserRequest, offer_id: UUID) -> Offer:
    return get_object_or_404(queries.offers.offers_of(request.user), pk=offer_id)


def _out(request: UserRequest, offer_id: UUID) -> OfferOut:
    return offer_out(_offer(request, offer_id), request.user, now())


@router.get("/offers", response=answers(200, OffersOut), auth=may(), summary="Your offers")
def list_offers(request: UserRequest, paging: Query[OfferPaging]) -> HttpResponse:
    """Those that you made and those that you got."""
    rows, moment = queries.offers.offers_of(request.user), now()
    if paging.status == OfferStatus.OPEN:
        rows = rows.filter(status=OfferStatus.OPEN, expires_at__gt=moment)
    elif paging.status == OfferStatus.EXPIRED:
        rows = rows.filter(status=OfferStatus.EXPIRED) | rows.filter(status=OfferStatus.OPEN, expires_at__lte=moment)
    elif paging.status:
        rows = rows.filter(status=paging.status)
    if paging.conversation_id:
        rows = rows.filter(conversation=paging.conversation_id)
    return page(request, paging, rows, OfferRow, lambda row: offer_row(row, moment))


@router.get("/offers/{uuid:offer_id}", response=answers(200, OfferOut), auth=may(), summary="An offer")
def get_offer(request: UserRequest, response: HttpResponse, offer_id: UUID) -> OfferOut:
    tagged(response, _offer(request, offer_id))
    return _out(request, offer_id)


def _terms(request: UserRequest, body: OfferIn) -> OfferTerms:
    service = body.service_id
    if body.package_id is not None:
        own = Package.objects.filter(pk=body.package_id, service__builder__user=request.user)
        found = own.values_list("service_id", flat=True).first()
        if found is None or service not in (None, found):
            raise Invalid("Choose one of your packages.", code="package")
        service = found
    if service is None:
        raise Invalid("Choose one of your services.", code="service")
    return OfferTerms(
        service=service,
        title=body.title,
        scope=body.scope,
        price=body.price,
        days=body.delivery_days,
        revisions=body.revisions,
        deliverables=tuple(body.deliverables),
        package=body.package_id,
        asks_questions=body.asks_questions,
        hours=body.hours,
    )


@router.post(
    "/conversations/{uuid:conversation_id}/offers",
    response=answers(201, OfferOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY),
    summary="Make an offer",
)
@once
def make_offer(request: UserRequest, conversation_id: UUID, body: OfferIn) -> Status[OfferOut]:
    """For the builder of the conversation. One offer is open at a time; `answers_id` names the one in whose place it comes."""
    conversation = get_object_or_404(Conversation.objects.visible_to(request.user), pk=conversation_id)
    terms = _terms(request, body) if request.user.pk == conversation.builder_id else _nobodys(body)
    made = actions.send_offer(conversation.pk, actor=request.user, terms=terms, client_key=client_key(request), answers=body.answers_id)
    return Status(201, _out(request, made.pk))


def _nobodys(body: OfferIn) -> OfferTerms:
    """Terms for who may not offer anything here: the action says so."""
    return OfferTerms(service=body.service_id or UUID(int=0), title=body.title, scope=body.scope, price=body.price, days=body.delivery_days)


@router.post(
    "/offers/{uuid:offer_id}/counter",
    response=answers(201, OfferOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Counter an offer",
)
@once
def counter_offer(request: UserRequest, offer_id: UUID, body: CounterIn) -> Status[OfferOut]:
    """For the client: other terms for the same thing. They become an order when the builder sends them as an offer."""
    offer = _offer(request, offer_id)
    terms = replace(terms_of(offer), price=body.price, days=body.delivery_days, revisions=body.revisions, scope=body.scope)
    with unless_changed(request, offer):
        made = actions.counter_offer(offer.pk, actor=request.user, terms=terms, client_key=client_key(request))
    return Status(201, _out(request, made.pk))


@router.post(
    "/offers/{uuid:offer_id}/send",
    response=answers(201, OfferOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Offer what the client proposed",
)
@once
def send_counter(request: UserRequest, offer_id: UUID) -> Status[OfferOut]:
    """For the builder: the client's terms become an offer that can be accepted."""
    counter = _offer(request, offer_id)
    if not counter.by_client:
        raise Invalid("These are your own terms already.", code="own_terms")
    terms = replace(terms_of(counter), hours=settings.OFFER_HOURS)
    with unless_changed(request, counter):
        made = actions.send_offer(counter.conversation_id, actor=request.user, terms=terms, client_key=client_key(request), answers=counter.pk)
    return Status(201, _out(request, made.pk))


@router.post(
    "/offers/{uuid:offer_id}/accept",
    response=answers(201, OrderOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Accept an offer",
)
@once
def accept_offer(request: UserRequest, offer_id: UUID) -> Status[OrderOut]:
    """For the client: an order with its terms, and an invoice that waits to be paid until `pay_until`."""
    offer = _offer(request, offer_id)
    with unless_changed(request, offer):
        order = actions.accept_offer(offer.pk, actor=request.user, client_key=client_key(request))
    return Status(201, order_out(Order.objects.with_people().get(pk=order.pk), request.user))


@router.post(
    "/offers/{uuid:offer_id}/decline",
    response=answers(200, OfferOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Decline an offer",
)
def decline_offer(request: UserRequest, offer_id: UUID, body: DeclineIn) -> OfferOut:
    """For the side that got it."""
    offer = _offer(request, offer_id)
    with unless_changed(request, offer):
        actions.decline_offer(offer.pk, actor=request.user, reason=body.reason)
    return _out(request, offer_id)


@router.post(
    "/offers/{uuid:offer_id}/withdraw",
    response=answers(200, OfferOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Withdraw an offer",
)
def withdraw_offer(request: UserRequest, offer_id: UUID) -> OfferOut:
    """For the side that made it, while it is open."""
    offer = _offer(request, offer_id)
    with unless_changed(request, offer):
        actions.withdraw_offer(offer.pk, actor=request.user)
    return _out(request, offer_id)


# Hints to make one


class SuggestionPaging(Paging):
    status: SuggestionStatus | SkipJsonSchema[None] = None


@router.get("/suggestions", response=answers(200, SuggestionsOut), auth=may(), summary="Offers that you might make")
def list_suggestions(request: UserRequest, paging: Query[SuggestionPaging]) -> HttpResponse:
    """For builders: conversations that are long without an order."""
    rows = Suggestion.objects.visible_to(request.user)
    return page(request, paging, rows.filter(status=paging.status) if paging.status else rows, SuggestionRow, suggestion_row)


def _hint(request: UserRequest, suggestion_id: UUID) -> Suggestion:
    return get_object_or_404(Suggestion.objects.visible_to(request.user), pk=suggestion_id)


@router.post("/suggestions/{uuid:suggestion_id}/send", response=answers(201, OfferOut), auth=may(Scope.ORDERS), summary="Make the offer of a hint")
def send_suggestion(request: UserRequest, suggestion_id: UUID) -> Status[OfferOut]:
    """Again gives the same offer."""
    return Status(201, _out(request, actions.send_suggestion(_hint(request, suggestion_id).pk, actor=request.user).pk))


@router.post("/suggestions/{uuid:suggestion_id}/dismiss", response=answers(200, SuggestionRow), auth=may(Scope.ORDERS), summary="Put a hint aside")
def dismiss_suggestion(request: UserRequest, suggestion_id: UUID) -> SuggestionRow:
    return suggestion_row(actions.dismiss_suggestion(_hint(request, suggestion_id).pk, actor=request.user))
