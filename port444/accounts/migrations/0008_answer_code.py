"""The status of an answer is HTTP's, and no state of the row."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_watch_tokens")]
    operations = [migrations.RenameField("answeredcall", "status", "code")]
