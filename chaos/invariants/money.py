"""The books by themselves: what the database keeps anyway, asked once more from outside, and what only a sum over all can say."""

from __future__ import annotations

from collections.abc import Iterator

from port444.payments.models import Credit
from tests.conftest import assert_credits_balance

from .check import Check, none_of, value

PAYMENT = "payments_payment"
UNBALANCED = """
SELECT e.key, coalesce(sum(p.amount), 0) AS sum, count(p.id) AS postings
FROM payments_journalentry e LEFT JOIN payments_posting p ON p.entry_id = e.id GROUP BY e.id HAVING coalesce(sum(p.amount), 0) <> 0 OR count(p.id) < 2
"""
DRIFTED = """
SELECT a.kind, a.owner_id, a.balance, coalesce(sum(p.amount), 0) AS posted
FROM payments_ledgeraccount a LEFT JOIN payments_posting p ON p.account_id = a.id GROUP BY a.id HAVING a.balance <> coalesce(sum(p.amount), 0)
"""
PAID_TWICE = """
SELECT i.id AS invoice, i.status, i.total, sum(p.amount) AS paid, coalesce(sum(r.back), 0) AS back
FROM payments_invoice i JOIN payments_payment p ON p.invoice_id = i.id AND p.status = 'succeeded'
LEFT JOIN (SELECT payment_id, sum(amount) AS back FROM payments_refund WHERE status <> 'failed' GROUP BY payment_id) r ON r.payment_id = p.id
GROUP BY i.id HAVING sum(p.amount) > i.total AND sum(p.amount) - coalesce(sum(r.back), 0) > i.total
"""
TOO_MUCH_BACK = """
SELECT p.id AS payment, p.amount, sum(r.amount) AS back FROM payments_payment p
JOIN payments_refund r ON r.payment_id = p.id AND r.status <> 'failed' GROUP BY p.id HAVING sum(r.amount) > p.amount
"""
UNSETTLED = "SELECT id AS payment, invoice_id AS invoice FROM payments_payment WHERE status = 'succeeded' AND settled_at IS NULL"
SENT_TWICE = """
SELECT key, kind, count(*) AS times FROM payments_sandboxtransfer GROUP BY key, kind HAVING count(*) > 1
"""
GAPS = """
SELECT s.name, s.last_number, count(i.id) AS invoices FROM payments_series s
LEFT JOIN payments_invoice i ON regexp_replace(i.number, '-[0-9]+$', '') = s.name AND i.number <> ''
GROUP BY s.name HAVING s.last_number <> count(i.id)
"""
UNDELIVERED = """
SELECT o.number AS "order", o.status, i.id AS invoice FROM orders_order o JOIN payments_invoice i ON i.id = o.invoice_id
WHERE i.status = 'paid' AND o.status IN ('pending_payment', 'funding', 'expired')
UNION ALL
SELECT NULL, c.status, i.id FROM consultations_consultation c JOIN payments_invoice i ON i.id = c.invoice_id
WHERE i.status = 'paid' AND c.status IN ('held', 'expired')
  AND NOT EXISTS (SELECT FROM payments_payment p JOIN payments_refund r ON r.payment_id = p.id WHERE p.invoice_id = i.id)
"""


def checks() -> Iterator[Check]:
    yield none_of("each entry of the ledger sums to zero", "payments_journalentry", UNBALANCED)
    yield none_of("each balance is the sum of its postings", "payments_ledgeraccount", DRIFTED)
    total = value("SELECT coalesce(sum(amount), 0) FROM payments_posting")
    yield Check("all postings together sum to zero", int(value("SELECT count(*) FROM payments_posting")), [f"they sum to {total}"] if total else [])
    yield credits()
    yield none_of("no invoice took more than its total", PAYMENT, PAID_TWICE)
    yield none_of("nothing went back that was not paid", "payments_refund", TOO_MUCH_BACK)
    yield none_of("what was paid is settled", PAYMENT, UNSETTLED)
    yield none_of("what was paid for is there: an order in escrow, a call that is booked", "payments_invoice", UNDELIVERED)
    yield none_of("numbers of invoices have no gap", "payments_series", GAPS)


def credits() -> Check:
    wrong: list[str] = []
    try:
        assert_credits_balance()
    except AssertionError as failure:
        wrong.append(str(failure)[:300] or "they do not balance")
    return Check("credits: given = left, held, spent, expired or voided", Credit.objects.count(), wrong)
