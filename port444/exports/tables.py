"""The exports there are, with their columns. A column keeps its name, kind and place for good; new ones come last.

docs/exports.md prints what stands here, and a test holds the two together.
"""

from __future__ import annotations

from port444.kit.money import CURRENCY

from .columns import Column, Kind, Table

TEXT, ID, MONEY, EXACT, MOMENT, NUMBER, FLAG, JSON = Kind


ORDERS = Table(
    "orders",
    "orders.Order",
    """
orders_order o
JOIN accounts_user c ON c.id = o.client_id
JOIN builders_builder b ON b.id = o.builder_id
JOIN accounts_user s ON s.id = b.user_id
JOIN catalog_service v ON v.id = o.service_id
JOIN catalog_category g ON g.id = v.category_id
LEFT JOIN payments_invoice i ON i.id = o.invoice_id
LEFT JOIN orders_order m ON m.id = o.merged_into_id
LEFT JOIN orders_order p ON p.id = o.split_from_id
    """,
    at="o.placed_at",
    key="o.id",
    words="Orders, by when they were placed",
    columns=(
        Column("order_id", ID, "o.id"),
        Column("number", ID, "'P4-' || o.number", "as people read it"),
        Column("status", TEXT, "o.status"),
        Column("title", TEXT, "o.title"),
        Column("package", TEXT, "o.package_name"),
        Column("origin", TEXT, "o.origin", "bought, merged or split"),
        Column("client_id", ID, "o.client_id"),
        Column("client_name", TEXT, "c.name"),
        Column("client_email", TEXT, "c.email"),
        Column("builder_id", ID, "b.user_id", "the person who does the work"),
        Column("builder_name", TEXT, "s.name"),
        Column("builder_email", TEXT, "s.email"),
        Column("service_id", ID, "o.service_id"),
        Column("category", TEXT, "g.slug"),
        Column("price", MONEY, "o.price", "what the work costs, before fees"),
        Column("client_fee", MONEY, "o.client_fee", "what the client pays on top"),
        Column("builder_fee_bps", NUMBER, "o.builder_fee_bps", "hundredths of a percent of the price"),
        Column("credit", MONEY, "o.credit", "of the price, what credits pay"),
        Column("prepaid", MONEY, "o.prepaid", "of that, what the builder had for a call already"),
        Column("currency", TEXT, f"'{CURRENCY}'"),
        Column("delivery_days", NUMBER, "o.delivery_days"),
        Column("revisions_allowed", NUMBER, "o.revisions_allowed"),
        Column("revisions_used", NUMBER, "o.revisions_used"),
        Column("placed_at", MOMENT, "o.placed_at"),
        Column("paid_at", MOMENT, "o.paid_at"),
        Column("started_at", MOMENT, "o.started_at"),
        Column("due_at", MOMENT, "o.due_at"),
        Column("delivered_at", MOMENT, "o.delivered_at", "the last delivery"),
        Column("completed_at", MOMENT, "o.completed_at"),
        Column("cancelled_at", MOMENT, "o.cancelled_at"),
        Column("expired_at", MOMENT, "o.expired_at"),
        Column("disputed_at", MOMENT, "o.disputed_at", "while a dispute is open"),
        Column("cancel_cause", TEXT, "o.cancel_cause"),
        Column("cancel_reason", TEXT, "o.cancel_reason"),
        Column("invoice_number", TEXT, "i.number", "empty until it is paid"),
        Column("merged_into", ID, "'P4-' || m.number"),
        Column("split_from", ID, "'P4-' || p.number"),
    ),
)

