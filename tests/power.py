"""What tests do with a superuser's power over their database: wait for its own transactions alone, and empty it quickly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from django.db import connection

# Transaction ids count across the cluster, so what other tests keep open in their databases would hold up the seals and the search of
# this one. Nothing that they do can come into its log, so in a database of tests only its own transactions count.
CLUSTER, OWN = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint", "own_horizon()"
# The numbers of others' transactions are told to a superuser only, and anew only when asked for.
HORIZON = """
CREATE OR REPLACE FUNCTION own_horizon() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  next_xid bigint := pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
BEGIN
  PERFORM pg_stat_clear_snapshot();
  RETURN least(next_xid, (SELECT min(backend_xid::text::bigint) FROM pg_stat_activity WHERE datname = current_database()));
END $$
"""
WAITING = "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f' AND strpos(prosrc, %s) > 0"
# TRUNCATE makes a file anew for each table and index that there is, which takes half a second; the few rows of a test are deleted in a
# fiftieth of that. No keys are looked at meanwhile, so that the order does not matter. Rows that nobody may delete go all at once.
EMPTY = """
CREATE OR REPLACE FUNCTION empty_tables() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET session_replication_role = replica SET "audit.ctx" = '{{"actor_type": "system", "source": "tests"}}' AS $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY array_remove(ARRAY[{cases}], NULL) LOOP
    EXECUTE format(CASE WHEN name = ANY ({closed}) THEN 'TRUNCATE %I' ELSE 'DELETE FROM %I' END, name);
  END LOOP;
END $$
"""


# Always on, for each row, before it is deleted.
CLOSED = "SELECT coalesce(array_agg(DISTINCT tgrelid::regclass::text), '{}') FROM pg_trigger WHERE tgenabled = 'A' AND tgtype & 11 = 11"


def as_superuser(name: str) -> psycopg.Connection[Any]:
    parameters = connection.get_connection_params()
    return psycopg.connect(host=parameters.get("host"), port=parameters.get("port"), user="postgres", dbname=name, autocommit=True)


def narrow(name: str) -> None:
    """Let the functions of that database wait for its own transactions alone."""
    with as_superuser(name) as session, session.transaction():
        session.execute(HORIZON)
        for (definition,) in session.execute(WAITING, [CLUSTER]).fetchall():
            session.execute(definition.replace(CLUSTER, OWN))


def let_empty(name: str, tables: Iterable[str]) -> None:
    """Let everybody in that database empty these tables by `SELECT empty_tables()`."""
    cases = ", ".join(f"CASE WHEN EXISTS (SELECT FROM {table}) THEN '{table}' END" for table in sorted(tables))
    with as_superuser(name) as session:
        ((closed,),) = session.execute(CLOSED).fetchall()
        session.execute(EMPTY.format(cases=cases, closed=f"ARRAY{closed}::text[]").encode())
