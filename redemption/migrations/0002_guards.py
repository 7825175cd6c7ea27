"""What the database itself refuses, whoever asks: changed history, ended cards that come back, stale versions."""

from django.db import migrations

from redemption.append_only import append_only

APPEND_ONLY = [
    "redemption_transfer",
    "redemption_redemption",
    "redemption_attempt",
    "redemption_cardevent",
    "redemption_approval",
]

FUNCTIONS = """
CREATE FUNCTION redemption_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION redemption_refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: %', TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$;

-- Rules of eligibility read accounts and batches: each change to them shows in the version that redeem() matches.
CREATE FUNCTION redemption_advance_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END $$;

-- 1 is locks.BATCH: waits for the redemptions under way, which share it.
CREATE FUNCTION redemption_change_batch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1, OLD.id::int);
    NEW.version := OLD.version + 1;
    RETURN NEW;
END $$;

-- Whether the batch is still as its facts were read, and stays so to the end of the transaction. It waits for whoever
-- changes the batch (1 is locks.BATCH) and then looks anew: a volatile function's statements have snapshots of their
-- own, where the calling statement's is older than the wait.
CREATE FUNCTION redemption_hold_batch(batch bigint, expected bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1, batch::int);
    RETURN EXISTS (SELECT FROM redemption_batch WHERE id = batch AND version = expected AND status = 'active'
        AND breakage_posted_for IS NULL);
END $$;

-- For a statement that must do all that it says or nothing. Its writes go with it; class 40 means: try again.
CREATE FUNCTION redemption_undo() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'somebody else was faster' USING ERRCODE = 'serialization_failure';
END $$;

CREATE FUNCTION redemption_change_product() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.program_id, OLD.benefit, OLD.value, OLD.currency, OLD.months, OLD.days)
        IS DISTINCT FROM (NEW.program_id, NEW.benefit, NEW.value, NEW.currency, NEW.months, NEW.days)
        AND EXISTS (SELECT FROM redemption_batch WHERE product_id = OLD.id AND status <> 'draft') THEN
        RAISE EXCEPTION 'redemption_product: cards are out, so what they give cannot change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    UPDATE redemption_batch SET version = version + 1 WHERE product_id = OLD.id;
    RETURN NEW;
END $$;

CREATE FUNCTION redemption_change_program() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.digest_name <> NEW.digest_name THEN
        RAISE EXCEPTION 'redemption_program: the digest name goes into every digest and cannot change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    -- Expiry dates end in it, and breakage has been posted by it.
    IF OLD.time_zone <> NEW.time_zone AND EXISTS (SELECT FROM redemption_batch b
        JOIN redemption_product p ON p.id = b.product_id WHERE p.program_id = OLD.id AND b.status <> 'draft') THEN
        RAISE EXCEPTION 'redemption_program: cards are out, so the time zone cannot change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    -- Drafts redeem nothing: the outage switch must not wait for one that is being issued.
    UPDATE redemption_batch b SET version = b.version + 1
        FROM redemption_product p WHERE p.program_id = OLD.id AND p.id = b.product_id AND b.status <> 'draft';
    RETURN NEW;
END $$;

-- Stands in for the foreign key and the range check of a million rows: once for the set.
CREATE FUNCTION redemption_check_new_codes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT batch_id, min(serial) AS first, max(serial) AS last FROM added GROUP BY batch_id) AS run
        LEFT JOIN redemption_batch b ON b.id = run.batch_id
        WHERE b.id IS NULL OR b.serials IS NULL OR NOT (b.serials @> run.first AND b.serials @> run.last)
    ) THEN
        RAISE EXCEPTION 'redemption_code: serial numbers outside their batch' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
"""

TRIGGERS = """
CREATE TRIGGER account_version BEFORE UPDATE ON redemption_account
    FOR EACH ROW WHEN (NEW.version <= OLD.version AND OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION redemption_advance_version();

CREATE TRIGGER batch_change BEFORE UPDATE ON redemption_batch
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION redemption_change_batch();
CREATE TRIGGER batch_rewrite BEFORE UPDATE ON redemption_batch
    FOR EACH ROW WHEN (OLD.status <> 'draft' AND (OLD.product_id, OLD.retailer_id, OLD.code_format_id, OLD.serials,
        OLD.value, OLD.currency, OLD.purpose)
        IS DISTINCT FROM (NEW.product_id, NEW.retailer_id, NEW.code_format_id, NEW.serials,
        NEW.value, NEW.currency, NEW.purpose) OR OLD.status <> 'draft' AND NEW.status = 'draft')
    EXECUTE FUNCTION redemption_refuse_rewrite('codes are out, so what the batch is cannot change');
CREATE TRIGGER batch_removal BEFORE DELETE ON redemption_batch
    FOR EACH ROW WHEN (OLD.status <> 'draft')
    EXECUTE FUNCTION redemption_refuse_rewrite('codes are out, so the batch cannot be deleted');

CREATE TRIGGER product_change BEFORE UPDATE ON redemption_product
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION redemption_change_product();
CREATE TRIGGER program_change BEFORE UPDATE ON redemption_program
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION redemption_change_program();
CREATE TRIGGER format_rewrite BEFORE UPDATE OR DELETE ON redemption_codeformat
    FOR EACH ROW EXECUTE FUNCTION redemption_refuse_rewrite('printed cards keep the format they were made with');

CREATE TRIGGER code_insert AFTER INSERT ON redemption_code REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION redemption_check_new_codes();
CREATE TRIGGER code_rewrite BEFORE UPDATE ON redemption_code
    FOR EACH ROW WHEN (OLD.serial <> NEW.serial OR OLD.batch_id <> NEW.batch_id OR OLD.last_four <> NEW.last_four
        OR (OLD.digest <> NEW.digest AND NEW.key_version <> OLD.key_version + 1)
        OR OLD.activated_at IS DISTINCT FROM NEW.activated_at AND OLD.activated_at IS NOT NULL)
    EXECUTE FUNCTION redemption_refuse_rewrite('what a card is cannot change');
-- 2 redeemed, 4 void, 5 replaced: final.
CREATE TRIGGER code_revival BEFORE UPDATE ON redemption_code
    FOR EACH ROW WHEN (OLD.status IN (2, 4, 5) AND NEW.status <> OLD.status)
    EXECUTE FUNCTION redemption_refuse_rewrite('a redeemed, void or replaced card stays what it is');
CREATE TRIGGER code_removal BEFORE DELETE ON redemption_code
    FOR EACH ROW EXECUTE FUNCTION redemption_refuse_change();
CREATE TRIGGER code_truncation BEFORE TRUNCATE ON redemption_code
    FOR EACH STATEMENT EXECUTE FUNCTION redemption_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("redemption", "0001_initial")]

    operations = [
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
        migrations.RunSQL(TRIGGERS, migrations.RunSQL.noop),
        *[append_only(table) for table in APPEND_ONLY],
    ]
