"""A new key to sign the audit log with."""

from __future__ import annotations

import base64
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management.base import BaseCommand

from auditlog.signing import key_id


class Command(BaseCommand):
    help = "Print a new key to sign seals and manifests with, and its public half."
    requires_system_checks = []  # they ask for the key

    def handle(self, *args: Any, **options: Any) -> None:
        key = Ed25519PrivateKey.generate()
        public = key.public_key()
        self.stdout.write(f"AUDIT_SIGNING_KEY={base64.b64encode(key.private_bytes_raw()).decode()}")
        self.stdout.write(f"public half {base64.b64encode(public.public_bytes_raw()).decode()}, id {key_id(public)}")
        self.stdout.write(
            "Keep the first where the database's administrators cannot read it. The public half checks the log: give it to whoever asks,\n"
            "and keep it in AUDIT_PUBLIC_KEYS when another key comes into use."
        )
