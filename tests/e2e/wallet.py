"""A wallet in a browser, whose keys the test holds.

A script put into every page announces it (EIP-6963) or sets `window.ethereum`, and hands each question of the page to Python, which
signs with eth_account and asks the node of the test for the rest. Nothing of the page is changed, and its CSP stays in force.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from playwright.sync_api import BrowserContext, Page

from scripts import chain as local

CHAIN = hex(local.CHAIN_ID)
REFUSED = {"code": 4001, "message": "User rejected the request."}

SCRIPT = """
(() => {
  if (window.top !== window) return;
  const heard = {};
  const provider = {
    request: async ({ method, params }) => {
      const answer = await window.__wallet(method, JSON.stringify(params ?? []));
      if (answer.error) throw Object.assign(new Error(answer.error.message), answer.error);
      return answer.result;
    },
    on: (name, call) => { (heard[name] ??= []).push(call); },
    removeListener: () => {},
  };
  window.__walletTells = (name, value) => (heard[name] ?? []).forEach(call => call(value));
  if (%(old)s) { window.ethereum = provider; return; }
  const info = { uuid: '6f1c4f0e-0000-4000-8000-000000000001', name: %(name)s, rdns: 'example.wallet', icon: 'data:,' };
  const detail = Object.freeze({ info, provider });
  const announce = () => window.dispatchEvent(new CustomEvent('eip6963:announceProvider', { detail }));
  window.addEventListener('eip6963:requestProvider', announce);
  announce();
})();
"""


@dataclass
class Wallet:
    """One wallet, on the node at `url`.

    `refuse` names the questions to which its owner says no, `before` is called with each question before it is answered, and
    `asked` keeps them all.
    """

    url: str
    account: Any = field(default_factory=Account.create)
    name: str = "Test Wallet"
    old: bool = False  # known by window.ethereum alone
    chain: str = CHAIN
    connected: bool = False
    knows_chain: bool = True
    refuse: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    before: Callable[[str], None] | None = None

    @property
    def address(self) -> str:
        return str(self.account.address)

    def install(self, context: BrowserContext) -> None:
        """Into every page of a browser, from its next page on."""
        context.expose_function("__wallet", self.answer)
        context.add_init_script(SCRIPT % {"name": json.dumps(self.name), "old": json.dumps(self.old)})

    def fund(self, token: str, units: int) -> None:
        """Test USDC, and gas money."""
        local.fund(self.url, token, self.address, units)

    def use(self, page: Page, account: Any) -> None:
        """Its owner chooses another account in it."""
        self.account = account
        page.evaluate("account => window.__walletTells('accountsChanged', [account])", self.address)

    def go_to(self, page: Page, chain: str) -> None:
        """Its owner chooses another network in it."""
        self.chain = chain
        page.evaluate("chain => window.__walletTells('chainChanged', chain)", chain)

    def answer(self, method: str, params: str) -> dict[str, Any]:
        """The answer to one question of a page."""
        self.asked.append(method)
        if self.before is not None:
            self.before(method)
        if method in self.refuse:
            return {"error": REFUSED}
        own = getattr(self, f"_{method}", None)
        try:
            return {"result": own(*json.loads(params))} if own else self._forwarded(method, json.loads(params))
        except WalletError as error:
            return {"error": {"code": error.code, "message": str(error)}}

    def _forwarded(self, method: str, params: list[Any]) -> dict[str, Any]:
        if not method.startswith("eth_"):
            raise WalletError(4200, f"{method} is not supported")
        return {"result": local.ask(self.url, method, *params)}

    def _eth_requestAccounts(self) -> list[str]:  # noqa: N802 - named as it is asked for
        self.connected = True
        return [self.address]

    def _eth_accounts(self) -> list[str]:
        return [self.address] if self.connected else []

    def _eth_chainId(self) -> str:  # noqa: N802
        return self.chain

    def _wallet_switchEthereumChain(self, wanted: dict[str, str]) -> None:  # noqa: N802
        if not self.knows_chain:
            raise WalletError(4902, "Unrecognized chain ID")
        self.chain = wanted["chainId"]

    def _wallet_addEthereumChain(self, wanted: dict[str, Any]) -> None:  # noqa: N802
        assert wanted["rpcUrls"], "a chain without a node"
        self.knows_chain, self.chain = True, wanted["chainId"]

    def _eth_signTypedData_v4(self, address: str, text: str) -> str:  # noqa: N802
        data = json.loads(text)
        if not self.connected or address.lower() != self.address.lower():
            raise WalletError(4100, "not authorized")
        if int(data["domain"]["chainId"]) != int(self.chain, 16):
            raise WalletError(-32603, "Provided chainId must match the active chainId")
        for name in ("value", "validAfter", "validBefore"):
            data["message"][name] = int(data["message"][name])
        return str(Account.sign_message(encode_typed_data(full_message=data), self.account.key).signature.to_0x_hex())

    def _eth_sendTransaction(self, wanted: dict[str, str]) -> str:  # noqa: N802
        if not self.connected or wanted["from"].lower() != self.address.lower():
            raise WalletError(4100, "not authorized")
        fields = {
            "to": wanted["to"],
            "data": wanted["data"],
            "value": int(wanted.get("value", "0x0"), 16),
            "nonce": int(local.ask(self.url, "eth_getTransactionCount", self.address, "pending"), 16),
            "gas": 200_000,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 10**9,
            "chainId": int(self.chain, 16),
        }
        raw = self.account.sign_transaction(fields).raw_transaction.to_0x_hex()
        self.sent.append(str(local.ask(self.url, "eth_sendRawTransaction", raw)))
        return self.sent[-1]


class WalletError(Exception):
    """What a wallet answers when it will not."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
