"""What search reads beside the words: how well a service is kept, and which words are in use. The rest is written by triggers."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection, transaction

from port444.catalog.models import Listing, Term

LOOKED_AT_EVERY = timedelta(days=1)
WORDS_KEPT = timedelta(days=7)  # until it is asked again whether anybody writes them

RATE = """
UPDATE catalog_listing l SET
  quality = catalog_quality(b.rating_sum, b.rating_count, s.rating_sum, s.rating_count, s.order_count, b.completed_count, b.answer_minutes,
                            s.published_at, %(moment)s),
  level = catalog_level(b.completed_count, b.rating_sum, b.rating_count),
  rating_tenths = round(10.0 * s.rating_sum / nullif(s.rating_count, 0)), order_count = s.order_count, due_at = %(next)s
FROM catalog_service s JOIN builders_builder b ON b.id = s.builder_id WHERE l.service_id = ANY(%(ids)s) AND s.id = l.service_id
"""
IN_USE = """
UPDATE catalog_term t SET seen_at = %(moment)s WHERE t.word = ANY(%(words)s) AND (
  EXISTS (SELECT FROM catalog_listing WHERE all_words @@ plainto_tsquery('english', t.word))
  OR EXISTS (SELECT FROM catalog_synonym s WHERE t.word IN (SELECT catalog_terms(s.word || ' ' || s.means))))
"""


@transaction.atomic
def rate_batch(moment: datetime, limit: int) -> int:
    """Make quality, level and stars of up to `limit` listings that are due again; how many were taken. Two queries, or one for none."""
    due = Listing.objects.select_for_update(skip_locked=True, of=("self",), no_key=True).filter(due_at__lte=moment)
    ids = list(due.order_by("due_at", "service").values_list("pk", flat=True)[:limit])
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(RATE, {"ids": ids, "moment": moment, "next": moment + LOOKED_AT_EVERY})
    return len(ids)


@transaction.atomic
def forget_words_batch(moment: datetime, limit: int) -> int:
    """Forget those of up to `limit` words that nobody writes any more; how many were looked at. Three queries, or one for none."""
    old = Term.objects.select_for_update(skip_locked=True).filter(seen_at__lte=moment - WORDS_KEPT)
    words = list(old.order_by("seen_at", "word").values_list("pk", flat=True)[:limit])
    if words:
        with connection.cursor() as cursor:
            cursor.execute(IN_USE, {"words": words, "moment": moment})
        Term.objects.filter(pk__in=words).exclude(seen_at=moment).delete()
    return len(words)
