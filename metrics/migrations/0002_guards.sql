-- What was measured never changes. A run may only gain the confirmation of where it came from; a window that was not
-- answered may be answered later, once; what nobody has answered yet may be asked again.

CREATE FUNCTION metrics_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'metrics: a row of % never changes', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION metrics_run_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.origin_confirmed_by_id IS NOT NULL
       OR to_jsonb(NEW) - '{origin_confirmed_by_id,origin_confirmed_at}'::text[]
          IS DISTINCT FROM to_jsonb(OLD) - '{origin_confirmed_by_id,origin_confirmed_at}'::text[] THEN
        RAISE EXCEPTION 'metrics: an evaluation run never changes' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION metrics_window_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.answered OR (NEW.source_id, NEW.release_label, NEW.since, NEW.until)
                       IS DISTINCT FROM (OLD.source_id, OLD.release_label, OLD.since, OLD.until) THEN
        RAISE EXCEPTION 'metrics: an answered window never changes' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER metrics_measurement_frozen BEFORE UPDATE ON metrics_measurement
    FOR EACH ROW EXECUTE FUNCTION metrics_refuse_update();
CREATE TRIGGER metrics_caseresult_frozen BEFORE UPDATE ON metrics_caseresult
    FOR EACH ROW EXECUTE FUNCTION metrics_refuse_update();
CREATE TRIGGER metrics_evaluationrun_frozen BEFORE UPDATE ON metrics_evaluationrun
    FOR EACH ROW EXECUTE FUNCTION metrics_run_update();
CREATE TRIGGER metrics_window_frozen BEFORE UPDATE ON metrics_window
    FOR EACH ROW EXECUTE FUNCTION metrics_window_update();
