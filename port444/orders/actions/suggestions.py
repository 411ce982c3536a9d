"""Hints to builders: a long talk that came to rest without an order may need an offer.

The sweep takes conversations in batches: one transaction, and as many queries for two hundred as for one. It sends nothing to
anybody; what it writes is shown to the builder alone, in the conversation, until they send an offer or put it aside.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Count, Q
from django.utils.translation import gettext as _

from auditlog.actions import record, record_many
from auditlog.events import Event
from port444.builders.models import Builder
from port444.catalog.models import Package, ServiceStatus
from port444.kit.clock import now
from port444.kit.errors import Conflict, NotAllowed, WrongState
from port444.messaging.models import Conversation, Message, MessageKind, Report
from port444.messaging.queries import builder_of
from port444.orders.models import RUNNING, Offer, Order, Suggestion, SuggestionStatus, discounted
from port444.orders.terms import terms_of_package

from .offers import send_offer

LOOKS_BACK = timedelta(days=7)
MORE_THAN, FROM_EACH = 5, 2  # messages in that time


@transaction.atomic
def suggest_batch(moment: datetime, limit: int) -> int:
    """Look at up to `limit` conversations that have come to rest; how many were looked at.

    Each is looked at once until something is said there again, whether or not it gets a hint.
    """
    resting = Conversation.objects.filter(rests_at__lte=moment).order_by("rests_at", "pk").select_related("client", "builder__builder")
    talks = list(resting.select_for_update(of=("self",), no_key=True, skip_locked=True)[:limit])
    if not talks:
        return 0
    Conversation.objects.filter(pk__in=[talk.pk for talk in talks]).update(rests_at=None)
    said = _said(talks, moment)
    ripe = [talk for talk in talks if _is_long(talk, said[talk.pk]) and _is_open(talk, moment)]
    ripe = _without_deal(ripe, moment)
    packages = _packages(ripe)
    made = [_hint(talk, package, sum(said[talk.pk].values()), moment) for talk in ripe if (package := packages.get(talk.pk)) is not None]
    Suggestion.objects.bulk_create(made)
    record_many(Event.OFFER_SUGGESTED, [(hint, {"conversation": hint.conversation_id, "price": str(hint.price)}) for hint in made])
    return len(talks)


def _said(talks: Sequence[Conversation], moment: datetime) -> Mapping[UUID, dict[UUID, int]]:
    """For each conversation how many messages each side wrote of late."""
    rows = Message.objects.filter(conversation__in=talks, kind=MessageKind.TEXT, created_at__gt=moment - LOOKS_BACK)
    said: dict[UUID, dict[UUID, int]] = defaultdict(dict)
    for talk, author, count in rows.order_by().values_list("conversation_id", "author_id").annotate(n=Count("pk")):
        assert author is not None  # by constraint: a text has an author
        said[talk][author] = count
    return said


def _is_long(talk: Conversation, said: Mapping[UUID, int]) -> bool:
    return sum(said.values()) > MORE_THAN and all(said.get(side, 0) >= FROM_EACH for side in (talk.client_id, talk.builder_id))


def _is_open(talk: Conversation, moment: datetime) -> bool:
    """Both sides are there, and one of them sells."""
    builder = builder_of(talk)
    people = (talk.client, talk.builder)
    return builder is not None and not builder.is_away_at(moment) and all(one.is_active and not one.is_suspended for one in people)


def _without_deal(talks: Sequence[Conversation], moment: datetime) -> list[Conversation]:
    """Those without an order, an offer, a hint or a report that speaks against a hint."""
    orders = Order.objects.filter(conversation__in=talks).filter(Q(status__in=RUNNING) | Q(placed_at__gt=moment - LOOKS_BACK))
    offers = Offer.objects.standing(moment).filter(conversation__in=talks)
    hints = Suggestion.objects.filter(conversation__in=talks, rests__overlap=_rest(moment))
    reports = Report.objects.filter(conversation__in=talks)
    taken = {pk for rows in (orders, offers, hints, reports) for pk in rows.values_list("conversation_id", flat=True)}
    return [talk for talk in talks if talk.pk not in taken]


def _rest(moment: datetime) -> DateTimeTZRange:
    return DateTimeTZRange(moment, moment + timedelta(days=settings.SUGGESTION_REST_DAYS))


def _packages(talks: Sequence[Conversation]) -> dict[UUID, Package]:
    """For each conversation the package whose price, less the discount, is not below what its builder takes."""
    builders: dict[UUID, Builder] = {talk.pk: talk.builder.builder for talk in talks}
    rows = Package.objects.filter(service__builder__in=set(builders.values()), service__status=ServiceStatus.PUBLISHED, is_offered=True)
    sold: dict[UUID, list[Package]] = defaultdict(list)  # the most ordered service first, and in it the cheapest package
    for package in rows.select_related("service").order_by("-service__order_count", "service_id", "price", "pk"):
        price, floor = discounted(package.price), package.service.offer_floor
        if price < package.price and (floor is None or price >= floor):
            sold[package.service.builder_id].append(package)
    about = _talked_about(talks)
    return {pk: _best(sold[builder.pk], about.get(pk)) for pk, builder in builders.items() if sold[builder.pk]}


def _best(packages: Sequence[Package], about: UUID | None) -> Package:
    """Of the service that is known to be talked about, if that has one; else the first."""
    return next((package for package in packages if package.service_id == about), packages[0])


def _talked_about(talks: Sequence[Conversation]) -> dict[UUID, UUID]:
    """For each conversation the service of the last offer there, else of the last order."""
    orders = Order.objects.filter(conversation__in=talks).order_by("conversation_id", "-placed_at").distinct("conversation_id")
    offers = Offer.objects.filter(conversation__in=talks).order_by("conversation_id", "-created_at").distinct("conversation_id")
    return dict(orders.values_list("conversation_id", "service_id")) | dict(offers.values_list("conversation_id", "service_id"))


def _hint(talk: Conversation, package: Package, messages: int, moment: datetime) -> Suggestion:
    return Suggestion(
        conversation=talk,
        builder=talk.builder.builder,
        package=package,
        price=discounted(package.price),
        list_price=package.price,
        messages=messages,
        rests=_rest(moment),
        created_at=moment,
    )


@transaction.atomic
def send_suggestion(suggestion_id: UUID, *, actor: Any) -> Offer:
    """One press of the builder: the offer that a hint names is made. Pressing again gives the same offer.

    Raises Conflict `hint_old` when the package is not what it was, and what `send_offer` raises.
    """
    Conversation.objects.lock(Suggestion.objects.values_list("conversation_id", flat=True).get(pk=suggestion_id))
    suggestion = Suggestion.objects.lock(suggestion_id)
    if actor.pk != suggestion.builder.user_id:
        raise NotAllowed(_("This is not your suggestion."))
    if suggestion.status == SuggestionStatus.USED:
        offer: Offer = suggestion.offer
        if not offer.is_open_at(now()):
            raise WrongState(_("The offer of this suggestion was sent already, and it is over."), code="hint_used")
        return offer
    package = Package.objects.select_related("service").get(pk=suggestion.package_id)
    if not package.is_offered or package.price != suggestion.list_price or package.service.status != ServiceStatus.PUBLISHED:
        raise Conflict(_("The package has changed since this was suggested. Write the offer yourself."), code="hint_old")
    terms = terms_of_package(package, suggestion.price)
    return send_offer(suggestion.conversation_id, actor=actor, terms=terms, client_key=uuid5(suggestion.pk, "send"), suggestion=suggestion.pk)


@transaction.atomic
def dismiss_suggestion(suggestion_id: UUID, *, actor: Any) -> Suggestion:
    """The builder puts a hint aside; again changes nothing."""
    suggestion = Suggestion.objects.lock(suggestion_id)
    if actor.pk != suggestion.builder.user_id:
        raise NotAllowed(_("This is not your suggestion."))
    if suggestion.status == SuggestionStatus.SHOWN:
        suggestion.move_to(SuggestionStatus.DISMISSED, settled_at=now())
        record(Event.OFFER_SUGGESTION_DISMISSED, actor=actor, target=suggestion, conversation=suggestion.conversation_id)
    return suggestion
