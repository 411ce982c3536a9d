import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
from django.db import migrations, models

import port444.kit.clock
import port444.kit.ids


class Migration(migrations.Migration):
    dependencies = [
        ("auditlog", "0004_incident_privileges"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditAnchor",
            fields=[
                ("id", models.UUIDField(default=port444.kit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("place", models.CharField(max_length=20)),
                ("reference", models.TextField()),
                ("anchored_at", models.DateTimeField(default=port444.kit.clock.now)),
            ],
            options={
                "db_table": "audit_anchor",
            },
        ),
        migrations.CreateModel(
            name="AuditCheck",
            fields=[
                ("id", models.UUIDField(default=port444.kit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(choices=[("recent", "the last day"), ("history", "a part of the history"), ("full", "all of it")], max_length=7),
                ),
                ("first_seal", models.BigIntegerField()),
                ("last_seal", models.BigIntegerField()),
                ("seals", models.BigIntegerField()),
                ("rows", models.BigIntegerField()),
                ("ok", models.BooleanField()),
                ("problems", models.JSONField(default=list)),
                ("milliseconds", models.BigIntegerField()),
                ("checked_at", models.DateTimeField(default=port444.kit.clock.now)),
            ],
            options={
                "db_table": "audit_check",
            },
        ),
        migrations.CreateModel(
            name="AuditExport",
            fields=[
                ("id", models.UUIDField(default=port444.kit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("first_seal", models.BigIntegerField()),
                ("last_seal", models.BigIntegerField()),
                ("from_xid", models.BigIntegerField()),
                ("through_xid", models.BigIntegerField()),
                ("first_id", models.BigIntegerField(null=True)),
                ("last_id", models.BigIntegerField(null=True)),
                ("first_at", models.DateTimeField(null=True)),
                ("last_at", models.DateTimeField(null=True)),
                ("rows", models.BigIntegerField()),
                ("store", models.TextField()),
                ("data_key", models.TextField()),
                ("data_bytes", models.BigIntegerField()),
                ("data_sha256", models.CharField(max_length=64)),
                ("lines_sha256", models.CharField(max_length=64)),
                ("manifest_key", models.TextField()),
                ("manifest_sha256", models.CharField(max_length=64)),
                ("exported_at", models.DateTimeField(default=port444.kit.clock.now)),
            ],
            options={
                "db_table": "audit_export",
            },
        ),
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                ("epoch", models.IntegerField()),
                ("floor_id", models.BigIntegerField()),
                ("from_xid", models.BigIntegerField()),
                ("from_id", models.BigIntegerField()),
                ("through_xid", models.BigIntegerField()),
                ("through_id", models.BigIntegerField()),
                ("next_xid", models.BigIntegerField()),
                ("rows", models.IntegerField()),
                ("first_id", models.BigIntegerField(null=True)),
                ("last_id", models.BigIntegerField(null=True)),
                ("first_at", models.DateTimeField(null=True)),
                ("last_at", models.DateTimeField(null=True)),
                ("root", models.BinaryField()),
                ("prev_hash", models.BinaryField()),
                ("body", models.TextField()),
                ("hash", models.BinaryField(unique=True)),
                ("key_id", models.CharField(max_length=16)),
                ("signature", models.BinaryField()),
                ("sealed_at", models.DateTimeField()),
            ],
            options={
                "db_table": "audit_seal",
            },
        ),
        migrations.CreateModel(
            name="AuditMove",
            fields=[
                ("id", models.UUIDField(default=port444.kit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("month", models.DateField()),
                ("kind", models.CharField(choices=[("dropped", "Dropped"), ("restored", "Restored")], max_length=8)),
                ("rows", models.BigIntegerField()),
                ("moved_at", models.DateTimeField(default=port444.kit.clock.now)),
            ],
            options={
                "db_table": "audit_move",
            },
        ),
        migrations.DeleteModel(
            name="AuditExportBatch",
        ),
        migrations.AddIndex(
            model_name="auditcheck",
            index=models.Index(fields=["kind", "-checked_at"], name="audit_check_latest"),
        ),
        migrations.AddIndex(
            model_name="auditexport",
            index=models.Index(fields=["first_id", "last_id"], name="audit_export_ids"),
        ),
        migrations.AddConstraint(
            model_name="auditexport",
            constraint=models.CheckConstraint(
                condition=models.Q(("first_seal__gte", 1), ("last_seal__gte", models.F("first_seal")), ("rows__gte", 0)), name="audit_export_range"
            ),
        ),
        migrations.AddConstraint(
            model_name="auditexport",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                expressions=[
                    (
                        models.Func(
                            "first_seal",
                            "last_seal",
                            models.Value("[]"),
                            function="int8range",
                            output_field=django.contrib.postgres.fields.ranges.BigIntegerRangeField(),
                        ),
                        "&&",
                    )
                ],
                name="audit_export_no_seal_twice",
            ),
        ),
        migrations.CreateModel(
            name="AuditLeaves",
            fields=[
                (
                    "seal",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name="leaves", serialize=False, to="auditlog.auditseal"
                    ),
                ),
                ("leaves", models.BinaryField()),
            ],
            options={
                "db_table": "audit_leaves",
            },
        ),
        migrations.AddConstraint(
            model_name="auditseal",
            constraint=models.CheckConstraint(condition=models.Q(("rows__gte", 0), ("seq__gte", 1)), name="audit_seal_counts"),
        ),
        migrations.AddConstraint(
            model_name="auditseal",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("first_at", None), ("first_id", None), ("last_at", None), ("last_id", None), ("rows", 0)),
                    models.Q(
                        ("first_at__isnull", False),
                        ("first_id__isnull", False),
                        ("last_at__isnull", False),
                        ("last_id__isnull", False),
                        ("rows__gt", 0),
                    ),
                    _connector="OR",
                ),
                name="audit_seal_rows_have_range",
            ),
        ),
        migrations.AddField(
            model_name="auditanchor",
            name="seal",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="anchors", to="auditlog.auditseal"),
        ),
        migrations.AddIndex(
            model_name="auditmove",
            index=models.Index(fields=["month", "-moved_at"], name="audit_move_latest"),
        ),
        migrations.AddConstraint(
            model_name="auditmove",
            constraint=models.CheckConstraint(condition=models.Q(("month__day", 1)), name="audit_move_first_of_month"),
        ),
        migrations.AddConstraint(
            model_name="auditanchor",
            constraint=models.UniqueConstraint(fields=("seal", "place"), name="audit_anchor_once"),
        ),
    ]