CONSULTATIONS = Table(
    "consultations",
    "consultations.Consultation",
    """
consultations_consultation k
JOIN accounts_user c ON c.id = k.client_id
JOIN builders_builder b ON b.id = k.builder_id
JOIN accounts_user s ON s.id = b.user_id
LEFT JOIN payments_invoice i ON i.id = k.invoice_id
LEFT JOIN orders_order o ON o.id = k.converted_order_id
    """,
    at="k.created_at",
    key="k.id",
    words="Paid calls, by when they were booked",
    columns=(
        Column("consultation_id", ID, "k.id"),
        Column("status", TEXT, "k.status"),
        Column("client_id", ID, "k.client_id"),
        Column("client_name", TEXT, "c.name"),
        Column("client_email", TEXT, "c.email"),
        Column("builder_id", ID, "b.user_id", "the person who is called"),
        Column("builder_name", TEXT, "s.name"),
        Column("builder_email", TEXT, "s.email"),
        Column("minutes", NUMBER, "k.duration"),
        Column("price", MONEY, "k.price"),
        Column("client_fee", MONEY, "k.client_fee", "what the client pays on top"),
        Column("builder_fee_bps", NUMBER, "k.builder_fee_bps", "hundredths of a percent of the price"),
        Column("currency", TEXT, f"'{CURRENCY}'"),
        Column("scheduled_at", MOMENT, "k.scheduled_at"),
        Column("ends_at", MOMENT, "k.ends_at"),
        Column("client_zone", TEXT, "k.client_zone"),
        Column("builder_zone", TEXT, "k.builder_zone"),
        Column("refund_policy", TEXT, "k.refund_policy"),
        Column("meeting_provider", TEXT, "k.meeting_provider"),
        Column("moves", NUMBER, "k.move_count", "how often it was moved"),
        Column("moved_from", ID, "k.rescheduled_from_id", "the call that this one replaces"),
        Column("created_at", MOMENT, "k.created_at"),
        Column("paid_at", MOMENT, "k.paid_at"),
        Column("completed_at", MOMENT, "k.completed_at"),
        Column("cancelled_at", MOMENT, "k.cancelled_at"),
        Column("cancellation_reason", TEXT, "k.cancellation_reason"),
        Column("expired_at", MOMENT, "k.expired_at"),
        Column("rescheduled_at", MOMENT, "k.rescheduled_at"),
        Column("no_show_at", MOMENT, "k.no_show_at"),
        Column("no_show_party", TEXT, "k.no_show_party"),
        Column("converted_order", ID, "'P4-' || o.number", "the order that came of it"),
        Column("converted_at", MOMENT, "k.converted_at"),
        Column("invoice_number", TEXT, "i.number"),
    ),
)

AMENDMENTS = Table(
    "amendments",
    "amendments.Amendment",
    """
amendments_amendment a
JOIN orders_order o ON o.id = a.order_id
JOIN accounts_user q ON q.id = a.requested_by_id
LEFT JOIN payments_invoice i ON i.id = a.invoice_id
    """,
    at="a.created_at",
    key="a.id",
    words="Changes of orders, by when they were proposed",
    columns=(
        Column("amendment_id", ID, "a.id"),
        Column("order_id", ID, "a.order_id"),
        Column("order_number", ID, "'P4-' || o.number"),
        Column("version", NUMBER, "a.version"),
        Column("replaces", ID, "a.replaces_id", "the version before"),
        Column("type", TEXT, "a.amendment_type"),
        Column("status", TEXT, "a.status"),
        Column("requested_by", ID, "a.requested_by_id"),
        Column("requested_by_email", TEXT, "q.email"),
        Column("by_builder", FLAG, "a.by_builder"),
        Column("reason", TEXT, "a.reason"),
        Column("description", TEXT, "a.description"),
        Column("additional_amount", MONEY, "a.additional_amount", "what the price rises by"),
        Column("client_fee", MONEY, "a.client_fee", "what the client pays on top"),
        Column("currency", TEXT, f"'{CURRENCY}'"),
        Column("additional_days", NUMBER, "a.additional_days"),
        Column("additional_revisions", NUMBER, "a.additional_revisions"),
        Column("additional_deliverables", JSON, "to_jsonb(a.additional_deliverables)", "a list"),
        Column("price_before", MONEY, "a.price_before"),
        Column("due_before", MOMENT, "a.due_before"),
        Column("due_after", MOMENT, "a.due_after"),
        Column("created_at", MOMENT, "a.created_at"),
        Column("expires_at", MOMENT, "a.expires_at"),
        Column("answered_at", MOMENT, "a.answered_at"),
        Column("answered_by", ID, "a.answered_by_id"),
        Column("answer", TEXT, "a.answer"),
        Column("paid_at", MOMENT, "a.paid_at"),
        Column("completed_at", MOMENT, "a.completed_at"),
        Column("closed_at", MOMENT, "a.closed_at"),
        Column("invoice_number", TEXT, "i.number"),
    ),
)

