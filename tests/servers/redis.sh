# Redis: commands, a snapshot by a forked child, the log of commands and its
# rewriting, replication from one server to another.
# km-test: needs=root,namespaces,/usr/bin/redis-server,/usr/bin/redis-benchmark
. "${0%/*}/lib.sh"

cli() { timeout 20 redis-cli -p "$@"; }
field() { cli "$1" info persistence | tr -d '\r' | sed -n "s/^$2://p"; }
# A checksum of what is stored under 500 keys.
sum() {
    cli "$1" eval "local all = {} for i = 1, 500 do all[i] = redis.call('get', 'key' .. i) end
        return redis.sha1hex(table.concat(all, ','))" 0
}
fill() {
    local i
    for i in $(seq 500); do echo "SET key$i $1-$i"; done | cli 7001 --pipe | grep errors:
}

mkdir first second
options=(--bind 127.0.0.1 --save '' --repl-diskless-sync-delay 0)
serve first redis-server --port 7001 --dir first "${options[@]}"
eventually "first answers" says PONG cli 7001 ping
for pipeline in 1 16; do
    works "benchmark, pipeline $pipeline" timeout 30 redis-benchmark -p 7001 -n 200 -c 5 -P $pipeline \
        -t ping,set,get,incr,lpush,lrange_100 -q
done
cli 7001 flushall

is "many commands" "$(fill a)" "errors: 0, replies: 500"
saved=$(sum 7001)
cli 7001 bgsave
eventually "the child is done" says 0 field 7001 rdb_bgsave_in_progress
is "and has saved" "$(field 7001 rdb_last_bgsave_status)" ok
cli 7001 shutdown nosave
ended first 0
serve first redis-server --port 7001 --dir first "${options[@]}"
eventually "first answers again" says PONG cli 7001 ping
is "what was saved is there" "$(sum 7001)" "$saved"

cli 7001 config set appendonly yes
eventually "the log is begun" says 0 field 7001 aof_rewrite_in_progress
is "more commands" "$(fill b)" "errors: 0, replies: 500"
cli 7001 bgrewriteaof
eventually "the log is rewritten" says 0 field 7001 aof_rewrite_in_progress
is "successfully" "$(field 7001 aof_last_bgrewrite_status)" ok
cli 7001 config set appendfsync always
is "and more" "$(fill c)" "errors: 0, replies: 500"
logged=$(sum 7001)
stop first KILL 137
serve first redis-server --port 7001 --dir first --appendonly yes "${options[@]}"
eventually "first is back" says PONG cli 7001 ping
is "what was logged is there" "$(sum 7001)" "$logged"

serve second redis-server --port 7002 --dir second --replicaof 127.0.0.1 7001 "${options[@]}"
eventually "second has a copy" says "$logged" sum 7002
cli 7001 set key1 new
eventually "a change arrives" says new cli 7002 get key1
is "a copy is not written to" "$(cli 7002 set key1 x | cut -d ' ' -f 1)" READONLY
stop first TERM
cli 7002 replicaof no one
is "until it is the first" "$(cli 7002 set key1 x)" OK
stop second INT
finish
