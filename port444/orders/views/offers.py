"""The pages of custom offers. Each answer is a POST from the card in the conversation, which works without a script as well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from port444.builders.models import Builder
from port444.catalog.models import Package
from port444.kit.clock import now
from port444.kit.errors import Conflict, DomainError, Invalid, NotAllowed, TooMany
from port444.kit.http import UserRequest, done
from port444.kit.ids import uuid7
from port444.kit.money import fee
from port444.messaging.models import Conversation
from port444.orders import actions, queries
from port444.orders.forms import CounterForm, DeclineOfferForm, OfferForm, PlaceForm
from port444.orders.models import Offer, OrderStatus, Suggestion
from port444.orders.terms import OfferTerms, terms_of, terms_of_package

offers = queries.offers


def _conversation(request: UserRequest, conversation_id: UUID) -> Conversation:
    return get_object_or_404(Conversation.objects.visible_to(request.user).select_related("client", "builder"), pk=conversation_id)


def _offer(request: UserRequest, offer_id: UUID) -> Offer:
    return get_object_or_404(offers.offers_of(request.user), pk=offer_id)


def _named(request: UserRequest, name: str) -> UUID | None:
    """The id that a query string or a form names; 404 for anything else than an id."""
    text = request.POST.get(name) or request.GET.get(name)
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404 from error


# Making one


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_offer(request: UserRequest, conversation_id: UUID) -> HttpResponse:
    """The builder writes an offer: from a package, free of any, from a hint, or in the place of an open one."""
    conversation = _conversation(request, conversation_id)
    if request.user.pk != conversation.builder_id:
        raise NotAllowed(_("Only the builder of this conversation can make an offer."))
    builder = get_object_or_404(Builder, user=request.user)
    source = _Source(request, conversation, builder)
    if request.method != "POST":
        return _form_page(request, conversation, source, OfferForm(source.services, source.package, initial=source.initial))
    form = OfferForm(source.services, source.package, request.POST)
    if request.POST.get("do") == "preview":
        form.is_valid()
        return render(request, "orders/offers/new.html#sums", _form_context(request, conversation, source, form))
    key = PlaceForm(request.POST)
    if not form.is_valid() or not key.is_valid():
        fault = "" if key.is_valid() else _("This page is out of date. Load it again.")
        return _form_page(request, conversation, source, form, fault=fault, status=422)
    try:
        offer = actions.send_offer(
            conversation.pk,
            actor=request.user,
            terms=form.terms(),
            client_key=key.cleaned_data["client_key"],
            answers=source.answers.pk if source.answers else None,
            suggestion=source.suggestion.pk if source.suggestion else None,
        )
    except Invalid as error:
        form.add_error(form.field_of(error.code), error.message)
        return _form_page(request, conversation, source, form, status=422)
    except (Conflict, TooMany) as error:
        return _form_page(request, conversation, source, form, fault=error.message, status=error.status)
    return done(request, offers.offer_url(offer), _("%(client)s has your offer.") % {"client": conversation.client.first_name})


class _Source:
    """What the form of an offer begins from, as the address or the form names it."""

    def __init__(self, request: UserRequest, conversation: Conversation, builder: Builder) -> None:
        own = Offer.objects.select_related("builder__user", "client", "package__service").filter(conversation=conversation)
        answers, begun, hint = _named(request, "answers"), _named(request, "from"), _named(request, "suggestion")
        self.answers = get_object_or_404(own, pk=answers) if answers else None
        self.begun = self.answers or (get_object_or_404(own, pk=begun) if begun else None)
        hints = Suggestion.objects.filter(conversation=conversation, builder=builder).select_related("package__service")
        self.suggestion = get_object_or_404(hints, pk=hint) if hint else None
        self.services = list(offers.services_of(builder))
        self.packages = list(offers.packages_of_user(request.user)[: offers.MOST_PACKAGES])
        self.package = self._package(_named(request, "package"), builder)
        self.initial = _initial(self._terms())

    def _package(self, wanted: UUID | None, builder: Builder) -> Package | None:
        if wanted is not None:
            return get_object_or_404(Package.objects.filter(service__in=self.services).select_related("service"), pk=wanted)
        if self.begun is not None:
            return self.begun.package
        return self.suggestion.package if self.suggestion else None

    def _terms(self) -> OfferTerms | None:
        if self.begun is not None and self.begun.package_id == (self.package.pk if self.package else None):
            return replace(terms_of(self.begun), hours=settings.OFFER_HOURS)
        if self.package is None:
            return None
        price = self.suggestion.price if self.suggestion and self.suggestion.package_id == self.package.pk else None
        return terms_of_package(self.package, price)


def _initial(terms: OfferTerms | None) -> dict[str, Any]:
    if terms is None:
        return {"revisions": 1, "hours": settings.OFFER_HOURS, "asks_questions": True}
    return {
        "service": terms.service,
        "title": terms.title,
        "scope": terms.scope,
        "price": terms.price,
        "days": terms.days,
        "revisions": terms.revisions,
        "deliverables": "\n".join(terms.deliverables),
        "asks_questions": terms.asks_questions,
        "hours": terms.hours,
    }


def _form_context(request: UserRequest, conversation: Conversation, source: _Source, form: OfferForm, fault: str = "") -> dict[str, Any]:
    price = form.price_so_far()
    package = source.package
    return {
        "conversation": conversation,
        "person": conversation.client,
        "source": source,
        "form": form,
        "fault": fault,
        "client_key": request.POST.get("client_key") or uuid7(),
        "price": price,
        "list_price": package.price if package is not None and price is not None and price < package.price else None,
        "fee": fee(price, settings.CLIENT_FEE_BPS) if price else None,
        "builder_fee": fee(price, settings.BUILDER_FEE_BPS) if price else None,
        "share": price - fee(price, settings.BUILDER_FEE_BPS) if price else None,
        "total": price + fee(price, settings.CLIENT_FEE_BPS) if price else None,
        "builder_percent": settings.BUILDER_FEE_BPS / 100,
        "page_url": reverse("orders:new_offer", args=[conversation.pk]),
    }


def _form_page(
    request: UserRequest, conversation: Conversation, source: _Source, form: OfferForm, *, fault: str = "", status: int = 200
) -> HttpResponse:
    return render(request, "orders/offers/new.html", _form_context(request, conversation, source, form, fault), status=status)


@login_required
@require_POST
def send_counter(request: UserRequest, offer_id: UUID) -> HttpResponse:
    """One press: what the client proposed becomes an offer of the builder."""
    counter = _offer(request, offer_id)
    if not counter.by_client:
        raise Invalid(_("These are your own terms already."), code="own_terms")

    def act(key: UUID) -> Offer:
        terms = replace(terms_of(counter), hours=settings.OFFER_HOURS)
        return actions.send_offer(counter.conversation_id, actor=request.user, terms=terms, client_key=key, answers=counter.pk)

    return _answer(request, counter, act, _("%(client)s has your offer.") % {"client": counter.client.first_name})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def counter_offer(request: UserRequest, offer_id: UUID) -> HttpResponse:
    """The client proposes other terms."""
    offer = _offer(request, offer_id)
    if offer.by_client or request.user.pk != offer.client_id:
        raise NotAllowed(_("Only the client can answer an offer with other terms."))
    if request.method != "POST":
        if not offer.is_open_at(now()):
            return redirect(offers.offer_url(offer))
        start = {"price": offer.price, "days": offer.delivery_days, "revisions": offer.revisions, "scope": offer.scope}
        return _counter_page(request, offer, CounterForm(initial=start))
    form, key = CounterForm(request.POST), PlaceForm(request.POST)
    if not form.is_valid() or not key.is_valid():
        return _counter_page(request, offer, form, fault="" if key.is_valid() else _("This page is out of date. Load it again."), status=422)
    try:
        made = actions.counter_offer(offer.pk, actor=request.user, terms=form.terms(offer), client_key=key.cleaned_data["client_key"])
    except Invalid as error:
        form.add_error(None, error.message)
        return _counter_page(request, offer, form, status=422)
    except (Conflict, TooMany) as error:
        return _counter_page(request, offer, form, fault=error.message, status=error.status)
    return done(request, offers.offer_url(made), _("%(builder)s has your terms.") % {"builder": offer.builder.user.first_name})


def _counter_page(request: UserRequest, offer: Offer, form: CounterForm, *, fault: str = "", status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "fault": fault,
        "client_key": request.POST.get("client_key") or uuid7(),
        "person": offer.builder.user,
        **offers.card_context(offer, request.user, now()),
    }
    return render(request, "orders/offers/counter.html", context | {"client_key": context["client_key"]}, status=status)


# Answering one


@login_required
@require_GET
def show_offer(request: UserRequest, offer_id: UUID) -> HttpResponse:
    """One offer on a page of its own, with what may be done about it."""
    return _page(request, _offer(request, offer_id))


def _page(request: UserRequest, offer: Offer, *, refusal: str = "", form: DeclineOfferForm | None = None, status: int = 200) -> HttpResponse:
    context = offers.card_context(offer, request.user, now()) | {
        "person": offer.builder.user if request.user.pk == offer.client_id else offer.client,
        "refusal": refusal,
        "decline": form,
        "on_page": True,
    }
    return render(request, "orders/offers/detail.html", context, status=status)


def _answer(request: UserRequest, offer: Offer, act: Callable[[UUID], object], said: str) -> HttpResponse:
    """Act, and go back to the conversation. An offer that has moved on is shown as it is now."""
    key = PlaceForm(request.POST)
    if not key.is_valid():
        raise Invalid(_("This button is out of date. Reload the page and press it again."), code="client_key")
    try:
        act(key.cleaned_data["client_key"])
    except (Conflict, Invalid, TooMany) as error:
        return _refused(request, offer, error)
    if request.htmx:
        return _redraw(HttpResponse(status=204))
    return done(request, offers.offer_url(offer), said)


def _refused(request: UserRequest, offer: Offer, error: DomainError) -> HttpResponse:
    if request.htmx:
        return _redraw(render(request, "orders/offers/_refused.html", {"error": error}, status=error.status))
    return _page(request, _offer(request, offer.pk), refusal=error.message, status=error.status)


def _redraw(response: HttpResponse) -> HttpResponse:
    """The open conversation asks for what is new at once."""
    response["HX-Trigger"] = "talk"
    return response


@login_required
@require_POST
def accept_offer(request: UserRequest, offer_id: UUID) -> HttpResponse:
    """The client accepts: straight on to the payment."""
    offer = _offer(request, offer_id)
    key = PlaceForm(request.POST)
    if not key.is_valid():
        raise Invalid(_("This button is out of date. Reload the page and press it again."), code="client_key")
    try:
        order = actions.accept_offer(offer.pk, actor=request.user, client_key=key.cleaned_data["client_key"])
    except Conflict as error:
        return _refused(request, offer, error)
    if order.status == OrderStatus.PENDING_PAYMENT:
        return done(request, reverse("payments:checkout", args=[order.invoice_id]))
    return done(request, reverse("orders:detail", args=[order.number]))


@login_required
@require_POST
def decline_offer(request: UserRequest, offer_id: UUID) -> HttpResponse:
    offer = _offer(request, offer_id)
    form = DeclineOfferForm(request.POST)
    if not form.is_valid():
        return _page(request, offer, form=form, status=422)
    return _answer(
        request,
        offer,
        lambda key: actions.decline_offer(offer.pk, actor=request.user, reason=form.cleaned_data["reason"]),
        _("Declined. %(author)s is told.") % {"author": offer.author.first_name},
    )


@login_required
@require_POST
def withdraw_offer(request: UserRequest, offer_id: UUID) -> HttpResponse:
    offer = _offer(request, offer_id)
    return _answer(request, offer, lambda key: actions.withdraw_offer(offer.pk, actor=request.user), _("Withdrawn."))
