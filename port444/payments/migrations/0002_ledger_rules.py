"""The ledger's promises: entries sum to zero, nothing is changed afterwards, balances follow the postings and nothing else."""

from django.db import migrations

RULES = """
CREATE FUNCTION ledger_reject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the ledger is append-only (% on %)', TG_OP, TG_TABLE_NAME USING ERRCODE = '42501';
END $$;
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON payments_journalentry FOR EACH ROW EXECUTE FUNCTION ledger_reject();
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON payments_posting FOR EACH ROW EXECUTE FUNCTION ledger_reject();

-- An account starts empty, and its balance is written by this trigger alone: the serving role may not update accounts.
CREATE FUNCTION ledger_open_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.balance := 0;
  RETURN NEW;
END $$;
CREATE TRIGGER starts_empty BEFORE INSERT ON payments_ledgeraccount FOR EACH ROW EXECUTE FUNCTION ledger_open_account();

CREATE FUNCTION ledger_post() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE payments_ledgeraccount SET balance = balance + NEW.amount WHERE id = NEW.account_id;
  RETURN NULL;
END $$;
CREATE TRIGGER moves_balance AFTER INSERT ON payments_posting FOR EACH ROW EXECUTE FUNCTION ledger_post();

CREATE FUNCTION ledger_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  checked uuid := CASE TG_TABLE_NAME WHEN 'payments_posting' THEN (to_jsonb(NEW) ->> 'entry_id')::uuid ELSE NEW.id END;
  total numeric;
  sides int;
BEGIN
  SELECT sum(amount), count(*) INTO total, sides FROM payments_posting WHERE entry_id = checked;
  IF sides < 2 OR total <> 0 THEN
    RAISE EXCEPTION 'journal entry % has % postings that sum to %', checked, sides, coalesce(total, 0)
      USING ERRCODE = '23514', CONSTRAINT = 'journal_entry_sums_to_zero';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER sums_to_zero AFTER INSERT ON payments_journalentry
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_balanced();
CREATE CONSTRAINT TRIGGER sums_to_zero AFTER INSERT ON payments_posting
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_balanced();

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
    REVOKE UPDATE, DELETE, TRUNCATE ON payments_journalentry, payments_posting, payments_ledgeraccount FROM port444_app;
  END IF;
END $$;
"""

DROP = """
DROP TRIGGER sums_to_zero ON payments_posting;
DROP TRIGGER sums_to_zero ON payments_journalentry;
DROP TRIGGER moves_balance ON payments_posting;
DROP TRIGGER starts_empty ON payments_ledgeraccount;
DROP TRIGGER no_change ON payments_posting;
DROP TRIGGER no_change ON payments_journalentry;
DROP FUNCTION ledger_balanced, ledger_post, ledger_open_account, ledger_reject;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial")]
    operations = [migrations.RunSQL(RULES, DROP)]
