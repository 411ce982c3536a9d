import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import port444.kit.clock
import port444.kit.ids
from auditlog.witness import watch


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0013_reviews_of_both_sides"),
        ("auditlog", "0025_second_person"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

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
                    ("agreed", "Both agreed to end it and how to divide the money"),
                    ("support", "Support ended it, and everything went back"),
                ],
                max_length=20,
            ),
        ),
        migrations.CreateModel(
            name="Parting",
            fields=[
                ("id", models.UUIDField(default=port444.kit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("by_client", models.BooleanField()),
                ("client_key", models.UUIDField(default=port444.kit.ids.uuid7)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Waiting for an answer"),
                            ("accepted", "Agreed"),
                            ("declined", "Declined"),
                            ("countered", "Answered with another division"),
                            ("withdrawn", "Withdrawn"),
                            ("lapsed", "Lapsed"),
                        ],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("amount", models.DecimalField(decimal_places=2, max_digits=14)),
                ("to_client", models.DecimalField(decimal_places=2, max_digits=14)),
                ("reason", models.CharField(max_length=1000)),
                ("answer", models.CharField(blank=True, max_length=1000)),
                ("created_at", models.DateTimeField(default=port444.kit.clock.now)),
                ("expires_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
                ("order", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="partings", to="orders.order")),
                ("proposed_by", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
                (
                    "replaces",
                    models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="replaced_by", to="orders.parting"),
                ),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "indexes": [models.Index(condition=models.Q(("status", "open")), fields=["expires_at"], name="parting_lapsing")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["open", "accepted", "declined", "countered", "withdrawn", "lapsed"])),
                        name="parting_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("to_client__gt", 0), ("to_client__lte", models.F("amount"))), name="parting_within_amount"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at__isnull", True), ("status", "open")),
                            models.Q(models.Q(("status", "open"), _negated=True), ("closed_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="parting_closed_has_moment",
                    ),
                    models.UniqueConstraint(condition=models.Q(("status", "open")), fields=("order",), name="parting_one_open_an_order"),
                    models.UniqueConstraint(fields=("proposed_by", "client_key"), name="parting_proposed_once"),
                ],
            },
        ),
        watch(
            "orders_parting",
            "parting",
            "financial",
            kept="order_id replaces_id proposed_by_id by_client status amount to_client created_at expires_at closed_at",
            personal="reason answer",
            amount="amount",
        ),
    ]
