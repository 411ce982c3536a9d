"""Background work of conversations: pictures of files, and how soon builders answer."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from port444.kit.clock import now
from port444.kit.jobs import drain, each, in_time

from . import actions, previews
from .models import Attachment, PreviewStatus

BATCH = 200
LEFT_LYING = timedelta(minutes=2)


def make_preview(attachment_id: UUID | str) -> None:
    previews.make(attachment_id)


def make_previews() -> int:
    """Draw the files whose own job was lost."""
    waiting = Attachment.objects.filter(preview=PreviewStatus.WAITING, created_at__lte=now() - LEFT_LYING).order_by("created_at")
    return each(previews.make, in_time(list(waiting.values_list("pk", flat=True)[:BATCH])))


def count_answers() -> int:
    """Work out for each builder with a new or an outdated first answer how soon they answer."""
    return drain(actions.count_answers_batch, BATCH)
