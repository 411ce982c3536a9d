"""The base of every page of the records: rows to look at and to find. What changes something is a button that calls an action."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, cast

from django.contrib import admin
from django.contrib.admin.options import ActionLocation
from django.contrib.admin.utils import get_fields_from_path
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.paginator import Paginator
from django.db import OperationalError, connection, transaction
from django.db.models import CharField, DateField, IntegerField, Model, Q, QuerySet, TextField, UniqueConstraint
from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse
from django.utils.functional import Promise, cached_property

from .errors import NotAllowed, TooSlow, sqlstate

MOST_ROWS = 5000
MOST_FOUND = 500  # rows through which a search goes on to others: the payments of somebody's invoices
LONGEST = "4s"  # that one question of a page may take
MARKED = re.compile(r"(?:p4|[advx])-(?=\d)", re.IGNORECASE)  # what stands before a number where people read it
NOTHING = Q(pk__in=())

if TYPE_CHECKING:
    AnyPaginator = Paginator[Any]
    AnyAdmin = admin.ModelAdmin[Any]
    AnyListFilter = admin.SimpleListFilter
else:
    AnyPaginator = Paginator
    AnyAdmin = admin.ModelAdmin
    AnyListFilter = admin.SimpleListFilter


class ConsoleSite(Protocol):
    """What the console knows and the records below it ask for."""

    def proved(self, request: HttpRequest) -> bool:
        """Whether a code of the authenticator app was given within the last ten minutes."""

    def prove(self, request: HttpRequest) -> HttpResponse:
        """To where such a code is given, and back."""

    def note_act(self, act: str, *, actor: Any, description: str, **facts: Any) -> None:
        """Write an act of staff down, in the transaction of the act."""

    def note_seen(self, request: HttpRequest, person_id: Any, what: str) -> None:
        """Write down that a member of staff looks at something of a person."""


def has(request: HttpRequest, permission: str) -> bool:
    """Whether whoever asks is in a group of the console that has `permission`."""
    user = request.user
    return bool(user.is_active and user.is_staff and user.has_perm(f"support.{permission}"))


def needs(*permissions: str, proved: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """For a method that answers a page on which something is done: who lacks one of these permissions of the console is told so. What
    cannot be undone asks for a code of the last ten minutes as well (`proved`)."""

    def wrap(page: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(page)
        def guarded(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if not all(has(request, permission) for permission in permissions):
                raise NotAllowed("Your group may look at this, but not do it.", code="no_permission")
            if proved and not self.site.proved(request):
                return self.site.prove(request)
            return page(self, request, *args, **kwargs)

        guarded.permissions = permissions  # type: ignore[attr-defined]  # for the test that tries every group at every address
        guarded.proved = proved  # type: ignore[attr-defined]
        return guarded

    return wrap


@contextmanager
def in_time() -> Iterator[None]:
    """Whatever somebody types into a list, no question of it keeps the database for longer than a few seconds. Raises TooSlow."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [LONGEST])
            yield
    except OperationalError as error:
        if sqlstate(error) != "57014":
            raise
        raise TooSlow("This took too long and was stopped. A whole id, number or e-mail is found at once.") from error


def rendered(response: HttpResponse) -> HttpResponse:
    """A page of the stock admin asks most of its questions when it is rendered."""
    return response.render() if isinstance(response, SimpleTemplateResponse) else response


