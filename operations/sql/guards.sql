-- What is over stays as it was, what was frozen, decided, closed or written too: triggers, so that it holds by any road
-- and not only through our actions. Demo systems may be removed whole.

CREATE FUNCTION operations_guard_freeze() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF NOT systems_is_demo(OLD.system_id) THEN
            RAISE EXCEPTION 'A freeze is never deleted.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF OLD.lifted_at IS NOT NULL THEN
        RAISE EXCEPTION 'A lifted freeze never changes.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.system_id, NEW.cause, NEW.reason, NEW.imposed_by_id, NEW.imposed_at)
        IS DISTINCT FROM (OLD.system_id, OLD.cause, OLD.reason, OLD.imposed_by_id, OLD.imposed_at) THEN
        RAISE EXCEPTION 'Why and by whom a system was frozen never changes.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER operations_guard BEFORE UPDATE OR DELETE ON operations_freeze
    FOR EACH ROW EXECUTE FUNCTION operations_guard_freeze();

CREATE FUNCTION operations_guard_drill() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF NOT systems_is_demo(OLD.system_id) THEN
            RAISE EXCEPTION 'A drill is never deleted.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF OLD.state = 'ended' THEN
        RAISE EXCEPTION 'A drill that has ended never changes.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.started_at IS NOT NULL AND NEW.started_at IS DISTINCT FROM OLD.started_at)
        OR (OLD.recovered_at IS NOT NULL AND NEW.recovered_at IS DISTINCT FROM OLD.recovered_at) THEN
        RAISE EXCEPTION 'A measured time never changes.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER operations_guard BEFORE UPDATE OR DELETE ON operations_drill
    FOR EACH ROW EXECUTE FUNCTION operations_guard_drill();

CREATE FUNCTION operations_guard_moment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    of_drill uuid := CASE WHEN TG_OP = 'INSERT' THEN NEW.drill_id ELSE OLD.drill_id END;
    of_system uuid;
    in_state text;
BEGIN
    SELECT system_id, state INTO of_system, in_state FROM operations_drill WHERE id = of_drill;
    IF TG_OP = 'INSERT' THEN
        IF in_state <> 'running' THEN
            RAISE EXCEPTION 'A drill has moments only while it runs.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' OR NOT systems_is_demo(of_system) THEN
        RAISE EXCEPTION 'A moment of a drill never changes.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER operations_guard BEFORE INSERT OR UPDATE OR DELETE ON operations_drillmoment
    FOR EACH ROW EXECUTE FUNCTION operations_guard_moment();

CREATE FUNCTION operations_guard_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' OR NOT systems_is_demo(OLD.system_id) THEN
        RAISE EXCEPTION 'Rows of % are only ever added.', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER operations_guard BEFORE UPDATE OR DELETE ON operations_statuschange
    FOR EACH ROW EXECUTE FUNCTION operations_guard_append_only();
CREATE TRIGGER operations_guard BEFORE UPDATE OR DELETE ON operations_budgetalarm
    FOR EACH ROW EXECUTE FUNCTION operations_guard_append_only();

CREATE FUNCTION operations_guard_review() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF NOT systems_is_demo(OLD.system_id) THEN
            RAISE EXCEPTION 'A review is never deleted.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF OLD.done_at IS NOT NULL THEN
        RAISE EXCEPTION 'A review that was made never changes.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.frozen_at IS NOT NULL AND (NEW.numbers, NEW.numbers_digest, NEW.frozen_at, NEW.until)
        IS DISTINCT FROM (OLD.numbers, OLD.numbers_digest, OLD.frozen_at, OLD.until) THEN
        RAISE EXCEPTION 'Frozen numbers never change.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.system_id, NEW.kind, NEW.release_label, NEW.since, NEW.due_at)
        IS DISTINCT FROM (OLD.system_id, OLD.kind, OLD.release_label, OLD.since, OLD.due_at) THEN
        RAISE EXCEPTION 'What a review is about, and when it is due, never changes.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER operations_guard BEFORE UPDATE OR DELETE ON operations_review
    FOR EACH ROW EXECUTE FUNCTION operations_guard_review();

CREATE FUNCTION operations_guard_roster() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    of_system uuid;
BEGIN
    IF TG_OP = 'DELETE' THEN
        SELECT system_id INTO of_system FROM operations_review WHERE id = OLD.review_id;
        IF NOT systems_is_demo(of_system) THEN
            RAISE EXCEPTION 'A line of a frozen roster is never deleted.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF OLD.decided_at IS NOT NULL OR (NEW.review_id, NEW.grant_id, NEW.person_id, NEW.role, NEW.everywhere, NEW.since)
        IS DISTINCT FROM (OLD.review_id, OLD.grant_id, OLD.person_id, OLD.role, OLD.everywhere, OLD.since) THEN
        RAISE EXCEPTION 'A frozen roster is decided line by line, once.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER operations_guard BEFORE UPDATE OR DELETE ON operations_rosterline
    FOR EACH ROW EXECUTE FUNCTION operations_guard_roster();

CREATE FUNCTION operations_guard_incident() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF NOT systems_is_demo(OLD.system_id) THEN
            RAISE EXCEPTION 'An incident is never deleted.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF OLD.closed_at IS NOT NULL THEN
        RAISE EXCEPTION 'A closed incident never changes.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.mitigated_at IS NOT NULL AND NEW.mitigated_at IS DISTINCT FROM OLD.mitigated_at THEN
        RAISE EXCEPTION 'A measured time never changes.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER operations_guard BEFORE UPDATE OR DELETE ON operations_incident
    FOR EACH ROW EXECUTE FUNCTION operations_guard_incident();

CREATE FUNCTION operations_guard_incident_moment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    of_system uuid;
BEGIN
    SELECT system_id INTO of_system FROM operations_incident WHERE id = OLD.incident_id;
    IF TG_OP = 'UPDATE' OR NOT systems_is_demo(of_system) THEN
        RAISE EXCEPTION 'A moment of an incident never changes.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER operations_guard BEFORE UPDATE OR DELETE ON operations_incidentmoment
    FOR EACH ROW EXECUTE FUNCTION operations_guard_incident_moment();

CREATE FUNCTION operations_guard_runbook_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    of_system uuid;
BEGIN
    SELECT system_id INTO of_system FROM operations_runbook WHERE id = OLD.runbook_id;
    IF TG_OP = 'UPDATE' OR NOT systems_is_demo(of_system) THEN
        RAISE EXCEPTION 'A version of a runbook never changes.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER operations_guard BEFORE UPDATE OR DELETE ON operations_runbookversion
    FOR EACH ROW EXECUTE FUNCTION operations_guard_runbook_version();

CREATE TRIGGER operations_guard BEFORE UPDATE OR DELETE ON operations_degradationplan
    FOR EACH ROW EXECUTE FUNCTION operations_guard_append_only();
CREATE TRIGGER operations_guard BEFORE UPDATE OR DELETE ON operations_feedback
    FOR EACH ROW EXECUTE FUNCTION operations_guard_append_only();
