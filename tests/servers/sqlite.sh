# SQLite: many processes write to one database, with both kinds of journal.
# km-test: needs=root,namespaces,/usr/bin/sqlite3
. "${0%/*}/lib.sh"

# shellcheck disable=SC2086 # words, or nothing
sql() { timeout 40 $RUN sqlite3 -cmd '.timeout 30000' "$@"; }
writer() {
    local i
    for i in 1 2 3; do
        sql "$1" "BEGIN IMMEDIATE; INSERT INTO t VALUES ($2, $i, randomblob(5000));
            INSERT INTO t VALUES ($2, -$i, randomblob(5000)); COMMIT;" || echo "writer $2 fails"
    done
}
for journal in wal delete; do
    base=$journal.db
    is "journal" "$(sql "$base" "PRAGMA journal_mode=$journal")" $journal
    sql "$base" 'CREATE TABLE t (writer, number, data)'
    for number in 1 2 3 4; do writer "$base" $number & done
    wait
    is "all is there" "$(sql "$base" 'SELECT count(*), sum(number), total(length(data)) FROM t')" "24|0|120000.0"

    # One that is killed in the middle of its transaction.
    mkfifo held
    # shellcheck disable=SC2086 # words, or nothing
    $RUN sqlite3 "$base" <held >"$journal.log" 2>&1 &
    killed=$!
    exec 7>held
    echo "PRAGMA cache_size=2; BEGIN IMMEDIATE; UPDATE t SET number = 7, data = zeroblob(9000); SELECT 'begun';" >&7
    eventually "a transaction" grep -q begun "$journal.log"
    is "locks out others" "$(sqlite3 "$base" 'BEGIN IMMEDIATE' 2>&1 | grep -c locked)" 1
    kill -KILL $killed
    wait $killed 2>/dev/null
    exec 7>&-
    rm held
    is "and is taken back" "$(sql "$base" 'SELECT count(*), sum(number) FROM t')" "24|0"
    is "the database is whole" "$(sqlite3 "$base" 'PRAGMA integrity_check')" ok
done
finish
