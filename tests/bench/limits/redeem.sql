-- The limit of redeem(): the same rows read and written, with the same commits, by pgbench and nothing else.
-- Each client walks its own run of cards; a card's digest is md5 of its serial number here, so that SQL can name it.
\set n :n + 1
\set serial :first_serial + :client_id * :cards_per_client + :n
\set account random(:first_account, :last_account)
\set stripe random(0, 63)
WITH lease AS (
    INSERT INTO redemption_idempotencykey AS k (scope, key, request_hash, lease_until, created_at)
    VALUES ('account:' || :account, md5(:serial::text), decode(md5(:serial::text), 'hex'), now() + interval '1 minute', now())
    ON CONFLICT (scope, key) DO UPDATE SET lease_until = EXCLUDED.lease_until
        WHERE k.attempt_id IS NULL AND k.lease_until <= now() AND k.request_hash = EXCLUDED.request_hash
    RETURNING id, xmax = 0 AS is_new
), account AS (
    INSERT INTO redemption_throttle AS t (scope, key, recent, blocked_until, admitted, turned_away)
    SELECT 'account', :account::text, ARRAY[now()], NULL, true, 0 WHERE (SELECT is_new FROM lease)
    ON CONFLICT (scope, key) DO UPDATE SET (recent, blocked_until, admitted, turned_away) = (
        SELECT CASE WHEN x.blocked THEN t.recent ELSE x.kept || now() END,
            CASE WHEN x.blocked THEN t.blocked_until WHEN cardinality(x.kept) + 1 >= 4 THEN now() + interval '1 day' END,
            NOT x.blocked, t.turned_away + x.blocked::int
        FROM (SELECT coalesce(t.blocked_until > now(), false) AS blocked, ARRAY(SELECT tried FROM unnest(t.recent) AS tried
            WHERE t.blocked_until IS NULL AND tried > now() - interval '1 day') AS kept) AS x)
    RETURNING admitted, blocked_until
), address AS (
    INSERT INTO redemption_throttle AS t (scope, key, recent, blocked_until, admitted, turned_away)
    SELECT 'address', md5(:account::text), ARRAY[now()], NULL, true, 0 WHERE (SELECT is_new FROM lease)
    ON CONFLICT (scope, key) DO UPDATE SET (recent, blocked_until, admitted, turned_away) = (
        SELECT CASE WHEN x.blocked THEN t.recent ELSE x.kept || now() END,
            CASE WHEN x.blocked THEN t.blocked_until WHEN cardinality(x.kept) + 1 >= 40 THEN now() + interval '1 day' END,
            NOT x.blocked, t.turned_away + x.blocked::int
        FROM (SELECT coalesce(t.blocked_until > now(), false) AS blocked, ARRAY(SELECT tried FROM unnest(t.recent) AS tried
            WHERE t.blocked_until IS NULL AND tried > now() - interval '1 day') AS kept) AS x)
    RETURNING admitted, blocked_until
), program AS (
    INSERT INTO redemption_throttle AS t (scope, key, recent, blocked_until, admitted, turned_away)
    SELECT 'program', 'limit:' || :stripe, ARRAY[now()], NULL, true, 0 WHERE (SELECT is_new FROM lease)
    ON CONFLICT (scope, key) DO UPDATE SET (recent, blocked_until, admitted, turned_away) = (
        SELECT CASE WHEN x.blocked THEN t.recent ELSE x.kept || now() END,
            CASE WHEN x.blocked THEN t.blocked_until WHEN cardinality(x.kept) + 1 >= 63 THEN now() + interval '10 s' END,
            NOT x.blocked, t.turned_away + x.blocked::int
        FROM (SELECT coalesce(t.blocked_until > now(), false) AS blocked, ARRAY(SELECT tried FROM unnest(t.recent) AS tried
            WHERE t.blocked_until IS NULL AND tried > now() - interval '10 s') AS kept) AS x)
    RETURNING admitted, blocked_until
)
SELECT lease.id AS key_id, now() AS tried_at, account.admitted AS a1, address.admitted AS a2, program.admitted AS a3
FROM lease LEFT JOIN account ON true LEFT JOIN address ON true LEFT JOIN program ON true \gset
BEGIN;
SELECT a.id AS f_id, a.version AS f_account_version, a.country, a.currency, a.email_verified, a.plan, a.billing_provider,
    a.restriction, a.had_premium, a.premium_until, a.premium_anchor_day, a.last_seen_country, t.blocked_until,
    p.stacking_cap_months, p.refuses_third_party_billing, p.checks_location, p.time_zone, p.is_paused,
    c.serial AS f_serial, c.status, c.activated_at, r.account_id, b.id AS batch, b.version AS f_batch_version,
    b.status AS batch_status, b.retailer_id, b.expires_on, b.value AS f_value, b.currency AS f_currency, d.benefit,
    d.months, d.days, d.countries, d.plans, d.new_subscribers_only,
    (SELECT count(*) FROM redemption_attempt v WHERE v.account_id = a.id AND v.code_id = c.serial
        AND v.outcome = 'previewed' AND v.at > now() - interval '1 day') AS previews,
    (SELECT min(n.serial) FROM redemption_code n WHERE n.digest = ANY('{}'::bytea[]) HAVING count(*) = 1) AS near,
    pg_advisory_xact_lock_shared(1, b.id::int) AS locked
