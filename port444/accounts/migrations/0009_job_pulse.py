"""How each kind of job has gone (kit.pulses); beside the cache, because kit has no models."""

from django.db import migrations

TABLE = """
CREATE TABLE job_pulse (
  path varchar(200) PRIMARY KEY,
  succeeded bigint NOT NULL,
  failed bigint NOT NULL,
  seconds double precision NOT NULL,
  succeeded_at timestamptz
);
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_answer_code")]
    operations = [migrations.RunSQL(TABLE, "DROP TABLE job_pulse")]
