"""What the role of a viewing may read, compared with the models, with the addresses and with what the database says."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connections

from port444.accounts.models import User
from support import checks
from support.viewer import addresses, tables
from tests.architecture.test_urls import table

OF_THE_TESTS = {"empty_tables", "own_horizon"}  # made by the tests' own start, after the migrations
TWO = pytest.mark.django_db(transaction=True, databases=["default", "viewer"])


def names() -> set[str]:
    return {model._meta.db_table for model in apps.get_models(include_auto_created=True) if not model._meta.proxy}


def test_every_table_is_in_one_list() -> None:
    lists = [*tables.OPEN, *tables.MASKED, *tables.CLOSED]
    assert set(tables.OWN) <= set(tables.MASKED)
    assert sorted(lists) == sorted(set(lists))
    assert names() - set(lists) == set(), "say in support/viewer/tables.py whether a viewing may read it"
    assert set(lists) - names() == set()


def test_every_address_is_in_one_list() -> None:
    found = {address.name for address in table()}
    ours = {name for name in found if not name.startswith(addresses.CONSOLE)}
    lost = {name for name in ours if name not in addresses.OPEN | addresses.OWN and not addresses.why_closed(name)}
    read = {address.name for address in table() if address.methods() != {"POST"}}
    assert lost & read == set(), "say in support/viewer/addresses.py whether a viewing shows it"
    assert addresses.OPEN - found == set()
    assert {name for name in addresses.CLOSED if not name.endswith("*")} - found == set()
    assert addresses.OPEN & set(addresses.CLOSED) == set()
    assert [name for name in addresses.OPEN if name.startswith(("account_", "mfa_", "accounts:", "support:", "admin:"))] == []


@TWO
def test_the_role_may_read_what_the_list_says_and_nothing_else() -> None:
    wanted = {("public", name, "SELECT") for name in tables.OPEN} | {(tables.SCHEMA, name, "SELECT") for name in tables.MASKED}
    with connections["viewer"].cursor() as cursor:
        cursor.execute(
            """
            SELECT n.nspname, c.relname, p.name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p(name)
            WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
              AND has_table_privilege(c.oid, p.name)
            """
        )
        assert set(cursor.fetchall()) == wanted
        cursor.execute(
            "SELECT sequencename FROM pg_sequences WHERE has_sequence_privilege(format('%I.%I', schemaname, sequencename), 'USAGE, UPDATE')"
        )
        assert cursor.fetchall() == []
        cursor.execute(
            "SELECT has_database_privilege(current_database(), 'TEMP'), has_schema_privilege('public', 'CREATE'), rolsuper, current_user, "
            "current_setting('transaction_read_only') FROM pg_roles WHERE rolname = current_user"
        )
        assert cursor.fetchone() == (False, False, False, tables.ROLE, "on")


@TWO
def test_masked_views_have_all_columns_of_their_tables() -> None:
    with connections["viewer"].cursor() as cursor:
        for name in tables.MASKED:
            columns = []
            for schema in ("public", tables.SCHEMA):
                cursor.execute(tables.COLUMNS, [f"{schema}.{name}"])
                columns.append(cursor.fetchall())
            assert columns[0] == columns[1], name
            assert set(tables.MASKED[name]) <= {column for column, _ in columns[0]}


@TWO
def test_the_functions_that_write_the_log_are_closed_to_it() -> None:
    with connections["viewer"].cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace AND has_function_privilege(oid, 'EXECUTE')"
        )
        assert {name for (name,) in cursor.fetchall()} - OF_THE_TESTS == set()


@TWO
def test_others_have_no_address_and_nobody_a_password(client_user: User, builder_user: User) -> None:
    with connections["viewer"].cursor() as cursor:
        cursor.execute("SELECT set_config('viewing.subject', %s, false)", [str(client_user.pk)])
    seen = {user.pk: (user.email, user.password) for user in User.objects.using("viewer")}
    assert seen == {client_user.pk: (client_user.email, ""), builder_user.pk: ("", "")}


def test_pages_begin_no_thread() -> None:
    """A thread would not know that it may only look."""
    found = []
    for package in ("port444", "consultations", "amendments", "support"):
        for path in sorted((Path(settings.BASE_DIR) / package).rglob("*.py")):
            if not any(part.startswith(("views", "queries", "forms", "middleware")) for part in path.relative_to(settings.BASE_DIR).parts):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                name = getattr(node, "id", getattr(node, "attr", ""))
                if isinstance(node, ast.Name | ast.Attribute) and name in ("Thread", "ThreadPoolExecutor", "Timer"):
                    found.append(f"{path.name}:{node.lineno}")
    assert found == []


@pytest.mark.parametrize(
    ("databases", "errors"),
    [
        ({"default": {"USER": "port444_app"}, "viewer": {"USER": "port444_viewer"}}, []),
        ({"default": {"USER": "port444_app"}}, ["port444.E012"]),
        ({"default": {"USER": "port444_app"}, "viewer": {"USER": "port444_app"}}, ["port444.E013"]),
        ({"default": {"USER": "port444_app"}, "viewer": {"USER": ""}}, ["port444.E013"]),
    ],
)
def test_production_wants_the_role(monkeypatch: pytest.MonkeyPatch, databases: dict[str, dict[str, str]], errors: list[str]) -> None:
    monkeypatch.setattr(checks, "settings", SimpleNamespace(DEVELOPMENT=False, DATABASES=databases))
    assert [found.id for found in checks.viewer()] == errors
