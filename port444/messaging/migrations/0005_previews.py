from django.conf import settings
from django.db import migrations, models

# What was sent before is drawn by the sweep.
EARLIER = """
UPDATE messaging_attachment SET preview = 'waiting'
WHERE mimetype IN ('image/png', 'image/jpeg', 'image/gif', 'image/webp', 'application/pdf');
"""


class Migration(migrations.Migration):
    dependencies = [
        ("messaging", "0004_report_people"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="attachment",
            name="preview",
            field=models.CharField(
                choices=[("none", "Of this kind none is made"), ("waiting", "Being drawn"), ("ready", "Drawn"), ("failed", "It could not be drawn")],
                default="none",
                max_length=7,
            ),
        ),
        migrations.AddField(
            model_name="attachment",
            name="preview_height",
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="attachment",
            name="preview_width",
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.RunSQL(EARLIER, ""),
        migrations.AddIndex(
            model_name="attachment",
            index=models.Index(condition=models.Q(("preview", "waiting")), fields=["created_at"], name="attachment_to_draw"),
        ),
        migrations.AddConstraint(
            model_name="attachment",
            constraint=models.CheckConstraint(
                condition=models.Q(("preview__in", ["none", "waiting", "ready", "failed"])), name="attachment_preview_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="attachment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("preview", "ready"), _negated=True), models.Q(("preview_height__gt", 0), ("preview_width__gt", 0)), _connector="OR"
                ),
                name="attachment_preview_has_size",
            ),
        ),
    ]
