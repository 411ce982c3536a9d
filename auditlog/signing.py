"""Ed25519 signatures over seals, manifests and checks. The key comes from the environment; its public half is all that a stranger needs."""

from __future__ import annotations

import base64
import hashlib
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings


class NoKey(Exception):
    """AUDIT_SIGNING_KEY is not set, or is not 32 bytes in base64."""


class Kind(StrEnum):
    """What a signature is over. It stands in front of what is signed, on a line of its own, so that a signature over one kind of text
    is none over another, whatever the texts say. The number is of the form: a text that says something else gets a new one."""

    SEAL = "port444 audit seal 1"
    MANIFEST = "port444 audit manifest 1"
    CHECK = "port444 audit check 1"

    def over(self, text: bytes) -> bytes:
        """What is signed, to the byte."""
        return f"{self}\n".encode() + text


def sign(kind: Kind, text: bytes) -> tuple[str, bytes]:
    """The id of the key in use, and its signature (64 bytes); raises NoKey."""
    key = _private()
    return key_id(key.public_key()), key.sign(kind.over(text))


def key_in_use() -> str:
    """The id of the key with which `sign` signs; raises NoKey."""
    return key_id(_private().public_key())


def is_signed(kind: Kind, text: bytes, by: str, signature: bytes) -> bool:
    """Whether `signature` is of the known key with the id `by`, over this text as one of this kind."""
    key = public_keys().get(by)
    if key is None:
        return False
    try:
        key.verify(signature, kind.over(text))
    except InvalidSignature:
        return False
    return True


def public_keys() -> dict[str, Ed25519PublicKey]:
    """Every key that may have signed: the one in use, and those of AUDIT_PUBLIC_KEYS that were in use before; by their ids."""
    keys = [Ed25519PublicKey.from_public_bytes(base64.b64decode(text)) for text in settings.AUDIT_PUBLIC_KEYS]
    if settings.AUDIT_SIGNING_KEY or settings.DEVELOPMENT:
        keys.append(_private().public_key())
    return {key_id(key): key for key in keys}


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the raw public key."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def _private() -> Ed25519PrivateKey:
    if settings.AUDIT_SIGNING_KEY:
        try:
            return Ed25519PrivateKey.from_private_bytes(base64.b64decode(settings.AUDIT_SIGNING_KEY, validate=True))
        except ValueError as error:
            raise NoKey("AUDIT_SIGNING_KEY must be 32 bytes in base64.") from error
    if settings.DEVELOPMENT:
        return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"audit signing:" + settings.SECRET_KEY.encode()).digest())
    raise NoKey("AUDIT_SIGNING_KEY is not set.")