class CappedPaginator(AnyPaginator):
    """Counts no further than `MOST_ROWS`: counting all rows of a large table costs more than the page. Who wants older rows
    narrows the search."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows.order_by()[:MOST_ROWS].count() if isinstance(rows, QuerySet) else len(rows)


# Filters and search ---------------------------------------------------------------------------------------------------------------


def one_of(name: str, choices: Callable[[], Sequence[tuple[Any, str | Promise]]], title: str = "") -> type[admin.SimpleListFilter]:
    """A filter by a column whose values are known without asking the table, which would read all of it."""

    class Known(AnyListFilter):
        parameter_name = name

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(str(value), str(words)) for value, words in choices()]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            known = {str(value): value for value, _ in choices()}
            return queryset.filter(**{name: known[said]}) if (said := self.value()) in known else queryset

    Known.title = title or name.replace("_", " ")
    return Known


def filters_of(model: type[Model], filters: Sequence[Any]) -> set[str]:
    """The parameters that these filters read, and no others."""
    found: set[str] = set()
    for one in filters:
        if isinstance(one, type) and issubclass(one, admin.SimpleListFilter):
            found.add(str(one.parameter_name))
            continue
        path, kind = one if isinstance(one, tuple | list) else (one, None)
        field: Any = get_fields_from_path(model, path)[-1]
        if kind is admin.EmptyFieldListFilter:
            found.add(f"{path}__isempty")
        elif field.is_relation:
            found |= {f"{path}__{field.target_field.name}__exact", f"{path}__isnull"}
        elif isinstance(field, DateField):
            found |= {f"{path}__gte", f"{path}__lt", f"{path}__isnull"}
        else:
            found |= {path, f"{path}__exact", f"{path}__isnull"}
    return found


def leads_index(model: type[Model], name: str) -> bool:
    """Whether rows come in the order of this column out of an index."""
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    if getattr(field, "unique", False) or getattr(field, "db_index", False):
        return True
    known = [*model._meta.indexes, *(one for one in model._meta.constraints if isinstance(one, UniqueConstraint))]
    return any(one.condition is None and [name] == [first.removeprefix("-") for first in one.fields[:1]] for one in known)


def way_to(model: type[Model], path: str) -> tuple[list[tuple[type[Model], str]], Any, str]:
    """The relations of a search field with the models that they begin at, its column, and how it is compared: exactly unless it says
    otherwise."""
    hops: list[tuple[type[Model], str]] = []
    field: Any = None
    names = path.split("__")
    for place, name in enumerate(names):
        try:
            found = model._meta.get_field("id" if name == "pk" else name)
        except FieldDoesNotExist:
            return hops, field, "__".join(names[place:])
        if place + 1 < len(names) and found.is_relation:
            hops.append((model, name))
            model = cast("type[Model]", found.related_model)
        field = found
    return hops, field, "exact"


def found_by(model: type[Model], path: str, term: str, narrowed: Mapping[str, Any] | None = None) -> Q:
    """Rows of `model` whose `path` is what was typed, as a condition on its own columns: one that reaches into other tables beside one
    that does not would read both of them."""
    hops, field, lookup = way_to(model, path)
    value: Any = term
    if not isinstance(field, CharField | TextField):
        try:
            value = field.clean(MARKED.sub("", term, count=1) if isinstance(field, IntegerField) else term, None)
        except (ValidationError, ValueError):
            return NOTHING
    found = Q(**{f"{field.name}__{lookup}": value}, **(narrowed or {}))
    end: Any = field.model
    for begins, name in reversed(hops):
        keys = list(end._base_manager.filter(found).order_by("-pk").values_list("pk", flat=True)[:MOST_FOUND])
        if not keys:
            return NOTHING
        found, end = Q(**{f"{name}__in": keys}), begins
    return found


# Pages ----------------------------------------------------------------------------------------------------------------------------


class ReadOnlyAdmin(AnyAdmin):
    """Rows to look at for who has `seen_with`; nothing is added, changed or deleted here, whatever rights a member of staff has.

    What is in no list and on no page (`exclude`, `fields`) cannot be found out by asking either: only the parameters of `list_filter` are
    read. `search_fields` are compared exactly, or as `__iexact`, `__startswith` and `__istartswith` where an index answers that.
    `narrowed` says what else holds where a search field stands behind other columns in its index.
    `about` names the attribute with the id of the person whom a row is about, where looking at it is looking at them.
    """

    seen_with = "see_people"
    about = ""
    narrowed: Mapping[str, Callable[[], dict[str, Any]]] = {}
    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50

    @property
    def site(self) -> ConsoleSite:
        return cast(ConsoleSite, self.admin_site)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        name = str(self.opts.verbose_name_plural)
        with in_time():
            return rendered(super().changelist_view(request, {"title": name[:1].upper() + name[1:], **(extra_context or {})}))

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        with in_time():
            response = rendered(super().changeform_view(request, object_id, form_url, extra_context))
        row = (getattr(response, "context_data", None) or {}).get("original")
        if self.about and row is not None:
            self.site.note_seen(request, getattr(row, self.about), f"record {self.opts.db_table}")
        return response

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Not any column of the row, as stock: a password is read letter by letter by who may ask what it begins with."""
        return request is not None and lookup in filters_of(self.model, list(self.get_list_filter(request)))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        """Not `icontains` and casts of whole columns to text, as stock, which no index answers."""
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = NOTHING
        for path in self.get_search_fields(request):
            wanted |= found_by(self.model, str(path), term, self.narrowed[path]() if path in self.narrowed else None)
        return queryset.filter(wanted), False

    def get_sortable_by(self, request: HttpRequest) -> list[Any]:
        """Another order than that of an index would sort the whole table for a page of it."""
        return [name for name in self.get_list_display(request) if isinstance(name, str) and leads_index(self.model, name)]

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
