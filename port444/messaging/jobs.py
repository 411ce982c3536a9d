"""Background work of conversations."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from port444.kit.clock import now
from port444.kit.jobs import each, in_time

from . import previews
from .models import Attachment, PreviewStatus

BATCH = 200
LEFT_LYING = timedelta(minutes=2)


def make_preview(attachment_id: UUID | str) -> None:
    previews.make(attachment_id)


def make_previews() -> int:
    """Draw the files whose own job was lost."""
    waiting = Attachment.objects.filter(preview=PreviewStatus.WAITING, created_at__lte=now() - LEFT_LYING).order_by("created_at")
    return each(previews.make, in_time(list(waiting.values_list("pk", flat=True)[:BATCH])))
