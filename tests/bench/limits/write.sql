-- One event in a transaction of 0 to 50 ms, as people at the desk write them.
\set ms random(0, 50)
BEGIN;
INSERT INTO support_auditevent (at, actor_id, actor_role, action, target, details)
    VALUES (now(), :client_id + 1, 'agent', 'looked_up', 'code:1000000123', '{}');
SELECT pg_sleep(:ms / 1000.0);
COMMIT;
