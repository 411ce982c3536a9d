"""Sweeps of calls find what is due by an index. A room that is ready waits for the end of its call."""

from django.db import migrations, models

ASKED = """
UPDATE consultations_meetingroom r SET next_try_at = c.ends_at + interval '10 minutes'
FROM consultations_consultation c WHERE c.id = r.consultation_id AND r.status = 'ready' AND r.next_try_at < c.ends_at + interval '10 minutes'
"""


class Migration(migrations.Migration):
    dependencies = [
        ("consultations", "0010_call_became_order"),
    ]

    operations = [
        migrations.RunSQL(ASKED, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="calendarevent",
            index=models.Index(fields=["chain"], name="calendar_event_of_chain"),
        ),
        migrations.AddIndex(
            model_name="calendarlink",
            index=models.Index(
                condition=models.Q(("status", "off"), models.Q(("hook_secret", ""), _negated=True)),
                fields=["connected_at"],
                name="calendar_link_to_close",
            ),
        ),
        migrations.AddIndex(
            model_name="meetingroom",
            index=models.Index(condition=models.Q(("status", "ready")), fields=["next_try_at"], name="meeting_room_to_ask"),
        ),
    ]