INVOICES = Table(
    "invoices",
    "payments.Invoice",
    """
payments_invoice i
LEFT JOIN payments_invoice r ON r.id = i.corrects_id
    """,
    at="i.opened_at",
    key="i.id",
    words="Invoices and credit notes, by when they were opened",
    columns=(
        Column("invoice_id", ID, "i.id"),
        Column("number", TEXT, "i.number", "empty until it is paid; without gaps"),
        Column("kind", TEXT, "i.kind", "invoice or credit_note"),
        Column("status", TEXT, "i.status"),
        Column("purpose", TEXT, "i.purpose", "order, consultation or amendment"),
        Column("subject_id", ID, "i.subject_id", "of what the purpose names"),
        Column("deal_id", ID, "i.deal_id", "whose escrow the price goes into"),
        Column("payer_id", ID, "i.payer_id"),
        Column("payer_name", TEXT, "i.payer_name", "as it stood then"),
        Column("payee_id", ID, "i.payee_id"),
        Column("payee_name", TEXT, "i.payee_name", "as it stood then"),
        Column("corrects", TEXT, "r.number", "the invoice that a credit note corrects"),
        Column("currency", TEXT, "i.currency"),
        Column("subtotal", MONEY, "i.subtotal"),
        Column("fee", MONEY, "i.fee"),
        Column("credit", MONEY, "i.credit", "of the subtotal, what credits pay"),
        Column("prepaid", MONEY, "i.prepaid", "of that, what the payee had for a call already"),
        Column("total", MONEY, "i.total", "subtotal and fee less credit; of a credit note, what is given back"),
        Column("opened_at", MOMENT, "i.opened_at"),
        Column("expires_at", MOMENT, "i.expires_at"),
        Column("paid_at", MOMENT, "i.paid_at"),
        Column("voided_at", MOMENT, "i.voided_at"),
    ),
)

LEDGER = Table(
    "ledger",
    "payments.Posting",
    """
payments_posting p
JOIN payments_journalentry j ON j.id = p.entry_id
JOIN payments_ledgeraccount l ON l.id = p.account_id
    """,
    at="j.posted_at",
    key="j.id, p.id",
    words="Postings of the ledger, by when their entry was posted; every entry is there whole and sums to zero",
    columns=(
        Column("posting_id", ID, "p.id"),
        Column("entry_id", ID, "p.entry_id"),
        Column("entry_key", TEXT, "j.key", "names the movement, once"),
        Column("description", TEXT, "j.description"),
        Column("entry_subject_id", ID, "j.subject_id", "the order, call or change that it is about"),
        Column("posted_at", MOMENT, "j.posted_at"),
        Column("account_id", ID, "p.account_id"),
        Column("account_kind", TEXT, "l.kind"),
        Column("account_owner_id", ID, "l.owner_id", "the person whose account it is"),
        Column("account_subject_id", ID, "l.subject_id", "the deal whose account it is"),
        Column("amount", MONEY, "p.amount", "positive to the account, negative from it"),
        Column("currency", TEXT, f"'{CURRENCY}'"),
    ),
)

