"""The second witness: whatever changes a watched table, by whatever way, leaves a row for each row changed.

`audit_watch` writes for a table a function of its own, so that comparing two versions of a row is plain expressions over its
columns: a function for all tables would have to take rows apart as JSON, which costs more than writing them. It is a trigger of
statements with transition tables, so that a thousand rows cost one query. Traps:

- plpgsql keeps the plan of the first call, made for one row; a nested loop in it is quadratic for a thousand. So those are off.
- a column named like an alias would win over it, so the transition tables have long names and every column is named with its table.
- a changed primary key would fall out of an inner join and not be seen.
"""

from django.db import migrations

WATCH = r"""
CREATE FUNCTION audit_watch(
  watched regclass, model text, category text, kept text[], personal text[] DEFAULT '{}', secret text[] DEFAULT '{}', amount text DEFAULT NULL
) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $watch$
DECLARE
  tab text := (SELECT relname FROM pg_class WHERE oid = watched);
  fn text := 'audit_capture_' || tab;
  pk text;
  pk_type regtype;
  listed text[] := kept || personal || secret;
  wrong text;
  col text;
  side text;
  op text;
  built text;
  chunk text;
  place int;
  states jsonb := '{}';
  differs text := '';
  target text;
  meta text;
  who text;
  columns text := 'event_type, event_category, severity, actor_type, actor_id, actor_email, on_behalf_of, ip_address, user_agent, request_id,
    device_id, target_type, action, target_id, metadata, before_state, after_state, amount, currency';
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

  -- The whole row as it is kept: for rows that come or go. jsonb_build_object takes at most a hundred arguments.
  FOREACH side IN ARRAY ARRAY['new_rows', 'old_rows'] LOOP
    built := '';
    chunk := '';
    place := 0;
    FOREACH col IN ARRAY kept || personal LOOP
      chunk := concat_ws(', ', nullif(chunk, ''), format('%L', col), CASE WHEN col = ANY (personal)
        THEN format('CASE WHEN nullif(%s.%I::text, '''') IS NOT NULL THEN ''[personal]'' END', side, col) ELSE format('%s.%I', side, col) END);
      place := place + 1;
      IF place % 40 = 0 THEN
        built := concat_ws(' || ', nullif(built, ''), format('jsonb_build_object(%s)', chunk));
        chunk := '';
      END IF;
    END LOOP;
    IF chunk <> '' THEN built := concat_ws(' || ', nullif(built, ''), format('jsonb_build_object(%s)', chunk)); END IF;
    states := states || jsonb_build_object(side, coalesce(nullif(built, ''), 'NULL::jsonb'));
    -- Only what differs: for rows that change.
    built := '''{}''::jsonb';
    FOREACH col IN ARRAY kept || personal LOOP
      built := built || format(E'\n    || CASE WHEN old_rows.%1$I IS DISTINCT FROM new_rows.%1$I THEN %2$s ELSE ''{}'' END', col, CASE WHEN col = ANY (personal)
        THEN format('jsonb_build_object(%L, CASE WHEN nullif(%s.%I::text, '''') IS NOT NULL THEN ''[personal]'' END)', col, side, col)
        ELSE format('jsonb_build_object(%L, %s.%I)', col, side, col) END);
    END LOOP;
    states := states || jsonb_build_object('changed ' || side, format('CASE WHEN %s.%I IS NOT NULL THEN nullif(%s, ''{}'') END', side, pk, built));
  END LOOP;
  SELECT string_agg(format('old_rows.%1$I IS DISTINCT FROM new_rows.%1$I', name), E'\n    OR ') INTO differs FROM unnest(listed) AS name;

  EXECUTE format(E'CREATE OR REPLACE FUNCTION %I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET enable_nestloop = off AS $capture$
#variable_conflict use_variable
DECLARE
  ctx jsonb := nullif(current_setting(''audit.ctx'', true), '''')::jsonb;
  c_severity text := CASE WHEN ctx IS NULL THEN ''warning'' ELSE ''info'' END;
  c_type text := coalesce(ctx ->> ''actor_type'', ''unknown'');
  c_id uuid := ctx ->> ''actor_id'';
  c_email text := CASE WHEN ctx IS NULL THEN ''db:'' || session_user || ''/'' || current_setting(''application_name'') ELSE coalesce(ctx ->> ''actor_email'', '''') END;
  c_behalf uuid := ctx ->> ''on_behalf_of'';
  c_ip inet := ctx ->> ''ip_address'';
  c_agent text := coalesce(left(ctx ->> ''user_agent'', 512), '''');
  c_request uuid := ctx ->> ''request_id'';
  c_device uuid := ctx ->> ''device_id'';
  c_meta jsonb := CASE WHEN ctx ? ''source'' THEN jsonb_build_object(''source'', ctx -> ''source'') ELSE ''{}'' END;
BEGIN
', fn)
  || (SELECT string_agg(branch, '') FROM (
    SELECT format(E'  %s TG_OP = %L THEN
    INSERT INTO audit_log (%s)
    SELECT %L, %L, c_severity, c_type, c_id, c_email, c_behalf, c_ip, c_agent, c_request, c_device, %L, %L,
    %s, c_meta%s%s,
    %s,
    %s,
    %s, %s
    FROM %s;
', CASE b.op WHEN 'INSERT' THEN 'IF' ELSE 'ELSIF' END, b.op, columns, 'row.' || b.verb, category, model, 'Row ' || b.verb,
     CASE WHEN pk_type = 'uuid'::regtype THEN b.key ELSE 'NULL::uuid' END,
     CASE WHEN pk_type = 'uuid'::regtype THEN '' ELSE format(' || jsonb_build_object(''key'', %s)', b.key) END,
     -- That a secret was changed is told, not which and not what.
     CASE WHEN b.op = 'UPDATE' AND cardinality(secret) > 0 THEN format(' || CASE WHEN %s THEN ''{"secret_changed": true}'' ELSE ''{}''::jsonb END',
       (SELECT string_agg(format('old_rows.%1$I IS DISTINCT FROM new_rows.%1$I', name), ' OR ') FROM unnest(secret) AS name)) ELSE '' END,
     b.before, b.after,
     CASE WHEN amount IS NULL THEN 'NULL::numeric' ELSE format(b.sum, amount) END,
     CASE WHEN amount IS NULL THEN '''''' ELSE format('CASE WHEN %s IS NULL THEN '''' ELSE ''USDC'' END', format(b.sum, amount)) END,
     b.rows) AS branch
    FROM (VALUES
      (1, 'INSERT', 'inserted', format('new_rows.%I', pk), 'NULL::jsonb', states ->> 'new_rows', 'new_rows.%I', 'new_rows'),
      (2, 'UPDATE', 'updated', format('coalesce(new_rows.%1$I, old_rows.%1$I)', pk), states ->> 'changed old_rows', states ->> 'changed new_rows',
        'coalesce(new_rows.%1$I, old_rows.%1$I)',
        format(E'old_rows FULL JOIN new_rows ON new_rows.%1$I = old_rows.%1$I\n   WHERE old_rows.%1$I IS DISTINCT FROM new_rows.%1$I\n    OR %2$s', pk, differs)),
      (3, 'DELETE', 'deleted', format('old_rows.%I', pk), states ->> 'old_rows', 'NULL::jsonb', 'old_rows.%I', 'old_rows')
    ) AS b (place, op, verb, key, before, after, sum, rows) ORDER BY b.place) AS branches)
  || format(E'  ELSE
    INSERT INTO audit_log (%s)
    VALUES (''row.truncated'', %L, ''warning'', c_type, c_id, c_email, c_behalf, c_ip, c_agent, c_request, c_device, %L, ''Table truncated'', NULL, c_meta,
            NULL, NULL, NULL, '''');
  END IF;
  RETURN NULL;
END $capture$', columns, category, model);
  -- Triggers fire without it; whoever may execute it could hang it on a table of their own.
  EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', fn);

  FOR op, side IN VALUES ('INSERT', 'REFERENCING NEW TABLE AS new_rows'), ('UPDATE', 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'),
                         ('DELETE', 'REFERENCING OLD TABLE AS old_rows'), ('TRUNCATE', '') LOOP
    EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', 'audit_' || lower(op), watched);
    EXECUTE format('CREATE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION %I()', 'audit_' || lower(op), op, watched, side, fn);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', watched, 'audit_' || lower(op));
  END LOOP;
  EXECUTE format('COMMENT ON FUNCTION %I() IS %L', fn, jsonb_build_object(
    'model', model, 'category', category, 'kept', kept, 'personal', personal, 'secret', secret, 'amount', amount));
END $watch$;

CREATE FUNCTION audit_unwatch(watched regclass) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  op text;
BEGIN
  FOREACH op IN ARRAY ARRAY['insert', 'update', 'delete', 'truncate'] LOOP
    EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', 'audit_' || op, watched);
  END LOOP;
  EXECUTE format('DROP FUNCTION IF EXISTS %I()', 'audit_capture_' || (SELECT relname FROM pg_class WHERE oid = watched));
END $$;
REVOKE ALL ON FUNCTION audit_watch, audit_unwatch FROM PUBLIC;
"""


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0007_transaction_order")]
    operations = [migrations.RunSQL(WATCH, "DROP FUNCTION audit_watch; DROP FUNCTION audit_unwatch")]
