"""What an operation is on the chain: the call that asks for it, and the event that proves it.

`EscrowOperation.args` holds what the other columns do not: of an OPEN `client`, `builder` (addresses) and `expiry` (seconds), of an
EXTEND `expiry`, of a HOLD `on`, of a COLLECT `valid_after`, `valid_before`, `nonce` and `signature`; `ruling` says that staff
decided, so that the arbiter's key signs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from port444.kit.money import fee
from port444.payments.models import EscrowKind, EscrowOperation

from .client import Chain, RpcError
from .contract import order_key, to_units
from .signer import ARBITER, OPERATOR

K = EscrowKind
ESCROW, TOKEN = "escrow", "token"
ERROR_STRING = "0x08c379a0"  # Error(string), as a contract refuses with words


@dataclass(frozen=True, slots=True)
class Proof:
    """An event, and the arguments that make it ours."""

    contract: str  # ESCROW or TOKEN
    event: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction to `to` from the account of `role`. `used` asks whether the chain has consumed it already."""

    role: str
    to: str
    data: str
    used: dict[str, str]
    proofs: tuple[Proof, ...]  # the first names the operation; all have to be there


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call would revert: for good, or until something changes."""

    words: str
    permanent: bool


# By the first words with which the contracts refuse.
HEALS = {
    "paused": "The escrow contract is paused.",
    "hold": "A dispute holds this deal on the chain.",
    "role": "The platform's account lacks the role for this in the contract, or a dispute holds the deal.",
    "locked": "The contract holds less for this deal than was asked for.",
    "sponsored": "The contract counts less lent to this deal than was asked for.",
    "claimable": "The account has less to claim in the contract than was asked for.",
    "received": "The token moved another amount than was asked for.",
    "transferFrom": "The token refused the transfer.",
    "transfer": "The token refused the transfer.",
    "Pausable: paused": "The token is paused.",
    "Blacklistable": "An account of this is blocked by the token's issuer.",
    "ERC20: transfer amount exceeds allowance": "The contract may not take enough from the platform's account: its allowance is used up.",
    "ERC20: transfer amount exceeds balance": "The account it is paid from holds too little.",
    "FiatTokenV2: authorization is not yet valid": "The signature is not valid yet.",
    "FiatTokenV2: authorization is used or canceled": "The signature was used or cancelled; looking for which.",
    "op used": "The chain has carried this out already; looking for it.",
}
PERMANENT = {
    "exists": "The contract has an order of this number already.",
    "no order": "The contract has no order of this number.",
    "zero": "The amount is zero.",
    "cents": "The amount is not a whole number of cents.",
    "fee": "The fee is higher than the contract takes.",
    "parties": "Client and builder have the same address, or one has none.",
    "client": "The orders belong to different clients.",
    "same order": "An order cannot be moved to itself.",
    "expiry": "The new end is not later than the one in the contract, or it has passed.",
    "life": "The contract does not lock money for that long.",
    "account": "The platform cannot pay to this address.",
    "FiatTokenV2: authorization is expired": "The signature has expired.",
    "FiatTokenV2: invalid signature": "The signature is not one of this wallet for this payment.",
    "FiatTokenV2: caller must be the payee": "The signature is for another account than the platform's.",
    "ECRecover": "The signature is malformed.",
}


def call_of(chain: Chain, operation: EscrowOperation) -> Call:
    """How to ask the chain for an operation. Raises what web3 raises for arguments that cannot be written."""
    escrow = chain.escrow_at(operation.contract)
    kind, args = EscrowKind(operation.kind), operation.args
    key, deal = bytes.fromhex(operation.key.removeprefix("0x")), order_key(operation.subject_id)
    amount, lent = to_units(operation.amount), to_units(operation.prepaid + operation.gift)
    order: dict[str, Any] = {"orderId": deal, "opId": key}
    used = {"to": escrow.address, "data": escrow.encode_abi("opUsed", [key])}
    function: str
    values: list[Any]
    if kind == K.COLLECT:
        return _collect(chain, operation, amount)
    if kind == K.OPEN:
        client, builder, expiry = chain.address(args["client"]), chain.address(args["builder"]), int(args["expiry"])
        function, values = "createEscrow", [deal, client, builder, amount, lent, operation.fee_bps, expiry]
        event, seen = "EscrowCreated", {
            **order, "client": client, "builder": builder, "amount": amount, "sponsored": lent, "feeBps": operation.fee_bps, "expiry": expiry,
        }  # fmt: skip
    elif kind == K.AMEND:
        function, values = "amendEscrow", [deal, amount, lent]
        event, seen = "EscrowAmended", {**order, "additionalAmount": amount, "sponsored": lent}
    elif kind == K.RELEASE:
        back, charged = to_units(operation.prepaid), to_units(fee(operation.amount, operation.fee_bps))
        function, values = "release", [deal, amount, back]
        event, seen = "EscrowReleased", {**order, **_account("builder", operation), "gross": amount, "fee": charged, "sponsorBack": back}
    elif kind == K.REFUND:
        function, values = "refund", [deal, amount, lent]
        event, seen = "EscrowRefunded", {**order, **_account("client", operation), "amount": amount, "sponsorBack": lent}
    elif kind == K.MOVE:
        assert operation.target_id is not None
        target = order_key(operation.target_id)
        function, values = "moveEscrow", [deal, target, amount, lent]
        event, seen = "EscrowMoved", {"fromOrder": deal, "toOrder": target, "opId": key, "amount": amount, "sponsored": lent}
    elif kind == K.EXTEND:
        function, values = "extendExpiry", [deal, int(args["expiry"])]
        event, seen = "ExpiryExtended", {**order, "expiry": int(args["expiry"])}
    elif kind == K.HOLD:
        function, values = "setHold", [deal, bool(args["on"])]
        event, seen = "HoldSet", {**order, "hold": bool(args["on"])}
    else:
        account = chain.address(operation.address)
        function, event = {K.WITHDRAW: ("withdraw", "Withdrawn"), K.PAY: ("pay", "Paid")}[kind]
        values, seen = [account, amount], {"account": account, "opId": key, "amount": amount}
    role = ARBITER if kind == K.HOLD or args.get("ruling") else OPERATOR
    return Call(role, escrow.address, escrow.encode_abi(function, [*values, key]), used, (Proof(ESCROW, event, seen),))


def _account(name: str, operation: EscrowOperation) -> dict[str, str]:
    return {name: operation.address} if operation.address else {}


def _collect(chain: Chain, operation: EscrowOperation, amount: int) -> Call:
    """The client's signature (EIP-3009) is good once: the token itself remembers that it was used."""
    args, payer, token = operation.args, chain.address(operation.address), chain.token
    nonce, signature = (bytes.fromhex(str(args[name]).removeprefix("0x")) for name in ("nonce", "signature"))
    if len(nonce) != 32 or len(signature) != 65:
        raise ValueError("a signature has 65 bytes and its nonce 32")
    v = signature[64] if signature[64] >= 27 else signature[64] + 27
    values = [payer, chain.operator, amount, int(args["valid_after"]), int(args["valid_before"]), nonce, v, signature[:32], signature[32:64]]
    return Call(
        OPERATOR,
        token.address,
        token.encode_abi("receiveWithAuthorization", values),
        {"to": token.address, "data": token.encode_abi("authorizationState", [payer, nonce])},
        (
            Proof(TOKEN, "AuthorizationUsed", {"authorizer": payer, "nonce": nonce}),
            Proof(TOKEN, "Transfer", {"sender": payer, "receiver": chain.operator, "value": amount}),
        ),
    )


