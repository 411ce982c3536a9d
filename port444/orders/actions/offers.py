"""Custom offers: made, answered, taken up as an order, open again when that was not paid.

Every action locks the conversation first and the offer after it, so that two people who press at one moment come one after the
other; whoever accepts locks the builder and their own person before that, as in every purchase.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package, Service, ServiceStatus
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, TooMany, WrongState, word_constraint, words
from port444.kit.money import usd
from port444.kit.sentences import Said
from port444.kit.states import meet
from port444.messaging.actions import post_notice
from port444.messaging.models import Conversation
from port444.notifications.actions import notify
from port444.orders import emails, notices
from port444.orders.emails import Words
from port444.orders.models import CUSTOM, Offer, OfferStatus, Order, Suggestion, SuggestionStatus
from port444.orders.terms import OfferTerms, checked, terms_of

from .placing import Purchase, require_builder_open, require_client_open, settle_if_covered, write_order
from .telling import post

S = OfferStatus
A_DAY = timedelta(days=1)
MOST_A_DAY = 10  # in one conversation, both sides together: each is a mail to the other
LONGEST_REASON = 300
OPEN_ALREADY = _("There is an open offer in this conversation already. Answer, change or withdraw that first.")
SENT_ALREADY = _("This form has been sent already with something else in it. Look at the conversation.")

word_constraint("offer_one_open", Conflict(OPEN_ALREADY, code="offer_open"))
word_constraint("offer_sent_once", Conflict(SENT_ALREADY, code="sent_already"))


@transaction.atomic
def send_offer(
    conversation_id: UUID, *, actor: Any, terms: OfferTerms, client_key: UUID, answers: UUID | None = None, suggestion: UUID | None = None
) -> Offer:
    """The builder of a conversation offers `terms` to its client.

    `client_key` comes with the form: pressing twice gives the same offer. `answers` names the open offer that this one takes the
    place of: the builder's own, or what the client proposed. Raises Conflict `offer_open` while another one stands, WrongState
    when the one it answers was settled meanwhile, Invalid `below_floor` for less than the builder's own lowest price.
    """
    conversation = _lock_conversation(conversation_id)
    if actor.pk != conversation.builder_id:
        raise NotAllowed(gettext("Only the builder of this conversation can make an offer."))
    terms = checked(terms)
    sent = _sent_already(conversation, client_key, terms, by_client=False)
    if sent is not None:
        return sent
    moment = now()
    _require_open(conversation, actor)
    builder = Builder.objects.select_related("user").get(user=actor)
    service, package = _sold(builder, terms)
    _require_floor(service, package, terms)
    _require_back(builder, terms, moment)
    _require_few(conversation, moment)
    _make_room(conversation, answers, terms, moment)
    offer = _write(conversation, builder, service, package, terms, client_key, moment, answers=answers, by_client=False)
    if suggestion is not None:
        _use(suggestion, conversation, offer, moment)
    record(Event.OFFER_SENT, actor=actor, target=offer, amount=offer.price, after=_said(offer), **_facts(offer))
    _post(offer, notices.offered(offer), notices.OFFERED, card=True)
    _tell(offer, offer.client, "offer.received", emails.offered_to_client(offer))
    return offer


@transaction.atomic
def counter_offer(offer_id: UUID, *, actor: Any, terms: OfferTerms, client_key: UUID) -> Offer:
    """The client answers an offer with another price, another time or other words. What it is about stays; the builder has to send it
    as an offer of their own before it can be accepted."""
    conversation, old = _lock(offer_id)
    if actor.pk != conversation.client_id:
        raise NotAllowed(gettext("Only the client can answer an offer with other terms."))
    about = terms_of(old)
    terms = checked(replace(about, scope=terms.scope, price=terms.price, days=terms.days, revisions=terms.revisions, hours=settings.OFFER_HOURS))
    sent = _sent_already(conversation, client_key, terms, by_client=True)
    if sent is not None:
        return sent
    old.require_reader(actor)
    moment = now()
    _require_open(conversation, actor)
    _require_standing(old, moment)
    if replace(terms, hours=about.hours) == about:
        raise Invalid(gettext("These are the terms of the offer. Change something, or accept it."), code="same_terms")
    _require_few(conversation, moment)
    old.move_to(S.COUNTERED, settled_at=moment)
    offer = _write(conversation, old.builder, old.service, old.package, terms, client_key, moment, answers=old.pk, by_client=True)
    record(Event.OFFER_COUNTERED, actor=actor, target=offer, amount=offer.price, before=_said(old), after=_said(offer), **_facts(offer))
    _post(offer, notices.countered(offer), notices.COUNTERED, card=True)
    _tell(offer, offer.builder.user, "offer.countered", emails.countered_to_builder(offer))
    return offer


@transaction.atomic
def decline_offer(offer_id: UUID, *, actor: Any, reason: str = "") -> Offer:
    """The side that got the offer says no."""
    _, offer = _lock(offer_id)
    offer.require_reader(actor)
    reason = " ".join(reason.split())
    if len(reason) > LONGEST_REASON:
        raise Invalid(gettext("A reason has at most %(most)s characters.") % {"most": LONGEST_REASON}, code="reason_long")
    if "\x00" in reason:
        raise Invalid(gettext("The text has a character that cannot be stored."), code="text_null")
    moment = now()
    _require_standing(offer, moment)
    offer.move_to(S.DECLINED, settled_at=moment, reason=reason)
    record(Event.OFFER_DECLINED, actor=actor, target=offer, amount=offer.price, reason=reason, **_facts(offer))
    _post(offer, notices.declined(offer), notices.OFFER_OVER)
    _tell(offer, offer.author, "offer.declined", emails.declined_to_author(offer))
    return offer


@transaction.atomic
def withdraw_offer(offer_id: UUID, *, actor: Any) -> Offer:
    """The side that made the offer takes it back while it is open."""
    _, offer = _lock(offer_id)
    offer.require_author(actor)
    moment = now()
    _require_standing(offer, moment)
    offer.move_to(S.WITHDRAWN, settled_at=moment)
    record(Event.OFFER_WITHDRAWN, actor=actor, target=offer, amount=offer.price, **_facts(offer))
    _post(offer, notices.withdrawn(offer), notices.OFFER_OVER)
    _tell(offer, offer.reader, "offer.withdrawn", emails.withdrawn_to_reader(offer))
    return offer


@transaction.atomic
def accept_offer(offer_id: UUID, *, actor: Any, client_key: UUID) -> Order:
    """The client takes the offer: an order with its terms, and an invoice that waits to be paid.

    An offer that was accepted gives its order again, and so does a `client_key` whose order has ended meanwhile: an answer that got
    lost on the way never orders twice. Raises WrongState when the offer is not open any more, Conflict `builder_away`.
    """
    # As when an order is placed: who goes away just now comes before or after. Builder, person, conversation, offer.
    Builder.objects.lock(Offer.objects.values_list("service__builder_id", flat=True).get(pk=offer_id))
    client = User.objects.lock(actor.pk)
    conversation, offer = _lock(offer_id)
    if offer.by_client:
        raise NotAllowed(gettext("Your own terms become an order when the builder sends them as an offer."))
    offer.require_reader(actor)
    key = uuid5(client_key, str(offer.pk))
    placed = Order.objects.with_people().filter(client=client, client_key=key).first()
    if placed is None and offer.status == S.ACCEPTED:
        placed = Order.objects.with_people().get(offer=offer)
    if placed is not None:
        return placed
    require_client_open(client)
    moment = now()
    _require_standing(offer, moment)
    service = Service.objects.select_related("builder__user").get(pk=offer.service_id)
    require_builder_open(service, client)
    bought = Purchase(
        service=service,
        package=offer.package,
        title=offer.title,
        name=CUSTOM,
        price=offer.price,
        days=offer.delivery_days,
        revisions=offer.revisions,
        deliverables=offer.deliverables,
        questions=service.questions if offer.asks_questions else [],
    )
    order = write_order(client, conversation, bought, key, moment)
    offer.move_to(S.ACCEPTED, settled_at=moment, order=order)
    record(Event.OFFER_ACCEPTED, actor=actor, target=offer, amount=offer.price, order=order.pk, number=order.number, **_facts(offer))
    package = offer.package_id
    record(
        Event.ORDER_PLACED,
        actor=actor,
        target=order,
        amount=order.price,
        number=order.number,
        package=package,
        offer=offer.pk,
        builder=service.builder.user_id,
    )
    post(order, notices.accepted(order), notices.PLACED)
    return settle_if_covered(order)


def reopen_offer(order: Order, *, actor: Any | None = None) -> Offer | None:
    """The order that came of an offer ended unpaid: the offer stands again if its time is not over and no other one stands.

    A builder who cancels the order takes the offer back with it. Under the lock of the order. Gives the offer when it stands again.
    """
    if not Offer.objects.filter(order=order).exists():
        return None
    Conversation.objects.lock(order.conversation_id)  # no other offer can appear between looking and writing
    offer = Offer.objects.lock(Offer.objects.values_list("pk", flat=True).get(order=order))
    if offer.status != S.ACCEPTED:
        return None
    moment = now()
    if actor is not None and order.is_builder(actor):
        offer.move_to(S.WITHDRAWN, settled_at=moment)
        record(Event.OFFER_WITHDRAWN, actor=actor, target=offer, amount=offer.price, order=order.pk, number=order.number, **_facts(offer))
        return None
    if moment >= offer.expires_at:
        offer.move_to(S.EXPIRED, settled_at=moment)
        return None
    if Offer.objects.filter(conversation=order.conversation_id, status=S.OPEN).exists():
        offer.move_to(S.REPLACED, settled_at=moment)
        return None
    offer.move_to(S.OPEN, settled_at=None)
    record(Event.OFFER_REOPENED, actor=None, target=offer, amount=offer.price, order=order.pk, number=order.number, **_facts(offer))
    return offer


# Locks


def _lock_conversation(conversation_id: UUID) -> Conversation:
    return Conversation.objects.select_related("client", "builder").lock(conversation_id)


def _lock(offer_id: UUID) -> tuple[Conversation, Offer]:
    """The conversation of an offer and the offer, both under lock, in this order."""
    conversation = _lock_conversation(Offer.objects.values_list("conversation_id", flat=True).get(pk=offer_id))
    return conversation, Offer.objects.lock(offer_id)


# What has to hold


def _require_open(conversation: Conversation, actor: Any) -> None:
    other = conversation.other(actor)
    if actor.is_suspended or not actor.is_active:
        raise NotAllowed(gettext("A suspended account cannot make an offer."), code="suspended")
    if other.is_suspended or not other.is_active:
        raise WrongState(gettext("The account of %(other)s is closed at the moment.") % {"other": other.first_name}, code="account_closed")


def _require_standing(offer: Offer, moment: datetime) -> None:
    if offer.status != S.OPEN:
        raise WrongState(gettext("This offer is %(status)s.") % {"status": gone_words(offer)}, code=f"offer_{offer.status}")
    if not offer.is_open_at(moment):
        raise WrongState(gettext("The time for this offer has passed. Ask for a new one."), code="offer_expired")


def gone_words(offer: Offer) -> str:
    """What became of an offer that is not open."""
    return {
        S.ACCEPTED: gettext("accepted already"),
        S.DECLINED: gettext("declined already"),
        S.WITHDRAWN: gettext("withdrawn, so it cannot be answered any more"),
        S.COUNTERED: gettext("answered with other terms already"),
        S.REPLACED: gettext("replaced by a newer one"),
        S.EXPIRED: gettext("over, because its time has passed"),
    }[S(offer.status)]


def _sold(builder: Builder, terms: OfferTerms) -> tuple[Service, Package | None]:
    """The builder's own service, and package of it, that the offer is about."""
    service = Service.objects.filter(builder=builder, pk=terms.service).exclude(status=ServiceStatus.DRAFT).first()
    if service is None:
        raise Invalid(gettext("Choose one of your services."), code="service")
    package = Package.objects.filter(service=service, pk=terms.package).first() if terms.package is not None else None
    if terms.package is not None and package is None:
        raise Invalid(gettext("Choose one of your packages."), code="package")
    return service, package