FROM redemption_account a
JOIN redemption_program p ON p.id = a.program_id
LEFT JOIN redemption_throttle t ON t.scope = 'account' AND t.key = a.id::text
LEFT JOIN (
    redemption_code c
    JOIN redemption_batch b ON b.id = c.batch_id
    JOIN redemption_product d ON d.id = b.product_id
    LEFT JOIN redemption_redemption r ON r.code_id = c.serial
    LEFT JOIN redemption_replacement i ON i.successor_id = c.serial
) ON c.digest = ANY(ARRAY[decode(md5(:serial::text), 'hex')]) AND d.program_id = a.program_id
WHERE a.id = :account::bigint
ORDER BY c.key_version DESC NULLS LAST LIMIT 1 \gset
WITH advanced AS (
    UPDATE redemption_account SET version = version + 1, premium_until = coalesce(NULL::date, premium_until),
        premium_anchor_day = coalesce(NULL::int, premium_anchor_day), had_premium = had_premium OR false
    WHERE id = :account::bigint AND version = :f_account_version::bigint
    RETURNING id, program_id
), claimed AS (
    UPDATE redemption_code AS c SET status = 2 FROM advanced, redemption_batch AS b
    WHERE c.serial = :f_serial::bigint AND c.status = 1 AND b.id = c.batch_id
        AND b.version = :f_batch_version::bigint AND b.status = 'active'
    RETURNING c.serial, b.id AS batch_id, b.retailer_id
), attempt AS (
    INSERT INTO redemption_attempt
        (reference, account_id, program_id, code_id, outcome, reason, channel, apparent_country, at)
    SELECT 'L' || :serial, advanced.id, advanced.program_id, claimed.serial, 'redeemed', '', 'web', '', now()
    FROM advanced, claimed
    RETURNING id
), redemption AS (
    INSERT INTO redemption_redemption (code_id, account_id, attempt_id, batch_id, value, currency, months, days, at)
    SELECT claimed.serial, advanced.id, attempt.id, claimed.batch_id, :f_value::bigint, 'GBP', 0, 0, now()
    FROM advanced, claimed, attempt
    RETURNING id
), premium AS (
    INSERT INTO redemption_premiumgrant (account_id, period, months, days, anchor_day, redemption_id, at)
    SELECT advanced.id, daterange(NULL, NULL), 0, 0, 1, redemption.id, now() FROM advanced, redemption
    WHERE NULL::date IS NOT NULL
), wallet AS (
    INSERT INTO redemption_wallet AS w (account_id, currency, balance)
    SELECT advanced.id, 'GBP', :f_value::bigint FROM advanced, claimed
    ON CONFLICT (account_id, currency) DO UPDATE SET balance = w.balance + EXCLUDED.balance
    RETURNING id
), transfer AS (
    INSERT INTO redemption_transfer (debit, credit, wallet_id, amount, currency, kind, source, program_id,
        retailer_id, batch_id, code_id, effective_at, recorded_at)
    SELECT 'liability', CASE WHEN wallet.id IS NULL THEN 'revenue' ELSE 'customer_credit' END, wallet.id,
        :f_value::bigint, 'GBP', 'redeem', 'code:' || claimed.serial, advanced.program_id, claimed.retailer_id,
        claimed.batch_id, claimed.serial, now(), now()
    FROM advanced, claimed LEFT JOIN wallet ON true
), finished AS (
    UPDATE redemption_idempotencykey SET attempt_id = attempt.id FROM attempt
    WHERE redemption_idempotencykey.id = :key_id::bigint
), given_back AS (
    UPDATE redemption_throttle AS t
    SET recent = (SELECT x.tries[1 + least(k.extra, cardinality(x.tries)):] FROM (SELECT
            t.recent[ : array_position(t.recent, :tried_at::timestamptz) - 1]
            || t.recent[array_position(t.recent, :tried_at::timestamptz) + 1:] AS tries) AS x),
        blocked_until = NULL
    FROM (VALUES ('account', :account::text, 0), ('address', md5(:account::text), 0),
        ('program', 'limit:' || :stripe, 0)) AS k (scope, key, extra)
    WHERE t.scope = k.scope AND t.key = k.key AND array_position(t.recent, :tried_at::timestamptz) IS NOT NULL
)
SELECT count(*) AS claimed FROM claimed \gset
COMMIT;
