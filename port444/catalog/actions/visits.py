"""Who looks at services, counted without knowing anybody."""

from __future__ import annotations

import re
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.utils.crypto import salted_hmac

from port444.catalog.models import Visit
from port444.kit.clock import now

# Programs that say what they are; the others are counted as people.
MACHINE = re.compile(r"bot|crawl|spider|slurp|preview|monitor|curl|wget|python|java/|go-http|scrapy|facebookexternalhit|^$", re.IGNORECASE)

COUNT = """
WITH over AS (
  SELECT id FROM catalog_visit WHERE day < %(today)s ORDER BY day, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM catalog_visit v USING over WHERE v.id = over.id RETURNING v.service_id, v.day
), counted AS (
  INSERT INTO catalog_serviceday AS kept (id, service_id, day, visitors)
  SELECT gen_random_uuid(), service_id, day, count(*) FROM gone GROUP BY service_id, day ORDER BY service_id, day
  ON CONFLICT (service_id, day) DO UPDATE SET visitors = kept.visitors + excluded.visitors
)
SELECT count(*) FROM gone
"""


def note_visit(service_id: UUID, *, address: str, agent: str) -> None:
    """Note that somebody looked at a service: once a day for one address with one browser. Neither is kept."""
    if MACHINE.search(agent):
        return
    today = now().date()
    # The key changes with the day, so that the numbers of two days have nothing in common.
    digest = salted_hmac(f"visit of {today}", f"{service_id} {address} {agent}", algorithm="sha256").digest()
    visitor = int.from_bytes(digest[:8], signed=True)
    Visit.objects.bulk_create([Visit(service_id=service_id, day=today, visitor=visitor)], ignore_conflicts=True)


@transaction.atomic
def count_visits_batch(moment: datetime, limit: int) -> int:
    """Count visits of days that are over and delete them; how many. Two at once share the work, and one that is killed has done nothing."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"today": moment.date(), "limit": limit})
        return int(cursor.fetchone()[0])
