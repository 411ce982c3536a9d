"""What the log is searched by: a copy of what people filter by, in monthly partitions of its own, filled after the fact.

The indexes that make every filter quick would make every write slow, so they do not lie on the log. A job copies what has been
committed, in the order of (xid, id) as the seals take it; rows that it has not come to yet are few and are read from the log. Only
these functions write here, so whoever may search cannot hide a row from others.
"""

from django.db import migrations

PARTING = ".,:;_/@+*#%&=?!\"'`(){}[]<>|\\~^"

TABLE = (
    """
CREATE TABLE audit_find (
  timestamp timestamptz NOT NULL,
  id bigint NOT NULL,
  event_type text NOT NULL,
  event_category text NOT NULL,
  severity text NOT NULL,
  actor_id uuid,
  actor_email text NOT NULL,
  on_behalf_of uuid,
  target_id uuid,
  request_id uuid,
  ip_address inet,
  amount numeric(38,18),
  transaction_hash text NOT NULL,
  words tsvector NOT NULL,
  PRIMARY KEY (timestamp, id)
) PARTITION BY RANGE (timestamp);
ALTER TABLE audit_find ALTER COLUMN words SET STATISTICS 500;
CREATE INDEX audit_find_type ON audit_find (event_type, timestamp, id);
CREATE INDEX audit_find_category ON audit_find (event_category, timestamp, id);
CREATE INDEX audit_find_warning ON audit_find (timestamp, id) WHERE severity <> 'info';
CREATE INDEX audit_find_critical ON audit_find (timestamp, id) WHERE severity = 'critical';
CREATE INDEX audit_find_actor ON audit_find (actor_id, timestamp, id) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_find_email ON audit_find (actor_email, timestamp, id);
CREATE INDEX audit_find_behalf ON audit_find (on_behalf_of, timestamp, id) WHERE on_behalf_of IS NOT NULL;
CREATE INDEX audit_find_target ON audit_find (target_id, timestamp, id) WHERE target_id IS NOT NULL;
CREATE INDEX audit_find_request ON audit_find (request_id, timestamp, id) WHERE request_id IS NOT NULL;
CREATE INDEX audit_find_address ON audit_find (ip_address, timestamp, id) WHERE ip_address IS NOT NULL;
CREATE INDEX audit_find_amount ON audit_find (amount) WHERE amount IS NOT NULL;
CREATE INDEX audit_find_hash ON audit_find (transaction_hash, timestamp, id) WHERE transaction_hash <> '';
CREATE INDEX audit_find_words ON audit_find USING gin (words);

-- How far the copy goes: every row up to (xid, id) is in it. Transaction ids count within one cluster, so a dump that was restored
-- elsewhere begins anew, for rows above floor_id.
CREATE TABLE audit_find_mark (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  cluster bigint NOT NULL,
  floor_id bigint NOT NULL,
  xid bigint NOT NULL,
  id bigint NOT NULL,
  filled_at timestamptz NOT NULL
);
INSERT INTO audit_find_mark (cluster, floor_id, xid, id, filled_at) SELECT system_identifier, 0, 0, 0, clock_timestamp() FROM pg_control_system();

-- Words as they are searched for: marks part words, but a hyphen joins them, so that P4-1052 and ids stay whole.
CREATE FUNCTION audit_plain(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT translate(lower(said), $marks$"""
    + PARTING
    + """-$marks$, '"""
    + " " * len(PARTING)
    + """')
$$;

CREATE FUNCTION audit_words(l audit_log) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT strip(to_tsvector('simple'::regconfig, audit_plain(concat_ws(' ', l.event_type, l.target_type, l.action, l.description, l.actor_email,
    l.transaction_hash, l.before_state::text, l.after_state::text, nullif(l.metadata, '{}')::text))))
$$;

CREATE FUNCTION audit_find_part(month date) RETURNS text LANGUAGE sql IMMUTABLE RETURN 'audit_find_' || to_char(month, 'YYYYMM');

CREATE FUNCTION audit_find_close(part text) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
    EXECUTE format('REVOKE ALL ON %I FROM port444_app', part);
    EXECUTE format('GRANT SELECT ON %I TO port444_app', part);
  END IF;
END $$;

-- Takes in committed rows of the log, at most `most` at once, and says how many. A second call at the same time does nothing.
CREATE FUNCTION audit_find_fill(most int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  was audit_find_mark;
  this_cluster bigint := (SELECT system_identifier FROM pg_control_system());
  horizon bigint := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
  to_xid bigint;
  to_id bigint;
  month date;
  taken int;
BEGIN
  IF most NOT BETWEEN 1 AND 1000000 THEN RAISE EXCEPTION 'most is out of range'; END IF;
  IF NOT pg_try_advisory_xact_lock(hashtext('audit_find')) THEN RETURN 0; END IF;
  SELECT * INTO was FROM audit_find_mark;
  IF was.cluster <> this_cluster THEN
    -- Nobody writes while it is looked how far the rows of the old cluster go.
    LOCK TABLE audit_log IN SHARE MODE;
    to_xid := 0; to_id := 0;
    was.floor_id := coalesce((SELECT max(t.id) FROM audit_log t), 0);
    FOR month IN SELECT DISTINCT date_trunc('month', t.timestamp AT TIME ZONE 'UTC')::date FROM audit_log t WHERE (t.xid, t.id) > (was.xid, was.id) LOOP
      PERFORM audit_find_month(month);
    END LOOP;
    INSERT INTO audit_find
    SELECT t.timestamp, t.id, t.event_type, t.event_category, t.severity, t.actor_id, lower(t.actor_email), t.on_behalf_of, t.target_id, t.request_id,
           t.ip_address, t.amount, t.transaction_hash, audit_words(t)
      FROM audit_log t WHERE (t.xid, t.id) > (was.xid, was.id) ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS taken = ROW_COUNT;
  ELSE
    SELECT t.xid, t.id INTO to_xid, to_id FROM audit_log t
     WHERE (t.xid, t.id) > (was.xid, was.id) AND t.xid < horizon AND t.id > was.floor_id ORDER BY t.xid, t.id OFFSET most - 1 LIMIT 1;
    IF NOT FOUND THEN to_xid := horizon - 1; to_id := 9223372036854775807; END IF;
    IF (to_xid, to_id) <= (was.xid, was.id) THEN RETURN 0; END IF;
    FOR month IN SELECT DISTINCT date_trunc('month', t.timestamp AT TIME ZONE 'UTC')::date FROM audit_log t
                  WHERE (t.xid, t.id) > (was.xid, was.id) AND (t.xid, t.id) <= (to_xid, to_id) AND t.id > was.floor_id LOOP
      PERFORM audit_find_month(month);
    END LOOP;
    INSERT INTO audit_find
    SELECT t.timestamp, t.id, t.event_type, t.event_category, t.severity, t.actor_id, lower(t.actor_email), t.on_behalf_of, t.target_id, t.request_id,
           t.ip_address, t.amount, t.transaction_hash, audit_words(t)
      FROM audit_log t WHERE (t.xid, t.id) > (was.xid, was.id) AND (t.xid, t.id) <= (to_xid, to_id) AND t.id > was.floor_id
      ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS taken = ROW_COUNT;
  END IF;
  UPDATE audit_find_mark SET cluster = this_cluster, floor_id = was.floor_id, xid = to_xid, id = to_id, filled_at = clock_timestamp();
  RETURN taken;
END $$;

CREATE FUNCTION audit_find_month(month date) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  part text := audit_find_part(month);
BEGIN
  IF to_regclass(part) IS NULL THEN
    EXECUTE format('CREATE TABLE %I PARTITION OF audit_find FOR VALUES FROM (%L) TO (%L)',
                   part, month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month')::timestamp AT TIME ZONE 'UTC');
    PERFORM audit_find_close(part);
  END IF;
END $$;

-- Makes the copy of one month anew from the rows whose transaction is below `below`, and says how many: for a month that came back
-- from cold storage, or after the copy itself was damaged. The indexes are made after the rows.
CREATE FUNCTION audit_find_build(month date, below bigint) RETURNS bigint LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  part text := audit_find_part(month);
  since timestamptz := month::timestamp AT TIME ZONE 'UTC';
  until timestamptz := (month + interval '1 month')::timestamp AT TIME ZONE 'UTC';
  taken bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('audit_find'));
  PERFORM audit_find_forget(month);
  EXECUTE format('CREATE TABLE %I (LIKE audit_find INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', part);
  EXECUTE format('ALTER TABLE %I ALTER COLUMN words SET STATISTICS 500', part);
  EXECUTE format('INSERT INTO %I
    SELECT t.timestamp, t.id, t.event_type, t.event_category, t.severity, t.actor_id, lower(t.actor_email), t.on_behalf_of, t.target_id,
           t.request_id, t.ip_address, t.amount, t.transaction_hash, audit_words(t)
      FROM audit_log t WHERE t.timestamp >= %L AND t.timestamp < %L AND t.xid < %s ORDER BY t.timestamp, t.id', part, since, until, below);
  GET DIAGNOSTICS taken = ROW_COUNT;
  EXECUTE format('ALTER TABLE audit_find ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part, since, until);
  PERFORM audit_find_close(part);
  RETURN taken;
END $$;

-- Removes the copy of one month: for a month that leaves the log.
CREATE FUNCTION audit_find_forget(month date) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  EXECUTE format('DROP TABLE IF EXISTS %I', audit_find_part(month));
END $$;

REVOKE ALL ON FUNCTION audit_find_fill, audit_find_month, audit_find_build, audit_find_forget, audit_find_close FROM PUBLIC;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
    REVOKE ALL ON audit_find, audit_find_mark FROM port444_app;
    GRANT SELECT ON audit_find, audit_find_mark TO port444_app;
    GRANT EXECUTE ON FUNCTION audit_find_fill TO port444_app;
  END IF;
END $$;
"""
)

DROP = """
DROP FUNCTION audit_find_fill, audit_find_month, audit_find_build, audit_find_forget, audit_find_close, audit_find_part, audit_words;
DROP FUNCTION audit_plain;
DROP TABLE audit_find, audit_find_mark;
"""


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0008_row_witness")]
    operations = [migrations.RunSQL(TABLE, DROP)]
