"""What goes back after the work was paid for, and an account for what the platform bears of it."""

from decimal import Decimal

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

import port444.kit.clock
import port444.kit.ids
from auditlog.witness import watch

ONCE = """
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON payments_compensation FOR EACH ROW EXECUTE FUNCTION audit_reject();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0013_found_by_support"),
        ("auditlog", "0015_room_beside_writers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Compensation",
            fields=[
                ("id", models.UUIDField(default=port444.kit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=100, unique=True)),
                ("purpose", models.CharField(max_length=20)),
                ("subject_id", models.UUIDField()),
                (
                    "basis",
                    models.CharField(choices=[("scope", "Less was done than was paid for"), ("goodwill", "Goodwill of the platform")], max_length=10),
                ),
                ("amount", models.DecimalField(decimal_places=2, max_digits=14)),
                ("fee", models.DecimalField(decimal_places=2, default=Decimal("0.00"), max_digits=14)),
                ("from_builder", models.DecimalField(decimal_places=2, default=Decimal("0.00"), max_digits=14)),
                ("from_platform", models.DecimalField(decimal_places=2, default=Decimal("0.00"), max_digits=14)),
                ("builder_fee", models.DecimalField(decimal_places=2, default=Decimal("0.00"), max_digits=14)),
                ("prepaid", models.DecimalField(decimal_places=2, default=Decimal("0.00"), max_digits=14)),
                ("gift", models.DecimalField(decimal_places=2, default=Decimal("0.00"), max_digits=14)),
                ("reason", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField(default=port444.kit.clock.now)),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "default_permissions": (),
            },
        ),
        migrations.RemoveConstraint(
            model_name="ledgeraccount",
            name="ledger_account_covered",
        ),
        migrations.AlterField(
            model_name="ledgeraccount",
            name="kind",
            field=models.CharField(
                choices=[
                    ("external", "Outside world"),
                    ("client", "Client's funds"),
                    ("escrow", "In escrow"),
                    ("earnings", "Builder's earnings"),
                    ("credits", "Advanced for credits"),
                    ("fees", "Platform's fees"),
                    ("losses", "Borne by the platform"),
                    ("refunds", "Refunds on their way"),
                    ("payouts", "Payouts on their way"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgeraccount",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["external", "credits", "losses"]), ("balance__gte", 0), _connector="OR"),
                name="ledger_account_covered",
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgeraccount",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("kind", "losses"), _negated=True), ("balance__lte", 0), _connector="OR"), name="ledger_losses_only_borne"
            ),
        ),
        migrations.AddField(
            model_name="compensation",
            name="builder",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name="compensation",
            name="client",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name="compensation",
            name="made_by",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name="compensation",
            index=models.Index(fields=["subject_id"], name="compensation_subject"),
        ),
        migrations.AddConstraint(
            model_name="compensation",
            constraint=models.CheckConstraint(condition=models.Q(("basis__in", ["scope", "goodwill"])), name="compensation_basis_known"),
        ),
        migrations.AddConstraint(
            model_name="compensation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount__gte", 0),
                    ("builder_fee__gte", 0),
                    ("fee__gte", 0),
                    ("from_builder__gte", 0),
                    ("from_platform__gte", 0),
                    ("gift__gte", 0),
                    ("prepaid__gte", 0),
                ),
                name="compensation_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="compensation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "amount",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(models.F("from_builder"), "+", models.F("from_platform")),
                                "+",
                                models.F("builder_fee"),
                            ),
                            "+",
                            models.F("prepaid"),
                        ),
                    ),
                    models.Q(("amount__gt", 0), ("fee__gt", 0), _connector="OR"),
                ),
                name="compensation_adds_up",
            ),
        ),
        migrations.AddConstraint(
            model_name="compensation",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gte", django.db.models.expressions.CombinedExpression(models.F("prepaid"), "+", models.F("gift")))),
                name="compensation_credit_within",
            ),
        ),
        migrations.RunSQL(ONCE, "DROP TRIGGER no_change ON payments_compensation"),
        watch(
            "payments_compensation",
            "compensation",
            "financial",
            kept="purpose subject_id client_id builder_id basis amount fee from_builder from_platform builder_fee prepaid gift reason made_by_id created_at",
            amount="amount",
        ),
    ]
