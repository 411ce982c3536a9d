"""The base of every page of the staff console: look and search. What changes something is a button that calls an action."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.options import ActionLocation
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property

from .errors import NotAllowed

MOST_ROWS = 5000

if TYPE_CHECKING:
    AnyPaginator = Paginator[Any]
    AnyAdmin = admin.ModelAdmin[Any]
else:
    AnyPaginator = Paginator
    AnyAdmin = admin.ModelAdmin


def has(request: HttpRequest, permission: str) -> bool:
    """Whether whoever asks is in a group of the console that has `permission`."""
    user = request.user
    return bool(user.is_active and user.is_staff and user.has_perm(f"support.{permission}"))


def needs(permission: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """For a method that answers a page on which something is done: who lacks this permission of the console is told so."""

    def wrap(page: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(page)
        def guarded(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if not has(request, permission):
                raise NotAllowed("Your group may look at this, but not do it.", code="no_permission")
            return page(self, request, *args, **kwargs)

        return guarded

    return wrap


class CappedPaginator(AnyPaginator):
    """Counts no further than `MOST_ROWS`: counting all rows of a large table costs more than the page. Who wants older rows
    narrows the search."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows.order_by()[:MOST_ROWS].count() if isinstance(rows, QuerySet) else len(rows)


class ReadOnlyAdmin(AnyAdmin):
    """Rows to look at for who has `seen_with`; nothing is added, changed or deleted here, whatever rights a member of staff has."""

    seen_with = "see_people"
    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        name = str(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": name[:1].upper() + name[1:], **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return has(request, self.seen_with)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_actions(self, request: HttpRequest, action_location: ActionLocation = ActionLocation.CHANGE_LIST) -> dict[str, Any]:
        return {}
