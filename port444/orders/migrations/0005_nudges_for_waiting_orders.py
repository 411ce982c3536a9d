"""Reminders for the orders that wait already: planned as if they had been from the beginning.

What would have been sent in the past is due at once, and of two only the newer one goes out, as after an outage.
"""

from django.db import migrations, models

PLAN = """
INSERT INTO orders_nudge (id, order_id, recipient_id, kind, entered_at, due_at, status, why, created_at)
SELECT gen_random_uuid(), o.id, o.client_id, k.kind, o.requirements_until - interval '168 hours',
       o.requirements_until - interval '168 hours' + k.after, 'planned', '', now()
  FROM orders_order o, (VALUES ('answers_24h', interval '24 hours'), ('answers_72h', interval '72 hours')) AS k (kind, after)
 WHERE o.status = 'pending_requirements' AND o.requirements_until > now()
UNION ALL
SELECT gen_random_uuid(), o.id, o.client_id, 'review_48h', o.delivered_at, o.delivered_at + interval '48 hours', 'planned', '', now()
  FROM orders_order o
 WHERE o.status = 'delivered' AND o.auto_accept_at > now()
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0004_offers_and_nudges"),
    ]

    operations = [
        migrations.AddField(
            model_name="nudge",
            name="seen_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="order",
            name="nudges_stopped_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterModelOptions(name="nudge", options={"ordering": ["due_at"], "verbose_name": "reminder"}),
        migrations.RunSQL(PLAN, migrations.RunSQL.noop),
    ]
