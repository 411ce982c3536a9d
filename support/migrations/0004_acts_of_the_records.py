from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("support", "0003_undone_once")]

    operations = [
        migrations.RemoveConstraint(model_name="supportaction", name="support_action_type_known"),
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
                        ],
                    )
                ),
                name="support_action_type_known",
            ),
        ),
    ]