def proven(chain: Chain, operation: EscrowOperation, call: Call, logs: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the logs of a receipt hold every event that the operation has to leave, with its own arguments."""
    entries = list(logs)
    return all(any(_matches(chain, operation, proof, entry) for entry in entries) for proof in call.proofs)


def _matches(chain: Chain, operation: EscrowOperation, proof: Proof, entry: Mapping[str, Any]) -> bool:
    contract = chain.escrow_at(operation.contract) if proof.contract == ESCROW else chain.token
    event = contract.events[proof.event]()
    if entry["address"].lower() != contract.address.lower() or not entry["topics"] or entry["topics"][0] != topic_of(event):
        return False
    found = event.process_log(readable(entry))["args"]
    return all(_same(found[name], value) for name, value in proof.arguments.items())


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, str):
        return str(found).lower() == wanted.lower()
    return bool(found == wanted)


def topic_of(event: Any) -> str:
    """The first topic of an event's logs, with 0x."""
    return "0x" + bytes.fromhex(event.topic.removeprefix("0x")).hex()


def readable(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A log as web3 reads it, from one as a node writes it."""
    from hexbytes import HexBytes

    return {
        **entry,
        "topics": [HexBytes(topic) for topic in entry["topics"]],
        "data": HexBytes(entry["data"]),
        **{name: HexBytes(entry[name]) for name in ("blockHash", "transactionHash") if entry.get(name)},
        **{name: int(entry[name], 16) for name in ("blockNumber", "logIndex", "transactionIndex") if entry.get(name)},
    }


def filters_of(chain: Chain, operation: EscrowOperation, call: Call) -> dict[str, Any]:
    """What to search logs by for the event that names the operation."""
    proof = call.proofs[0]
    contract = chain.escrow_at(operation.contract) if proof.contract == ESCROW else chain.token
    event = contract.events[proof.event]()
    topics: list[str | None] = [topic_of(event)]
    for argument in (each for each in event.abi["inputs"] if each["indexed"]):
        # Only what identifies it: an event with our key and other arguments has to be found too, and looked at by a person.
        value = proof.arguments.get(argument["name"]) if argument["name"] in ("opId", "nonce", "authorizer") else None
        topics.append(None if value is None else "0x" + (value.hex() if isinstance(value, bytes) else value[2:].lower()).rjust(64, "0"))
    return {"address": contract.address, "topics": topics}


def refusal(error: RpcError) -> Refusal:
    """What a contract's refusal means, in words for people."""
    said = _reason(error)
    for known, permanent in ((PERMANENT, True), (HEALS, False)):
        for start, words in known.items():
            if said == start or (len(start) > 12 and said.startswith(start)) or (start in ("Blacklistable", "ECRecover") and said.startswith(start)):
                return Refusal(words, permanent)
    return Refusal(f"The contract refused: {said}"[:280] if said else "The contract refused without a reason.", False)


def _reason(error: RpcError) -> str:
    data = error.data.get("data") if isinstance(error.data, dict) else error.data
    if isinstance(data, str) and data.startswith(ERROR_STRING):
        try:
            body = bytes.fromhex(data[len(ERROR_STRING) :])
            length = int.from_bytes(body[32:64])
            return body[64 : 64 + length].decode("utf-8", "replace")
        except ValueError:
            pass
    said = error.message.split("execution reverted", 1)[-1].strip(" :'\"")
    return said.removeprefix("revert:").strip()