def _require_floor(service: Service, package: Package | None, terms: OfferTerms) -> None:
    if package is not None and service.offer_floor is not None and terms.price < service.offer_floor:
        raise Invalid(gettext("Your lowest price for offers of this service is %(least)s.") % {"least": usd(service.offer_floor)}, code="below_floor")


def _require_back(builder: Builder, terms: OfferTerms, moment: datetime) -> None:
    """Nobody could accept an offer that ends while its builder takes no orders."""
    ends = moment + timedelta(hours=terms.hours)
    if builder.away_stops_orders and builder.is_away_at(moment) and builder.away_until is not None and ends <= builder.away_until:
        raise Conflict(
            gettext("You are away and take no orders. Let the offer stand until after you are back, or end your time away first."), code="away"
        )


def _make_room(conversation: Conversation, answers: UUID | None, terms: OfferTerms, moment: datetime) -> None:
    """Settle what the new offer takes the place of. An open one whose time has passed is written down as expired on the way."""
    rows = Offer.objects.select_for_update(of=("self",), no_key=True).filter(conversation=conversation, status=S.OPEN)  # one at most
    standing = next(map(meet, rows), None)
    if answers is not None and (standing is None or standing.pk != answers):
        answered = Offer.objects.filter(conversation=conversation, pk=answers).first()
        if answered is None:
            raise Invalid(gettext("The offer that this one answers is not in this conversation."), code="answers")
        raise WrongState(
            gettext("The offer that you change is %(status)s. Look at the conversation.") % {"status": gone_words(answered)},
            code=f"offer_{answered.status}",
        )
    if standing is None:
        return
    if not standing.is_open_at(moment):
        standing.move_to(S.EXPIRED, settled_at=moment)
    elif answers is None:
        raise Conflict(OPEN_ALREADY, code="offer_open")
    else:
        taken = replace(terms_of(standing), hours=terms.hours) == terms
        standing.move_to(S.COUNTERED if standing.by_client and not taken else S.REPLACED, settled_at=moment)


