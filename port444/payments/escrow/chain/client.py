"""One node of the configured chain, asked without hidden retries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.conf import settings

from . import signer
from .contract import DECIMALS, artifact

TIMEOUT = 10
BATCH = 50  # requests in one; nodes cap it at a hundred and more
PAGE = 2_000  # blocks in one search for events

Request = tuple[str, list[Any]]


class WrongChain(Exception):
    """The node, the contract or the token is not what the settings name: nothing may be sent."""


class Unreachable(Exception):
    """No answer, or none that can be read: whatever was asked may have happened or not."""


class RpcError(Exception):
    """The node answered that it will not."""

    def __init__(self, message: str, code: int = 0, data: Any = None) -> None:
        super().__init__(message)
        self.message, self.code, self.data = message, code, data

    @property
    def reverted(self) -> bool:
        """The contract refused, rather than the node."""
        return self.code == 3 or "revert" in self.message.lower()


class Chain:
    """A node, and the contract and token of the settings there. `w3`, `escrow` and `token` are web3's."""

    def __init__(self, url: str, chain_id: int, escrow: str, token: str) -> None:
        from web3 import HTTPProvider, Web3

        self.url, self.chain_id = url, chain_id
        # web3 itself would send a transaction five times, and the second "already known" would hide that the first arrived.
        self.w3 = Web3(HTTPProvider(url, request_kwargs={"timeout": TIMEOUT}, exception_retry_configuration=None))
        self.escrow = self.w3.eth.contract(Web3.to_checksum_address(escrow), abi=artifact("OrderEscrow")["abi"])
        self.token = self.w3.eth.contract(Web3.to_checksum_address(token), abi=artifact("MockUSDC")["abi"])

    def __repr__(self) -> str:
        return f"<Chain {self.chain_id}, escrow {self.escrow.address}>"  # the url may carry a key of the node's owner

    def address(self, text: str) -> str:
        """An address as web3 takes it, with its checksum. Raises ValueError."""
        made: str = self.w3.to_checksum_address(text)
        return made

    def escrow_at(self, address: str) -> Any:
        """The escrow contract at `address`: deals end in the contract in which they were opened."""
        if not address or address.lower() == self.escrow.address.lower():
            return self.escrow
        return self.w3.eth.contract(self.address(address), abi=self.escrow.abi)

    @property
    def operator(self) -> str:
        """The platform's account, from which escrow is funded."""
        return self.signer(signer.OPERATOR).address

    def signer(self, role: str) -> signer.Signer:
        return signer.signer(role)

    def ask(self, method: str, *params: Any) -> Any:
        """The node's answer as it came. Raises RpcError or Unreachable."""
        (answer,) = self.batch([(method, list(params))])
        if isinstance(answer, RpcError):
            raise answer
        return answer

    def batch(self, requests: Sequence[Request]) -> list[Any]:
        """The answers in the order of `requests`, each as it came or an RpcError. Raises Unreachable when there is none."""
        answers: list[Any] = []
        for start in range(0, len(requests), BATCH):
            answers += self._send(list(requests[start : start + BATCH]))
        return answers

    def _send(self, requests: list[Request]) -> list[Any]:
        provider: Any = self.w3.provider
        try:
            if len(requests) == 1:
                return [_answer(provider.make_request(*requests[0]))]
            replies = provider.make_batch_request(requests)
            if isinstance(replies, list) and len(replies) == len(requests):
                return [_answer(reply) for reply in replies]
            return [_answer(provider.make_request(*request)) for request in requests]  # a node that takes no batches
        except RpcError:
            raise
        except Exception as error:
            raise Unreachable(f"no answer from the node: {type(error).__name__}") from error

    def check(self, contract: str = "") -> None:
        """Make sure of chain, contract, token and decimals. Raises WrongChain, or Unreachable."""
        escrow = contract or self.escrow.address
        token = {"to": escrow, "data": self.escrow.encode_abi("TOKEN")}
        decimals = {"to": self.token.address, "data": self.token.encode_abi("decimals")}
        asked: list[Request] = [
            ("eth_chainId", []),
            ("eth_getCode", [escrow, "latest"]),
            ("eth_call", [token, "latest"]),
            ("eth_call", [decimals, "latest"]),
        ]
        chain_id, code, found, places = self.batch(asked)
        for answer in (chain_id, code):
            if isinstance(answer, RpcError):
                raise Unreachable(f"the node refused to say what it is: {answer}")
        if int(chain_id, 16) != self.chain_id:
            raise WrongChain(f"the node is of chain {int(chain_id, 16)}, the settings name chain {self.chain_id}")
        if len(code) < 4:
            raise WrongChain(f"no contract at {escrow}")
        if _word(found) != int(self.token.address, 16):
            raise WrongChain(f"the contract at {escrow} does not hold the token {self.token.address}")
        if _word(places) != DECIMALS:
            raise WrongChain(f"the token {self.token.address} does not count {DECIMALS} decimals")


def _answer(reply: Any) -> Any:
    if not isinstance(reply, dict):
        raise Unreachable("the node's answer is not JSON-RPC")
    if reply.get("error") is not None:
        error = reply["error"]
        if not isinstance(error, dict):
            return RpcError(str(error))
        return RpcError(str(error.get("message", "")), int(error.get("code") or 0), error.get("data"))
    return reply.get("result")


def _word(answer: Any) -> int:
    """One number from an `eth_call`; -1 when there was none."""
    return int(answer, 16) if isinstance(answer, str) and len(answer) == 66 else -1


def connect(url: str = "") -> Chain:
    """The chain of the settings, at another node when `url` names one; checked once. Raises WrongChain or Unreachable."""
    return _connected(url or settings.CHAIN_RPC_URL, settings.CHAIN_ID, settings.ESCROW_ADDRESS, settings.USDC_ADDRESS)


@lru_cache(maxsize=8)
def _connected(url: str, chain_id: int, escrow: str, token: str) -> Chain:
    if not (url and chain_id and escrow and token):
        raise WrongChain("CHAIN_RPC_URL, CHAIN_ID, ESCROW_ADDRESS and USDC_ADDRESS are all needed")
    chain = Chain(url, chain_id, escrow, token)
    chain.check()
    return chain
