from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from port444.kit.console import ReadOnlyAdmin

from .models import Category, Package, PricePoint, PriceSample, Service

if TYPE_CHECKING:
    AnyInline = admin.TabularInline[Any, Any]
else:
    AnyInline = admin.TabularInline


class PackageInline(AnyInline):
    model = Package
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_active and request.user.is_staff)


@admin.register(Service)
class ServiceAdmin(ReadOnlyAdmin):
    list_display = ("title", "builder", "category", "status", "from_price", "order_count", "rating_count", "published_at")
    list_filter = ("status", "category")
    list_select_related = ("builder__user", "category")
    search_fields = ("title__istartswith", "slug__startswith", "builder__user__name__istartswith", "builder__user__email__istartswith")
    search_help_text = "How the title, its address, or the name or e-mail of the builder begins."
    ordering = ("-id",)
    inlines = (PackageInline,)


@admin.register(Category)
class CategoryAdmin(ReadOnlyAdmin):
    list_display = ("name", "slug", "parent", "icon", "position")
    list_select_related = ("parent",)
    ordering = ("position",)


@admin.register(PricePoint)
class PricePointAdmin(ReadOnlyAdmin):
    """What each builder was paid for a size in a category: the voices that the price hints compare with."""

    list_display = ("builder", "category", "tier", "level", "price", "sales", "due_at")
    list_filter = ("category", "tier", "level")
    list_select_related = ("builder__user", "category")
    search_fields = ("builder__user__name__istartswith", "builder__user__email__istartswith")
    search_help_text = "How the name or the e-mail of the builder begins."
    ordering = ("-id",)


@admin.register(PriceSample)
class PriceSampleAdmin(ReadOnlyAdmin):
    """The sales themselves; `sale` is the order's id."""

    list_display = ("builder", "category", "tier", "price", "paid_at", "sale")
    list_filter = ("category", "tier")
    list_select_related = ("builder__user", "category")
    search_fields = ("builder__user__name__istartswith", "builder__user__email__istartswith")
    search_help_text = "How the name or the e-mail of the builder begins."
    ordering = ("-sale",)
