-- The limit of finding a code by what was typed: redeem()'s facts query, by pgbench.
\set serial random(:first_serial, :last_serial)
\set account random(:first_account, :last_account)
SELECT a.id, a.version, a.country, a.currency, a.email_verified, a.plan, a.billing_provider,
    a.restriction, a.had_premium, a.premium_until, a.premium_anchor_day, a.last_seen_country, t.blocked_until,
    p.stacking_cap_months, p.refuses_third_party_billing, p.checks_location, p.time_zone, p.is_paused,
    c.serial, c.status, c.activated_at, r.account_id, b.id, b.version, b.status, b.retailer_id,
    CASE WHEN b.purpose = 'replacements' THEN i.expires_on ELSE b.expires_on END,
    CASE WHEN b.purpose = 'replacements' THEN i.value ELSE b.value END,
    b.currency, d.benefit, d.months, d.days, d.countries, d.plans, d.new_subscribers_only,
    (SELECT count(*) FROM redemption_attempt v WHERE v.account_id = a.id AND v.code_id = c.serial
        AND v.outcome = 'previewed' AND v.at > now() - interval '1 day'),
    (SELECT min(n.serial) FROM redemption_code n WHERE n.digest = ANY('{}'::bytea[]) HAVING count(*) = 1),
    pg_advisory_xact_lock_shared(1, b.id::int)
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
ORDER BY c.key_version DESC NULLS LAST LIMIT 1;
