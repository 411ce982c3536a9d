-- The three roles of port444, and what belongs to them in the current database. May be run again at any time.
--
--   port444_owner   owns the database and its tables; `manage.py migrate` connects as this role
--   port444_app     serves: reads and writes rows, owns nothing, so it cannot alter a table or drop a trigger
--   port444_viewer  the staff's read-only view of a person's pages; migrations grant it what it may see
--
-- The embedded database runs this at each start. For a database of your own, run it once as an administrator:
--
--   createdb port444
--   psql -d port444 -v ON_ERROR_STOP=1 -f scripts/roles.sql
--   psql -d port444 -c '\password port444_owner' -c '\password port444_app' -c '\password port444_viewer'
--
-- and name the roles in DATABASE_OWNER_URL, DATABASE_URL and DATABASE_VIEWER_URL.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['port444_owner', 'port444_app', 'port444_viewer'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', name);
        END IF;
    END LOOP;

    -- An administrator who is not a superuser (hosted databases) may give away only what a member may.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT port444_owner TO %I', current_user);
    END IF;

    IF current_database() <> 'template1' THEN
        EXECUTE format('ALTER DATABASE %I OWNER TO port444_owner', current_database());
    END IF;
    EXECUTE format('REVOKE CREATE, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO port444_app, port444_viewer', current_database());
END
$$;

ALTER SCHEMA public OWNER TO port444_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO port444_app, port444_viewer;

-- Every table that a migration makes is the app's to read and write; migrations take back what must not change.
ALTER DEFAULT PRIVILEGES FOR ROLE port444_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO port444_app;
ALTER DEFAULT PRIVILEGES FOR ROLE port444_owner GRANT USAGE, SELECT ON SEQUENCES TO port444_app;

-- A second line behind the missing grants.
ALTER ROLE port444_viewer SET default_transaction_read_only = on;
