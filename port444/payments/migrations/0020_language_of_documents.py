from django.db import migrations, models

from auditlog.witness import watch

KEPT = "kind number purpose subject_id deal_id payer_id payee_id corrects_id status currency language subtotal fee credit prepaid total opened_at expires_at paid_at voided_at"


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0018_light_witness"), ("payments", "0019_holds_of_incidents")]

    operations = [
        migrations.AddField("invoice", "language", models.CharField(default="en", max_length=8)),
        migrations.AddField("refund", "said", models.JSONField(null=True)),
        watch("payments_invoice", "invoice", "financial", kept=KEPT, personal="payer_name payee_name", amount="total"),
    ]
