"""What the serving role and the owner can do to the log, tried; and the look that names what is not as it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from auditlog import roles
from auditlog.actions import anchor_seals, record
from auditlog.events import Event
from auditlog.models import AuditLog
from port444.accounts.models import User
from tests import copies

from .sealed import log, seal_all

# On every table of the log, every partition and all that proves it.
ON_TABLES = (
    "TRUNCATE {table}",
    "DELETE FROM {table}",
    "DELETE FROM ONLY {table}",
    "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "ALTER TABLE {table} DISABLE TRIGGER USER",
    "ALTER TABLE {table} ADD COLUMN extra int",
    "ALTER TABLE {table} OWNER TO port444_app",
    "ALTER TABLE {table} RENAME TO gone",
    "DROP TABLE {table} CASCADE",
    "CREATE TRIGGER mine BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION audit_reject()",
    "CREATE RULE mine AS ON UPDATE TO {table} DO INSTEAD NOTHING",
    "CREATE POLICY mine ON {table} USING (false)",
    "LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE",
    "CREATE INDEX mine ON {table} USING btree (id)",
    "COMMENT ON TABLE {table} IS 'mine'",
)
# On the log, its partitions and what is found in it: nobody but the owner's functions writes there.
ON_WRITTEN = ("INSERT INTO {table} DEFAULT VALUES", "COPY {table} FROM STDIN", "UPDATE {table} SET timestamp = timestamp")
# By other ways.
AROUND = (
    "SET session_replication_role = replica",
    "SET ROLE port444_owner",
    "SET SESSION AUTHORIZATION port444_owner",
    "SET ROLE postgres",
    "ALTER ROLE port444_app SUPERUSER",
    "CREATE ROLE mine SUPERUSER",
    "GRANT port444_owner TO port444_app",
    "GRANT pg_write_all_data TO port444_app",
    "CREATE OR REPLACE FUNCTION audit_reject() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    "DROP FUNCTION audit_append CASCADE",
    "ALTER FUNCTION audit_reject() RENAME TO gone",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1",
    "CREATE TABLE mine (id int)",
    "ALTER SCHEMA public RENAME TO gone",
    "GRANT port444_owner TO port444_app WITH ADMIN OPTION",
    "DROP OWNED BY port444_owner",
    "REASSIGN OWNED BY port444_owner TO port444_app",
    "ALTER TABLE audit_log DETACH PARTITION {partition}",
    "ALTER TABLE audit_log ATTACH PARTITION {partition} DEFAULT",
    "SELECT setval('audit_log_id_seq', 1)",
    "ALTER SEQUENCE audit_log_id_seq RESTART",
    "UPDATE pg_trigger SET tgenabled = 'D'",
    "ALTER SYSTEM SET session_replication_role = replica",
    "SELECT audit_find_forget('2020-01-01')",
    "SELECT audit_watch('audit_log', 'x', 'financial', '{{}}')",
    "SELECT audit_unwatch('accounts_user')",
    "SELECT pg_read_file('postgresql.conf')",
    "INSERT INTO audit_move VALUES (gen_random_uuid(), '2020-01-01', 'dropped', 9, now())",
    "COPY audit_log TO PROGRAM 'cat'",
    "INSERT INTO audit_log (id, timestamp, event_type, event_category, severity, actor_type, target_type, action) OVERRIDING SYSTEM VALUE "
    "VALUES (1, '2020-01-01', 'x', 'financial', 'info', 'system', 'x', 'x')",
)
KEPT_ROWS = "SELECT count(*), coalesce(max(id), 0), md5(string_agg(l::text, '|' ORDER BY id)) FROM audit_log l"


def rows(query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def tables() -> list[str]:
    return [table for table, *_ in rows(roles.TABLES)]


def is_refused(attack: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(attack)
    except DatabaseError:
        return True
    return False


def attacks() -> Iterator[str]:
    names = tables()
    assert len(names) > 12
    for table in names:
        # Whoever may work on incidents may keep others from it meanwhile.
        yield from (attack.format(table=table) for attack in ON_TABLES if not (table == "incident_log" and attack.startswith("LOCK")))
        if table != "incident_log":
            column = rows(f"SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum = 1")[0][0]
            yield f"UPDATE {table} SET {column} = {column}"
        if roles.rights(table) == roles.READ:
            yield from (attack.format(table=table) for attack in ON_WRITTEN)
    partition = next(name for name in names if name.startswith("audit_log_"))
    yield from (attack.format(partition=partition) for attack in AROUND)


def test_the_serving_role_can_do_nothing_to_the_log_but_what_it_may(own_database: str) -> None:
    """With the rights of production, in a database that nobody has been in."""
    log()
    seal_all()
    anchor_seals()
    before = rows(KEPT_ROWS)
    through = [attack for attack in attacks() if not is_refused(attack)]
    assert through == []
    assert rows(KEPT_ROWS) == before
    with connection.cursor() as cursor:
        cursor.execute("GRANT ALL ON audit_log, audit_seal TO port444_app")  # the database only warns, and gives nothing
    assert faults() == []


def test_a_table_of_the_same_name_takes_no_rows_of_the_log(client_user: User) -> None:
    """The functions of the owner look into the schema of the log first, whatever lies on the caller's path."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL search_path = pg_temp, public")
        if is_refused("CREATE TEMPORARY TABLE audit_log (LIKE public.audit_log INCLUDING ALL)"):
            cursor.execute("SET LOCAL search_path = public")  # even better
        pk = record(Event.LOGIN, actor=client_user, target=client_user)
        cursor.execute("SELECT count(*) FROM public.audit_log WHERE id = %s", [pk])
        assert cursor.fetchone() == (1,)


