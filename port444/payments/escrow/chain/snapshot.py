"""What the worker writes down for the pages of staff: plain values, so that the web process asks no chain."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from port444.payments.models import ChainSigner

from .client import Chain, Request, RpcError
from .contract import DECIMALS
from .reading import State, number
from .reconcile import ROLES

UNIT = 10**DECIMALS


def look(chain: Chain) -> dict[str, Any]:
    """The facts of `ChainStatus`. Amounts are text of whole units, so that nothing is rounded on the way."""
    asked: list[Request] = [("eth_getBlockByNumber", [tag, False]) for tag in ("latest", "safe", "finalized")]
    latest, safe, final = chain.batch(asked)
    head = number(latest["number"])
    state = State(chain, chain.escrow.address, head)
    for name in ("totalLocked", "totalClaimable", "paused", "feeRecipient"):
        state.ask(state.escrow, name)
    platform, operator = chain.address(settings.CHAIN_PLATFORM_ADDRESS), chain.operator
    state.ask(chain.token, "balanceOf", state.escrow.address)
    state.ask(chain.token, "balanceOf", operator)
    state.ask(chain.token, "allowance", operator, state.escrow.address)
    state.ask(chain.token, "paused")
    state.ask(state.escrow, "claimable", operator)
    state.ask(state.escrow, "claimable", platform)
    locked, claimable, paused, recipient, held, tokens, allowance, token_paused, back, fees = state.answers()
    return {
        "chain": settings.CHAIN_NAME or f"Chain {chain.chain_id}",
        "chain_id": chain.chain_id,
        "escrow": state.escrow.address,
        "token": chain.token.address,
        "head": head,
        "head_at": number(latest["timestamp"]),
        "safe": _number(safe),
        "final": _number(final),
        "base_fee": str(int(latest.get("baseFeePerGas") or "0x0", 16)),
        "signers": _signers(chain),
        "operator": operator,
        "platform": platform,
        "fee_recipient": recipient,
        "locked": str(locked),
        "claimable": str(claimable),
        "held": str(held),
        "float": str(tokens),
        "allowance": str(allowance),
        "float_claim": str(back),
        "platform_claim": str(fees),
        "paused": paused,
        "token_paused": token_paused,
    }


def _number(block: Any) -> int | None:
    return number(block["number"]) if isinstance(block, dict) else None


def _signers(chain: Chain) -> list[dict[str, Any]]:
    found = []
    for role in ROLES:
        if not getattr(settings, f"CHAIN_{role.upper()}_KEY"):
            continue
        address = chain.signer(role).address
        asked: list[Request] = [("eth_getTransactionCount", [address, tag]) for tag in ("latest", "pending")]
        mined, pending, wei = chain.batch([*asked, ("eth_getBalance", [address, "latest"])])
        row = ChainSigner.objects.filter(chain_id=chain.chain_id, address=address).first()
        found.append(
            {
                "role": role,
                "address": address,
                "gas": str(number(wei)),
                "mined": number(mined),
                "pending": None if isinstance(pending, RpcError) else number(pending),
                "next": row.next_nonce if row is not None else None,
            }
        )
    return found
