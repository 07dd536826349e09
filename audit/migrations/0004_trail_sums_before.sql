-- What was summed up before, in the wider buckets too.
INSERT INTO public.audit_rollup (system, environment, release, width, bucket, requests, errors, schema_checked,
    schema_valid, with_sources, with_request_id, unapproved, cost_nanousd, cost_known, retries, timeouts, latency)
SELECT r.system, r.environment, r.release, w.width, w.bucket, sum(requests), sum(errors), sum(schema_checked),
    sum(schema_valid), sum(with_sources), sum(with_request_id), sum(unapproved), sum(cost_nanousd), sum(cost_known),
    sum(retries), sum(timeouts), (
        SELECT coalesce(array_agg(n ORDER BY i), '{}') FROM (
            SELECT i, sum(n)::integer AS n
              FROM public.audit_rollup s, unnest(s.latency) WITH ORDINALITY AS bins (n, i)
             WHERE (s.system, s.environment, s.release, s.width) = (r.system, r.environment, r.release, 15)
               AND s.bucket >= w.bucket AND s.bucket < w.bucket + w.width * interval '1 minute'
             GROUP BY i
        ) summed
    )
  FROM public.audit_rollup r CROSS JOIN LATERAL (
      VALUES (60, date_trunc('hour', r.bucket, 'UTC')), (1440, date_trunc('day', r.bucket, 'UTC'))
  ) AS w (width, bucket)
 WHERE r.width = 15
 GROUP BY r.system, r.environment, r.release, w.width, w.bucket;

-- Spans of requests that were derived before, by component. Bins as in audit.histogram.
INSERT INTO public.audit_componentrollup (system, environment, release, component, width, bucket, spans, errors,
    retries, timeouts, latency)
SELECT system, environment, release, component, width, bucket, sum(spans), sum(errors), sum(retries), sum(timeouts), (
        SELECT array_agg(coalesce(n, 0) ORDER BY i)
          FROM generate_series(0, max(bin)) AS i
          LEFT JOIN unnest(array_agg(bin), array_agg(spans::integer)) AS filled (b, n) ON b = i
    )
  FROM (
      SELECT s.system, s.environment, r.release, s.component, w.width, w.bucket, bin.bin, count(*) AS spans,
             count(*) FILTER (WHERE s.failed) AS errors, coalesce(sum(s.retries), 0) AS retries,
             count(*) FILTER (WHERE s.timed_out) AS timeouts
        FROM public.audit_span s
        JOIN public.audit_request r USING (trace_id, system, environment)
       CROSS JOIN LATERAL (
           SELECT CASE WHEN s.duration_us <= 1000 THEN 0
                  ELSE least(ceil(ln(s.duration_us / 1000.0) / ln(1.02) - 1e-9), 888)::integer END AS bin
       ) bin
       CROSS JOIN LATERAL (
           VALUES (15, date_bin('15 minutes', s.started_at, '1970-01-01Z')),
                  (60, date_trunc('hour', s.started_at, 'UTC')), (1440, date_trunc('day', s.started_at, 'UTC'))
       ) AS w (width, bucket)
       GROUP BY s.system, s.environment, r.release, s.component, w.width, w.bucket, bin.bin
  ) binned
 GROUP BY system, environment, release, component, width, bucket;
