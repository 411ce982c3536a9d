"""Working on incidents is a right of its own, and what is done is among the actions."""

from django.db import migrations, models
from django.db.models import Q

TYPES = [
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
    ("incident", "Worked on an incident"),
    ("incident_decide", "Decided an incident"),
    ("user_warn", "Warned a person"),
    ("detector_change", "Changed a detector"),
]


class Migration(migrations.Migration):
    dependencies = [("support", "0004_acts_of_the_records")]
    operations = [
        migrations.AlterModelOptions(
            name="plan",
            options={
                "default_permissions": (),
                "ordering": ["-number"],
                "permissions": [
                    ("see_people", "See people, their orders and their money"),
                    ("open_threads", "Open private conversations, with a reason"),
                    ("view_as", "Look at the site through somebody's eyes"),
                    ("issue_credits", "Issue and void credits"),
                    ("refund", "Refund"),
                    ("merge_orders", "Merge and split orders"),
                    ("decide_disputes", "Decide disputes"),
                    ("restrict", "Suspend accounts and hold withdrawals"),
                    ("approve", "Approve what another member of staff asked for"),
                    ("see_incidents", "See incidents"),
                    ("work_incidents", "Work on incidents, and change how they are found"),
                    ("read_audit", "Read the audit log"),
                    ("export_data", "Take data away as a file"),
                ],
            },
        ),
        migrations.RemoveConstraint(model_name="supportaction", name="support_action_type_known"),
        migrations.AlterField(model_name="supportaction", name="action_type", field=models.CharField(choices=TYPES, max_length=16)),
        migrations.AddConstraint(
            model_name="supportaction",
            constraint=models.CheckConstraint(condition=Q(action_type__in=[key for key, _ in TYPES]), name="support_action_type_known"),
        ),
    ]
