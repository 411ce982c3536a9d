"""Finding an event of an operation that someone else has sent: another worker, or this one before its database was restored."""

from __future__ import annotations

from typing import Any

from port444.payments.models import EscrowOperation

from .calls import Call, filters_of, topic_of
from .client import PAGE, Chain, Request, RpcError

PAGES_AT_ONCE = 10
MOST_PAGES = 1_000


def newest(chain: Chain, operation: EscrowOperation, call: Call, head: int) -> dict[str, Any] | None:
    """The newest log that names the operation, from the head backwards in pages; None within MOST_PAGES of it."""
    return _backwards(chain, filters_of(chain, operation, call), head)


def cancelled(chain: Chain, operation: EscrowOperation, head: int) -> bool:
    """Whether the client has cancelled the signature of a COLLECT."""
    topics = [topic_of(chain.token.events.AuthorizationCanceled()), "0x" + operation.address[2:].lower().rjust(64, "0"), str(operation.args["nonce"])]
    return _backwards(chain, {"address": chain.token.address, "topics": topics}, head) is not None


def _backwards(chain: Chain, wanted: dict[str, Any], head: int) -> dict[str, Any] | None:
    last = head
    for _ in range(MOST_PAGES // PAGES_AT_ONCE):
        pages: list[tuple[int, int]] = []
        while last >= 0 and len(pages) < PAGES_AT_ONCE:
            pages.append((max(last - PAGE + 1, 0), last))
            last -= PAGE
        if not pages:
            return None
        asked: list[Request] = [("eth_getLogs", [{**wanted, "fromBlock": hex(start), "toBlock": hex(end)}]) for start, end in pages]
        for found in chain.batch(asked):
            if isinstance(found, RpcError):
                raise found
            if found:
                newest_log: dict[str, Any] = found[-1]
                return newest_log
    return None
