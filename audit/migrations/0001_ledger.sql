-- The decision log. Rows are made here, not by the application: index, time, leaf and hash are set by the database, in
-- the transaction of the act they record. Nothing is changed or removed afterwards; triggers refuse it for everybody,
-- ENABLE ALWAYS also where session_replication_role is 'replica'. Grants come on top (audit/roles.py).
-- No foreign key leads into or out of these tables: a cascade would be a way to delete.

CREATE TABLE public.audit_head (
    log text PRIMARY KEY,
    origin text NOT NULL CHECK (origin !~ '[[:space:]+]' AND length(origin) BETWEEN 1 AND 200),
    size bigint NOT NULL CHECK (size >= 0),
    read_only text NOT NULL DEFAULT ''
);
-- Two installations never share an origin: a checkpoint of one is no checkpoint of the other.
INSERT INTO public.audit_head (log, origin, size)
VALUES ('decisions', 'readiness/' || gen_random_uuid() || '/decisions', 0);

CREATE TABLE public.audit_entry (
    index bigint PRIMARY KEY,
    kind text NOT NULL CHECK (kind ~ '^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$' AND length(kind) <= 80),
    actor_id text NOT NULL CHECK (actor_id !~ '[[:space:][:cntrl:]@]' AND length(actor_id) BETWEEN 1 AND 200),
    via text NOT NULL CHECK (via !~ '[[:space:][:cntrl:]@]' AND length(via) <= 200),
    subject text NOT NULL CHECK (subject !~ '[[:space:][:cntrl:]@]' AND length(subject) BETWEEN 1 AND 200),
    system text NOT NULL CHECK (system !~ '[[:space:][:cntrl:]@]' AND length(system) <= 200),
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    commitment bytea NOT NULL CHECK (octet_length(commitment) = 32),
    leaf text NOT NULL CHECK (octet_length(leaf) <= 65535),
    leaf_hash bytea NOT NULL CHECK (octet_length(leaf_hash) = 32)
);
CREATE INDEX audit_entry_subject ON public.audit_entry (subject, index);
CREATE INDEX audit_entry_system ON public.audit_entry (system, index);
CREATE INDEX audit_entry_kind ON public.audit_entry (kind, index);
CREATE INDEX audit_entry_actor ON public.audit_entry (actor_id, index);
CREATE INDEX audit_entry_recorded ON public.audit_entry (recorded_at);

-- What an entry says in detail, with the salt of its commitment. Apart from the leaf, so that it can be erased: without
-- payload and salt the commitment tells nothing, and every proof still holds.
CREATE TABLE public.audit_payload (
    index bigint PRIMARY KEY,
    salt bytea NOT NULL CHECK (octet_length(salt) = 32),
    payload bytea NOT NULL CHECK (octet_length(payload) <= 1048576)
);

