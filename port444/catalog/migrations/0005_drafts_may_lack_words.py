from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0004_categories"),
    ]

    operations = [
        migrations.AlterField(
            model_name="service",
            name="description",
            field=models.TextField(blank=True, max_length=6000),
        ),
        migrations.AlterField(
            model_name="service",
            name="summary",
            field=models.CharField(blank=True, max_length=160),
        ),
    ]
