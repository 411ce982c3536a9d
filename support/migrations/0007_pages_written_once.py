"""Of a page that was looked at, only how it was answered is added afterwards, once."""

from django.db import migrations

ONCE = """
CREATE FUNCTION support_viewed_page_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.id, OLD.viewing_id, OLD.number, OLD.view_name, OLD.method, OLD.path, OLD.request_id, OLD.seen_at) IS DISTINCT FROM
     (NEW.id, NEW.viewing_id, NEW.number, NEW.view_name, NEW.method, NEW.path, NEW.request_id, NEW.seen_at)
     OR OLD.refused <> '' AND NEW.refused <> OLD.refused
     OR OLD.answered IS NOT NULL AND (NEW.answered, NEW.milliseconds, NEW.refused) IS DISTINCT FROM (OLD.answered, OLD.milliseconds, OLD.refused) THEN
    RAISE EXCEPTION 'a page that was looked at is written once' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'viewed_page_written_once';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER once BEFORE UPDATE ON support_viewedpage FOR EACH ROW EXECUTE FUNCTION support_viewed_page_once();
ALTER TABLE support_viewedpage ENABLE ALWAYS TRIGGER once;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
    REVOKE UPDATE ON support_viewedpage FROM port444_app;
    GRANT UPDATE (answered, milliseconds, refused) ON support_viewedpage TO port444_app;
  END IF;
END $$;
"""
UNDO = """
DROP TRIGGER once ON support_viewedpage;
DROP FUNCTION support_viewed_page_once;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
    GRANT UPDATE ON support_viewedpage TO port444_app;
  END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("support", "0006_no_party")]
    operations = [migrations.RunSQL(ONCE, UNDO)]
