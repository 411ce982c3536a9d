"""Nobody ends the holds of a serious incident alone: the database asks for a second person when it is closed without an action."""

from django.db import migrations

TAKE_TWO = """
CREATE FUNCTION incident_holds_take_two() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.hold_wanted_at IS NOT NULL OR EXISTS (
    SELECT FROM payments_payouthold
    WHERE ended_at IS NULL AND incident_id IN (SELECT NEW.id UNION ALL SELECT id FROM incident_log WHERE merged_into_id = NEW.id)
  ) THEN
    RAISE EXCEPTION 'a second person has to agree to what ends the holds of a serious incident'
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'incident_holds_take_two';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER holds_take_two BEFORE UPDATE ON incident_log FOR EACH ROW
  WHEN (OLD.status IN ('open', 'investigating') AND NEW.status IN ('resolved', 'false_positive') AND NEW.merged_into_id IS NULL
    AND NEW.action_taken IN ('', 'no_action') AND NEW.approved_by IS NULL
    AND (OLD.severity IN ('high', 'critical') OR NEW.severity IN ('high', 'critical')))
  EXECUTE FUNCTION incident_holds_take_two();
"""
UNDO = """
DROP TRIGGER holds_take_two ON incident_log;
DROP FUNCTION incident_holds_take_two;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("auditlog", "0025_second_person"),
        ("payments", "0019_holds_of_incidents"),
        ("support", "0008_acts_in_disputes"),
    ]
    operations = [migrations.RunSQL(TAKE_TWO, UNDO)]
