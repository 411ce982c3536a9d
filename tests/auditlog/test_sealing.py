from __future__ import annotations

import json
import time

import pytest
from django.db import connection, transaction

from auditlog import lines, merkle, seals, signing
from auditlog.actions import record, seal_rows
from auditlog.events import Event
from auditlog.models import AuditLog, AuditSeal
from auditlog.queries import last_seal, place_after
from port444.accounts.models import User

pytestmark = pytest.mark.django_db(transaction=True)


def log(count: int = 1) -> list[int]:
    with transaction.atomic():
        return [record(Event.LOGIN, actor=None, target=User(email="a@example.com")) for _ in range(count)]


def unsealed() -> list[int]:
    place = place_after(last_seal())
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM audit_log WHERE (xid, id) > (%s, %s) AND id > %s", [place.xid, place.id, place.floor_id])
        return [pk for (pk,) in cursor.fetchall()]


def seal_all() -> list[AuditSeal]:
    """Seal all that is committed; other tests in the cluster may hold the horizon for a while."""
    made, ends = seal_rows(), time.monotonic() + 90
    while unsealed():
        assert time.monotonic() < ends, "rows stay unsealed"
        time.sleep(0.02)
        made += seal_rows()
    return made


def leaves_of(seal: AuditSeal) -> list[tuple[int, bytes]]:
    data = bytes(seal.leaves.leaves)
    return [(int.from_bytes(data[i : i + 8], "big"), data[i + 8 : i + 40]) for i in range(0, len(data), 40)]


def test_a_seal_says_what_the_rows_are() -> None:
    seal_all()
    before = last_seal()
    ids = log(3)
    (seal,) = seal_all()
    assert (seal.rows, seal.first_id, seal.last_id) == (3, ids[0], ids[-1])
    moments = AuditLog.objects.filter(pk__in=ids).order_by("timestamp").values_list("timestamp", flat=True)
    assert (seal.first_at, seal.last_at) == (moments[0], moments[2])
    assert seal.prev_hash == (before.hash if before else seals.FIRST)
    assert [pk for pk, _ in leaves_of(seal)] == ids
    with transaction.atomic():
        hashes = [merkle.leaf(line) for line in lines.copy_lines("id = ANY(%s)", [ids])]
    assert [leaf for _, leaf in leaves_of(seal)] == hashes
    assert merkle.root(hashes) == bytes(seal.root)
    stored = AuditSeal.objects.get(pk=seal.pk)
    assert json.loads(stored.body).items() >= seals.statement(stored).items()
    assert seals.hash_of(stored.body) == bytes(stored.hash)
    assert signing.is_signed(stored.body.encode(), stored.key_id, bytes(stored.signature))
