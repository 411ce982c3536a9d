"""Who signs transactions. A key never leaves its signer: it is in no row, no log line, no repr and no error message."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

OPERATOR, ARBITER = "operator", "arbiter"
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@dataclass(frozen=True, slots=True)
class Signed:
    """A transaction as it goes over the wire, and its hash with 0x."""

    raw: bytes
    hash: str


class Signer(Protocol):
    """`network` says that signing talks to a network, so that no transaction of the database may be open meanwhile."""

    address: str
    network: bool

    def sign(self, transaction: dict[str, Any]) -> Signed:
        """Sign a transaction of type 2 with all its fields."""


class EnvSigner:
    """A key from the environment: for development, and for whoever keeps the environment secret."""

    network = False

    def __init__(self, key: str, variable: str = "CHAIN_OPERATOR_KEY") -> None:
        from eth_account import Account

        if not re.fullmatch(r"(0x)?[0-9a-fA-F]{64}", key) or not 0 < int(key, 16) < CURVE_ORDER:
            raise ImproperlyConfigured(f"{variable} is not a private key: 0x and 64 hexadecimal digits")
        self._account = Account.from_key(key)
        self.address: str = self._account.address

    def __repr__(self) -> str:
        return f"<EnvSigner {self.address}>"

    def __getstate__(self) -> None:
        raise TypeError("a signer is not stored")

    def sign(self, transaction: dict[str, Any]) -> Signed:
        signed = self._account.sign_transaction(transaction)
        return Signed(bytes(signed.raw_transaction), "0x" + bytes(signed.hash).hex())


class KmsClient(Protocol):
    """What is used of a client of AWS KMS."""

    def get_public_key(self, *, KeyId: str) -> dict[str, Any]: ...  # noqa: N803  (AWS names it so)

    def sign(self, *, KeyId: str, Message: bytes, MessageType: str, SigningAlgorithm: str) -> dict[str, Any]: ...  # noqa: N803


class KmsSigner:
    """A key that stays in AWS KMS (key spec ECC_SECG_P256K1): it gets a digest and answers with a signature."""

    network = True

    def __init__(self, key_id: str, client: KmsClient) -> None:
        from eth_keys.datatypes import PublicKey

        self._key_id, self._client = key_id, client
        self._public = PublicKey(_point(client.get_public_key(KeyId=key_id)["PublicKey"]))
        self.address: str = self._public.to_checksum_address()

    def __repr__(self) -> str:
        return f"<KmsSigner {self.address}>"

    def sign(self, transaction: dict[str, Any]) -> Signed:
        from eth_account.typed_transactions import TypedTransaction
        from eth_utils import keccak

        digest: bytes = TypedTransaction.from_dict(transaction).hash()
        answer = self._client.sign(KeyId=self._key_id, Message=digest, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256")
        v, r, s = self._recoverable(digest, answer["Signature"])
        raw = bytes(TypedTransaction.from_dict({**transaction, "v": v, "r": r, "s": s}).encode())
        return Signed(raw, "0x" + keccak(raw).hex())

    def _recoverable(self, digest: bytes, der: bytes) -> tuple[int, int, int]:
        """KMS says r and s in DER. A chain takes the lower of the two possible s, and wants to know which of two keys it was."""
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
        from eth_keys.datatypes import Signature

        r, s = decode_dss_signature(der)
        s = min(s, CURVE_ORDER - s)
        for v in (0, 1):
            if Signature(vrs=(v, r, s)).recover_public_key_from_msg_hash(digest) == self._public:
                return v, r, s
        raise RuntimeError("the signature from KMS is not one of its key")


def _point(der: bytes) -> bytes:
    """The 64 bytes of a public key on secp256k1."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

    public = load_der_public_key(der)
    if not isinstance(public, EllipticCurvePublicKey) or not isinstance(public.curve, SECP256K1):
        raise ImproperlyConfigured("the key in KMS is not of the spec ECC_SECG_P256K1")
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


def kms_client() -> KmsClient:
    """The client of AWS KMS, as its usual variables and files configure it. Raises ImproperlyConfigured without a region."""
    import boto3
    from botocore.exceptions import NoRegionError

    try:
        client: KmsClient = boto3.client("kms")
    except NoRegionError as error:
        raise ImproperlyConfigured("CHAIN_SIGNER=kms needs AWS_DEFAULT_REGION, the region in which the key is kept") from error
    return client


def signer(role: str) -> Signer:
    """Who signs as OPERATOR or ARBITER by the settings. Raises ImproperlyConfigured without a key."""
    variable = {OPERATOR: "CHAIN_OPERATOR_KEY", ARBITER: "CHAIN_ARBITER_KEY"}[role]
    key: str = getattr(settings, variable)
    if not key:
        raise ImproperlyConfigured(f"{variable} is not set")
    return _made(settings.CHAIN_SIGNER, key, variable)


@lru_cache(maxsize=16)
def _made(how: str, key: str, variable: str) -> Signer:
    makers: dict[str, Callable[[], Signer]] = {"env": lambda: EnvSigner(key, variable), "kms": lambda: KmsSigner(key, kms_client())}
    if how not in makers:
        raise ImproperlyConfigured(f"CHAIN_SIGNER is {how!r}; it can be env or kms")
    return makers[how]()
