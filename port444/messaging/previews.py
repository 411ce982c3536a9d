"""Pictures of files that people sent, made off the request. The rows say how far they are; the bytes lie beside the file, by its id."""

from __future__ import annotations

from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from port444.kit import previews

from .models import Attachment, PreviewStatus


def make(attachment_id: UUID | str) -> None:
    """Draw a file that waits for its picture. Safe to run again: what is drawn already stays."""
    waiting = Attachment.objects.filter(pk=attachment_id, preview=PreviewStatus.WAITING)
    attachment = waiting.first()
    if attachment is None:
        return
    try:
        with attachment.file.open("rb") as content:
            drawn = previews.draw(content, attachment.mimetype)
    except FileNotFoundError:
        drawn = None
    if drawn is None:
        waiting.update(preview=PreviewStatus.FAILED)
        return
    for name, picture in ((attachment.small_name, drawn.small), (attachment.large_name, drawn.large)):
        default_storage.delete(name)  # of a run that was cut off
        default_storage.save(name, ContentFile(picture))
    waiting.update(preview=PreviewStatus.READY, preview_width=drawn.width, preview_height=drawn.height)
