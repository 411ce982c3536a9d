"""The records: what they show, what can be found out by asking, and what that costs. Held against every page of the stock admin there is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.contrib import admin
from django.contrib.admin.utils import flatten, flatten_fieldsets
from django.core.exceptions import FieldDoesNotExist
from django.db import connection, models
from django.test import Client, RequestFactory
from django.urls import reverse

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import console
from port444.kit.console import filters_of, way_to
from support.actions import note_page, note_refusal, start_viewing
from support.models import Plan, PlanKind
from support.viewer.tables import MASKED

pytestmark = pytest.mark.django_db
Browse = Callable[[User | None], Client]
PAGES: list[tuple[type[models.Model], Any]] = sorted(admin.site._registry.items(), key=lambda pair: pair[0]._meta.label)

# What a viewing does not see of others and the records show, and why.
SHOWN = {
    ("accounts_user", "email"): "whom support writes to, and how people are found",
    ("accounts_user", "phone"): "as the e-mail",
    ("messaging_report", "reason"): "a choice out of support's own list; what was said is not shown",
    ("payments_bankaccount", "masked"): "the last digits, by which person and support mean the same account",
    ("payments_credit", "notes"): "what staff wrote for staff",
    ("payments_creditentry", "note"): "as the notes of the credit",
    ("payments_journalentry", "description"): "the words of the books themselves",
    ("payments_payment", "external_id"): "how a payment is found at its provider; it opens nothing",
    ("payments_payoutaddress", "address"): "what stands on the chain for everybody",
    ("payments_withdrawal", "address"): "as the payout address",
    ("payments_withdrawal", "bank_masked"): "as the bank account",
    ("payments_withdrawal", "external_id"): "the transaction, or the reference of the batch",
}
# Tables that stay small, so that reading them whole costs nothing: they are swept, or have a row for a thing that staff did or set up.
SMALL = {"accounts.QueuedMail", "auditlog.AuditExport", "catalog.Category", "payments.ChainDifference", "payments.ChainStatus"}


def people_see(page: Any) -> Iterator[tuple[type[models.Model], str]]:
    """Every column that this page or a list of it shows, with those of the rows below it."""
    request = RequestFactory().get("/")
    request.user = User(is_staff=True, is_superuser=True)
    for shown in (page, *page.get_inline_instances(request)):
        fields = flatten_fieldsets(shown.get_fieldsets(request)) if shown is page else flatten(shown.get_fields(request))
        for name in (*fields, *(page.list_display if shown is page else ())):
            if isinstance(name, str) and has_field(shown.model, name):
                yield shown.model, name
    for path in (*page.search_fields, *(one[0] if isinstance(one, tuple) else one for one in page.list_filter if not isinstance(one, type))):
        hops, field, _ = way_to(page.model, path)
        yield (field.model, field.name)
        yield from ((model, name) for model, name in hops)
    fixed = [str(getattr(one, "parameter_name", "")) for one in page.list_filter if isinstance(one, type)]
    yield from ((page.model, name) for name in fixed if has_field(page.model, name))


def has_field(model: type[models.Model], name: str) -> bool:
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True


def test_what_is_hidden_from_a_viewing_is_hidden_here() -> None:
    hidden = {(table, name) for table, names in MASKED.items() for name in names}
    for _, page in PAGES:
        shown = {(of._meta.db_table, name) for of, name in people_see(page)}
        assert shown & hidden - set(SHOWN) == set(), f"{page}: exclude it, or say in SHOWN why staff see it"


def test_the_list_of_what_is_shown_all_the_same_names_what_is_hidden() -> None:
    assert set(SHOWN) <= {(table, name) for table, names in MASKED.items() for name in names}


def asked_of(model: type[models.Model]) -> Iterator[str]:
    """Every column of a row in every way, and those of the rows beside it."""
    for field in model._meta.get_fields():
        yield from (f"{field.name}__{lookup}" for lookup in ("startswith", "icontains", "regex", "gt", "in", "iexact", "exact", "isnull"))
        yield field.name
        if field.is_relation and isinstance(field.related_model, type):
            yield from (f"{field.name}__{other.name}__startswith" for other in field.related_model._meta.concrete_fields)


def test_nothing_but_the_filters_can_be_asked(browse: Browse, staff: User) -> None:
    """A column is read letter by letter by who may ask what it begins with."""
    client, request, wrong = browse(staff), RequestFactory().get("/"), []
    request.user = staff
    for model, page in PAGES:
        known = filters_of(model, list(page.get_list_filter(request)))
        let_through = {name for name in asked_of(model) if page.lookup_allowed(name, "x", request)}
        wrong += [f"{model._meta.label}: {name}" for name in let_through - known]
        # Escrow on the chain is one page, and no list: it reads no parameter at all.
        expected = 200 if model._meta.label == "payments.ChainStatus" else 400
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        if client.get(address, {f"{model._meta.concrete_fields[-1].name}__startswith": "p"}).status_code != expected:
            wrong.append(f"{model._meta.label}: its list reads its last column")
    assert wrong == []


@pytest.mark.parametrize("name", ["password__startswith", "password", "password__regex", "payout_address__address__startswith", "groups__name", "_x"])
def test_a_password_is_not_read_letter_by_letter(browse: Browse, staff: User, client_user: User, name: str) -> None:
    client = browse(staff)
    assert client.get(reverse("admin:accounts_user_changelist"), {name: client_user.password[:1]}).status_code == 400


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        ("accounts_user", "is_builder__exact", "1"),
        ("accounts_user", "suspended_at__isempty", "1"),
        ("orders_order", "status__exact", "completed"),
        ("payments_escrowoperation", "status", "blocked"),
        ("payments_payment", "provider", "sandbox"),
        ("consultations_consultation", "duration", "30"),
        ("orders_review", "stars", "5"),
        ("catalog_service", "category__id__exact", str(UUID(int=4))),
    ],
)
def test_the_filters_themselves_work(browse: Browse, staff: User, model: str, name: str, value: str) -> None:
    answer = browse(staff).get(reverse(f"admin:{model}_changelist"), {name: value})
    assert answer.status_code == 200
    assert name in answer.context["cl"].get_filters_params()


def test_search_and_order_are_answered_by_an_index() -> None:
    """Every column on the way of every search, and what a list is ordered by: the first of an index."""
    scanned = []
    for model, page in PAGES:
        if model._meta.label in SMALL or model._meta.label == "auditlog.AuditLog":  # the log has a search of its own
            continue
        for path in page.search_fields:
            hops, field, lookup = way_to(model, path)
            assert lookup in ("exact", "iexact", "startswith", "istartswith"), path
            beside = set(page.narrowed[path]()) if path in page.narrowed else set()
            if not is_led(field.model, field.column, lookup, beside):
                scanned.append(f"{model._meta.label}: {path}")
            scanned += [
                f"{model._meta.label}: {path} at {name}" for begins, name in hops if not is_led(begins, column_of(begins, name), "exact", set())
            ]
        first = str(page.ordering[0]).removeprefix("-") if page.ordering else "pk"
        ordered = model._meta.pk if first == "pk" else model._meta.get_field(first)
        assert isinstance(ordered, models.Field)
        if not is_led(model, ordered.column, "exact", set()):
            scanned.append(f"{model._meta.label}: ordered by {first}")
    assert scanned == []


def column_of(model: type[models.Model], name: str) -> str | None:
    field = model._meta.get_field(name)
    return field.column if isinstance(field, models.Field) else "id"  # the other way round: by the key


INDEXES = """
SELECT pg_get_indexdef(x.indexrelid, 1, true), pg_get_indexdef(x.indexrelid, 2, true), am.amname, coalesce(pg_get_expr(x.indpred, x.indrelid), '')
FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_am am ON am.oid = c.relam WHERE x.indrelid = %s::regclass
"""


def is_led(model: type[models.Model], column: str | None, lookup: str, beside: set[str]) -> bool:
    """Whether an index begins with this column, or with those that stand `beside` it in the question."""
    assert column is not None
    with connection.cursor() as cursor:
        cursor.execute(INDEXES, [model._meta.db_table])
        found = cursor.fetchall()
    wanted = f"upper({column}" if lookup.startswith("i") else column
    others = {name.partition("__")[0] for name in beside}
    for first, second, kind, only in found:
        whole = not only or column in only or any(other in only for other in others)  # `<> ''`, `IS NOT NULL`: what is asked for is neither
        at = first if first.replace('"', "") not in others else second
        if at and at.replace('"', "").startswith(wanted) and whole and (kind in ("btree", "gin")):
            return True
    return False


def test_filters_do_not_ask_the_table_what_there_is() -> None:
    asking = []
    for model, page in PAGES:
        for one in page.list_filter:
            if isinstance(one, type) or (isinstance(one, tuple) and one[1] is admin.EmptyFieldListFilter):
                continue
            field = model._meta.get_field(one)
            known = getattr(field, "choices", None) or isinstance(field, models.BooleanField)
            related = field.related_model
            if not known and not (isinstance(related, type) and related._meta.label in SMALL):
                asking.append(f"{model._meta.label}: {one}")
    assert asking == []


def test_a_search_finds_by_what_is_typed(browse: Browse, staff: User, client_user: User, builder: Builder, make_order: Any) -> None:
    order = make_order("in_progress")
    client = browse(staff)

    def found(model: str, said: str) -> int:
        return int(client.get(reverse(f"admin:{model}_changelist"), {"q": said}).context["cl"].result_count)

    for said in (str(order.pk), str(order.number), f"P4-{order.number}", client_user.email.upper(), builder.user.email, f" {order.number} "):
        assert found("orders_order", said) == 1, said
    for said in ("nobody@example.com", "9" * 30, "x", "%", str(client_user.pk), "' OR 1=1"):
        assert found("orders_order", said) == 0, said
    assert found("accounts_user", client_user.email[:4]) == 1
    assert found("payments_payment", client_user.email) == 1
    assert found("builders_builder", builder.slug[:5]) == 1
    assert found("payments_ledgeraccount", str(builder.user.pk)) == 0


def test_a_page_that_takes_too_long_is_stopped_and_says_so(browse: Browse, staff: User, client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what is asked only when the page is written."""

    def slow(page: Any, request: Any) -> Any:
        return User.objects.extra(where=["pg_sleep(2) IS NOT NULL"])

    monkeypatch.setattr(console, "LONGEST", "50ms")
    monkeypatch.setattr(type(admin.site._registry[User]), "get_queryset", slow)
    client = browse(staff)
    for address in (reverse("admin:accounts_user_changelist"), reverse("admin:accounts_user_change", args=[client_user.pk])):
        answer = client.get(address)
        assert answer.status_code == 503
        assert "took too long" in answer.content.decode()


