"""What default privileges gave the serving role beyond its need: counting the log's numbers on, and functions that only triggers call.

`manage.py audit_roles` says the same, and looks whether it still holds.
"""

from django.db import migrations

NARROW = r"""
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'audit\_%' LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
  END LOOP;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
    FOR name IN SELECT oid::regclass::text FROM pg_class
                 WHERE relnamespace = 'public'::regnamespace AND relkind = 'S' AND (relname LIKE 'audit\_%' OR relname LIKE 'incident\_log%') LOOP
      EXECUTE format('REVOKE ALL ON SEQUENCE %s FROM port444_app', name);
    END LOOP;
    GRANT EXECUTE ON FUNCTION audit_plain, audit_tags, audit_words TO port444_app;
  END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0011_find_together")]
    operations = [migrations.RunSQL(NARROW, migrations.RunSQL.noop)]
