from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """The bell is asked for the newest of what is unread, by every page that stays open."""

    dependencies = [("notifications", "0003_newest_first")]

    operations = [
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(fields=["user", "-id"], condition=Q(read_at__isnull=True), name="notification_newest_unread"),
        ),
        migrations.RemoveIndex(model_name="notification", name="notification_unread"),
    ]
