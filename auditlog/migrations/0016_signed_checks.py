"""Checks are signed, and that a month was moved is for the owner alone to say.

Who serves may add rows to what proves the log. One that said that all was looked at would have kept everybody from looking.
"""

from django.db import migrations, models

ASK = "IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN"
FORWARDS = f"DO $$ BEGIN {ASK} REVOKE INSERT ON audit_move FROM port444_app; END IF; END $$"
BACKWARDS = f"DO $$ BEGIN {ASK} GRANT INSERT ON audit_move TO port444_app; END IF; END $$"


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0015_room_beside_writers")]

    operations = [
        migrations.AddField("auditcheck", "key_id", models.CharField(default="", max_length=16)),
        migrations.AddField("auditcheck", "signature", models.BinaryField(default=b"")),
        migrations.RunSQL(FORWARDS, BACKWARDS),
    ]
