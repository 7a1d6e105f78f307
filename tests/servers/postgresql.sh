# PostgreSQL: a benchmark, parallel queries, and two crashes, of one process
# and of all.
# km-test: needs=root,namespaces,/usr/lib/postgresql,/usr/bin/setpriv
. "${0%/*}/lib.sh"

bin=$(echo /usr/lib/postgresql/*/bin | cut -d ' ' -f 1)
as_user="setpriv --reuid=postgres --regid=postgres --clear-groups"
at="-h 127.0.0.1 -p 7041 -U postgres"
mkdir data && chown postgres data
# shellcheck disable=SC2086 # words
{
    $as_user "$bin/initdb" -D data -A trust -N --locale=C.UTF-8 >initdb.log 2>&1
    psql() { timeout 30 "$bin/psql" $at -d postgres -qAt -c "$1" 2>&1; }
    bench() { timeout 40 "$bin/pgbench" $at "$@" postgres; }
    start() {
        serve postgres $as_user "$bin/postgres" -D "$PWD/data" -p 7041 -k "$PWD/data" \
            -c listen_addresses=127.0.0.1 -c fsync=off -c shared_buffers=16MB
        eventually "the server $1" says 1 psql "SELECT 1"
    }
}

start starts
works "the benchmark's tables" bench -i -q
works "the benchmark" bench -c 4 -j 2 -t 5
is "no money is lost" "$(psql "SELECT sum(abalance) = (SELECT sum(bbalance) FROM pgbench_branches),
    count(*), (SELECT count(*) FROM pgbench_history) FROM pgbench_accounts")" "t|100000|20"
parallel="SET parallel_setup_cost=0; SET parallel_tuple_cost=0; SET min_parallel_table_scan_size=0"
is "workers" "$(psql "$parallel; EXPLAIN (ANALYZE, COSTS off, TIMING off) SELECT count(*) FROM pgbench_accounts" |
    grep -c 'Workers Launched: 2')" 1
is "an error" "$(psql "SELECT 1/0")" "ERROR:  division by zero"
is "a time limit" "$(psql "SET statement_timeout=50; SELECT pg_sleep(20)")" \
    "ERROR:  canceling statement due to statement timeout"
psql "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number"

crash() { psql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'"; }
killed=$(crash)
kill -KILL "$killed"
another() { [ -n "$(crash)" ] && [ "$(crash)" != "$killed" ] && says 1 psql "SELECT 1"; }
eventually "all start anew" another
is "nothing is lost" "$(psql "SELECT count(*), sum(number) FROM kept")" "1000|500500"
# The number of the namespace here, for the server's own process.
stop postgres KILL 137
start "is back"
is "still nothing is lost" "$(psql "SELECT count(*), sum(number) FROM kept")" "1000|500500"
stop postgres INT
rm -rf data
finish
