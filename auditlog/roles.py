"""Who may do what to the log: the grants as SQL, and the look at whether the database is as they say.

Nobody but the functions of the owner writes rows of the log, so the serving role needs less than INSERT there. What proves the log
is added to and never changed; incidents are worked on and never removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import connection

from auditlog.models import AuditExport, AuditSeal
from auditlog.queries import anchoring_is_late, sealing_is_late
from port444.kit.clock import now

OWNER, APP, VIEWER = "port444_owner", "port444_app", "port444_viewer"
AHEAD = 2  # months that have to be there beyond the running one; the daily job makes three
LATE_EXPORT = 3  # days after which rows that are old enough ought to lie in cold storage

READ, ADD, WORK = ("SELECT",), ("SELECT", "INSERT"), ("SELECT", "INSERT", "UPDATE")
ADDED_TO = ("audit_seal", "audit_leaves", "audit_anchor", "audit_check", "audit_export")
PROVES = (*ADDED_TO, "audit_move")  # months are moved by the owner
CALLED = ("audit_append", "audit_ensure_partitions", "audit_find_fill", "audit_plain", "audit_tags", "audit_words")
EVERY = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")

TABLES = r"""
SELECT c.oid::regclass::text, c.relkind::text, pg_get_userbyid(c.relowner), coalesce(i.inhparent::regclass::text, '')
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND (c.relname LIKE 'audit\_%' OR c.relname = 'incident_log')
ORDER BY c.relname
"""
FUNCTIONS = r"""
SELECT oid::regprocedure::text, proname, pg_get_userbyid(proowner), prosecdef, coalesce(array_to_string(proconfig, ','), '')
FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'audit\_%' ORDER BY 1
"""
SEQUENCES = r"""
SELECT oid::regclass::text FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'S' AND (relname LIKE 'audit\_%' OR relname LIKE 'incident\_log%') ORDER BY 1
"""
POWERS = """
SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
  (SELECT string_agg(b.rolname, ', ') FROM pg_roles b WHERE b.rolname <> a.rolname AND NOT a.rolsuper AND pg_has_role(a.rolname, b.oid, 'member')),
  has_schema_privilege(a.rolname, 'public', 'CREATE')
