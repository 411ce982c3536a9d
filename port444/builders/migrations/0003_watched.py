"""What the row witness keeps of these tables; the models say the same as `audited`."""

from django.db import migrations

from auditlog.witness import watch


class Migration(migrations.Migration):
    dependencies = [("builders", "0002_away"), ("auditlog", "0008_row_witness")]
    operations = [
        watch(
            "builders_builder",
            "builder",
            "user_action",
            kept="user_id slug headline about skills languages city photo consultation_enabled consultation_15min_price consultation_30min_price consultation_60min_price away_from away_until away_message away_paused_at away_stops_orders away_stops_calls away_stops_clock rating_sum rating_count completed_count created_at",
            personal="consultation_calendar_url meeting_url",
        ),
    ]
