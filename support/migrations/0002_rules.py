"""What was done stays as it was written, and a plan that somebody approved is the plan that was asked for."""

from django.db import migrations

from auditlog.witness import watch

ONCE = """
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION audit_reject();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER no_change;
"""
KEPT = """
CREATE TRIGGER no_delete BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION audit_reject();
"""
RIGHTS = """
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
    REVOKE UPDATE, DELETE, TRUNCATE ON support_supportaction, support_threadopening FROM port444_app;
    REVOKE DELETE, TRUNCATE ON support_plan, support_viewing, support_viewedpage FROM port444_app;
  END IF;
END $$;
"""
PLAN = """
CREATE FUNCTION support_plan_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.id, OLD.number, OLD.kind, OLD.requester_id, OLD.created_at) IS DISTINCT FROM (NEW.id, NEW.number, NEW.kind, NEW.requester_id, NEW.created_at) THEN
    RAISE EXCEPTION 'a plan stays what it is, of whom it is' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'plan_stays';
  END IF;
  IF OLD.status NOT IN ('draft', 'requested', 'approved') THEN
    RAISE EXCEPTION 'this plan is over' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'plan_is_over';
  END IF;
  IF NOT (NEW.status = OLD.status
      OR (OLD.status = 'draft' AND NEW.status IN ('requested', 'executed', 'withdrawn', 'expired'))
      OR (OLD.status = 'requested' AND NEW.status IN ('approved', 'rejected', 'expired', 'withdrawn'))
      OR (OLD.status = 'approved' AND NEW.status IN ('executed', 'failed', 'draft', 'expired', 'withdrawn'))) THEN
    RAISE EXCEPTION 'a plan does not go from % to %', OLD.status, NEW.status USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'plan_steps';
  END IF;
  IF OLD.status <> 'draft' AND NEW.status <> 'draft' AND
     (OLD.target_user_id, OLD.order_id, OLD.other_order_id, OLD.dispute_id, OLD.undoes_id, OLD.asked, OLD.reason, OLD.figures, OLD.figures_sha256,
      OLD.amount, OLD.needs_approval, OLD.requested_at) IS DISTINCT FROM
     (NEW.target_user_id, NEW.order_id, NEW.other_order_id, NEW.dispute_id, NEW.undoes_id, NEW.asked, NEW.reason, NEW.figures, NEW.figures_sha256,
      NEW.amount, NEW.needs_approval, NEW.requested_at) THEN
    RAISE EXCEPTION 'what was asked for does not change until it is a draft again' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'plan_frozen';
  END IF;
  IF OLD.status = 'approved' AND NEW.status <> 'draft' AND (OLD.approver_id, OLD.decided_at) IS DISTINCT FROM (NEW.approver_id, NEW.decided_at) THEN
    RAISE EXCEPTION 'who approved stays who approved' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'plan_approved';
  END IF;
  IF NEW.status = 'draft' AND NEW.approver_id IS NOT NULL THEN
    RAISE EXCEPTION 'a draft is approved by nobody' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'plan_draft';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER keeps BEFORE UPDATE ON support_plan FOR EACH ROW EXECUTE FUNCTION support_plan_keeps();
CREATE FUNCTION support_plan_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status <> 'draft' THEN
    RAISE EXCEPTION 'a plan begins as a draft' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'plan_begins';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER begins BEFORE INSERT ON support_plan FOR EACH ROW EXECUTE FUNCTION support_plan_begins();
"""
UNDO_PLAN = """
DROP TRIGGER keeps ON support_plan;
DROP TRIGGER begins ON support_plan;
DROP FUNCTION support_plan_keeps;
DROP FUNCTION support_plan_begins;
"""
WRITTEN_ONCE = ("support_supportaction", "support_threadopening")
NEVER_REMOVED = ("support_plan", "support_viewing", "support_viewedpage")


class Migration(migrations.Migration):
    dependencies = [("support", "0001_plans_and_viewings"), ("auditlog", "0015_room_beside_writers")]
    operations = [
        migrations.RunSQL(PLAN, UNDO_PLAN),
        *[migrations.RunSQL(ONCE.format(table=table), f"DROP TRIGGER no_change ON {table}") for table in WRITTEN_ONCE],
        *[migrations.RunSQL(KEPT.format(table=table), f"DROP TRIGGER no_delete ON {table}") for table in NEVER_REMOVED],
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
        watch(
            "support_plan",
            "plan",
            "administrative",
            kept="number kind status requester_id target_user_id order_id other_order_id dispute_id undoes_id asked reason figures figures_sha256 amount needs_approval why_approval result error created_at requested_at expires_at approver_id decided_at decision_note executed_at",
            amount="amount",
        ),
        watch(
            "support_supportaction",
            "supportaction",
            "administrative",
            kept="number action_type admin_id target_user_id target_user_type description reason order_id related_orders plan_id amount requires_approval approved_by_id approved_at request_id success error_message created_at",
            personal="admin_email target_user_email ip_address user_agent",
            amount="amount",
        ),
        watch(
            "support_viewing",
            "viewing",
            "security",
            kept="number agent_id subject_id reason reference started_at expires_at ended_at end_reason",
            personal="ip_address user_agent",
            hidden="agent_session agent_auth",
        ),
        watch("support_threadopening", "threadopening", "security", kept="conversation_id agent_id reason opened_at closes_at"),
    ]
