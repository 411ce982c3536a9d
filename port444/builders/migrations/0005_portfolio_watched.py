"""What the row witness keeps of these tables; the models say the same as `audited`."""

from django.db import migrations

from auditlog.witness import watch


class Migration(migrations.Migration):
    dependencies = [("builders", "0004_answers"), ("auditlog", "0008_row_witness")]
    operations = [
        watch("builders_portfoliopiece", "portfoliopiece", "user_action", kept="builder_id title words link position created_at"),
        watch("builders_portfoliopicture", "portfoliopicture", "user_action", kept="piece_id file width height"),
    ]
