from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0008_answers_of_the_never_away")]

    operations = [migrations.AddField("message", "said", models.JSONField(null=True))]
