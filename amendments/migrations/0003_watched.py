"""What the row witness keeps of these tables; the models say the same as `audited`."""

from django.db import migrations

from auditlog.witness import watch


class Migration(migrations.Migration):
    dependencies = [("amendments", "0002_answers"), ("auditlog", "0008_row_witness")]
    operations = [
        watch(
            "amendments_amendment",
            "amendment",
            "user_action",
            kept="order_id replaces_id version amendment_type status requested_by_id by_builder reason description additional_amount client_fee additional_days additional_revisions additional_deliverables price_before due_before deliverables_before created_at expires_at answered_at answered_by_id answer invoice_id paid_at funding funding_failure completed_at closed_at due_after",
            amount="additional_amount",
        ),
    ]
