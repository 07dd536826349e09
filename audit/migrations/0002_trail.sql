-- The request trail. A span is stored as it came and never changes: triggers refuse it for everybody. Its place in the
-- log is kept with its batch, which gets it once. Partitioned by the UTC day on which the span started.

CREATE TABLE public.audit_span (
    system text NOT NULL,
    environment text NOT NULL,
    trace_id uuid NOT NULL,
    span_id text NOT NULL CHECK (length(span_id) = 16),
    parent_id text NOT NULL,
    started_at timestamptz NOT NULL,
    duration_us bigint NOT NULL CHECK (duration_us >= 0),
    name text NOT NULL,
    kind text NOT NULL,
    component text NOT NULL,
    service text NOT NULL,
    scope text NOT NULL,
    otlp_kind smallint NOT NULL,
    failed boolean NOT NULL,
    error_type text NOT NULL,
    status_message text NOT NULL,
    request_id text NOT NULL,
    release text NOT NULL,
    tenant text NOT NULL,
    prompt_name text NOT NULL,
    prompt_version text NOT NULL,
    prompt_hash text NOT NULL,
    prompt_hash_source text NOT NULL CHECK (prompt_hash_source IN ('', 'claimed', 'recomputed', 'mismatch')),
    model_requested text NOT NULL,
    model_answered text NOT NULL,
    provider text NOT NULL,
    response_id text NOT NULL,
    tokens_in integer CHECK (tokens_in >= 0),
    tokens_out integer CHECK (tokens_out >= 0),
    tokens_cached integer CHECK (tokens_cached >= 0),
    cost_nanousd bigint CHECK (cost_nanousd >= 0),
    price_source text NOT NULL,
    source_ids text[],
    input_ok boolean,
    output_ok boolean,
    contract_source text NOT NULL CHECK (contract_source IN ('', 'checked', 'claimed')),
    flags text[] NOT NULL,
    retries integer CHECK (retries >= 0),
    timed_out boolean NOT NULL,
    fallback text NOT NULL,
    handoff boolean NOT NULL,
    redactions integer NOT NULL CHECK (redactions >= 0),
    attributes jsonb NOT NULL,
    resource jsonb NOT NULL,
    events jsonb NOT NULL,
    input_commitment bytea CHECK (octet_length(input_commitment) = 32),
    output_commitment bytea CHECK (octet_length(output_commitment) = 32),
    leaf_hash bytea NOT NULL CHECK (octet_length(leaf_hash) = 32),
    batch_id uuid NOT NULL,
    position integer NOT NULL CHECK (position >= 0),
    received_at timestamptz NOT NULL,
    -- A system cannot occupy another one's ids; a span sent again meets its own row.
    PRIMARY KEY (trace_id, span_id, started_at, system)
) PARTITION BY RANGE (started_at);
CREATE INDEX audit_span_system ON public.audit_span (system, started_at DESC);

CREATE TABLE public.audit_span_payload (
    system text NOT NULL,
    trace_id uuid NOT NULL,
    span_id text NOT NULL,
    started_at timestamptz NOT NULL,
    key_id uuid NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (trace_id, span_id, started_at, system)
) PARTITION BY RANGE (started_at);
-- Ciphertext does not compress.
ALTER TABLE public.audit_span_payload ALTER COLUMN sealed SET STORAGE EXTERNAL;

CREATE TABLE public.audit_span_batch (
    id uuid PRIMARY KEY,
    system text NOT NULL,
    environment text NOT NULL,
    received_at timestamptz NOT NULL,
    count integer NOT NULL CHECK (count > 0),
    leaves bytea NOT NULL CHECK (octet_length(leaves) = 32 * count),
    traces uuid[] NOT NULL,
    profile integer NOT NULL,
    redaction text NOT NULL,
    found jsonb NOT NULL,
    refused jsonb NOT NULL,
    first_index bigint UNIQUE CHECK (first_index >= 0),
    sequenced_at timestamptz,
    CHECK ((first_index IS NULL) = (sequenced_at IS NULL))
);
CREATE INDEX audit_span_batch_waiting ON public.audit_span_batch (received_at) WHERE first_index IS NULL;

CREATE TABLE public.audit_span_log (
    origin text PRIMARY KEY,
    size bigint NOT NULL DEFAULT 0 CHECK (size >= 0),
    derived_to bigint NOT NULL DEFAULT 0 CHECK (derived_to BETWEEN 0 AND size)
);
INSERT INTO public.audit_span_log (origin)
SELECT replace(origin, '/decisions', '/requests') FROM public.audit_head WHERE log = 'decisions';

CREATE TABLE public.audit_span_tile (
    index bigint PRIMARY KEY CHECK (index >= 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32)
);

CREATE TABLE public.audit_span_checkpoint (
    size bigint PRIMARY KEY,
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    note text NOT NULL,
    peaks bytea NOT NULL CHECK (octet_length(peaks) % 32 = 0),
    signed_at timestamptz NOT NULL
);

CREATE FUNCTION public.audit_span_batch_check() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Staged to sequenced, once: everything but its place in the log is as it was.
    IF OLD.first_index IS NULL AND NEW.first_index IS NOT NULL
        AND to_jsonb(NEW) - 'first_index' - 'sequenced_at' = to_jsonb(OLD) - 'first_index' - 'sequenced_at' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a batch of spans gets its place in the log once, and nothing else of it changes'
        USING ERRCODE = '42501';
END $$;

