"""What the row witness keeps of these tables; the models say the same as `audited`."""

from django.db import migrations

from auditlog.witness import watch


class Migration(migrations.Migration):
    dependencies = [("away", "0003_objections_lapse"), ("auditlog", "0008_row_witness")]
    operations = [
        watch(
            "away_span",
            "span",
            "user_action",
            kept="builder_id first_on last_on time_zone starts_at ends_at message stops_orders stops_calls stops_clock created_at cancelled_at returned_at",
        ),
        watch(
            "away_duemove",
            "duemove",
            "user_action",
            kept="span_id order_id before_at moved status objection created_at objected_at answered_at",
        ),
    ]
