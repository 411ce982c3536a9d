"""What the row witness keeps of these tables; the models say the same as `audited`."""

from django.db import migrations

from auditlog.witness import watch


class Migration(migrations.Migration):
    dependencies = [("orders", "0006_works_through"), ("auditlog", "0008_row_witness")]
    operations = [
        watch(
            "orders_order",
            "order",
            "user_action",
            kept="number client_id builder_id service_id package_id conversation_id invoice_id title package_name deliverables status price client_fee builder_fee_bps credit prepaid delivery_days revisions_allowed revisions_used placed_at pay_until paid_at requirements_until started_at due_at clock_stopped_at works_through exit_until nudges_stopped_at delivered_at auto_accept_at completed_at accepted_by_client cancelled_at cancelled_by_id cancel_cause cancel_reason expired_at",
            amount="price",
        ),
        watch(
            "orders_review",
            "review",
            "user_action",
            kept="builder_id service_id author_id stars created_at",
            personal="text private_note",
        ),
        watch(
            "orders_offer",
            "offer",
            "user_action",
            kept="conversation_id client_id builder_id by_client service_id package_id title scope deliverables price list_price delivery_days revisions asks_questions status expires_at answers_id suggestion_id order_id reason created_at settled_at",
            amount="price",
        ),
    ]