CREATE TABLE public.audit_checkpoint (
    size bigint PRIMARY KEY,
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    note text NOT NULL,
    keys text NOT NULL,
    peaks bytea NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Everything goes through the functions below; the tables belong to the same role as they do.
CREATE FUNCTION public.audit_through_function() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_user <> (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'public.audit_entry'::regclass) THEN
        RAISE EXCEPTION 'the ledger is written by its functions only' USING ERRCODE = '42501';
    END IF;
END $$;

CREATE FUNCTION public.audit_refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: the ledger is append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = '42501';
END $$;

CREATE FUNCTION public.audit_entry_seal() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head record;
BEGIN
    PERFORM public.audit_through_function();
    IF num_nonnulls(NEW.index, NEW.recorded_at, NEW.leaf, NEW.leaf_hash) > 0 THEN
        RAISE EXCEPTION 'index, time, leaf and hash are set by the database' USING ERRCODE = '42501';
    END IF;
    -- The row lock on the head orders entries and holds until the business transaction ends: no gap, no early number.
    UPDATE public.audit_head SET size = size + 1 WHERE log = 'decisions' RETURNING size - 1 AS index, read_only INTO head;
    IF head.index IS NULL THEN
        RAISE EXCEPTION 'the ledger has no head' USING ERRCODE = 'RD001';
    ELSIF head.read_only <> '' THEN
        RAISE EXCEPTION 'the ledger is read-only: %', head.read_only USING ERRCODE = 'RD002';
    END IF;
    NEW.index := head.index;
    NEW.recorded_at := clock_timestamp();
    -- RFC 8785 form: keys in order, no space; to_json writes text as ECMAScript does (a test compares).
    NEW.leaf := '{"actor":' || to_json(NEW.actor_id)
        || ',"at":"' || to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        || '","commitment":"sha256:' || encode(NEW.commitment, 'hex')
        || '","index":' || NEW.index
        || ',"kind":' || to_json(NEW.kind)
        || ',"recorded_at":"' || to_char(NEW.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        || '","subject":' || to_json(NEW.subject)
        || ',"system":' || to_json(NEW.system)
        || ',"type":"decision","v":1,"via":' || to_json(NEW.via) || '}';
    NEW.leaf_hash := sha256('\x00'::bytea || convert_to(NEW.leaf, 'UTF8'));
    RETURN NEW;
END $$;

CREATE FUNCTION public.audit_head_check() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (NEW.log, NEW.origin) = (OLD.log, OLD.origin) AND (
        (NEW.size = OLD.size + 1 AND NEW.read_only = OLD.read_only AND pg_trigger_depth() > 1)
        OR (NEW.size = OLD.size AND NEW.read_only <> OLD.read_only)
    ) THEN
        PERFORM public.audit_through_function();
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the head of the ledger only moves with an entry' USING ERRCODE = '42501';
END $$;

CREATE FUNCTION public.audit_payload_check() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM public.audit_through_function();
    IF TG_OP = 'INSERT' THEN
        PERFORM FROM public.audit_entry WHERE index = NEW.index
            AND commitment = sha256(convert_to(E'readiness/payload/v1\n', 'UTF8') || NEW.salt || NEW.payload);
        IF FOUND THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'entry % has another payload', NEW.index USING ERRCODE = '42501';
    END IF;
    PERFORM FROM public.audit_entry WHERE kind = 'ledger.payload-erased' AND subject = 'entry:' || OLD.index;
    IF FOUND THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the payload of entry % leaves only after its tombstone', OLD.index USING ERRCODE = '42501';
END $$;

CREATE FUNCTION public.audit_checkpoint_check() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM public.audit_through_function();
    IF NEW.size <= (SELECT coalesce(max(size), 0) FROM public.audit_checkpoint)
        OR NEW.size > (SELECT size FROM public.audit_head WHERE log = 'decisions') THEN
        RAISE EXCEPTION 'a checkpoint of size % does not follow', NEW.size USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$;

-- One entry, inside the caller's transaction. The commitment is computed here, so payload and leaf cannot disagree.
CREATE FUNCTION public.audit_append(
    _kind text, _actor_id text, _via text, _subject text, _system text, _at timestamptz, _payload bytea, _salt bytea
) RETURNS public.audit_entry
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entry public.audit_entry;
BEGIN
    INSERT INTO public.audit_entry (kind, actor_id, via, subject, system, at, commitment)
    VALUES (_kind, _actor_id, _via, _subject, _system, _at,
            sha256(convert_to(E'readiness/payload/v1\n', 'UTF8') || _salt || _payload))
    RETURNING * INTO entry;
    INSERT INTO public.audit_payload (index, salt, payload) VALUES (entry.index, _salt, _payload);
    RETURN entry;
END $$;

-- Erasure: the tombstone first, then payload and salt go. The tombstone says who and why, in its own payload.
CREATE FUNCTION public.audit_erase(
    _index bigint, _actor_id text, _via text, _system text, _at timestamptz, _payload bytea, _salt bytea
) RETURNS public.audit_entry
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tombstone public.audit_entry;
BEGIN
    tombstone := public.audit_append(
        'ledger.payload-erased', _actor_id, _via, 'entry:' || _index, _system, _at, _payload, _salt);
    DELETE FROM public.audit_payload WHERE index = _index;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'entry % has no payload', _index USING ERRCODE = 'RD003';
    END IF;
    RETURN tombstone;
END $$;

CREATE FUNCTION public.audit_publish(_size bigint, _root bytea, _note text, _keys text, _peaks bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO public.audit_checkpoint (size, root, note, keys, peaks) VALUES (_size, _root, _note, _keys, _peaks)
$$;

-- Anybody who finds the log wrong may stop it; only an operator starts it again (audit_resume is not the app's).
CREATE FUNCTION public.audit_stop(_reason text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE public.audit_head SET read_only = _reason WHERE log = 'decisions' AND read_only <> _reason AND _reason <> ''
$$;
CREATE FUNCTION public.audit_resume() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE public.audit_head SET read_only = '' WHERE log = 'decisions' AND read_only <> ''
$$;

CREATE TRIGGER audit_entry_seal BEFORE INSERT ON public.audit_entry
    FOR EACH ROW EXECUTE FUNCTION public.audit_entry_seal();
CREATE TRIGGER audit_entry_keep BEFORE UPDATE OR DELETE ON public.audit_entry
    FOR EACH ROW EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_entry_whole BEFORE TRUNCATE ON public.audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_payload_check BEFORE INSERT OR DELETE ON public.audit_payload
    FOR EACH ROW EXECUTE FUNCTION public.audit_payload_check();
CREATE TRIGGER audit_payload_keep BEFORE UPDATE ON public.audit_payload
    FOR EACH ROW EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_payload_whole BEFORE TRUNCATE ON public.audit_payload
    FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_checkpoint_check BEFORE INSERT ON public.audit_checkpoint
    FOR EACH ROW EXECUTE FUNCTION public.audit_checkpoint_check();
CREATE TRIGGER audit_checkpoint_keep BEFORE UPDATE OR DELETE ON public.audit_checkpoint
    FOR EACH ROW EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_checkpoint_whole BEFORE TRUNCATE ON public.audit_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_head_check BEFORE UPDATE ON public.audit_head
    FOR EACH ROW EXECUTE FUNCTION public.audit_head_check();
CREATE TRIGGER audit_head_keep BEFORE INSERT OR DELETE ON public.audit_head
    FOR EACH ROW EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_head_whole BEFORE TRUNCATE ON public.audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse();

ALTER TABLE public.audit_entry ENABLE ALWAYS TRIGGER audit_entry_seal;
ALTER TABLE public.audit_entry ENABLE ALWAYS TRIGGER audit_entry_keep;
ALTER TABLE public.audit_entry ENABLE ALWAYS TRIGGER audit_entry_whole;
ALTER TABLE public.audit_payload ENABLE ALWAYS TRIGGER audit_payload_check;
ALTER TABLE public.audit_payload ENABLE ALWAYS TRIGGER audit_payload_keep;
ALTER TABLE public.audit_payload ENABLE ALWAYS TRIGGER audit_payload_whole;
ALTER TABLE public.audit_checkpoint ENABLE ALWAYS TRIGGER audit_checkpoint_check;
ALTER TABLE public.audit_checkpoint ENABLE ALWAYS TRIGGER audit_checkpoint_keep;
ALTER TABLE public.audit_checkpoint ENABLE ALWAYS TRIGGER audit_checkpoint_whole;
ALTER TABLE public.audit_head ENABLE ALWAYS TRIGGER audit_head_check;
ALTER TABLE public.audit_head ENABLE ALWAYS TRIGGER audit_head_keep;
ALTER TABLE public.audit_head ENABLE ALWAYS TRIGGER audit_head_whole;

-- Functions are executable by everybody unless said otherwise.
REVOKE ALL ON FUNCTION
    public.audit_append(text, text, text, text, text, timestamptz, bytea, bytea),
    public.audit_erase(bigint, text, text, text, timestamptz, bytea, bytea),
    public.audit_publish(bigint, bytea, text, text, bytea),
    public.audit_stop(text),
    public.audit_resume()
FROM PUBLIC;
