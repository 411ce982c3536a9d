"""What became of each credit so far, as entries; and from now on what is left of a credit follows its entries and nothing else."""

from django.db import migrations

# A withdrawn credit gave up what it had then, and all that came back to it later.
SO_FAR = """
INSERT INTO payments_creditentry (credit_id, step, amount, key, note, actor_id, created_at)
SELECT id, 'issued', amount, 'issue:' || id, '', issued_by_id, created_at FROM payments_credit ORDER BY id;

INSERT INTO payments_creditentry (credit_id, step, amount, use_id, key, note, created_at)
SELECT credit_id, 'held', amount, id, 'hold:' || id, '', created_at FROM payments_credituse ORDER BY id;

INSERT INTO payments_creditentry (credit_id, step, amount, use_id, key, note, created_at)
SELECT u.credit_id, 'spent', u.amount, u.id, 'spend:' || u.id, '', i.paid_at
FROM payments_credituse u JOIN payments_invoice i ON i.id = u.invoice_id WHERE i.paid_at IS NOT NULL ORDER BY u.id;

INSERT INTO payments_creditentry (credit_id, step, amount, use_id, key, note, created_at)
SELECT u.credit_id, CASE WHEN i.paid_at IS NULL THEN 'freed' ELSE 'returned' END, u.returned, u.id, 'back:' || u.id || ':' || u.returned, '', u.returned_at
FROM payments_credituse u JOIN payments_invoice i ON i.id = u.invoice_id WHERE u.returned > 0 ORDER BY u.id;

INSERT INTO payments_creditentry (credit_id, step, amount, key, note, created_at)
SELECT c.id, 'voided', c.amount - c.remaining - u.out, 'void:' || c.id || ':' || (c.amount - c.remaining - u.out), 'What it came from was paid back', c.withdrawn_at
FROM payments_credit c, LATERAL (SELECT coalesce(sum(amount - returned), 0) AS out FROM payments_credituse WHERE credit_id = c.id) u
WHERE c.withdrawn_at IS NOT NULL AND c.amount - c.remaining - u.out > 0 ORDER BY c.id;

-- A table whose rows wait for the check of their keys cannot be given rules.
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""

RULES = """
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON payments_creditentry FOR EACH ROW EXECUTE FUNCTION ledger_reject();
ALTER TABLE payments_creditentry ENABLE ALWAYS TRIGGER no_change;

CREATE FUNCTION credit_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.remaining := 0;
  RETURN NEW;
END $$;
CREATE TRIGGER begins_empty BEFORE INSERT ON payments_credit FOR EACH ROW EXECUTE FUNCTION credit_begins();

-- What is left of a credit is written by this trigger alone: the serving role may not.
CREATE FUNCTION credit_step() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  change numeric := CASE
    WHEN NEW.step IN ('issued', 'freed', 'returned') THEN NEW.amount
    WHEN NEW.step IN ('held', 'expired', 'voided') THEN -NEW.amount
    ELSE 0 END;
BEGIN
  IF change <> 0 THEN
    UPDATE payments_credit SET remaining = remaining + change WHERE id = NEW.credit_id;
  ELSIF NEW.step = 'extended' THEN
    UPDATE payments_credit SET expires_at = NEW.until WHERE id = NEW.credit_id AND expires_at < NEW.until;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'a credit is only made to last longer' USING ERRCODE = '23514', CONSTRAINT = 'credit_entry_lasts_longer';
    END IF;
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION credit_step FROM PUBLIC;
CREATE TRIGGER moves_credit AFTER INSERT ON payments_creditentry FOR EACH ROW EXECUTE FUNCTION credit_step();

CREATE FUNCTION credit_was_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM payments_creditentry WHERE credit_id = NEW.id AND step = 'issued' AND amount = NEW.amount) THEN
    RAISE EXCEPTION 'credit % has no entry that gave it', NEW.id USING ERRCODE = '23514', CONSTRAINT = 'credit_was_issued';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER was_issued AFTER INSERT ON payments_credit
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION credit_was_issued();

CREATE FUNCTION credit_use_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  checked uuid := CASE TG_TABLE_NAME WHEN 'payments_credituse' THEN (to_jsonb(NEW) ->> 'id')::uuid ELSE (to_jsonb(NEW) ->> 'use_id')::uuid END;
  one record;
  sums record;
BEGIN
  IF checked IS NULL THEN
    RETURN NULL;
  END IF;
  SELECT credit_id, amount, returned INTO one FROM payments_credituse WHERE id = checked;
  SELECT coalesce(sum(amount) FILTER (WHERE step = 'held'), 0) AS held, coalesce(sum(amount) FILTER (WHERE step = 'spent'), 0) AS spent,
         coalesce(sum(amount) FILTER (WHERE step = 'freed'), 0) AS freed, coalesce(sum(amount) FILTER (WHERE step = 'returned'), 0) AS returned,
         bool_and(credit_id = one.credit_id) AS of_one
    INTO sums FROM payments_creditentry WHERE use_id = checked;
  IF NOT coalesce(sums.of_one, false) OR sums.held <> one.amount OR sums.spent + sums.freed > sums.held OR sums.returned > sums.spent
     OR sums.freed + sums.returned <> one.returned THEN
    RAISE EXCEPTION 'the entries of use % do not add up: %', checked, sums USING ERRCODE = '23514', CONSTRAINT = 'credit_use_adds_up';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER adds_up AFTER INSERT ON payments_creditentry
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION credit_use_adds_up();
CREATE CONSTRAINT TRIGGER adds_up AFTER INSERT OR UPDATE ON payments_credituse
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION credit_use_adds_up();

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
    REVOKE UPDATE, DELETE, TRUNCATE ON payments_creditentry, payments_credit FROM port444_app;
    GRANT UPDATE (withdrawn_at) ON payments_credit TO port444_app;
  END IF;
END $$;
"""

DROP = """
DROP TRIGGER adds_up ON payments_credituse;
DROP TRIGGER adds_up ON payments_creditentry;
DROP TRIGGER was_issued ON payments_credit;
DROP TRIGGER moves_credit ON payments_creditentry;
DROP TRIGGER begins_empty ON payments_credit;
DROP TRIGGER no_change ON payments_creditentry;
DROP FUNCTION credit_use_adds_up, credit_was_issued, credit_step, credit_begins;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
    GRANT UPDATE, DELETE ON payments_credit TO port444_app;
  END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0015_credit_ledger")]
    operations = [migrations.RunSQL(SO_FAR, migrations.RunSQL.noop), migrations.RunSQL(RULES, DROP)]