CREDITS = Table(
    "credits",
    "payments.Credit",
    """
payments_credit d
JOIN accounts_user u ON u.id = d.user_id
LEFT JOIN builders_builder b ON b.id = d.builder_id
LEFT JOIN catalog_category g ON g.id = d.category_id
LEFT JOIN accounts_user w ON w.id = d.issued_by_id
LEFT JOIN LATERAL (
  SELECT coalesce(sum(amount) FILTER (WHERE step = 'spent'), 0) - coalesce(sum(amount) FILTER (WHERE step = 'returned'), 0) AS spent,
    coalesce(sum(amount) FILTER (WHERE step = 'held'), 0) - coalesce(sum(amount) FILTER (WHERE step IN ('freed', 'spent')), 0) AS held,
    coalesce(sum(amount) FILTER (WHERE step = 'expired'), 0) AS expired, coalesce(sum(amount) FILTER (WHERE step = 'voided'), 0) AS voided
  FROM payments_creditentry e WHERE e.credit_id = d.id
) e ON true
    """,
    at="d.created_at",
    key="d.id",
    words="Credits, by when they were given; amount = remaining + held + spent + expired + voided",
    columns=(
        Column("credit_id", ID, "d.id"),
        Column("user_id", ID, "d.user_id"),
        Column("user_email", TEXT, "u.email"),
        Column("user_type", TEXT, "d.user_type"),
        Column("label", TEXT, "d.label", "as its owner reads it"),
        Column("source", TEXT, "d.source"),
        Column("source_id", ID, "d.source_id"),
        Column("applicable_to", TEXT, "d.applicable_to"),
        Column("builder_id", ID, "b.user_id", "the person whom it is for, if any"),
        Column("category", TEXT, "g.slug", "the category that it is for, if any"),
        Column("amount", MONEY, "d.amount", "given"),
        Column("remaining", MONEY, "d.remaining", "free to be used"),
        Column("held", MONEY, "e.held", "by checkouts"),
        Column("spent", MONEY, "e.spent", "less what was given back"),
        Column("expired", MONEY, "e.expired"),
        Column("voided", MONEY, "e.voided"),
        Column("currency", TEXT, f"'{CURRENCY}'"),
        Column("issued_by", ID, "d.issued_by_id", "of staff"),
        Column("issued_by_email", TEXT, "w.email"),
        Column("notes", TEXT, "d.notes", "of staff"),
        Column("created_at", MOMENT, "d.created_at"),
        Column("expires_at", MOMENT, "d.expires_at"),
        Column("withdrawn_at", MOMENT, "d.withdrawn_at"),
    ),
)

SUPPORT_ACTIONS = Table(
    "support_actions",
    "support.SupportAction",
    """
support_supportaction x
LEFT JOIN orders_order o ON o.id = x.order_id
LEFT JOIN support_plan p ON p.id = x.plan_id
LEFT JOIN accounts_user w ON w.id = x.approved_by_id
    """,
    at="x.created_at",
    key="x.number",
    words="What support did, by when",
    columns=(
        Column("action_id", ID, "x.id"),
        Column("number", NUMBER, "x.number"),
        Column("action_type", TEXT, "x.action_type"),
        Column("admin_id", ID, "x.admin_id"),
        Column("admin_email", TEXT, "x.admin_email", "of then"),
        Column("target_user_id", ID, "x.target_user_id"),
        Column("target_user_email", TEXT, "x.target_user_email", "of then"),
        Column("target_user_type", TEXT, "x.target_user_type"),
        Column("description", TEXT, "x.description"),
        Column("reason", TEXT, "x.reason"),
        Column("order_number", ID, "'P4-' || o.number"),
        Column("plan", ID, "'A-' || p.number"),
        Column("amount", MONEY, "x.amount"),
        Column("currency", TEXT, f"CASE WHEN x.amount IS NULL THEN '' ELSE '{CURRENCY}' END"),
        Column("requires_approval", FLAG, "x.requires_approval"),
        Column("approved_by", ID, "x.approved_by_id"),
        Column("approved_by_email", TEXT, "w.email"),
        Column("approved_at", MOMENT, "x.approved_at"),
        Column("success", FLAG, "x.success"),
        Column("error_message", TEXT, "x.error_message"),
        Column("ip_address", TEXT, "host(x.ip_address)"),
        Column("user_agent", TEXT, "x.user_agent"),
        Column("request_id", ID, "x.request_id"),
        Column("created_at", MOMENT, "x.created_at"),
    ),
)

