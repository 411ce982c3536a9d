"""Signing: the same transaction by both signers, and keys that show nowhere."""

from __future__ import annotations

import pickle
import traceback
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature
from django.core.exceptions import ImproperlyConfigured

from port444.payments.escrow.chain import signer

KEY = "0x" + "42" * 32
TRANSACTION: dict[str, Any] = {
    "type": 2,
    "chainId": 31337,
    "nonce": 7,
    "to": "0x5FbDB2315678afecb367f032d93F642f64180aa3",
    "value": 0,
    "data": "0x1234",
    "gas": 100_000,
    "maxFeePerGas": 10**10,
    "maxPriorityFeePerGas": 10**9,
}


class FakeKms:
    """A key on secp256k1 behind the two calls of KMS. `high` makes it answer with the other of the two s."""

    def __init__(self, curve: ec.EllipticCurve | None = None, high: bool = False) -> None:
        curve = curve or ec.SECP256K1()
        self.key = ec.derive_private_key(int(KEY, 16), curve) if isinstance(curve, ec.SECP256K1) else ec.generate_private_key(curve)
        self.high = high
        self.asked: list[dict[str, Any]] = []

    def get_public_key(self, *, KeyId: str) -> dict[str, Any]:  # noqa: N803
        der = self.key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return {"PublicKey": der}

    def sign(self, *, KeyId: str, Message: bytes, MessageType: str, SigningAlgorithm: str) -> dict[str, Any]:  # noqa: N803
        self.asked.append({"KeyId": KeyId, "MessageType": MessageType, "SigningAlgorithm": SigningAlgorithm})
        r, s = decode_dss_signature(self.key.sign(Message, ec.ECDSA(Prehashed(hashes.SHA256()))))
        if (s > signer.CURVE_ORDER // 2) != self.high:
            s = signer.CURVE_ORDER - s
        return {"Signature": encode_dss_signature(r, s)}


def sender(raw: bytes) -> str:
    from eth_account import Account

    return str(Account.recover_transaction(raw))


def test_a_key_of_the_environment_signs() -> None:
    made = signer.EnvSigner(KEY)
    signed = made.sign(TRANSACTION)
    assert sender(signed.raw) == made.address
    assert signed.hash.startswith("0x")
    assert len(signed.hash) == 66


@pytest.mark.parametrize("high", [False, True])
@pytest.mark.parametrize("nonce", range(6))
def test_kms_signs_for_the_same_account(high: bool, nonce: int) -> None:
    from eth_utils import keccak

    kms = FakeKms(high=high)
    made = signer.KmsSigner("alias/operator", kms)
    assert made.address == signer.EnvSigner(KEY).address
    signed = made.sign({**TRANSACTION, "nonce": nonce})
    assert sender(signed.raw) == made.address
    assert signed.hash == "0x" + keccak(signed.raw).hex()
    assert kms.asked == [{"KeyId": "alias/operator", "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}]


def test_a_signature_of_another_key_is_refused() -> None:
    kms = FakeKms()
    made = signer.KmsSigner("alias/operator", kms)
    kms.key = ec.generate_private_key(ec.SECP256K1())
    with pytest.raises(RuntimeError, match="not one of its key"):
        made.sign(TRANSACTION)


def test_a_key_on_another_curve_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="ECC_SECG_P256K1"):
        signer.KmsSigner("alias/operator", FakeKms(ec.SECP256R1()))


def test_kms_without_a_region_says_what_is_missing(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    settings.CHAIN_SIGNER, settings.CHAIN_OPERATOR_KEY = "kms", "alias/operator"
    with pytest.raises(ImproperlyConfigured, match="AWS_DEFAULT_REGION"):
        signer.signer(signer.OPERATOR)


@pytest.mark.parametrize("key", ["0x" + "00" * 32, "0x" + "ff" * 32, "0x1234", "zz" * 32, KEY + "00", "secret words that are no key"])
def test_what_is_no_key_is_refused_and_not_quoted(key: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        signer.EnvSigner(key)
    shown = "".join(traceback.format_exception(refusal.value))
    assert key not in shown
    assert "CHAIN_OPERATOR_KEY is not a private key" in shown


def test_a_signer_shows_its_address_and_not_its_key() -> None:
    made = signer.EnvSigner(KEY)
    shown = f"{made!r} {made} {vars(made)} {made._account!r}".lower()
    assert made.address.lower() in shown
    assert KEY[2:] not in shown
    with pytest.raises(TypeError, match="not stored"):
        pickle.dumps(made)


def test_without_a_key_nobody_signs(settings: Any) -> None:
    settings.CHAIN_ARBITER_KEY = ""
    with pytest.raises(ImproperlyConfigured, match="CHAIN_ARBITER_KEY is not set"):
        signer.signer(signer.ARBITER)
