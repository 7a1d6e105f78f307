CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL, amount REAL);
CREATE TABLE place (id INTEGER REFERENCES item (id), shelf TEXT);
CREATE INDEX item_name ON item (name);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
INSERT INTO item SELECT i, printf('item-%05d', (i * 7919) % 99991), (i * 37 % 1000) / 8.0 FROM n;
INSERT INTO place SELECT id, printf('shelf %02d', id % 17) FROM item;
COMMIT;
UPDATE item SET amount = amount + 1 WHERE id % 3 = 0;
DELETE FROM place WHERE id % 5 = 0;
