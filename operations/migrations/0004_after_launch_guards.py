"""What was frozen, decided, closed or written stays as it was, by any road. Demo systems may be removed whole."""

from django.db import migrations

GUARDS = """
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
"""

UNGUARDED = """
DROP TRIGGER operations_guard ON operations_review;
DROP TRIGGER operations_guard ON operations_rosterline;
DROP TRIGGER operations_guard ON operations_incident;
DROP TRIGGER operations_guard ON operations_incidentmoment;
DROP TRIGGER operations_guard ON operations_runbookversion;
DROP TRIGGER operations_guard ON operations_degradationplan;
DROP TRIGGER operations_guard ON operations_feedback;
DROP FUNCTION operations_guard_review, operations_guard_roster, operations_guard_incident,
    operations_guard_incident_moment, operations_guard_runbook_version;
"""


class Migration(migrations.Migration):
    dependencies = [("operations", "0003_after_launch")]

    operations = [migrations.RunSQL(GUARDS, UNGUARDED)]
