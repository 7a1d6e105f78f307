PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 5001 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
INSERT INTO item SELECT i, printf('more-%05d', i), i FROM n;
COMMIT;
UPDATE item SET amount = 0 WHERE id > 8990;
PRAGMA wal_checkpoint(TRUNCATE);
INSERT INTO item VALUES (9001, 'last', 1);
SELECT count(*), max(id), sum(amount) FROM item;
