from django.db import migrations, models

from auditlog.witness import watch


class Migration(migrations.Migration):
    dependencies = [("orders", "0014_partings")]

    operations = [
        migrations.AddField(
            model_name="order",
            name="asked_more_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="order",
            name="more_closed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="requirement",
            name="help",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="requirement",
            name="is_more",
            field=models.BooleanField(default=False),
        ),
        migrations.AlterField(
            model_name="requirement",
            name="kind",
            field=models.CharField(
                choices=[
                    ("text", "Text"),
                    ("long", "Long text"),
                    ("choice", "One choice"),
                    ("choices", "Several choices"),
                    ("file", "File"),
                    ("date", "Date"),
                    ("link", "Link"),
                ],
                default="text",
                max_length=8,
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(("more_closed_at__isnull", True), ("asked_more_at__isnull", False), _connector="OR"), name="order_more_was_asked"
            ),
        ),
        watch(
            "orders_order",
            "order",
            "user_action",
            kept="number client_id builder_id service_id package_id conversation_id invoice_id title package_name deliverables status price client_fee builder_fee_bps credit prepaid delivery_days revisions_allowed revisions_used placed_at pay_until paid_at requirements_until started_at due_at clock_stopped_at works_through exit_until nudges_stopped_at delivered_at auto_accept_at completed_at accepted_by_client cancelled_at cancelled_by_id cancel_cause cancel_reason expired_at origin merged_into_id split_from_id disputed_at asked_more_at more_closed_at",
            amount="price",
        ),
    ]