def _require_few(conversation: Conversation, moment: datetime) -> None:
    if Offer.objects.filter(conversation=conversation, created_at__gt=moment - A_DAY).count() >= MOST_A_DAY:
        raise TooMany(gettext("Enough offers were made here today. Write to each other instead."), code="too_many_offers")


def _sent_already(conversation: Conversation, client_key: UUID, terms: OfferTerms, *, by_client: bool) -> Offer | None:
    sent = Offer.objects.select_related("builder__user", "client").filter(conversation=conversation, client_key=client_key).first()
    if sent is not None and (sent.by_client != by_client or terms_of(sent) != terms):
        raise Conflict(SENT_ALREADY, code="sent_already")
    return sent


# Writing


def _write(
    conversation: Conversation,
    builder: Builder,
    service: Service,
    package: Package | None,
    terms: OfferTerms,
    client_key: UUID,
    moment: datetime,
    *,
    answers: UUID | None,
    by_client: bool,
) -> Offer:
    with words():
        return Offer.objects.create(
            conversation=conversation,
            client=conversation.client,
            builder=builder,
            by_client=by_client,
            service=service,
            package=package,
            title=terms.title,
            scope=terms.scope,
            deliverables=list(terms.deliverables),
            price=terms.price,
            list_price=package.price if package is not None and terms.price < package.price else None,
            delivery_days=terms.days,
            revisions=terms.revisions,
            asks_questions=terms.asks_questions,
            expires_at=moment + timedelta(hours=terms.hours),
            client_key=client_key,
            answers_id=answers,
            created_at=moment,
        )


