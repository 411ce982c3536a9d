"""Signing what is posted to other programs, after the published rules of Standard Webhooks (version 1).

The receiver checks an HMAC-SHA256 of id, time and body, so that nobody else can post in our name and nothing old can be posted again
much later. docs/webhooks.md says how.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
BYTES = 32


def new_secret() -> str:
    """A secret as receivers take it: `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(BYTES)).decode()


def headers(message_id: str, seconds: int, body: bytes, keys: Iterable[str]) -> dict[str, str]:
    """The headers for `body`, sent at `seconds` since 1970, with a signature for each of `keys`: two while one is exchanged."""
    said = f"{message_id}.{seconds}.".encode() + body
    signed = [base64.b64encode(hmac.digest(_key(secret), said, hashlib.sha256)).decode() for secret in keys]
    return {"webhook-id": message_id, "webhook-timestamp": str(seconds), "webhook-signature": " ".join(f"v1,{one}" for one in signed)}


def _key(secret: str) -> bytes:
    """Of a secret in the published form its bytes; one that an operator made up in another form is taken letter by letter."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        return secret.encode()
