"""The row witness does less for a statement that changes one row, which is what most of them do.

PostgreSQL gets ready anew, for every statement, each function that its plan calls, so a single row costs what the plan is made of and
not what is done with it.

- What changed is one JSON_OBJECT over the columns instead of one object for each column, joined to the next. What is null is left out
  of it, so NULLIF leaves out what stays as it was; what became null is added. PostgreSQL 15 does not know it and goes on as before.
- Who acts is told as a row (`audit_who`), which is read at once, instead of as JSON that is asked field by field. JSON is still
  understood, from those who began before this and from hands.
- Which parts somebody can play is looked at by the two functions that write, as category and severity are since 0014.
- The plan of a call is kept from the first one on. PostgreSQL would plan every call anew where the first were large. A plan for one
  row holds for a thousand, as both sides of a FULL JOIN are never met by a nested loop.

A table that has its triggers keeps them when it is watched anew, so nobody who writes to it is waited for.
"""

from importlib import import_module

from django.db import migrations

FIRST = import_module("auditlog.migrations.0008_row_witness").WATCH

WHO = r"""
CREATE TYPE audit_who AS (
  severity text, actor_type text, actor_id uuid, actor_email text, on_behalf_of uuid, ip_address inet, user_agent text, request_id uuid,
  device_id uuid, metadata jsonb
);

-- Who acts when nobody has said so, or has said it as JSON.
CREATE FUNCTION audit_who_else(told text) RETURNS audit_who LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
  ctx jsonb := nullif(told, '')::jsonb;
BEGIN
  IF ctx IS NULL THEN
    RETURN ROW('warning', 'unknown', NULL, 'db:' || session_user || '/' || current_setting('application_name'), NULL, NULL, '', NULL, NULL, '{}')::audit_who;
  END IF;
  RETURN ROW('info', coalesce(ctx ->> 'actor_type', 'unknown'), ctx ->> 'actor_id', coalesce(ctx ->> 'actor_email', ''), ctx ->> 'on_behalf_of',
    ctx ->> 'ip_address', coalesce(left(ctx ->> 'user_agent', 512), ''), ctx ->> 'request_id', ctx ->> 'device_id',
    CASE WHEN ctx ? 'source' THEN jsonb_build_object('source', ctx -> 'source') ELSE '{}'::jsonb END)::audit_who;
END $$;

-- The columns that became null, of those that are named.
CREATE FUNCTION audit_gone(names text[]) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = public, pg_temp AS $$
BEGIN
  RETURN (SELECT jsonb_object_agg(name, NULL) FROM unnest(names) AS name WHERE name IS NOT NULL);
END $$;
REVOKE ALL ON FUNCTION audit_who_else, audit_gone FROM PUBLIC;
"""