CREATE FUNCTION public.audit_span_log_check() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.origin = OLD.origin AND NEW.size >= OLD.size AND NEW.derived_to >= OLD.derived_to THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the head of the request log only moves forward' USING ERRCODE = '42501';
END $$;

CREATE FUNCTION public.audit_span_checkpoint_check() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.size <= (SELECT coalesce(max(size), 0) FROM public.audit_span_checkpoint)
        OR NEW.size <> (SELECT size FROM public.audit_span_log) THEN
        RAISE EXCEPTION 'a checkpoint of size % does not follow', NEW.size USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER audit_span_keep BEFORE UPDATE OR DELETE ON public.audit_span
    FOR EACH ROW EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_span_whole BEFORE TRUNCATE ON public.audit_span
    FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_span_payload_keep BEFORE UPDATE OR DELETE ON public.audit_span_payload
    FOR EACH ROW EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_span_payload_whole BEFORE TRUNCATE ON public.audit_span_payload
    FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_span_batch_check BEFORE UPDATE ON public.audit_span_batch
    FOR EACH ROW EXECUTE FUNCTION public.audit_span_batch_check();
CREATE TRIGGER audit_span_batch_keep BEFORE DELETE ON public.audit_span_batch
    FOR EACH ROW EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_span_batch_whole BEFORE TRUNCATE ON public.audit_span_batch
    FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_span_log_check BEFORE UPDATE ON public.audit_span_log
    FOR EACH ROW EXECUTE FUNCTION public.audit_span_log_check();
CREATE TRIGGER audit_span_log_keep BEFORE INSERT OR DELETE ON public.audit_span_log
    FOR EACH ROW EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_span_log_whole BEFORE TRUNCATE ON public.audit_span_log
    FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_span_tile_keep BEFORE UPDATE OR DELETE ON public.audit_span_tile
    FOR EACH ROW EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_span_tile_whole BEFORE TRUNCATE ON public.audit_span_tile
    FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_span_checkpoint_check BEFORE INSERT ON public.audit_span_checkpoint
    FOR EACH ROW EXECUTE FUNCTION public.audit_span_checkpoint_check();
CREATE TRIGGER audit_span_checkpoint_keep BEFORE UPDATE OR DELETE ON public.audit_span_checkpoint
    FOR EACH ROW EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_span_checkpoint_whole BEFORE TRUNCATE ON public.audit_span_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse();

ALTER TABLE public.audit_span ENABLE ALWAYS TRIGGER audit_span_keep;
ALTER TABLE public.audit_span ENABLE ALWAYS TRIGGER audit_span_whole;
ALTER TABLE public.audit_span_payload ENABLE ALWAYS TRIGGER audit_span_payload_keep;
ALTER TABLE public.audit_span_payload ENABLE ALWAYS TRIGGER audit_span_payload_whole;
ALTER TABLE public.audit_span_batch ENABLE ALWAYS TRIGGER audit_span_batch_check;
ALTER TABLE public.audit_span_batch ENABLE ALWAYS TRIGGER audit_span_batch_keep;
ALTER TABLE public.audit_span_batch ENABLE ALWAYS TRIGGER audit_span_batch_whole;
ALTER TABLE public.audit_span_log ENABLE ALWAYS TRIGGER audit_span_log_check;
ALTER TABLE public.audit_span_log ENABLE ALWAYS TRIGGER audit_span_log_keep;
ALTER TABLE public.audit_span_log ENABLE ALWAYS TRIGGER audit_span_log_whole;
ALTER TABLE public.audit_span_tile ENABLE ALWAYS TRIGGER audit_span_tile_keep;
ALTER TABLE public.audit_span_tile ENABLE ALWAYS TRIGGER audit_span_tile_whole;
ALTER TABLE public.audit_span_checkpoint ENABLE ALWAYS TRIGGER audit_span_checkpoint_check;
ALTER TABLE public.audit_span_checkpoint ENABLE ALWAYS TRIGGER audit_span_checkpoint_keep;
ALTER TABLE public.audit_span_checkpoint ENABLE ALWAYS TRIGGER audit_span_checkpoint_whole;

-- One day's partitions, if they are not there yet. Runs as their owner: the application may add days, nothing else.
-- Attached rather than created in place, which would lock out every reader and writer of the trail.
CREATE FUNCTION public.audit_make_day(_day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parent text;
    child text;
    made boolean := false;
BEGIN
    IF _day > (now() AT TIME ZONE 'UTC')::date + 31 OR _day < '2015-01-01' THEN
        RAISE EXCEPTION 'no partition for %', _day USING ERRCODE = '22008';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('audit_make_day'));
    FOREACH parent IN ARRAY ARRAY['audit_span', 'audit_span_payload'] LOOP
        child := parent || to_char(_day, '_YYYYMMDD');
        CONTINUE WHEN to_regclass('public.' || child) IS NOT NULL;
        EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING ALL)', child, parent);
        EXECUTE format(
            'ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)', parent, child,
            _day::timestamp AT TIME ZONE 'UTC', (_day + 1)::timestamp AT TIME ZONE 'UTC');
        EXECUTE format(
            'CREATE TRIGGER audit_span_whole BEFORE TRUNCATE ON public.%I'
            ' FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse()', child);
        EXECUTE format('ALTER TABLE public.%I ENABLE ALWAYS TRIGGER audit_span_whole', child);
        made := true;
    END LOOP;
    RETURN made;
END $$;