FROM pg_roles a WHERE rolname = current_user
"""
MAY = "SELECT has_table_privilege(current_user, %s, %s) OR (%s IN ('INSERT', 'UPDATE') AND has_any_column_privilege(current_user, %s, %s))"
GUARDS = """
SELECT t.tgrelid::regclass::text, t.tgname, t.tgenabled::text, t.tgtype, p.proname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND p.proname LIKE 'audit\\_%%'
"""
BOUNDS = """
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'audit_log'::regclass
"""


def rights(table: str) -> tuple[str, ...]:
    """What the serving role may do to a table of the log."""
    return WORK if table == "incident_log" else ADD if table in ADDED_TO else READ


def statements() -> list[str]:
    """The grants, as the owner gives them; to be run as often as one likes."""
    said = []
    for table, *_ in _rows(TABLES):
        said.append(f"REVOKE ALL ON TABLE {table} FROM PUBLIC, {APP}, {VIEWER};")
        said.append(f"GRANT {', '.join(rights(table))} ON TABLE {table} TO {APP};")
    said += [f"REVOKE ALL ON SEQUENCE {name} FROM PUBLIC, {APP}, {VIEWER};" for (name,) in _rows(SEQUENCES)]
    for signature, name, *_ in _rows(FUNCTIONS):
        said.append(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC, {APP}, {VIEWER};")
        if name in CALLED:
            said.append(f"GRANT EXECUTE ON FUNCTION {signature} TO {APP};")
    return said


def examine() -> Iterator[tuple[str, list[str]]]:
    """What was looked at, and what is wrong with it. Run as the role that serves."""
    looks: list[tuple[str, Callable[[], Iterator[str]]]] = [
        ("The role that serves", _role),
        ("Rights on tables", _tables),
        ("Rights on functions and sequences", _functions),
        ("Triggers that refuse changes", _guards),
        ("Triggers that witness changes", _witnesses),
        ("Partitions", _partitions),
        ("Seals and anchors", _proof),
        ("Export to cold storage", _export),
    ]
    for words, look in looks:
        yield words, list(look())


def _rows(query: str, params: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return list(cursor.fetchall())


def _role() -> Iterator[str]:
    (me,) = _rows("SELECT current_user")[0]
    *powers, member, creates = _rows(POWERS)[0]
    for name, has in zip(("SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS"), powers, strict=True):
        if has:
            yield f"{me} has {name}"
    if member:
        yield f"{me} is a member of {member}"
    if creates:
        yield f"{me} may create things in the schema public"


def _tables() -> Iterator[str]:
    (me,) = _rows("SELECT current_user")[0]
    for table, _, owner, _ in _rows(TABLES):
        if owner == me:
            yield f"{me} owns {table}"
        for right in EVERY:
            ((may,),) = _rows(MAY, [table, right, right, table, right if right in ("INSERT", "UPDATE") else "SELECT"])
            if may != (right in rights(table)):
                yield f"{me} {'may' if may else 'may not'} {right} on {table}"


def _functions() -> Iterator[str]:
    (me,) = _rows("SELECT current_user")[0]
    for signature, name, owner, is_definer, config in _rows(FUNCTIONS):
        ((may,),) = _rows("SELECT has_function_privilege(current_user, %s, 'EXECUTE')", [signature])
        if owner == me:
            yield f"{me} owns {signature}"
        if may != (name in CALLED):
            yield f"{me} {'may' if may else 'may not'} execute {signature}"
        if is_definer and "search_path=public, pg_temp" not in config:
            yield f"{signature} runs as its owner with the search path of whoever calls it"
    for (name,) in _rows(SEQUENCES):
        ((may,),) = _rows("SELECT has_sequence_privilege(current_user, %s, 'USAGE, UPDATE')", [name])
        if may:
            yield f"{me} may count {name} on"


def _guards() -> Iterator[str]:
    guards = {(table, name): state for table, name, state, _, function in _rows(GUARDS) if function == "audit_reject"}
    for table, _, _, parent in _rows(TABLES):
        closed = table in PROVES or "audit_log" in (table, parent)
        for name in ("no_change", "no_truncate"):
            state = guards.get((table, name))
            if closed and state != "A":
                yield f"{table} has no trigger {name}" if state is None else f"the trigger {name} of {table} is not always on"


def _witnesses() -> Iterator[str]:
    """Each watched table has all of its triggers, always on. Which tables are watched, the functions tell."""
    found: dict[str, dict[str, str]] = {}
    for table, name, state, _, function in _rows(GUARDS):
        if function.startswith("audit_capture_"):
            found.setdefault(table, {})[name] = state
    watched = {name.removeprefix("audit_capture_") for _, name, *_ in _rows(FUNCTIONS) if name.startswith("audit_capture_")}
    for table in sorted(watched | found.keys()):
        for name in ("audit_insert", "audit_update", "audit_delete", "audit_truncate"):
            state = found.get(table, {}).get(name)
            if state != "A":
                yield f"{table} has no trigger {name}" if state is None else f"the trigger {name} of {table} is not always on"


def _partitions() -> Iterator[str]:
    bounds = dict(_rows(BOUNDS))
    if any(bound == "DEFAULT" for bound in bounds.values()):
        yield "there is a default partition, which keeps old months from being taken out"
    month = now().date().replace(day=1)
    for _ in range(AHEAD + 1):
        if f"audit_log_{month:%Y%m}" not in bounds:
            yield f"there is no partition for {month:%B %Y}"
        month = _next(month)
    strays = [table for table, _, _, parent in _rows(TABLES) if table.startswith("audit_log_") and parent != "audit_log"]
    yield from (f"{table} is no part of the log any more and has lost its triggers" for table in strays)


def _next(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _proof() -> Iterator[str]:
    last = AuditSeal.objects.order_by("-seq").first()
    if last is None:
        yield "nothing was ever sealed"
    if sealing_is_late():
        yield f"rows wait for their seal{_since(last.sealed_at) if last is not None else ''}"
    if anchoring_is_late():
        yield "seals wait to be put into cold storage"


def _since(moment: datetime) -> str:
    return f"; the last one is of {moment:%Y-%m-%d %H:%M} UTC"


def _export() -> Iterator[str]:
    days = settings.AUDIT_HOT_DAYS + LATE_EXPORT
    last = AuditExport.objects.order_by("-last_seal").values_list("last_seal", flat=True).first() or 0
    waiting = AuditSeal.objects.filter(seq__gt=last).order_by("seq").values_list("seq", "sealed_at").first()
    if waiting is not None and (now() - waiting[1]).days >= days:
        yield f"seal {waiting[0]} of {waiting[1]:%Y-%m-%d} is not in cold storage after {days} days"
