"""What the row witness keeps of disputes and of the new columns of orders; evidence is written once."""

from django.db import migrations

from auditlog.witness import watch

ONCE = """
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON orders_evidence FOR EACH ROW EXECUTE FUNCTION audit_reject();
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0008_disputes"), ("auditlog", "0015_room_beside_writers")]
    operations = [
        migrations.RunSQL(ONCE, "DROP TRIGGER no_change ON orders_evidence"),
        watch(
            "orders_dispute",
            "dispute",
            "financial",
            kept="number order_id opened_by_id by_client reason status amount to_client offer opened_at answer_until answered_at settle_until escalated_at closed_at decided_to_client decided_by_id",
            personal="claim answer decision",
            amount="amount",
        ),
        watch(
            "orders_order",
            "order",
            "user_action",
            kept="number client_id builder_id service_id package_id conversation_id invoice_id title package_name deliverables status price client_fee builder_fee_bps credit prepaid delivery_days revisions_allowed revisions_used placed_at pay_until paid_at requirements_until started_at due_at clock_stopped_at works_through exit_until nudges_stopped_at delivered_at auto_accept_at completed_at accepted_by_client cancelled_at cancelled_by_id cancel_cause cancel_reason expired_at origin merged_into_id split_from_id disputed_at",
            amount="price",
        ),
    ]