WATCH = r"""
CREATE OR REPLACE FUNCTION audit_watch(
  watched regclass, model text, category text, kept text[], personal text[] DEFAULT '{}', secret text[] DEFAULT '{}', amount text DEFAULT NULL
) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $watch$
DECLARE
  tab text := (SELECT relname FROM pg_class WHERE oid = watched);
  fn text := 'audit_capture_' || tab;
  pk text;
  pk_type regtype;
  listed text[] := kept || personal || secret;
  filled text[] := ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = watched AND attnum > 0 AND NOT attisdropped AND attnotnull);
  json text[] := ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = watched AND attnum > 0 AND NOT attisdropped AND atttypid = 'jsonb'::regtype);
  modern boolean := current_setting('server_version_num')::int >= 160000;
  wrong text;
  col text;
  side text;
  op text;
  value text;
  built text;
  chunk text;
  changes text;
  more text;
  gone text[];
  names text[];
  other text;
  place int;
  states jsonb := '{}';
  differs text;
  columns text := 'event_type, event_category, severity, actor_type, actor_id, actor_email, on_behalf_of, ip_address, user_agent, request_id,
    device_id, target_type, action, target_id, metadata, before_state, after_state, amount, currency';
  who text := 'who.actor_type, who.actor_id, who.actor_email, who.on_behalf_of, who.ip_address, who.user_agent, who.request_id, who.device_id';
BEGIN
  SELECT string_agg(name, ', ') INTO wrong FROM unnest(listed || coalesce(amount, 'oid')) AS name
   WHERE name <> 'oid' AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = watched AND attname = name AND attnum > 0 AND NOT attisdropped);
  IF wrong IS NOT NULL THEN RAISE EXCEPTION 'table % has no column %', tab, wrong; END IF;
  IF cardinality(listed) <> (SELECT count(DISTINCT name) FROM unnest(listed) AS name) THEN RAISE EXCEPTION 'table %: a column is named twice', tab; END IF;
  BEGIN
    SELECT attname, atttypid INTO STRICT pk, pk_type FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
     WHERE indrelid = watched AND indisprimary;
  EXCEPTION WHEN no_data_found OR too_many_rows THEN RAISE EXCEPTION 'table % has no primary key of one column', tab;
  END;

  FOREACH side IN ARRAY ARRAY['new_rows', 'old_rows'] LOOP
    built := '';
    chunk := '';
    changes := '';
    more := '';
    gone := '{}';
    names := '{}';
    place := 0;
    other := CASE side WHEN 'new_rows' THEN 'old_rows' ELSE 'new_rows' END;
    FOREACH col IN ARRAY kept || personal LOOP
      value := CASE WHEN col = ANY (personal) THEN format('CASE WHEN nullif(%s.%I::text, '''') IS NOT NULL THEN ''[personal]'' END', side, col)
        ELSE format('%s.%I', side, col) END;
      -- The whole row as it is kept: for rows that come or go. jsonb_build_object takes at most a hundred arguments.
      chunk := concat_ws(', ', nullif(chunk, ''), format('%L', col), value);
      place := place + 1;
      IF place % 40 = 0 THEN
        built := concat_ws(' || ', nullif(built, ''), format('jsonb_build_object(%s)', chunk));
        chunk := '';
      END IF;
      -- Only what differs: for rows that change. JSON_OBJECT leaves out what is null, in a column of JSON as well.
      IF NOT modern OR col = ANY (json) THEN
        more := more || format(' || CASE WHEN old_rows.%1$I IS DISTINCT FROM new_rows.%1$I THEN jsonb_build_object(%1$L, %2$s) ELSE ''{}'' END', col, value);
      ELSE
        changes := concat_ws(', ', nullif(changes, ''), CASE WHEN col = ANY (personal)
          THEN format('%1$L VALUE CASE WHEN old_rows.%1$I IS DISTINCT FROM new_rows.%1$I THEN %2$s END', col, value)
          ELSE format('%1$L VALUE nullif(%2$s.%1$I, %3$s.%1$I)', col, side, other) END);
        IF col = ANY (personal) OR col <> ALL (filled) THEN
          gone := gone || CASE WHEN col = ANY (personal)
            THEN format('old_rows.%1$I IS DISTINCT FROM new_rows.%1$I AND nullif(%2$s.%1$I::text, '''') IS NULL', col, side)
            ELSE format('%2$s.%1$I IS NULL AND %3$s.%1$I IS NOT NULL', col, side, other) END;
          names := names || col;
        END IF;
      END IF;
    END LOOP;
    IF chunk <> '' THEN built := concat_ws(' || ', nullif(built, ''), format('jsonb_build_object(%s)', chunk)); END IF;
    changes := CASE WHEN changes = '' THEN '''{}''::jsonb' ELSE format('JSON_OBJECT(%s ABSENT ON NULL RETURNING jsonb)', changes) END || more;
    IF cardinality(gone) > 0 THEN
      changes := changes || format(E'\n    || CASE WHEN %s THEN audit_gone(ARRAY[%s]) ELSE ''{}'' END', array_to_string(gone, ' OR '),
        (SELECT string_agg(format('CASE WHEN %s THEN %L END', became, name), ', ') FROM unnest(gone, names) AS g (became, name)));
    END IF;
    states := states || jsonb_build_object(side, coalesce(nullif(built, ''), 'NULL::jsonb'), 'changed ' || side,
      format('CASE WHEN %s.%I IS NOT NULL THEN nullif(%s, ''{}'') END', side, pk, changes));
  END LOOP;
  SELECT string_agg(format('old_rows.%1$I IS DISTINCT FROM new_rows.%1$I', name), E'\n    OR ') INTO differs FROM unnest(listed) AS name;

  EXECUTE format(E'CREATE OR REPLACE FUNCTION %I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $capture$
#variable_conflict use_variable
DECLARE
  who audit_who := CASE WHEN starts_with(current_setting(''audit.ctx'', true), ''('') THEN current_setting(''audit.ctx'')::audit_who
                        ELSE audit_who_else(current_setting(''audit.ctx'', true)) END;
BEGIN
  IF who.actor_type <> ALL (''{user,admin,builder,client,system,unknown}'') THEN
    RAISE EXCEPTION ''the audit log knows no part %%'', who.actor_type USING ERRCODE = ''check_violation'';
  END IF;
', fn)
  || (SELECT string_agg(branch, '') FROM (
    SELECT format(E'  %s TG_OP = %L THEN
    INSERT INTO audit_log (%s)
    SELECT %L, %L, who.severity, %s, %L, %L,
    %s, who.metadata%s%s,
    %s,
    %s,
    %s, %s
    FROM %s;
', CASE b.op WHEN 'UPDATE' THEN 'IF' ELSE 'ELSIF' END, b.op, columns, 'row.' || b.verb, category, who, model, 'Row ' || b.verb,
     CASE WHEN pk_type = 'uuid'::regtype THEN b.key ELSE 'NULL::uuid' END,
     CASE WHEN pk_type = 'uuid'::regtype THEN '' ELSE format(' || jsonb_build_object(''key'', %s)', b.key) END,
     -- That a secret was changed is told, not which and not what.
     CASE WHEN b.op = 'UPDATE' AND cardinality(secret) > 0 THEN format(' || CASE WHEN %s THEN ''{"secret_changed": true}'' ELSE ''{}''::jsonb END',
       (SELECT string_agg(format('old_rows.%1$I IS DISTINCT FROM new_rows.%1$I', name), ' OR ') FROM unnest(secret) AS name)) ELSE '' END,
     b.before, b.after,
     CASE WHEN amount IS NULL THEN 'NULL::numeric' ELSE format(b.sum, amount) END,
     CASE WHEN amount IS NULL THEN '''''' WHEN amount = ANY (filled) THEN '''USDC''' ELSE format('CASE WHEN %s IS NULL THEN '''' ELSE ''USDC'' END', format(b.sum, amount)) END,
     b.rows) AS branch
    FROM (VALUES
      (1, 'UPDATE', 'updated', format('coalesce(new_rows.%1$I, old_rows.%1$I)', pk), states ->> 'changed old_rows', states ->> 'changed new_rows',
        'coalesce(new_rows.%1$I, old_rows.%1$I)',
        format(E'old_rows FULL JOIN new_rows ON new_rows.%1$I = old_rows.%1$I\n   WHERE old_rows.%1$I IS DISTINCT FROM new_rows.%1$I', pk)
        || coalesce(E'\n    OR ' || differs, '')),
      (2, 'INSERT', 'inserted', format('new_rows.%I', pk), 'NULL::jsonb', states ->> 'new_rows', 'new_rows.%I', 'new_rows'),
      (3, 'DELETE', 'deleted', format('old_rows.%I', pk), states ->> 'old_rows', 'NULL::jsonb', 'old_rows.%I', 'old_rows')
    ) AS b (place, op, verb, key, before, after, sum, rows) ORDER BY b.place) AS branches)
  || format(E'  ELSE
    INSERT INTO audit_log (%s)
    VALUES (''row.truncated'', %L, ''warning'', %s, %L, ''Table truncated'', NULL, who.metadata, NULL, NULL, NULL, '''');
  END IF;
  RETURN NULL;
END $capture$', columns, category, who, model);
  -- Triggers fire without it; whoever may execute it could hang it on a table of their own.
  EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', fn);

  FOR op, side IN VALUES ('INSERT', 'REFERENCING NEW TABLE AS new_rows'), ('UPDATE', 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'),
                         ('DELETE', 'REFERENCING OLD TABLE AS old_rows'), ('TRUNCATE', '') LOOP
    CONTINUE WHEN EXISTS (SELECT FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid WHERE tgrelid = watched AND tgname = 'audit_' || lower(op)
                           AND tgenabled = 'A' AND proname = fn AND pronamespace = 'public'::regnamespace);
    EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', 'audit_' || lower(op), watched);
    EXECUTE format('CREATE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION %I()', 'audit_' || lower(op), op, watched, side, fn);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', watched, 'audit_' || lower(op));
  END LOOP;
  EXECUTE format('COMMENT ON FUNCTION %I() IS %L', fn, jsonb_build_object(
    'model', model, 'category', category, 'kept', kept, 'personal', personal, 'secret', secret, 'amount', amount));
END $watch$;
"""

