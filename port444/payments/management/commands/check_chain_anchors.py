"""Look whether the seals of the audit log stand on the chain."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from auditlog.models import AuditAnchor
from port444.payments.escrow.chain.anchoring import PLACE, is_on_chain
from port444.payments.escrow.chain.client import connect


class Command(BaseCommand):
    help = "Asks the node for the transaction of each seal that was written on the chain; ends with 1 when one does not carry its seal's hash."

    def handle(self, *args: Any, **options: Any) -> None:
        chain = connect(settings.CHAIN_AUDIT_RPC_URL)
        anchors = AuditAnchor.objects.filter(place=PLACE, reference__startswith=f"eip155:{chain.chain_id}:").select_related("seal").order_by("seal")
        good = seen = 0
        for anchor in anchors.iterator(chunk_size=500):
            seen += 1
            if is_on_chain(chain, bytes(anchor.seal.hash), anchor.reference):
                good += 1
            else:
                self.stdout.write(f"seal {anchor.seal_id}: {anchor.reference} does not carry its hash")
        self.stdout.write(f"{good}/{seen} seals on chain {chain.chain_id}")
        if good < seen:
            sys.exit(1)
