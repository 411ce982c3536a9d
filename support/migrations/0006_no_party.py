"""Who asks for a plan and who approves it is no side of it: not of its orders, not of its dispute, and not the builder whose work alone a
credit pays for."""

from django.db import migrations

NO_PARTY = """
-- A draft may be about anybody: it says why it cannot be asked for.
CREATE FUNCTION support_plan_no_party() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status NOT IN ('requested', 'approved', 'executed') AND NEW.approver_id IS NULL THEN
    RETURN NEW;
  END IF;
  IF EXISTS (
    SELECT FROM orders_order o JOIN builders_builder b ON b.id = o.builder_id
     WHERE o.id IN (NEW.order_id, NEW.other_order_id, (SELECT d.order_id FROM orders_dispute d WHERE d.id = NEW.dispute_id))
       AND (o.client_id IN (NEW.requester_id, NEW.approver_id) OR b.user_id IN (NEW.requester_id, NEW.approver_id))
  ) OR EXISTS (
    SELECT FROM builders_builder b
     WHERE b.user_id IN (NEW.requester_id, NEW.approver_id)
       AND (NEW.kind = 'credit_issue' AND b.slug = NEW.asked ->> 'builder'
         OR NEW.kind = 'macro' AND EXISTS (
              SELECT FROM jsonb_path_query(NEW.asked, '$.steps[*] ? (@.kind == "credit_issue").asked.builder') AS named WHERE named = to_jsonb(b.slug)))
  ) THEN
    RAISE EXCEPTION 'who asks for a plan or approves it is no side of it' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'plan_no_party';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER no_party BEFORE INSERT OR UPDATE ON support_plan FOR EACH ROW EXECUTE FUNCTION support_plan_no_party();
"""
UNDO = """
DROP TRIGGER no_party ON support_plan;
DROP FUNCTION support_plan_no_party;
"""


class Migration(migrations.Migration):
    dependencies = [("support", "0005_incidents"), ("builders", "0001_initial")]
    operations = [migrations.RunSQL(NO_PARTY, UNDO)]
