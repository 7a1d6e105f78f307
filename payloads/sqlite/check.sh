title 'memory'
payload :memory: 'SELECT 6 * 7, upper("km"), hex(x'"'00ff'"'), typeof(1.5), round(pi(), 6), printf("%05.1f", 2.25);'

title 'tables of some thousand rows, in a file'
payload test.db <"$folder/fill.sql"
payload -header -csv test.db 'SELECT count(*) AS rows, sum(amount) AS total, min(name), max(name) FROM item;'
payload -separator " " test.db 'SELECT shelf, count(*) AS items, round(avg(amount), 3) AS mean FROM item JOIN place USING (id) GROUP BY shelf ORDER BY shelf LIMIT 4;'
payload test.db 'PRAGMA integrity_check; PRAGMA foreign_key_check;'

title 'rollback'
payload test.db 'BEGIN; DELETE FROM item; SELECT count(*) FROM item; ROLLBACK; SELECT count(*) FROM item;'

title 'write-ahead log'
payload test.db <"$folder/wal.sql"
ls test.db*
payload test.db 'PRAGMA journal_mode; SELECT count(*), max(id) FROM item; PRAGMA integrity_check;'

title 'memory-mapped'
payload test.db 'PRAGMA mmap_size = 67108864; SELECT count(*), sum(length(name)) FROM item;'

title 'recursive query'
payload :memory: 'WITH RECURSIVE f(n, a, b) AS (SELECT 1, 0, 1 UNION ALL SELECT n + 1, b, a + b FROM f WHERE n < 90) SELECT n, a FROM f WHERE n % 30 = 0;'

title 'full text, JSON, dates'
payload :memory: 'CREATE VIRTUAL TABLE note USING fts5(text); INSERT INTO note VALUES ("a virtual machine"), ("a real program"), ("machine and program"); SELECT rowid, snippet(note, 0, "[", "]", "", 9) FROM note WHERE note MATCH "machine" ORDER BY rowid;'
payload :memory: "SELECT json_extract('{\"a\": [1, {\"b\": \"deep\"}]}', '\$.a[1].b'), date('2024-02-28', '+2 days'), strftime('%s', '2001-09-09 01:46:40');"

title 'vacuum, dump, restore'
payload test.db 'VACUUM;'
payload test.db .dump >dump.sql
payload copy.db <dump.sql
payload copy.db .dump | cmp - dump.sql && echo same
payload test.db '.mode csv' '.output items.csv' 'SELECT id, name, amount FROM item WHERE id <= 2000;'
wc -l <items.csv
payload import.db '.mode csv' 'CREATE TABLE item (id INTEGER, name, amount);' '.import items.csv item' 'SELECT count(*), sum(id) FROM item;'

# Runs SQL, and leaves the connection open until the file `go` appears.
hold() {
    rm -f go holder
    { printf '%s\nSELECT "holding";\n' "$2"; await go .; echo "$3"; } | payload "$1" >holder &
    await holder holding
}
release() {
    echo go >go
    wait
}

title 'a writer in another process: readers of the log see what was before'
hold test.db 'BEGIN IMMEDIATE; DELETE FROM item WHERE id > 100;' 'COMMIT;'
ls test.db*
payload test.db 'SELECT count(*) FROM item;'
release
payload test.db 'SELECT count(*) FROM item;'

title 'locked by another process'
hold import.db 'BEGIN EXCLUSIVE;' 'COMMIT;'
status payload import.db 'INSERT INTO item VALUES (1, 2, 3);' 2>&1 | sed -e 's/.*database is locked.*/database is locked/'
release
status payload import.db 'INSERT INTO item VALUES (1, 2, 3);'

title 'errors'
status payload :memory: 'SELECT * FROM nowhere;' 2>&1 | sed -e 's/.*no such table: nowhere.*/no such table/'
status payload -readonly missing.db 'SELECT 1 FROM sqlite_master;' 2>&1 | sed -e 's/.*unable to open.*/unable to open/'