ANEW = r"""
DO $$
DECLARE
  one record;
BEGIN
  FOR one IN SELECT DISTINCT t.tgrelid::regclass AS watched, obj_description(p.oid, 'pg_proc')::jsonb AS told
               FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
              WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'audit\_capture\_%' LOOP
    PERFORM audit_watch(one.watched, one.told ->> 'model', one.told ->> 'category', ARRAY(SELECT jsonb_array_elements_text(one.told -> 'kept')),
      ARRAY(SELECT jsonb_array_elements_text(one.told -> 'personal')), ARRAY(SELECT jsonb_array_elements_text(one.told -> 'secret')),
      one.told ->> 'amount');
  END LOOP;
END $$;
"""

APPEND = """
CREATE OR REPLACE FUNCTION audit_append(
  event_type text, event_category text, severity text, actor_type text, actor_id uuid, actor_email text, on_behalf_of uuid,
  target_type text, target_id uuid, action text, description text, before_state jsonb, after_state jsonb, metadata jsonb,
  ip_address inet, user_agent text, request_id uuid, device_id uuid, amount numeric, currency text, transaction_hash text
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  made bigint;
BEGIN
  IF event_category NOT IN ('financial', 'administrative', 'security', 'user_action') OR severity NOT IN ('info', 'warning', 'critical') THEN
    RAISE EXCEPTION 'the audit log knows no category % or no severity %', event_category, severity USING ERRCODE = 'check_violation';
  END IF;
  PARTS
  INSERT INTO audit_log (event_type, event_category, severity, actor_type, actor_id, actor_email, on_behalf_of, target_type, target_id,
                         action, description, before_state, after_state, metadata, ip_address, user_agent, request_id, device_id,
                         amount, currency, transaction_hash)
  VALUES (event_type, event_category, severity, actor_type, actor_id, actor_email, on_behalf_of, target_type, target_id,
          action, description, before_state, after_state, metadata, ip_address, left(user_agent, 512), request_id, device_id,
          amount, currency, transaction_hash)
  RETURNING id INTO made;
  RETURN made;
END $$;
"""
PARTS = """IF actor_type NOT IN ('user', 'admin', 'builder', 'client', 'system', 'unknown') THEN
    RAISE EXCEPTION 'the audit log knows no part %', actor_type USING ERRCODE = 'check_violation';
  END IF;"""

DROP_CHECK = "ALTER TABLE audit_log DROP CONSTRAINT audit_log_actor_type_check;"
ADD_CHECK = "ALTER TABLE audit_log ADD CONSTRAINT audit_log_actor_type_check CHECK (actor_type ~ '^(user|admin|builder|client|system|unknown)$');"
DROP_WHO = "DROP FUNCTION audit_who_else, audit_gone; DROP TYPE audit_who;"


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0017_find_beside_readers")]
    operations = [
        migrations.RunSQL(
            WHO + WATCH + ANEW + APPEND.replace("PARTS", PARTS) + DROP_CHECK,
            "DROP FUNCTION audit_watch, audit_unwatch;" + FIRST + ANEW + APPEND.replace("PARTS", "") + ADD_CHECK + DROP_WHO,
        )
    ]
