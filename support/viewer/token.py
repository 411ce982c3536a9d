"""What the browser holds of a viewing: a JWT that names the row and nothing else. The row decides."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.crypto import constant_time_compare, salted_hmac

AUDIENCE = "viewer"
LEEWAY = 30  # seconds by which the clocks of two servers may differ
LONGEST = 600


class BadToken(Exception):
    """It was not made here, was made for something else, or its time is over."""


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


# One header for ever: a token that says another algorithm, or none, is none of ours.
HEADER = _encode(b'{"alg":"HS256","typ":"JWT"}')


def _signature(signed: str) -> str:
    return _encode(salted_hmac("support.viewer.token", signed, algorithm="sha256").digest())


def make(viewing_id: UUID, *, began: datetime, expires: datetime) -> str:
    """The token of a viewing."""
    claims = {"aud": AUDIENCE, "jti": str(viewing_id), "iat": int(began.timestamp()), "exp": int(expires.timestamp())}
    signed = f"{HEADER}.{_encode(json.dumps(claims, separators=(',', ':')).encode())}"
    return f"{signed}.{_signature(signed)}"


def read(token: str, moment: datetime) -> UUID:
    """The id of the viewing that the token names. Raises BadToken."""
    header, _, rest = token.partition(".")
    body, _, signature = rest.partition(".")
    if len(token) > LONGEST or header != HEADER or not constant_time_compare(signature, _signature(f"{header}.{body}")):
        raise BadToken("signature")
    try:
        claims: dict[str, Any] = json.loads(_decode(body))
        viewing_id, expires, audience = UUID(claims["jti"]), int(claims["exp"]), claims["aud"]
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise BadToken("claims") from error
    if audience != AUDIENCE:
        raise BadToken("audience")
    if moment.timestamp() >= expires + LEEWAY:
        raise BadToken("time")
    return viewing_id