def test_whoever_serves_chooses_neither_the_moment_nor_the_number(client_user: User) -> None:
    first, second = (record(Event.LOGIN, actor=client_user, target=client_user) for _ in range(2))
    row = AuditLog.objects.get(pk=second)
    assert second > first
    ((age, is_mine),) = rows(
        f"SELECT clock_timestamp() - timestamp < interval '1 minute', xid = pg_current_xact_id()::text::bigint FROM audit_log WHERE id = {row.pk}"
    )
    assert (age, is_mine) == (True, True)


def test_every_table_of_the_log_is_one_of_those_that_there_are_rules_for(db: None) -> None:
    known = {"audit_log", "audit_find", "audit_find_mark", "incident_log", *roles.PROVES}
    assert {parent or table for table, _, _, parent in rows(roles.TABLES)} == known


# With a database of its own, because what the owner does is committed


@pytest.fixture
def by_owner(own_database: str, settings: Any) -> Callable[[str], None]:
    settings.DATABASE_OWNER_URL = copies.on_database(copies.owner_url(), own_database)

    def run(statement: str) -> None:
        with psycopg.connect(copies.libpq(settings.DATABASE_OWNER_URL), autocommit=True) as owner:
            owner.execute(statement.encode())

    log()
    seal_all()
    anchor_seals()
    return run


def faults() -> list[str]:
    return [fault for _, found in roles.examine() for fault in found]


@pytest.mark.parametrize(
    "accident",
    [
        "UPDATE {table} SET {column} = {column}",
        "DELETE FROM {table}",
        "TRUNCATE {table}",
        "SET session_replication_role = replica; DELETE FROM {table}",
        "ALTER TABLE {table} DISABLE RULE nothing",
    ],
)
def test_the_owner_changes_nothing_by_accident(by_owner: Callable[[str], None], accident: str) -> None:
    """Also not while the triggers of replication are off: these are always on."""
    before = rows(KEPT_ROWS)
    month = rows("SELECT 'audit_log_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')")[0][0]
    for table in ("audit_log", month, "audit_seal", "audit_leaves", "audit_anchor"):
        column = "id" if "log" in table else "seq" if table == "audit_seal" else "seal_id"
        with pytest.raises(psycopg.Error):
            by_owner(accident.format(table=table, column=column))
    assert rows(KEPT_ROWS) == before