def _use(suggestion_id: UUID, conversation: Conversation, offer: Offer, moment: datetime) -> None:
    """The hint that led to the offer has done its work."""
    rows = Suggestion.objects.select_for_update(of=("self",), no_key=True)
    suggestion = rows.filter(pk=suggestion_id, conversation=conversation).first()
    if suggestion is None or suggestion.status != SuggestionStatus.SHOWN:
        return  # it was put aside in another window; the offer is meant all the same
    suggestion.move_to(SuggestionStatus.USED, settled_at=moment)
    offer.suggestion = suggestion
    offer.save(update_fields=["suggestion"])


def _said(offer: Offer) -> dict[str, Any]:
    """For the audit log."""
    return {
        "title": offer.title,
        "scope": offer.scope,
        "price": offer.price,
        "list_price": offer.list_price,
        "days": offer.delivery_days,
        "revisions": offer.revisions,
        "deliverables": offer.deliverables,
        "expires_at": offer.expires_at,
    }


def _facts(offer: Offer) -> dict[str, Any]:
    return {
        "conversation": offer.conversation_id,
        "client": offer.client_id,
        "builder": offer.builder.user_id,
        "service": offer.service_id,
        "package": offer.package_id,
        "answers": offer.answers_id,
    }


def _post(offer: Offer, body: Said, icon: str, *, card: bool = False) -> None:
    post_notice(offer.conversation_id, body=body, icon=icon, subject=("offer", offer.pk) if card else None)


def _tell(offer: Offer, person: Any, kind: str, words: Words) -> None:
    notify(
        person,
        kind,
        title=words.title,
        body=words.body,
        url=offer.conversation.get_absolute_url(),
        dedupe_key=f"{kind}:{offer.pk}",
        context={"label": _("Open the conversation"), "facts": emails.offer_facts(offer, person)},
    )
