"""What is under way, in words, and how it is found in the database. A wait that somebody else has to end (an unpaid order, a try that comes
later) is none."""

UNDER_WAY = {
    "jobs in the queue": "SELECT id FROM django_q_ormq",
    "operations on their way to the chain": (
        "SELECT op_id AS id FROM payments_escrowoperation WHERE status NOT IN ('confirmed', 'failed', 'cancelled')"
        " AND op_id NOT LIKE 'treasury:%'"  # the worker's own, which a comparison asks for at any time
    ),
    "orders on their way into escrow": "SELECT id FROM orders_order WHERE status = 'funding'",
    "changes on their way into escrow": "SELECT id FROM amendments_amendment WHERE status IN ('paid', 'funding')",
    "approved payments without an answer": (
        "SELECT p.id FROM payments_payment p LEFT JOIN payments_sandboxcharge s ON s.key = p.id"
        " LEFT JOIN payments_walletpayment w ON w.payment_id = p.id"
        " WHERE p.status IN ('created', 'pending') AND (s.status = 'approved' OR w.payment_id IS NOT NULL)"
    ),
    "payments that are not settled": "SELECT id FROM payments_payment WHERE status = 'succeeded' AND settled_at IS NULL",
    "refunds without an end": "SELECT id FROM payments_refund WHERE status = 'requested'",
    "withdrawals without an end": "SELECT id FROM payments_withdrawal WHERE status IN ('requested', 'sending', 'held')",
    "notifications that are due": "SELECT id FROM notifications_delivery WHERE status = 'sending' OR (status = 'pending' AND due_at <= now())",
    "mails about accounts": "SELECT id FROM accounts_queuedmail WHERE sent_at IS NULL",
    "webhooks that are due": (
        "SELECT d.id FROM webhooks_webhookdelivery d JOIN webhooks_webhookendpoint e ON e.id = d.endpoint_id"
        " WHERE e.status = 'active' AND (d.status = 'sending' OR (d.status = 'pending' AND d.due_at <= now()))"
    ),
    "copies of calls in calendars": "SELECT id FROM consultations_calendarevent WHERE status IN ('wanted', 'unwanted') AND next_try_at <= now()",
    "rooms of calls": "SELECT id FROM consultations_meetingroom WHERE status IN ('wanted', 'unwanted') AND next_try_at <= now()",
}
LATER = """
SELECT (SELECT count(*) FROM consultations_calendarevent WHERE status IN ('wanted', 'unwanted') AND next_try_at > now())
     + (SELECT count(*) FROM consultations_meetingroom WHERE status IN ('wanted', 'unwanted') AND next_try_at > now())
     + (SELECT count(*) FROM webhooks_webhookdelivery WHERE status = 'pending' AND due_at > now())
     + (SELECT count(*) FROM notifications_delivery WHERE status = 'pending' AND due_at > now()) AS later
"""
