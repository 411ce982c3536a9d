"""Books and chain, read from the chain by itself: deals, events, and who holds which tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from django.conf import settings

from port444.payments.actions.chain import reconcile_chain
from port444.payments.escrow.chain import expected
from port444.payments.escrow.chain.client import Chain, connect
from port444.payments.escrow.chain.contract import from_units, order_key
from port444.payments.escrow.chain.reading import events
from port444.payments.models import ChainDifference, EscrowKind, EscrowOperation, EscrowStatus, Withdrawal, WithdrawalStatus
from scripts import chain as local

from .check import Check, rows

K, T = EscrowKind, EscrowStatus
BOOKED = "SELECT key FROM payments_journalentry WHERE key LIKE 'escrow:%%'"
MOVES = (K.OPEN, K.AMEND, K.RELEASE, K.REFUND, K.MOVE)
PAID_FROM = """
SELECT w.address, coalesce(sum(p.amount), 0) AS paid, coalesce(sum(r.back), 0) AS back
FROM payments_walletpayment w JOIN payments_payment p ON p.id = w.payment_id AND p.status = 'succeeded'
LEFT JOIN (SELECT payment_id, sum(amount) AS back FROM payments_refund WHERE status = 'completed' GROUP BY payment_id) r ON r.payment_id = p.id
GROUP BY w.address
"""


def checks(facts: Mapping[str, Any]) -> Iterator[Check]:
    chain = connect(settings.CHAIN_AUDIT_RPC_URL)
    head = int(chain.ask("eth_blockNumber"), 16)
    yield differences(chain)
    yield deals(chain, head)
    yield pool(chain)
    yield from operations(chain, head)
    yield from wallets(chain, facts)


def differences(chain: Chain) -> Check:
    reconcile_chain(chain)
    left = ChainDifference.objects.filter(gone_at=None)
    found = Check("the site's own comparison of books and chain", EscrowOperation.objects.filter(backend="web3").count())
    found.wrong = [f"{row.kind_words}: {row.text}"[:300] for row in left[:50]]
    return found


def deals(chain: Chain, head: int) -> Check:
    """Deal for deal, what the contract has locked is what the books say."""
    ids = set(expected.of_contract(chain.chain_id, chain.escrow.address).filter(kind=K.OPEN).values_list("subject_id", flat=True))
    books = expected.deals(chain.chain_id, chain.escrow.address, head, ids)
    check = Check("escrow in the books = escrow in the contract, deal for deal", len(books))
    names = [part["name"] for part in next(f for f in chain.escrow.abi if f.get("name") == "orders")["outputs"][0]["components"]]
    for deal in books.values():
        order = dict(zip(names, chain.escrow.functions.orders(order_key(deal.id)).call(), strict=True))
        there = tuple(from_units(order[name]) for name in ("funded", "released", "refunded"))
        if there != (deal.funded, deal.released, deal.refunded):
            check.wrong.append(f"deal {deal.id}: books {deal.funded, deal.released, deal.refunded}, contract {there}")
    return check


def pool(chain: Chain) -> Check:
    held = chain.token.functions.balanceOf(chain.escrow.address).call()
    owed = chain.escrow.functions.totalLocked().call() + chain.escrow.functions.totalClaimable().call()
    return Check(
        "the contract holds what it owes", 1, [] if held >= owed else [f"it holds {held} and owes {owed}"], f"{from_units(held):,} USDC in it"
    )


def operations(chain: Chain, head: int) -> Iterator[Check]:
    """Each operation that the contract has carried out stands in the books, once, and the other way round."""
    seen = Counter(event.key for event in events(chain, chain.escrow.address, 0, head) if event.key and not event.is_own)
    asked = EscrowOperation.objects.filter(backend="web3").exclude(kind=K.COLLECT)
    known = set(asked.values_list("key", flat=True))
    there = Check("each operation on the chain is in the books, once", sum(seen.values()))
    there.wrong = [
        f"{key} is on the chain {times} times and in the books {int(key in known)} times"
        for key, times in seen.items()
        if times != 1 or key not in known
    ]
    yield there
    confirmed = asked.filter(status=T.CONFIRMED).values_list("key", "op_id")
    yield Check("each confirmed operation is on the chain", len(confirmed), [f"{op_id} is not" for key, op_id in confirmed if key not in seen])
    entries = Counter(row["key"] for row in rows(BOOKED))
    moved = EscrowOperation.objects.filter(status=T.CONFIRMED, kind__in=MOVES, amount__gt=0)
    booked = Check("each confirmed operation is booked, once", moved.count())
    booked.wrong = [f"{op} is booked {entries[f'escrow:{op}']} times" for op in moved.values_list("op_id", flat=True) if entries[f"escrow:{op}"] != 1]
    yield booked


def wallets(chain: Chain, facts: Mapping[str, Any]) -> Iterator[Check]:
    """Who was paid has it in the wallet, once; who paid from a wallet has paid once and got back once."""
    out: dict[str, Decimal] = {}
    for one in Withdrawal.objects.filter(status=WithdrawalStatus.COMPLETED, method="wallet"):
        out[one.address.lower()] = out.get(one.address.lower(), Decimal(0)) + one.arrives
    addresses = [builder["address"] for builder in facts["people"]["builders"]]
    got = Check("builders' wallets hold just what was withdrawn: nothing was sent twice", Withdrawal.objects.count())
    for address in addresses:
        there = from_units(chain.token.functions.balanceOf(chain.address(address)).call())
        if there != out.get(address.lower(), Decimal(0)):
            got.wrong.append(f"{address} holds {there}, and withdrew {out.get(address.lower(), Decimal(0))}")
    got.note = f"{sum(out.values()):,} USDC"
    yield got
    spent = {row["address"].lower(): (row["paid"], row["back"]) for row in rows(PAID_FROM)}
    paid = Check("clients' wallets have paid just what the books say, and got back what was refunded", len(spent))
    for client in facts["people"]["clients"]:
        if client["wallet"] is None:
            continue
        address = local.account_address(client["wallet"])
        took, back = spent.get(address.lower(), (Decimal(0), Decimal(0)))
        there = from_units(chain.token.functions.balanceOf(chain.address(address)).call())
        if there != Decimal(facts["purse"]) - took + back:
            paid.wrong.append(f"{address} holds {there} of {facts['purse']}, paid {took}, got back {back}")
    yield paid
