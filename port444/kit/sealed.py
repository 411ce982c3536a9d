"""Secrets of others, encrypted at rest: a copy of the database alone opens nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.db import models
from django.utils.encoding import force_bytes


def cipher(purpose: str) -> MultiFernet:
    """Encrypts with SECRET_KEY and reads what SECRET_KEY_FALLBACKS encrypted. Purposes cannot read each other."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = (hashlib.sha256(purpose.encode() + b":" + force_bytes(key)).digest() for key in keys)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


if TYPE_CHECKING:
    _Text = models.TextField[dict[str, Any], dict[str, Any]]
else:
    _Text = models.TextField


class SealedField(_Text):
    """A small JSON object that the database holds encrypted. It cannot be filtered by."""

    purpose = "sealed field"

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else cipher(self.purpose).encrypt(json.dumps(value).encode()).decode()

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return None if value is None else json.loads(cipher(self.purpose).decrypt(value.encode()))

    def to_python(self, value: Any) -> Any:
        return value
