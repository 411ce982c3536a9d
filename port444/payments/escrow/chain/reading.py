"""What a contract's history and state say, as they were at one block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .calls import readable, topic_of
from .client import PAGE, Chain, Request, RpcError, Unreachable
from .rules import rules_of

NOBODY = "0x" + "0" * 64  # the key that owners' own acts carry


@dataclass(frozen=True, slots=True)
class Seen:
    """An event of the contract. `place` counts the contract's events within its transaction: it survives a reorganisation."""

    name: str
    arguments: dict[str, Any]
    tx_hash: str
    place: int
    block_number: int
    block_hash: str

    @property
    def key(self) -> str:
        """The platform's operation, with 0x; empty for administration, all zeros for an owner's own act."""
        found = self.arguments.get("opId")
        return "" if found is None else "0x" + bytes(found).hex()

    @property
    def is_own(self) -> bool:
        return self.key == NOBODY


def number(answer: Any) -> int:
    """A number as a node writes it. Raises Unreachable when it is none."""
    if isinstance(answer, RpcError):
        raise Unreachable(f"the node refused: {answer.message}"[:200])
    if not isinstance(answer, str):
        raise Unreachable("the node's answer is no number")
    return int(answer, 16)


def deep_block(chain: Chain) -> int:
    """The newest block that is acted on: so many deep as the chain's rules say, or what the node calls safe. -1 before there is one."""
    depth = rules_of(chain.chain_id).confirmations
    if depth:
        return number(chain.ask("eth_blockNumber")) - depth + 1
    block = chain.ask("eth_getBlockByNumber", "safe", False)
    return -1 if block is None else number(block["number"])


def final_block(chain: Chain) -> int:
    """The newest block that no reorganisation can take back; -1 when the node knows none."""
    try:
        block = chain.ask("eth_getBlockByNumber", "finalized", False)
    except RpcError:
        return -1
    return -1 if block is None else number(block["number"])


def events(chain: Chain, contract: str, first: int, last: int) -> Iterator[Seen]:
    """The contract's events from block `first` to `last`, in their order, asked for in pages."""
    escrow = chain.escrow_at(contract)
    known = {topic_of(event()): event for event in escrow.events}
    counted: dict[str, int] = {}
    for start in range(first, last + 1, PAGE):
        page = {"address": escrow.address, "fromBlock": hex(start), "toBlock": hex(min(start + PAGE - 1, last))}
        for entry in chain.ask("eth_getLogs", page):
            tx_hash = entry["transactionHash"]
            place = counted[tx_hash] = counted.get(tx_hash, -1) + 1
            event = known.get(entry["topics"][0]) if entry["topics"] else None
            if event is None or entry.get("removed"):
                continue
            arguments = dict(event().process_log(readable(entry))["args"])
            yield Seen(event().event_name, arguments, tx_hash, place, number(entry["blockNumber"]), entry["blockHash"])


class State:
    """Calls of the contract and the token as of one block, collected and then asked together."""

    def __init__(self, chain: Chain, contract: str, block: int) -> None:
        self.chain, self.block = chain, hex(block)
        self.escrow = chain.escrow_at(contract)
        self._asked: list[Request] = []
        self._read: list[Callable[[Any], Any]] = []

    def ask(self, contract: Any, function: str, *arguments: Any) -> None:
        """Add a question; `answers` gives what they return, in their order."""
        call = {"to": contract.address, "data": contract.encode_abi(function, list(arguments))}
        self._asked.append(("eth_call", [call, self.block]))
        outputs = [each["type"] for each in contract.get_function_by_name(function).abi["outputs"]]
        components = [each.get("components") for each in contract.get_function_by_name(function).abi["outputs"]]
        types = [f"({','.join(one['type'] for one in parts)})" if parts else kind for kind, parts in zip(outputs, components, strict=True)]
        self._read.append(lambda data: _decoded(self.chain, types, data))

    def answers(self) -> Sequence[Any]:
        """What was asked, read. Raises Unreachable when the node does not know one of them."""
        found = []
        for answer, read in zip(self.chain.batch(self._asked), self._read, strict=True):
            if isinstance(answer, RpcError) or not isinstance(answer, str):
                raise Unreachable(f"the node does not say what the contract holds at block {int(self.block, 16)}: {answer}"[:200])
            found.append(read(answer))
        self._asked, self._read = [], []
        return found


def _decoded(chain: Chain, types: list[str], data: str) -> Any:
    values = chain.w3.codec.decode(types, bytes.fromhex(data[2:]))
    return values[0] if len(values) == 1 else values
