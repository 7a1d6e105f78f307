# Redis' tests from its source, driven by the machine's tclsh; the server and the
# other programs are those under test. $1 is the source.
#
# Left out: what needs other programs of the source (modules, clusters,
# sentinels), and what takes very long by design.
units=${ONLY:-unit/printver unit/type/string unit/type/incr unit/type/list unit/type/list-2 unit/type/set \
    unit/type/zset unit/type/hash unit/type/stream unit/type/stream-cgroups unit/auth unit/acl unit/bitfield \
    unit/bitops unit/dump unit/expire unit/functions unit/geo unit/hyperloglog unit/info unit/info-command \
    unit/introspection unit/introspection-2 unit/keyspace unit/latency-monitor unit/lazyfree unit/limits unit/multi \
    unit/networking unit/other unit/pause unit/protocol unit/pubsub unit/querybuf unit/quit unit/scan unit/scripting \
    unit/shutdown unit/slowlog unit/sort unit/tracking unit/wait unit/aofrw \
    integration/aof integration/aof-multi-part integration/rdb integration/redis-cli integration/redis-benchmark \
    integration/replication-psync integration/block-repl integration/logging integration/shutdown}

# A folder as the tests expect it, with a program of one line for each.
mkdir src
cp -r "$1/tests" .
ln -s "$1/utils" "$1/redis.conf" .
built=${run##* }
built=${built%redis-server.km}
for tool in server cli benchmark check-rdb check-aof; do
    case $tool in
    check-*) program=$1/src/redis-server name=redis-$tool ;;
    *) program=${built}redis-$tool.km name=redis-$tool ;;
    esac
    # What is called redis-check-rdb is the server by another name.
    case $tool in
    check-*) mkdir -p named && ln -s "$program" "named/$name" && program=$PWD/named/$name ;;
    esac
    printf '#!/bin/sh\nexec %s "$@"\n' "${run%"${run##* }"}$program" >"src/$name"
    chmod +x "src/$name"
done

for unit in $units; do
    timeout 900 tclsh tests/test_helper.tcl --clients 1 --timeout 300 --single "$unit" >log 2>&1 ||
        grep -q '\[err\]' log || echo '[err]: to the end' >>log
    cat log >>all.log
    sed -e 's/\x1b\[[0-9;]*m//g' log | sed -n \
        -e "s,^\[ok\]: \(.*\) ([0-9]* ms)\$,ok $unit: \1,p" \
        -e "s,^\[err\]: \(.*\),failed $unit: \1,p" \
        -e "s,^\[\(exception\|timeout\)\]: \(.*\),failed $unit: \2,p" \
        -e "s,^\[ignore\]: \(.*\),skipped $unit: \1,p"
done
