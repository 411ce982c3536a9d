from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from port444.kit.console import ReadOnlyAdmin

from .models import Delivery, Order, Requirement, Review, Revision

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
    search_fields = ("=number", "=id", "=client__email", "=builder__user__email")
    search_help_text = "The whole number, id or e-mail of one of the two people."
    ordering = ("-number",)
    inlines = (RequirementInline,)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """What was handed over."""

    list_display = ("order", "number", "delivered_at")
    list_select_related = ("order",)
    search_fields = ("=order__number",)
    search_help_text = "The whole number of the order."
    ordering = ("-delivered_at", "-id")


@admin.register(Revision)
class RevisionAdmin(ReadOnlyAdmin):
    """What clients asked to change."""

    list_display = ("order", "delivery", "requested_at")
    list_select_related = ("order", "delivery")
    search_fields = ("=order__number",)
    search_help_text = "The whole number of the order."
    ordering = ("-requested_at", "-id")


@admin.register(Review)
class ReviewAdmin(ReadOnlyAdmin):
    """What clients said when the work was done."""

    list_display = ("order", "builder", "author", "stars", "created_at")
    list_filter = ("stars",)
    list_select_related = ("order", "builder__user", "author")
    search_fields = ("=order__number", "=author__email")
    search_help_text = "The whole number of the order, or the e-mail of the author."
    ordering = ("-created_at",)
