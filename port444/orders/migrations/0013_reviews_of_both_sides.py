"""Both sides of an order review each other, and read it once both wrote or seven days have passed.

What was written before was shown and counted at once, and stays so. Nobody can add a review to such an order: its other side has read
what a blind review would have to be written without.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import port444.kit.clock
import port444.kit.ids
from auditlog.witness import watch

# The order was the key, for there was one review of each. What points nowhere else may be named anew.
KEY = """
SELECT audit_unwatch('orders_review');
ALTER TABLE orders_review DROP CONSTRAINT orders_review_pkey;
ALTER TABLE orders_review ADD COLUMN id uuid;
UPDATE orders_review SET id = order_id;
ALTER TABLE orders_review ALTER COLUMN id SET NOT NULL;
ALTER TABLE orders_review ADD PRIMARY KEY (id);
"""
BEFORE = """
UPDATE orders_review r SET by_client = true, shown_at = r.created_at, counted_at = r.created_at, about_id = b.user_id
FROM builders_builder b WHERE b.id = r.builder_id;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""
# The sums of builder and service hold these stars: they, and what they are about, stay what they are.
STANDS = """
CREATE TRIGGER review_stands BEFORE UPDATE ON orders_review FOR EACH ROW WHEN (
  OLD.counted_at IS NOT NULL AND
  (OLD.order_id, OLD.by_client, OLD.builder_id, OLD.service_id, OLD.author_id, OLD.about_id, OLD.stars, OLD.as_described, OLD.communication,
   OLD.shown_at, OLD.counted_at) IS DISTINCT FROM
  (NEW.order_id, NEW.by_client, NEW.builder_id, NEW.service_id, NEW.author_id, NEW.about_id, NEW.stars, NEW.as_described, NEW.communication,
   NEW.shown_at, NEW.counted_at)
) EXECUTE FUNCTION audit_reject();
"""


def stars(name):
    return models.CheckConstraint(
        condition=models.Q((f"{name}__isnull", True), models.Q((f"{name}__gte", 1), (f"{name}__lte", 5)), _connector="OR"),
        name=f"review_{name}_in_range",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0012_ended_by_support"),
        ("auditlog", "0018_light_witness"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.RemoveIndex("review", "review_of_service"),
        migrations.RemoveIndex("review", "review_of_builder"),
        migrations.AlterModelOptions("review", {}),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(KEY)],
            state_operations=[
                migrations.AddField(
                    "review", "id", models.UUIDField(default=port444.kit.ids.uuid7, editable=False, primary_key=True, serialize=False)
                ),
                migrations.AlterField(
                    "review",
                    "order",
                    models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="reviews", to="orders.order"),
                ),
            ],
        ),
        migrations.AlterField(
            "review",
            "builder",
            models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="reviews", to="builders.builder"),
        ),
        migrations.AlterField(
            "review",
            "service",
            models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="reviews", to="catalog.service"),
        ),
        migrations.AddField("review", "by_client", models.BooleanField(null=True)),
        migrations.AddField(
            "review",
            "about",
            models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField("review", "as_described", models.PositiveSmallIntegerField(null=True)),
        migrations.AddField("review", "communication", models.PositiveSmallIntegerField(null=True)),
        migrations.AddField("review", "shown_at", models.DateTimeField(null=True)),
        migrations.AddField("review", "counted_at", models.DateTimeField(null=True)),
        migrations.AddField("review", "reply", models.TextField(blank=True, max_length=1000, default="")),
        migrations.AddField("review", "replied_at", models.DateTimeField(null=True)),
        migrations.RunSQL(BEFORE),
        migrations.AlterField("review", "by_client", models.BooleanField()),
        migrations.AlterField(
            "review",
            "about",
            models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AlterField("review", "shown_at", models.DateTimeField()),
        migrations.AlterField("review", "reply", models.TextField(blank=True, max_length=1000)),
        migrations.AddConstraint("review", models.UniqueConstraint(fields=("order", "by_client"), name="review_once_a_side")),
        migrations.AddConstraint("review", stars("as_described")),
        migrations.AddConstraint("review", stars("communication")),
        migrations.AddConstraint(
            "review",
            models.CheckConstraint(
                condition=models.Q(("by_client", True), models.Q(("as_described__isnull", True), ("communication__isnull", True)), _connector="OR"),
                name="review_questions_of_client",
            ),
        ),
        migrations.AddConstraint(
            "review", models.CheckConstraint(condition=models.Q(("author", models.F("about")), _negated=True), name="review_of_another")
        ),
        migrations.AddConstraint(
            "review", models.CheckConstraint(condition=models.Q(("shown_at__gte", models.F("created_at"))), name="review_shown_after_written")
        ),
        migrations.AddConstraint(
            "review",
            models.CheckConstraint(
                condition=models.Q(("counted_at__isnull", True), ("counted_at__gte", models.F("shown_at")), _connector="OR"),
                name="review_counted_when_shown",
            ),
        ),
        migrations.AddConstraint(
            "review",
            models.CheckConstraint(
                condition=models.Q(
                    models.Q(("replied_at__isnull", True), ("reply", "")),
                    models.Q(models.Q(("reply", ""), _negated=True), ("replied_at__gte", models.F("shown_at")), ("replied_at__isnull", False)),
                    _connector="OR",
                ),
                name="review_reply_after_shown",
            ),
        ),
        *(
            migrations.AddIndex("review", models.Index(fields=[field, "-shown_at", "-id"], condition=models.Q(("by_client", work)), name=name))
            for field, work, name in (
                ("service", True, "review_of_service"),
                ("builder", True, "review_of_builder"),
                ("about", False, "review_of_client"),
            )
        ),
        migrations.AddIndex("review", models.Index(fields=["shown_at"], condition=models.Q(("counted_at__isnull", True)), name="review_to_count")),
        migrations.RunSQL(STANDS, "DROP TRIGGER review_stands ON orders_review"),
        watch(
            "orders_review",
            "review",
            "user_action",
            kept="order_id by_client builder_id service_id author_id about_id stars as_described communication created_at shown_at counted_at replied_at",
            personal="text private_note reply",
        ),
        migrations.CreateModel(
            name="ReviewReport",
            fields=[
                ("id", models.UUIDField(default=port444.kit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("spam", "Spam or advertising"),
                            ("off_platform", "Wants to be paid outside of port444"),
                            ("abuse", "Insults or threats"),
                            ("fraud", "Seems to be a fraud"),
                            ("other", "Something else"),
                        ],
                        max_length=12,
                    ),
                ),
                ("text", models.TextField(blank=True, max_length=1000)),
                ("created_at", models.DateTimeField(default=port444.kit.clock.now)),
                ("review", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="reports", to="orders.review")),
                (
                    "reporter",
                    models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["reporter", "-created_at"], name="review_report_of_reporter")],
                "constraints": [
                    models.UniqueConstraint(fields=("review", "reporter"), name="review_report_once"),
                    models.CheckConstraint(
                        condition=models.Q(("reason__in", ["spam", "off_platform", "abuse", "fraud", "other"])), name="review_report_reason_known"
                    ),
                ],
            },
        ),
    ]
