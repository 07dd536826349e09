-- What the database itself refuses, whoever asks and by whatever path.

-- 1. Everything that a signature covers changes under the release's lock, or not at all. `releases_lock` takes the row
--    lock and notes, until the transaction ends, which releases it holds; the triggers compare. (A savepoint that is
--    rolled back gives up both.) What this does not stop: SQL that sets the note by hand. That takes intent, and the
--    record of decisions would still show the change.
CREATE FUNCTION releases_lock(release uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM releases_release WHERE id = release FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no release %.', release USING ERRCODE = 'no_data_found';
    END IF;
    PERFORM set_config('readiness.locked',
                       coalesce(current_setting('readiness.locked', true), '') || ',' || release::text, true);
END $$;

CREATE FUNCTION releases_demand_lock(release uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF position(release::text IN coalesce(current_setting('readiness.locked', true), '')) = 0 THEN
        RAISE EXCEPTION 'Release % is changed without its lock. Use releases.locking.changing.', release
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;

CREATE FUNCTION releases_guard_part() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM releases_demand_lock(OLD.release_id); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM releases_demand_lock(NEW.release_id); RETURN NEW; END IF;
    RETURN OLD;
END $$;

CREATE FUNCTION releases_guard_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (to_jsonb(NEW) - 'superseded_at') <> (to_jsonb(OLD) - 'superseded_at') THEN
        RAISE EXCEPTION 'Evidence does not change: attach a newer one.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM releases_demand_lock(release_id) FROM releases_item
        WHERE id = CASE WHEN TG_OP = 'DELETE' THEN OLD.item_id ELSE NEW.item_id END;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER releases_pin_locked BEFORE INSERT OR UPDATE OR DELETE ON releases_pin
    FOR EACH ROW EXECUTE FUNCTION releases_guard_part();
CREATE TRIGGER releases_item_locked BEFORE INSERT OR UPDATE OR DELETE ON releases_item
    FOR EACH ROW EXECUTE FUNCTION releases_guard_part();
CREATE TRIGGER releases_answer_locked BEFORE INSERT OR UPDATE OR DELETE ON releases_answer
    FOR EACH ROW EXECUTE FUNCTION releases_guard_part();
CREATE TRIGGER releases_plan_locked BEFORE INSERT OR DELETE OR UPDATE OF strategy, share, hours, steps, shadow_source_id, shadow_hours,
        error_rate_max, p95_ms_max, source_id ON releases_rollout
    FOR EACH ROW EXECUTE FUNCTION releases_guard_part();
CREATE TRIGGER releases_evidence_locked BEFORE INSERT OR UPDATE OR DELETE ON releases_evidence
    FOR EACH ROW EXECUTE FUNCTION releases_guard_evidence();

-- 2. A release changes state under its lock, and only along the life that the model draws.
CREATE FUNCTION releases_guard_release() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state THEN
        PERFORM releases_demand_lock(OLD.id);
        IF (OLD.state, NEW.state) NOT IN (
            ('draft', 'pre-production'), ('draft', 'abandoned'), ('pre-production', 'abandoned'),
            ('pre-production', 'shadow'), ('pre-production', 'canary'), ('shadow', 'pre-production'),
            ('shadow', 'rolled-back'), ('canary', 'rolled-back'), ('canary', 'live'),
            ('live', 'superseded'), ('live', 'rolled-back'), ('superseded', 'live')) THEN
            RAISE EXCEPTION 'A release does not go from % to %.', OLD.state, NEW.state USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.state IN ('canary', 'shadow') AND NOT EXISTS (
            SELECT 1 FROM releases_decision WHERE release_id = NEW.id
                AND occasion = CASE WHEN NEW.state = 'canary' THEN 'started' ELSE 'shadow' END) THEN
            RAISE EXCEPTION 'A rollout starts with a decision.' USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.state = 'live' AND NOT EXISTS (
            SELECT 1 FROM releases_decision WHERE release_id = NEW.id AND occasion = 'promoted' AND cleared) THEN
            RAISE EXCEPTION 'A release goes live with a cleared decision.' USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    IF OLD.state NOT IN ('draft', 'pre-production') AND
       (NEW.standard_id, NEW.policy_id, NEW.label, NEW.system_id)
           IS DISTINCT FROM (OLD.standard_id, OLD.policy_id, OLD.label, OLD.system_id) THEN
        RAISE EXCEPTION 'From the start of the rollout on, standard and policy are fixed.' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER releases_release_life BEFORE UPDATE ON releases_release
    FOR EACH ROW EXECUTE FUNCTION releases_guard_release();

-- 3. One person never holds both sides of a release, and a signature covers the state and a go of this very transaction.
CREATE FUNCTION releases_guard_sign_off() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'Signatures are not deleted.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM releases_demand_lock(NEW.release_id);
    IF TG_OP = 'UPDATE' THEN
        IF (to_jsonb(NEW) - '{voided_at,void_reason,withdrawn_at}'::text[])
               <> (to_jsonb(OLD) - '{voided_at,void_reason,withdrawn_at}'::text[])
           OR (OLD.voided_at IS NOT NULL AND NEW.voided_at IS DISTINCT FROM OLD.voided_at)
           OR (OLD.withdrawn_at IS NOT NULL AND NEW.withdrawn_at IS DISTINCT FROM OLD.withdrawn_at) THEN
            RAISE EXCEPTION 'A signature is voided or withdrawn, never changed.' USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    END IF;
    IF EXISTS (SELECT 1 FROM releases_signoff WHERE release_id = NEW.release_id AND signer_id = NEW.signer_id
               AND side <> NEW.side AND withdrawn_at IS NULL) THEN
        RAISE EXCEPTION 'This person holds the other side of the release.' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.statement->>'state_digest' IS DISTINCT FROM NEW.state_digest
       OR NEW.statement->'verdict'->>'outcome' IS DISTINCT FROM 'go' THEN
        RAISE EXCEPTION 'A signature covers a go, on the state that it names.' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER releases_signoff_guard BEFORE INSERT OR UPDATE OR DELETE ON releases_signoff
    FOR EACH ROW EXECUTE FUNCTION releases_guard_sign_off();

-- 4. Decisions and published standards are kept as they are.
CREATE FUNCTION releases_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: its rows are kept as they are.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER releases_decision_kept BEFORE UPDATE OR DELETE ON releases_decision
    FOR EACH ROW EXECUTE FUNCTION releases_refuse_change();
CREATE TRIGGER releases_standard_kept BEFORE DELETE OR UPDATE OF
        number, title, body, sha256, published_at, line, system, base, weakens, author_id, approver_id,
        platform_approver_id
    ON releases_standardversion FOR EACH ROW EXECUTE FUNCTION releases_refuse_change();
CREATE TRIGGER releases_comment_kept BEFORE UPDATE OR DELETE ON releases_comment
    FOR EACH ROW EXECUTE FUNCTION releases_refuse_change();
CREATE TRIGGER releases_phasereport_kept BEFORE UPDATE OR DELETE ON releases_phasereport
    FOR EACH ROW EXECUTE FUNCTION releases_refuse_change();

-- A shadow run that ended is kept.
CREATE FUNCTION releases_guard_shadow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.state <> 'running' THEN
        RAISE EXCEPTION 'A shadow run that ended is kept as it is.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER releases_shadow_kept BEFORE UPDATE OR DELETE ON releases_shadowrun
    FOR EACH ROW EXECUTE FUNCTION releases_guard_shadow();
