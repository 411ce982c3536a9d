"""Room for a month in the copy that is searched is made beside whoever searches.

`CREATE TABLE ... PARTITION OF` locks all of the copy: it waits for every search that runs, and meanwhile every search waits for it. A
table that is made alone and attached waits for none of them.
"""

from django.db import migrations

BEGIN = """
CREATE OR REPLACE FUNCTION audit_find_month(month date) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  part text := audit_find_part(month);
BEGIN
  IF to_regclass(part) IS NULL THEN
"""
ALONE = """
    EXECUTE format('CREATE TABLE %I (LIKE audit_find INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE)', part);
    EXECUTE format('ALTER TABLE %I ALTER COLUMN words SET STATISTICS 500', part);
    PERFORM audit_find_close(part);
    EXECUTE format('ALTER TABLE audit_find ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   part, month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month')::timestamp AT TIME ZONE 'UTC');
"""
AT_ONCE = """
    EXECUTE format('CREATE TABLE %I PARTITION OF audit_find FOR VALUES FROM (%L) TO (%L)',
                   part, month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month')::timestamp AT TIME ZONE 'UTC');
    PERFORM audit_find_close(part);
"""
END = """
  END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0016_signed_checks")]
    operations = [migrations.RunSQL(BEGIN + ALONE + END, BEGIN + AT_ONCE + END)]