def test_a_log_that_is_as_it_should_be(by_owner: Callable[[str], None]) -> None:
    said = StringIO()
    call_command("audit_roles", check=True, stdout=said)
    assert said.getvalue().count("as it should be") == 8


@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        ("GRANT UPDATE ON audit_log TO port444_app", "port444_app may UPDATE on audit_log"),
        ("GRANT UPDATE (description) ON audit_log TO port444_app", "port444_app may UPDATE on audit_log"),
        ("GRANT DELETE ON audit_seal TO port444_app", "port444_app may DELETE on audit_seal"),
        ("GRANT TRUNCATE ON ALL TABLES IN SCHEMA public TO PUBLIC", "port444_app may TRUNCATE on audit_leaves"),
        ("GRANT INSERT ON audit_find TO port444_app", "port444_app may INSERT on audit_find"),
        ("REVOKE INSERT ON audit_seal FROM port444_app", "port444_app may not INSERT on audit_seal"),
        ("GRANT EXECUTE ON FUNCTION audit_unwatch TO PUBLIC", "port444_app may execute audit_unwatch(regclass)"),
        ("REVOKE EXECUTE ON FUNCTION audit_ensure_partitions FROM port444_app", "port444_app may not execute audit_ensure_partitions(integer)"),
        ("GRANT USAGE ON SEQUENCE audit_log_id_seq TO port444_app", "port444_app may count audit_log_id_seq on"),
    ],
)
def test_wrong_grants_are_named_and_put_right(by_owner: Callable[[str], None], harm: str, fault: str) -> None:
    by_owner(harm)
    assert fault in faults()
    with pytest.raises(CommandError, match="not as"):
        call_command("audit_roles", check=True, stdout=StringIO(), stderr=StringIO())
    call_command("audit_roles", apply=True, stdout=StringIO())
    assert faults() == []


@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        ("ALTER TABLE audit_log DISABLE TRIGGER no_change", "the trigger no_change of audit_log is not always on"),
        ("ALTER TABLE {month} ENABLE TRIGGER no_truncate", "the trigger no_truncate of {month} is not always on"),
        ("DROP TRIGGER no_truncate ON {month}", "{month} has no trigger no_truncate"),
        ("ALTER TABLE audit_export DISABLE TRIGGER ALL", "the trigger no_change of audit_export is not always on"),
        ("ALTER TABLE audit_log DETACH PARTITION {month}", "{month} is no part of the log any more and has lost its triggers"),
        ("DROP TABLE {month}", "there is no partition for"),
        ("CREATE TABLE audit_log_rest PARTITION OF audit_log DEFAULT", "there is a default partition"),
        ("ALTER FUNCTION audit_append RESET search_path", "runs as its owner with the search path of whoever calls it"),
        ("GRANT CREATE ON SCHEMA public TO port444_app", "port444_app may create things in the schema public"),
    ],
)
def test_what_an_owner_has_done_on_purpose_is_named(by_owner: Callable[[str], None], harm: str, fault: str) -> None:
    month = rows("SELECT 'audit_log_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')")[0][0]
    by_owner(harm.format(month=month))
    assert any(fault.format(month=month) in found for found in faults())


def test_a_log_that_nobody_has_sealed_is_named(own_database: str) -> None:
    assert "nothing was ever sealed" in faults()


def test_the_grants_are_printed(own_database: str) -> None:
    said = StringIO()
    call_command("audit_roles", stdout=said)
    lines = said.getvalue().splitlines()
    assert "GRANT SELECT ON TABLE audit_log TO port444_app;" in lines
    assert "GRANT SELECT, INSERT ON TABLE audit_seal TO port444_app;" in lines
    assert not [line for line in lines if line.startswith("GRANT") and ("DELETE" in line or "TRUNCATE" in line)]


def test_an_owner_who_serves_is_named(own_database: str) -> None:
    connection.close()
    connection.settings_dict["USER"] = "port444_owner"
    try:
        assert "port444_owner owns audit_log" in faults()
    finally:
        connection.close()
        connection.settings_dict["USER"] = "port444_app"
