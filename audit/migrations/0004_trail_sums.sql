-- When the spans of a batch started, so that their days are found without looking through all of them. Batches that
-- came before this migration do not say.
ALTER TABLE public.audit_span_batch ADD COLUMN first_at timestamptz, ADD COLUMN last_at timestamptz;

-- Removes one UTC day of spans and payloads whole, as their owner: the application may ask, and is refused while the
-- day is held, is younger than the longest retention of any system (400 days where none is set, never under 30), or
-- has spans that are not in the signed log yet. What the log holds of them (leaf hashes) stays, and verifies.
CREATE FUNCTION public.audit_drop_day(_day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kept integer;
    parent text;
    child text;
    dropped boolean := false;
BEGIN
    SELECT greatest(30, coalesce(max(days), 400)) INTO kept FROM (
        SELECT DISTINCT ON (seen.system) seen.system, coalesce(r.days, 400) AS days
          FROM (SELECT system FROM public.audit_retention UNION SELECT system FROM public.audit_rollup) seen
          LEFT JOIN public.audit_retention r ON r.system = seen.system
         ORDER BY seen.system, r.set_at DESC NULLS LAST, r.id DESC
    ) newest;
    IF _day > (now() AT TIME ZONE 'UTC')::date - kept THEN
        RAISE EXCEPTION 'the day % is younger than % days', _day, kept USING ERRCODE = '42501';
    END IF;
    IF EXISTS (SELECT FROM public.audit_legalhold WHERE lifted_at IS NULL AND _day BETWEEN since AND until) THEN
        RAISE EXCEPTION 'the day % is under a legal hold', _day USING ERRCODE = '42501';
    END IF;
    IF EXISTS (SELECT FROM public.audit_span_batch b WHERE b.first_index IS NULL) THEN
        RAISE EXCEPTION 'spans are waiting for their place in the log; try again in some seconds'
            USING ERRCODE = '55006';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('audit_make_day'));
    FOREACH parent IN ARRAY ARRAY['audit_span', 'audit_span_payload'] LOOP
        child := parent || to_char(_day, '_YYYYMMDD');
        CONTINUE WHEN to_regclass('public.' || child) IS NULL;
        EXECUTE format('DROP TABLE public.%I', child);
        dropped := true;
    END LOOP;
    RETURN dropped;
END $$;
