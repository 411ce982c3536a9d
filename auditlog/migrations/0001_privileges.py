"""What the serving role may do by default: read and write rows, nothing else.

The role is made beforehand (scripts/roles.sql). Where one role does everything, there is nobody to grant to and the system
check of production says so.
"""

from django.db import migrations

GRANT = """
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO port444_app;
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO port444_app;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO port444_app;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO port444_app;
  END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = []
    operations = [migrations.RunSQL(GRANT, migrations.RunSQL.noop)]
