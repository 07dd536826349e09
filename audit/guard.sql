-- DDL against the ledger is refused, for superusers too (audit/grants.py sets this up; a superuser can still drop the
-- event triggers, which no trigger can see: the signed checkpoint outside the database is what shows what came after).

-- Everything that makes the ledger append-only, as one number.
CREATE OR REPLACE FUNCTION public.audit_guard_fingerprint() RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH ledger AS (
        SELECT to_regclass('public.' || name) AS id
          FROM unnest(ARRAY['audit_head', 'audit_entry', 'audit_payload', 'audit_checkpoint']) name
    )
    SELECT md5(string_agg(fact, E'\n' ORDER BY fact)) FROM (
        SELECT format('table %s %s %s %s %s', relname, relowner::regrole, relacl, relrowsecurity, relforcerowsecurity) AS fact
          FROM pg_class WHERE oid IN (SELECT id FROM ledger)
        UNION ALL SELECT format('column %s %s %s %s', attrelid::regclass, attname, atttypid::regtype, attnotnull)
          FROM pg_attribute WHERE attnum > 0 AND attrelid IN (SELECT id FROM ledger)
        UNION ALL SELECT format('trigger %s %s', pg_get_triggerdef(oid), tgenabled)
          FROM pg_trigger WHERE tgrelid IN (SELECT id FROM ledger)
        UNION ALL SELECT format('constraint %s', pg_get_constraintdef(oid))
          FROM pg_constraint WHERE conrelid IN (SELECT id FROM ledger) OR confrelid IN (SELECT id FROM ledger)
        UNION ALL SELECT format('rule %s', pg_get_ruledef(oid))
          FROM pg_rewrite WHERE ev_class IN (SELECT id FROM ledger)
        UNION ALL SELECT format('policy %s', polname) FROM pg_policy WHERE polrelid IN (SELECT id FROM ledger)
        UNION ALL SELECT format('child %s', inhrelid::regclass)
          FROM pg_inherits WHERE inhparent IN (SELECT id FROM ledger)
        UNION ALL SELECT format('function %s %s %s', pg_get_functiondef(oid), proowner::regrole, proacl)
          FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname IN (
            'audit_append', 'audit_erase', 'audit_publish', 'audit_stop', 'audit_resume', 'audit_through_function',
            'audit_refuse', 'audit_entry_seal', 'audit_head_check', 'audit_payload_check', 'audit_checkpoint_check')
    ) facts
$$;

-- The expected number is written into the function: no table to change instead.
DO $install$
BEGIN
    EXECUTE format($create$
        CREATE OR REPLACE FUNCTION public.audit_guard_ddl() RETURNS event_trigger
        LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
            IF public.audit_guard_fingerprint() IS DISTINCT FROM %L THEN
                RAISE EXCEPTION '%% is refused: it changes a guard of the ledger', tg_tag USING ERRCODE = '42501',
                    HINT = 'manage.py guard --off, as a superuser, lifts the guards for a migration.';
            END IF;
        END $$
    $create$, public.audit_guard_fingerprint());
END $install$;

-- ALTER TABLE ... TYPE ... USING would write other values without firing a row trigger.
CREATE OR REPLACE FUNCTION public.audit_guard_rewrite() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_event_trigger_table_rewrite_oid() IN (
        SELECT to_regclass('public.' || name)
          FROM unnest(ARRAY['audit_head', 'audit_entry', 'audit_payload', 'audit_checkpoint']) name
    ) THEN
        RAISE EXCEPTION 'the ledger is not rewritten' USING ERRCODE = '42501';
    END IF;
END $$;

CREATE EVENT TRIGGER audit_guard_ddl ON ddl_command_end EXECUTE FUNCTION public.audit_guard_ddl();
CREATE EVENT TRIGGER audit_guard_rewrite ON table_rewrite EXECUTE FUNCTION public.audit_guard_rewrite();
ALTER EVENT TRIGGER audit_guard_ddl ENABLE ALWAYS;
ALTER EVENT TRIGGER audit_guard_rewrite ENABLE ALWAYS;
