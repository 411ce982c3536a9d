"""Incidents are found again, taken, decided and kept quiet; detectors remember and have versions."""

import datetime

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

import auditlog.models.incidents
import port444.kit.clock
import port444.kit.ids


class Migration(migrations.Migration):
    dependencies = [
        ("auditlog", "0019_incidents_of_somebody"),
    ]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE incident_number START 2001", "DROP SEQUENCE incident_number"),
        migrations.CreateModel(
            name="DetectorMark",
            fields=[
                ("name", models.CharField(max_length=30, primary_key=True, serialize=False)),
                ("xid", models.BigIntegerField(default=0)),
                ("row_id", models.BigIntegerField(default=0)),
                ("rows", models.BigIntegerField(default=0)),
                ("looked_at", models.DateTimeField(null=True)),
                ("took", models.FloatField(default=0)),
            ],
            options={
                "db_table": "detector_mark",
            },
        ),
        migrations.CreateModel(
            name="DetectorMemory",
            fields=[
                ("key", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("data", models.JSONField()),
                ("seen_at", models.DateTimeField()),
            ],
            options={
                "db_table": "detector_memory",
            },
        ),
        migrations.CreateModel(
            name="DetectorVersion",
            fields=[
                ("id", models.UUIDField(default=port444.kit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("detector", models.CharField(max_length=30)),
                ("number", models.PositiveIntegerField()),
                ("parameters", models.JSONField(default=dict)),
                ("note", models.CharField(blank=True, max_length=600)),
                ("made_by", models.UUIDField()),
                ("made_at", models.DateTimeField(default=port444.kit.clock.now)),
                ("backtest", models.JSONField(default=dict)),
                ("backtested_at", models.DateTimeField(null=True)),
                ("activated_by", models.UUIDField(null=True)),
                ("activated_at", models.DateTimeField(null=True)),
                ("retired_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "detector_version",
            },
        ),
        migrations.CreateModel(
            name="IncidentAlert",
            fields=[
                ("id", models.UUIDField(default=port444.kit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("channel", models.CharField(choices=[("email", "Email"), ("slack", "Slack"), ("webhook", "Webhook")], max_length=10)),
                ("created_at", models.DateTimeField(default=port444.kit.clock.now)),
                ("next_try_at", models.DateTimeField(default=port444.kit.clock.now)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("sent_at", models.DateTimeField(null=True)),
                ("given_up_at", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "verbose_name": "alert",
                "db_table": "incident_alert",
            },
        ),
        migrations.CreateModel(
            name="IncidentEvent",
            fields=[
                ("id", models.UUIDField(default=port444.kit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("opened", "Opened"),
                            ("repeated", "Repeated"),
                            ("raised", "Raised"),
                            ("alerted", "Alerted"),
                            ("held", "Withdrawals held"),
                            ("freed", "Hold ended"),
                            ("taken", "Taken"),
                            ("assigned", "Assigned"),
                            ("left", "Put back"),
                            ("noted", "Note"),
                            ("checked", "Looked into"),
                            ("resolved", "Resolved"),
                            ("false_positive", "False Positive"),
                            ("reopened", "Reopened"),
                            ("merged", "Merged"),
                            ("acted", "Acted"),
                        ],
                        max_length=20,
                    ),
                ),
                ("actor_id", models.UUIDField(null=True)),
                ("text", models.CharField(blank=True, max_length=2000)),
                ("facts", models.JSONField(default=dict)),
                ("at", models.DateTimeField(default=port444.kit.clock.now)),
            ],
            options={
                "verbose_name": "event of an incident",
                "db_table": "incident_event",
            },
        ),
        migrations.CreateModel(
            name="Suppression",
            fields=[
                ("id", models.UUIDField(default=port444.kit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("fingerprint", models.CharField(max_length=200)),
                ("detector", models.CharField(blank=True, max_length=30)),
                ("reason", models.CharField(max_length=600)),
                ("ceiling", models.JSONField(default=dict)),
                ("made_by", models.UUIDField()),
                ("made_at", models.DateTimeField(default=port444.kit.clock.now)),
                ("expires_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("ended_by", models.UUIDField(null=True)),
                ("hits", models.PositiveIntegerField(default=0)),
                ("last_hit_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "incident_suppression",
            },
        ),
        migrations.AddField(
            model_name="incidentlog",
            name="detector",
            field=models.CharField(blank=True, max_length=30),
        ),
        migrations.AddField(
            model_name="incidentlog",
            name="detector_version",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="incidentlog",
            name="due_at",
            field=models.DateTimeField(default=port444.kit.clock.now),
        ),
        migrations.AddField(
            model_name="incidentlog",
            name="group",
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.AddField(
            model_name="incidentlog",
            name="hits",
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.AddField(
            model_name="incidentlog",
            name="last_hit_at",
            field=models.DateTimeField(default=port444.kit.clock.now),
        ),
        migrations.AddField(
            model_name="incidentlog",
            name="merged_into",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="merged", to="auditlog.incidentlog"),
        ),
        migrations.AddField(
            model_name="incidentlog",
            name="number",
            field=models.PositiveIntegerField(db_default=models.Func(models.Value("incident_number"), function="nextval"), unique=True),
        ),
        migrations.AddField(
            model_name="incidentlog",
            name="previous",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="later", to="auditlog.incidentlog"),
        ),
        migrations.AddField(
            model_name="incidentlog",
            name="reasons",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="incidentlog",
            name="withdrawal_id",
            field=models.UUIDField(null=True),
        ),
        migrations.AlterField(
            model_name="incidentlog",
            name="action_taken",
            field=models.CharField(
                blank=True,
                choices=[
                    ("payouts_held", "Withdrawals held"),
                    ("account_suspended", "Account Suspended"),
                    ("warning_issued", "Warning Issued"),
                    ("no_action", "No Action"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddIndex(
            model_name="incidentlog",
            index=models.Index(condition=models.Q(("status__in", ["open", "investigating"])), fields=["due_at", "number"], name="incident_due"),
        ),
        migrations.AddIndex(
            model_name="incidentlog",
            index=models.Index(condition=models.Q(("resolved_at__isnull", False)), fields=["detector", "-resolved_at"], name="incident_precision"),
        ),
        migrations.AddIndex(
            model_name="incidentlog",
            index=models.Index(fields=["fingerprint", "-number"], name="incident_of_fingerprint"),
        ),
        migrations.AddConstraint(
            model_name="incidentlog",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("assigned_to__isnull", True),
                    models.Q(
                        models.Q(("user_id__isnull", True), models.Q(("assigned_to", models.F("user_id")), _negated=True), _connector="OR"),
                        models.Q(("related_users__contains", auditlog.models.incidents.ArrayOf(models.F("assigned_to"))), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="incident_taken_by_another",
            ),
        ),
        migrations.AddConstraint(
            model_name="incidentlog",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("resolved_by__isnull", True),
                    models.Q(
                        models.Q(("user_id__isnull", True), models.Q(("resolved_by", models.F("user_id")), _negated=True), _connector="OR"),
                        models.Q(("related_users__contains", auditlog.models.incidents.ArrayOf(models.F("resolved_by"))), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="incident_decided_by_another",
            ),
        ),
        migrations.AddConstraint(
            model_name="incidentlog",
            constraint=models.CheckConstraint(
                condition=models.Q(("merged_into__isnull", True), ("status", "resolved"), _connector="OR"), name="incident_merged_is_closed"
            ),
        ),
        migrations.AddIndex(
            model_name="detectormemory",
            index=models.Index(fields=["seen_at"], name="detector_memory_old"),
        ),
        migrations.AddConstraint(
            model_name="detectorversion",
            constraint=models.UniqueConstraint(fields=("detector", "number"), name="detector_version_number"),
        ),
        migrations.AddConstraint(
            model_name="detectorversion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("activated_at__isnull", False), ("retired_at__isnull", True)),
                fields=("detector",),
                name="detector_one_active_version",
            ),
        ),
        migrations.AddConstraint(
            model_name="detectorversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("activated_at__isnull", True), ("backtested_at__isnull", False), _connector="OR"),
                name="detector_version_tried_first",
            ),
        ),
        migrations.AddField(
            model_name="incidentalert",
            name="incident",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="alerts", to="auditlog.incidentlog"),
        ),
        migrations.AddField(
            model_name="incidentevent",
            name="incident",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="events", to="auditlog.incidentlog"),
        ),
        migrations.AddField(
            model_name="incidentalert",
            name="event",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="alerts", to="auditlog.incidentevent"),
        ),
        migrations.AddField(
            model_name="suppression",
            name="incident",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="suppressions", to="auditlog.incidentlog"),
        ),
        migrations.AddIndex(
            model_name="incidentevent",
            index=models.Index(fields=["incident", "id"], name="incident_event_newest"),
        ),
        migrations.AddConstraint(
            model_name="incidentevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "opened",
                            "repeated",
                            "raised",
                            "alerted",
                            "held",
                            "freed",
                            "taken",
                            "assigned",
                            "left",
                            "noted",
                            "checked",
                            "resolved",
                            "false_positive",
                            "reopened",
                            "merged",
                            "acted",
                        ],
                    )
                ),
                name="incident_event_kind_known",
            ),
        ),
        migrations.AddIndex(
            model_name="incidentalert",
            index=models.Index(
                condition=models.Q(("given_up_at__isnull", True), ("sent_at__isnull", True)), fields=["next_try_at"], name="incident_alert_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="incidentalert",
            constraint=models.CheckConstraint(
                condition=models.Q(("channel__in", ["email", "slack", "webhook"])), name="incident_alert_channel_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="incidentalert",
            constraint=models.UniqueConstraint(fields=("event", "channel"), name="incident_alert_once"),
        ),
        migrations.AddIndex(
            model_name="suppression",
            index=models.Index(condition=models.Q(("ended_at__isnull", True)), fields=["expires_at"], name="suppression_standing"),
        ),
        migrations.AddConstraint(
            model_name="suppression",
            constraint=models.CheckConstraint(condition=models.Q(("reason", ""), _negated=True), name="suppression_has_reason"),
        ),
        migrations.AddConstraint(
            model_name="suppression",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "expires_at__lte",
                        django.db.models.expressions.CombinedExpression(models.F("made_at"), "+", models.Value(datetime.timedelta(days=181))),
                    )
                ),
                name="suppression_ends",
            ),
        ),
        migrations.AddConstraint(
            model_name="suppression",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at__isnull", True)), fields=("fingerprint",), name="suppression_one_standing"
            ),
        ),
    ]
