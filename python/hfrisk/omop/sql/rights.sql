-- What the session's role may do in one schema; an absent schema counts no tables.
SELECT current_setting('server_version') AS server_version,
       (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS is_superuser,
       COALESCE((SELECT has_schema_privilege(oid, 'CREATE') FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s), FALSE) AS may_create,
       COUNT(*) FILTER (WHERE has_table_privilege(tables.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')) AS num_writable,
       COUNT(*) FILTER (WHERE has_table_privilege(tables.oid, 'SELECT')) AS num_readable
FROM pg_catalog.pg_class AS tables
JOIN pg_catalog.pg_namespace AS schemas ON schemas.oid = tables.relnamespace
WHERE schemas.nspname = %(schema)s AND tables.relkind IN ('r', 'v', 'm', 'f', 'p')
