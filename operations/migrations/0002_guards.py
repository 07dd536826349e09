"""What is over stays as it was: triggers, so that it holds by any road and not only through our actions."""

from django.db import migrations

GUARDS = """
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
"""

UNGUARDED = """
DROP TRIGGER operations_guard ON operations_freeze;
DROP TRIGGER operations_guard ON operations_drill;
DROP TRIGGER operations_guard ON operations_drillmoment;
DROP TRIGGER operations_guard ON operations_statuschange;
DROP TRIGGER operations_guard ON operations_budgetalarm;
DROP FUNCTION operations_guard_freeze, operations_guard_drill, operations_guard_moment, operations_guard_append_only;
"""


class Migration(migrations.Migration):
    dependencies = [("operations", "0001_start"), ("systems", "0002_guards")]

    operations = [migrations.RunSQL(GUARDS, UNGUARDED)]
