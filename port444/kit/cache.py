"""The caches of Django, closed while somebody may only look: such a request neither fills nor reads what others are shown."""

from __future__ import annotations

from typing import Any

from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.locmem import LocMemCache

from . import readonly


class _Closed(BaseCache):
    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return default if readonly.is_on() else super().get(key, default, version)

    def get_many(self, keys: Any, version: int | None = None) -> Any:
        return {} if readonly.is_on() else super().get_many(keys, version)

    def has_key(self, key: Any, version: int | None = None) -> bool:
        return not readonly.is_on() and super().has_key(key, version)

    def set(self, *arguments: Any, **options: Any) -> Any:
        readonly.refuse("cache")
        return super().set(*arguments, **options)

    def add(self, *arguments: Any, **options: Any) -> Any:
        readonly.refuse("cache")
        return super().add(*arguments, **options)

    def incr(self, *arguments: Any, **options: Any) -> Any:
        readonly.refuse("cache")
        return super().incr(*arguments, **options)

    def touch(self, *arguments: Any, **options: Any) -> Any:
        readonly.refuse("cache")
        return super().touch(*arguments, **options)

    def delete(self, *arguments: Any, **options: Any) -> Any:
        readonly.refuse("cache")
        return super().delete(*arguments, **options)

    def delete_many(self, *arguments: Any, **options: Any) -> Any:
        readonly.refuse("cache")
        return super().delete_many(*arguments, **options)

    def clear(self) -> Any:
        readonly.refuse("cache")
        return super().clear()


class InDatabase(_Closed, DatabaseCache):
    pass


class InMemory(_Closed, LocMemCache):
    pass
