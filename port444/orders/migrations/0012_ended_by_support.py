from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0011_found_by_support")]

    operations = [
        migrations.AlterField(
            model_name="order",
            name="cancel_cause",
            field=models.CharField(
                blank=True,
                choices=[
                    ("client_wish", "The client changed their mind before work began"),
                    ("builder_wish", "The builder cannot do it"),
                    ("late", "The delivery is late"),
                    ("no_requirements", "No answers to the builder's questions"),
                    ("not_funded", "Escrow could not take the money"),
                    ("reclaimed", "The client took the money back from escrow after its expiry"),
                    ("away", "The builder is away beyond the date that was agreed"),
                    ("merged", "It goes on as part of another order"),
                    ("undone", "The order was put together by mistake"),
                    ("dispute", "A dispute was settled or decided"),
                    ("support", "Support ended it, and everything went back"),
                ],
                max_length=20,
            ),
        ),
    ]
