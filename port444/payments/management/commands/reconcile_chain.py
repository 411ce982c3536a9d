"""Compare the books with the chain now, by hand."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from port444.payments.actions.chain import reconcile_chain
from port444.payments.escrow.chain.client import RpcError, Unreachable, WrongChain, connect
from port444.payments.models import ChainDifference


class Command(BaseCommand):
    help = "Compares the books with the contract and says what differs; ends with 1 when something does."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.ESCROW_BACKEND != "web3":
            raise CommandError("Escrow is kept in the ledger here: there is no chain to compare with.")
        try:
            differences = reconcile_chain(connect(settings.CHAIN_AUDIT_RPC_URL))
        except (Unreachable, RpcError, WrongChain) as error:
            raise CommandError(f"The chain cannot be asked: {error}") from error
        for row in ChainDifference.objects.filter(gone_at=None).order_by("-found_at")[:100]:
            self.stdout.write(f"{row.found_at:%Y-%m-%d %H:%M}  {row.kind_words}: {row.text}")
        self.stdout.write(f"{differences} differences" if differences else "Books and chain agree.")
        if differences:
            sys.exit(1)