AUDIT_LOGS = Table(
    "audit_logs",
    "auditlog.AuditLog",
    "audit_log l",
    at="l.timestamp",
    key="l.id",
    words="Rows of the audit log that are in the database, by when",
    columns=(
        Column("id", NUMBER, "l.id"),
        Column("timestamp", MOMENT, "l.timestamp"),
        Column("event_type", TEXT, "l.event_type"),
        Column("event_category", TEXT, "l.event_category"),
        Column("severity", TEXT, "l.severity"),
        Column("actor_type", TEXT, "l.actor_type"),
        Column("actor_id", ID, "l.actor_id"),
        Column("actor_email", TEXT, "l.actor_email", "of then"),
        Column("on_behalf_of", ID, "l.on_behalf_of"),
        Column("target_type", TEXT, "l.target_type"),
        Column("target_id", ID, "l.target_id"),
        Column("action", TEXT, "l.action"),
        Column("description", TEXT, "l.description"),
        Column("amount", EXACT, "l.amount", "at least two decimals, more where there are more"),
        Column("currency", TEXT, "l.currency"),
        Column("transaction_hash", TEXT, "l.transaction_hash"),
        Column("before_state", JSON, "l.before_state"),
        Column("after_state", JSON, "l.after_state"),
        Column("metadata", JSON, "l.metadata"),
        Column("ip_address", TEXT, "host(l.ip_address)"),
        Column("user_agent", TEXT, "l.user_agent"),
        Column("request_id", ID, "l.request_id"),
        Column("device_id", ID, "l.device_id"),
    ),
)

INCIDENTS = Table(
    "incidents",
    "auditlog.IncidentLog",
    """
incident_log n
LEFT JOIN accounts_user u ON u.id = n.user_id
LEFT JOIN incident_log m ON m.id = n.merged_into_id
    """,
    at="n.detected_at",
    key="n.number",
    words="Incidents, by when they were found",
    columns=(
        Column("incident_id", ID, "n.id"),
        Column("number", ID, "'I-' || n.number"),
        Column("type", TEXT, "n.incident_type"),
        Column("severity", TEXT, "n.severity"),
        Column("status", TEXT, "n.status"),
        Column("detection_method", TEXT, "n.detection_method"),
        Column("detector", TEXT, "n.detector"),
        Column("detector_version", NUMBER, "n.detector_version"),
        Column("pattern", TEXT, "n.pattern", "the rule that found it"),
        Column("confidence", NUMBER, "n.confidence", "percent"),
        Column("user_id", ID, "n.user_id"),
        Column("user_email", TEXT, "u.email"),
        Column("related_users", JSON, "to_jsonb(n.related_users)", "a list of ids"),
        Column("description", TEXT, "n.description"),
        Column("reasons", JSON, "n.reasons", "what the confidence comes from"),
        Column("potential_loss", MONEY, "n.potential_loss"),
        Column("actual_loss", MONEY, "n.actual_loss"),
        Column("currency", TEXT, f"'{CURRENCY}'"),
        Column("hits", NUMBER, "n.hits", "how often it was found"),
        Column("detected_at", MOMENT, "n.detected_at"),
        Column("last_hit_at", MOMENT, "n.last_hit_at"),
        Column("due_at", MOMENT, "n.due_at"),
        Column("assigned_to", ID, "n.assigned_to"),
        Column("investigated_at", MOMENT, "n.investigated_at"),
        Column("resolved_at", MOMENT, "n.resolved_at"),
        Column("resolved_by", ID, "n.resolved_by"),
        Column("verdict", TEXT, "n.verdict"),
        Column("action_taken", TEXT, "n.action_taken"),
        Column("resolution", TEXT, "n.resolution"),
        Column("merged_into", ID, "'I-' || m.number"),
        Column("ip_addresses", JSON, "to_jsonb(n.ip_addresses)", "a list"),
        Column("withdrawal_id", ID, "n.withdrawal_id"),
    ),
)

TABLES = {table.name: table for table in (ORDERS, CONSULTATIONS, AMENDMENTS, INVOICES, LEDGER, CREDITS, SUPPORT_ACTIONS, AUDIT_LOGS, INCIDENTS)}
