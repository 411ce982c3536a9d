"""The folder of uploads, closed to changes while somebody may only look."""

from __future__ import annotations

from typing import Any

from django.core.files.storage import FileSystemStorage

from . import readonly


class Storage(FileSystemStorage):
    """Django's folder; subclasses for buckets take the same two methods."""

    def _save(self, name: str, content: Any) -> str:
        readonly.refuse("storage")
        return super()._save(name, content)  # type: ignore[misc,no-any-return]  # the stubs leave it out

    def delete(self, name: str) -> None:
        readonly.refuse("storage")
        super().delete(name)