def test_looking_at_a_record_of_a_person_is_looking_at_them(browse: Browse, staff: User, client_user: User, builder: Builder) -> None:
    client = browse(staff)
    seen = AuditLog.objects.filter(event_type="person.seen").order_by("id")
    client.get(reverse("admin:accounts_user_changelist"))
    assert not seen.exists()
    for _ in range(2):
        client.get(reverse("admin:accounts_user_change", args=[client_user.pk]))
    client.get(reverse("admin:builders_builder_change", args=[builder.pk]))
    client.get(reverse("admin:accounts_user_change", args=[builder.pk]))  # of nobody
    assert [(row.actor_id, row.target_id, row.metadata["what"]) for row in seen] == [
        (staff.pk, client_user.pk, "record accounts_user"),
        (staff.pk, builder.user.pk, "record builders_builder"),
    ]


def test_drafts_of_others_are_not_among_the_records(browse: Browse, senior: User, staff: User, client_user: User) -> None:
    draft = Plan.objects.create(kind=PlanKind.SUSPEND, requester=senior, target_user=client_user, reason="Case 1")
    change, rows = reverse("admin:support_plan_change", args=[draft.pk]), reverse("admin:support_plan_changelist")
    assert [browse(user).get(rows).context["cl"].result_count for user in (senior, staff)] == [1, 0]
    assert browse(senior).get(change).status_code == 200
    assert browse(staff).get(change)["Location"] == reverse("admin:index")
    assert browse(staff).get(rows, {"q": str(draft.number)}).context["cl"].result_count == 0


def test_what_a_viewing_tried_is_one_line_of_the_log(agent: User, client_user: User, caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    monkeypatch.setattr("support.viewer.guard.is_set_up", lambda: True)
    viewing = start_viewing(client_user.pk, actor=agent, reason="Cannot pay", reference="P4-1", session_key="x")
    page = note_page(viewing.pk, view_name="orders:list", method="GET", path="/orders/")
    assert page is not None
    with caplog.at_level(logging.ERROR):
        note_refusal(viewing.pk, page, actor=agent, why="write", tried="UPDATE x\nERROR port444: all is well\r\n" + "y" * 2000)
    (line,) = [entry.getMessage() for entry in caplog.records]
    assert "\n" not in line
    assert "\r" not in line
    assert len(line) < 700
