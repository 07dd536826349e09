-- The levels of the request log's tree above its tiles: what a proof is put together from, without reading every tile.
CREATE TABLE public.audit_span_node (
    level smallint NOT NULL CHECK (level > 8),
    index bigint NOT NULL CHECK (index >= 0),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (level, index)
);
CREATE TRIGGER audit_span_node_keep BEFORE UPDATE OR DELETE ON public.audit_span_node
    FOR EACH ROW EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_span_node_whole BEFORE TRUNCATE ON public.audit_span_node
    FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse();
ALTER TABLE public.audit_span_node ENABLE ALWAYS TRIGGER audit_span_node_keep;
ALTER TABLE public.audit_span_node ENABLE ALWAYS TRIGGER audit_span_node_whole;
