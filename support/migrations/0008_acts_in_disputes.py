"""What staff do on the page of a dispute is in the list of what they did."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0012_ended_by_support"),
        ("support", "0007_pages_written_once"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="supportaction",
            name="support_action_type_known",
        ),
        migrations.AlterField(
            model_name="supportaction",
            name="action_type",
            field=models.CharField(
                choices=[
                    ("impersonation", "Viewed as a person"),
                    ("thread_opened", "Opened a private conversation"),
                    ("order_merge", "Merged orders"),
                    ("order_split", "Split an order"),
                    ("order_undo", "Undid a merge or a split"),
                    ("credit_issue", "Issued a credit"),
                    ("credit_void", "Voided a credit"),
                    ("refund_manual", "Refunded"),
                    ("dispute_decide", "Decided a dispute"),
                    ("dispute_ask", "Wrote to the sides of a dispute"),
                    ("dispute_file", "Opened a file of a dispute"),
                    ("user_suspend", "Suspended an account"),
                    ("user_reinstate", "Reinstated an account"),
                    ("payouts_hold", "Held withdrawals"),
                    ("payouts_release", "Ended a hold"),
                    ("approval", "Approved or rejected a plan"),
                    ("export", "Took data away as a file"),
                    ("macro", "Ran a macro"),
                    ("payout", "Handled a payout"),
                    ("escrow", "Handled an escrow operation"),
                    ("absence_decide", "Decided a missed call"),
                    ("reminder", "Sent or stopped reminders"),
                    ("incident", "Worked on an incident"),
                    ("incident_decide", "Decided an incident"),
                    ("user_warn", "Warned a person"),
                    ("detector_change", "Changed a detector"),
                ],
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            model_name="supportaction",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "action_type__in",
                        [
                            "impersonation",
                            "thread_opened",
                            "order_merge",
                            "order_split",
                            "order_undo",
                            "credit_issue",
                            "credit_void",
                            "refund_manual",
                            "dispute_decide",
                            "dispute_ask",
                            "dispute_file",
                            "user_suspend",
                            "user_reinstate",
                            "payouts_hold",
                            "payouts_release",
                            "approval",
                            "export",
                            "macro",
                            "payout",
                            "escrow",
                            "absence_decide",
                            "reminder",
                            "incident",
                            "incident_decide",
                            "user_warn",
                            "detector_change",
                        ],
                    )
                ),
                name="support_action_type_known",
            ),
        ),
    ]
