"""The worker of the chain, killed at one of its steps. It is the real command: only the edges are wrapped.

python -m tests.faults.chain_worker    with KILL_AT, STEPS_FILE and KILLED_FILE in the environment
"""

from __future__ import annotations

import django

django.setup()

from django.core.management import call_command  # noqa: E402 (after setup)

from port444.payments.escrow.chain.client import Chain  # noqa: E402
from port444.payments.escrow.chain.engine import tick  # noqa: E402
from port444.payments.management.commands import run_chain  # noqa: E402
from port444.payments.models import EscrowOperation  # noqa: E402
from tests.faults import edges  # noqa: E402


def counted(chain: Chain) -> int:
    """A round, of which steps count while there is something to do."""
    edges.task = "chain" if EscrowOperation.objects.open().exists() else ""
    try:
        return tick(chain)
    finally:
        edges.task = ""


if __name__ == "__main__":
    edges.wrap()
    vars(run_chain)["tick"] = counted
    call_command("run_chain")
