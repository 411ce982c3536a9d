from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods

from port444.kit.console import ReadOnlyAdmin, needs, one_of
from port444.kit.http import done
from port444.payments.forms import ReasonForm

from . import actions
from .models import Delivery, Nudge, NudgeStatus, Offer, Order, Requirement, Review, Revision, Why

if TYPE_CHECKING:
    Inline = admin.TabularInline[Requirement, Order]
else:
    Inline = admin.TabularInline


class RequirementInline(Inline):
    model = Requirement
    fields = ("position", "label", "kind", "is_required", "answer")
    can_delete = False
    extra = 0

    def has_add_permission(self, request: Any, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: Any, obj: Any = None) -> bool:
        return bool(request.user.is_active and request.user.is_staff)


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Orders with their terms, moments and answers. Nothing here moves one: that is done by its two people."""

    list_display = ("number", "title", "client", "builder", "status", "price", "placed_at", "due_at")
    list_filter = ("status", "cancel_cause")
    list_select_related = ("client", "builder__user")
    search_fields = ("number", "id", "client__email__iexact", "builder__user__email__iexact")
    search_help_text = "The whole number, id or e-mail of one of the two people."
    ordering = ("-number",)
    inlines = (RequirementInline,)
    change_form_template = "orders/admin/order.html"


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """What was handed over."""

    list_display = ("order", "number", "delivered_at")
    list_select_related = ("order",)
    search_fields = ("order__number",)
    search_help_text = "The whole number of the order."
    ordering = ("-id",)


@admin.register(Revision)
class RevisionAdmin(ReadOnlyAdmin):
    """What clients asked to change."""

    list_display = ("order", "delivery", "requested_at")
    list_select_related = ("order", "delivery")
    search_fields = ("order__number",)
    search_help_text = "The whole number of the order."
    ordering = ("-id",)


@admin.register(Review)
class ReviewAdmin(ReadOnlyAdmin):
    """What both sides said when the work was done."""

    list_display = ("order", "builder", "author", "by_client", "stars", "created_at", "shown_at")
    list_filter = (
        "by_client",
        one_of("stars", lambda: [(stars, f"{stars} of 5") for stars in range(1, 6)]),
    )
    list_select_related = ("order", "builder__user", "author")
    search_fields = ("order__number", "author__email__iexact")
    search_help_text = "The whole number of the order, or the e-mail of the author."
    ordering = ("-pk",)
    exclude = ("private_note",)


class WhyFilter(admin.SimpleListFilter):
    """By the words that reminders are held or dropped with: a fixed list, as asking the table which there are would read all of it."""

    title, parameter_name = "why", "why"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(why.name, why.value) for why in Why]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(why=Why[self.value() or ""]) if self.value() in Why.__members__ else queryset


@admin.register(Nudge)
class NudgeAdmin(ReadOnlyAdmin):
    """Reminders: what is planned and until when it is held, what was sent, and what was not and why."""

    list_display = ("order", "kind", "recipient", "status", "held_until", "why", "settled_at", "notification")
    list_filter = ("status", "kind", WhyFilter)
    list_select_related = ("order", "recipient", "notification")
    search_fields = ("order__number", "order", "order__client__email__iexact")
    search_help_text = "The whole number or id of an order, or the whole e-mail of its client."
    ordering = ("-id",)
    change_form_template = "orders/admin/nudge.html"

    @admin.display(description="held until", ordering="due_at")
    def held_until(self, nudge: Nudge) -> Any:
        return nudge.due_at if nudge.status == NudgeStatus.PLANNED else None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Nudge]:
        return super().get_queryset(request).select_related("order")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<uuid:nudge_id>/send/", wrap(self.send), name="orders_nudge_send"),
            path("<uuid:nudge_id>/stop/", wrap(self.stop), name="orders_nudge_stop"),
            *super().get_urls(),
        ]

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("open_threads")
    def send(self, request: HttpRequest, nudge_id: UUID) -> HttpResponse:
        def act(nudge: Nudge, reason: str) -> str:
            actions.send_nudge_now(nudge.pk, actor=request.user, reason=reason)
            return f"{nudge.recipient.name} was reminded of order {nudge.order.number}."

        return self._ask(request, nudge_id, act, "Send this reminder now", "Send it")

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("open_threads")
    def stop(self, request: HttpRequest, nudge_id: UUID) -> HttpResponse:
        def act(nudge: Nudge, reason: str) -> str:
            actions.stop_nudges(nudge.order_id, actor=request.user, reason=reason)
            return f"Nobody is reminded of order {nudge.order.number} any more."

        return self._ask(request, nudge_id, act, "Stop the reminders of this order", "Stop them all")

    def _ask(self, request: HttpRequest, nudge_id: UUID, act: Callable[[Nudge, str], str], title: str, verb: str) -> HttpResponse:
        """Show the form; with a reason, do it."""
        nudge = get_object_or_404(Nudge.objects.select_related("order", "recipient"), pk=nudge_id)
        back = reverse("admin:orders_nudge_change", args=[nudge.pk])
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            reason = form.cleaned_data["reason"]
            with transaction.atomic():
                said = act(nudge, reason)
                self.site.note_act("reminder", actor=request.user, description=said, reason=reason, target_user=nudge.recipient, order=nudge.order)
            return done(request, back, said)
        text = f"Order {nudge.order.number}, {nudge.order.title}: “{nudge.get_kind_display()}”, to {nudge.recipient.email}, {nudge.status_words()}."
        context = {**self.admin_site.each_context(request), "opts": self.opts, "form": form, "title": title, "verb": verb, "text": text, "back": back}
        return TemplateResponse(request, "payments/admin/ask.html", context, status=422 if form.errors else 200)


@admin.register(Offer)
class OfferAdmin(ReadOnlyAdmin):
    """Custom offers: what one side put to the other, and what came of it. Open past its end means expired."""

    list_display = ("title", "client", "builder", "by_client", "status", "price", "list_price", "order", "created_at", "expires_at")
    list_filter = ("status", "by_client")
    list_select_related = ("client", "builder__user", "order")
    search_fields = ("id", "order__number", "client__email__iexact", "builder__user__email__iexact")
    search_help_text = "The whole id, the number of the order, or the e-mail of one of the two people."
    ordering = ("-id",)
