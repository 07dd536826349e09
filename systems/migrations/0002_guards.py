"""What was written stays as it was written: triggers, so that it holds by any road and not only through our actions."""

from django.db import migrations

GUARDS = """
CREATE FUNCTION systems_guard_system() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF NOT OLD.is_demo THEN
            RAISE EXCEPTION 'A system is never deleted.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF (NEW.slug, NEW.is_demo, NEW.created_by_id, NEW.created_at)
        IS DISTINCT FROM (OLD.slug, OLD.is_demo, OLD.created_by_id, OLD.created_at) THEN
        RAISE EXCEPTION 'The slug and the origin of a system never change.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER systems_guard BEFORE UPDATE OR DELETE ON systems_system
    FOR EACH ROW EXECUTE FUNCTION systems_guard_system();

CREATE FUNCTION systems_is_demo(of_system uuid) RETURNS boolean LANGUAGE sql STABLE AS
    'SELECT coalesce((SELECT is_demo FROM systems_system WHERE id = of_system), true)';

CREATE FUNCTION systems_guard_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    reviewed CONSTANT text[] := ARRAY['approved', 'deprecated', 'retired'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF NOT systems_is_demo((SELECT system_id FROM systems_component WHERE id = OLD.component_id)) THEN
            RAISE EXCEPTION 'A version is never deleted.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF (NEW.component_id, NEW.number, NEW.sha256, NEW.content, NEW.vault_digest, NEW.size, NEW.media_type, NEW.meta,
        NEW.author_id, NEW.created_at)
        IS DISTINCT FROM
       (OLD.component_id, OLD.number, OLD.sha256, OLD.content, OLD.vault_digest, OLD.size, OLD.media_type, OLD.meta,
        OLD.author_id, OLD.created_at) THEN
        RAISE EXCEPTION 'The content of a version never changes.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = ANY (reviewed) THEN
        IF coalesce(array_position(reviewed, NEW.state::text), 0) < array_position(reviewed, OLD.state::text) THEN
            RAISE EXCEPTION 'A version does not go back from % to %.', OLD.state, NEW.state
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF (NEW.reviewer_id, NEW.reviewed_at, NEW.submitted_at, NEW.note, NEW.review_note)
            IS DISTINCT FROM (OLD.reviewer_id, OLD.reviewed_at, OLD.submitted_at, OLD.note, OLD.review_note) THEN
            RAISE EXCEPTION 'The review of a version never changes.' USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER systems_guard BEFORE UPDATE OR DELETE ON systems_version
    FOR EACH ROW EXECUTE FUNCTION systems_guard_version();

CREATE FUNCTION systems_guard_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF NOT systems_is_demo(OLD.system_id) THEN
            RAISE EXCEPTION 'A policy is never deleted.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF (NEW.system_id, NEW.number, NEW.body, NEW.sha256, NEW.weakens, NEW.reason, NEW.shipped, NEW.author_id,
        NEW.created_at)
        IS DISTINCT FROM
       (OLD.system_id, OLD.number, OLD.body, OLD.sha256, OLD.weakens, OLD.reason, OLD.shipped, OLD.author_id,
        OLD.created_at) THEN
        RAISE EXCEPTION 'The text of a policy never changes.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT (OLD.state = NEW.state
            OR (OLD.state = 'draft' AND NEW.state IN ('approved', 'declined'))
            OR (OLD.state = 'approved' AND NEW.state = 'superseded')) THEN
        RAISE EXCEPTION 'A policy does not go from % to %.', OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state <> 'draft' AND (NEW.approver_id, NEW.platform_approver_id, NEW.approved_at)
        IS DISTINCT FROM (OLD.approver_id, OLD.platform_approver_id, OLD.approved_at) THEN
        RAISE EXCEPTION 'The approval of a policy never changes.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'superseded' AND NEW.superseded_at IS DISTINCT FROM OLD.superseded_at THEN
        RAISE EXCEPTION 'When a policy was superseded never changes.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER systems_guard BEFORE UPDATE OR DELETE ON systems_releasepolicy
    FOR EACH ROW EXECUTE FUNCTION systems_guard_policy();
CREATE TRIGGER systems_guard BEFORE UPDATE OR DELETE ON systems_runningpolicy
    FOR EACH ROW EXECUTE FUNCTION systems_guard_policy();
"""

REMOVE = """
DROP TRIGGER systems_guard ON systems_system;
DROP TRIGGER systems_guard ON systems_version;
DROP TRIGGER systems_guard ON systems_releasepolicy;
DROP TRIGGER systems_guard ON systems_runningpolicy;
DROP FUNCTION systems_guard_system, systems_guard_version, systems_guard_policy, systems_is_demo;
"""


class Migration(migrations.Migration):
    dependencies = [("systems", "0001_initial")]

    operations = [migrations.RunSQL(GUARDS, REMOVE)]
