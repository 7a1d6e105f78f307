# One server at a time, its clients under test as well.
tool() {
    program=$1
    shift
    timeout --foreground 120 ${run%redis-server.km}"$program.km" "$@"
}
cli() { tool redis-cli -p "$port" "$@" </dev/null; }
port=$((20000 + $$ % 10000))

# start OPTION...: a server in this directory, once it answers.
start() {
    rm -f log
    serve --port "$port" --bind 127.0.0.1 --save '' --enable-debug-command local \
        --logfile log "$@" >/dev/null
    server=$!
    await log 'Ready to accept connections'
}
# finished: the server has ended by itself.
finished() {
    status wait "$server"
}
# field NAME: from what the server says of its persistence.
field() {
    cli info persistence | tr -d '\r' | sed -n "s/^$1://p"
}
# idle FIELD: until the child that saves is gone.
idle() {
    for _ in $(seq 200); do
        [ "$(field "$1")" != 0 ] || return 0
        sleep 0.1
    done
    echo "$1 stays"
}
# The same for the same data, in whichever order they are stored.
digest() {
    cli debug digest
}

title 'a server'
start
cli ping
cli set greeting 'hello from redis'
cli get greeting
cli incrby counter 42
cli rpush list a b c d
cli lrange list 1 2
cli hset hash one 1 two 2
cli zadd scores 3 three 1 one 2 two
cli zrange scores 0 -1 withscores
cli setrange text 10 end
cli xadd stream 1-1 field value
cli xrange stream - +
cli pfadd visitors a b c a
cli pfcount visitors
cli geoadd places 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
cli geodist places Palermo Catania km
cli lpush greeting x

title 'commands through a pipe'
for i in $(seq 2000); do echo "SET key$i value-$i"; done >commands
tool redis-cli -p "$port" --pipe <commands | tail -n 1
cli dbsize

title 'a transaction, and one that is abandoned'
printf 'MULTI\nINCR counter\nGET counter\nEXEC\nMULTI\nINCR counter\nDISCARD\nGET counter\n' |
    tool redis-cli -p "$port"

title 'scripts'
cli eval "local sum = 0 for i = 1, 2000 do sum = sum + #redis.call('get', 'key' .. i) end return sum" 0
cli eval "return {KEYS[1], ARGV[1], redis.sha1hex(ARGV[1]), cjson.encode({1, 2, {a = 'b'}})}" 1 key argument
cli eval "return redis.call('incr', 'greeting')" 0 2>&1 | sed 's/ script: .*//'
sum=$(cli script load "return redis.call('strlen', KEYS[1]) * 2")
cli evalsha "$sum" 1 greeting
cli function load "#!lua name=checks
redis.register_function('twice', function(keys, args) return args[1] * 2 end)"
cli fcall twice 0 21

title 'publish and subscribe'
# shellcheck disable=SC2086 # the words of $run
timeout --foreground 60 ${run%redis-server.km}redis-cli.km -p "$port" subscribe news >heard &
await heard 1
cli publish news 'something happened'
await heard happened
kill $!
wait $! 2>/dev/null
cat heard

title 'what expires'
cli set short-lived x px 50
sleep 0.2
cli get short-lived
cli set longer-lived x ex 1000
cli ttl longer-lived | sed 's/^9[0-9][0-9]$/1000/'

title 'benchmark'
for test in ping set get incr lpush rpop sadd hset zadd lrange_100 mset; do
    tool redis-benchmark -p "$port" -n 500 -c 20 -P 4 -t $test -q | tr '\r' '\n' |
        sed -n 's/^\([^:]*\): [0-9.]* requests per second.*/\1 done/p'
done
cli flushall
tool redis-cli -p "$port" --pipe <commands | tail -n 1

title 'a snapshot, made by a child'
before=$(digest)
cli bgsave
idle rdb_bgsave_in_progress
field rdb_last_bgsave_status
cli shutdown nosave
finished
start
[ "$(digest)" = "$before" ] && echo 'as it was'
cli dbsize

title 'a log of commands, and its rewriting by a child'
cli config set appendonly yes
idle aof_rewrite_in_progress
for i in $(seq 300); do echo "APPEND key$i -more"; done | tool redis-cli -p "$port" --pipe | tail -n 1
cli bgrewriteaof
idle aof_rewrite_in_progress
field aof_last_bgrewrite_status
cli config set appendfsync always
for i in $(seq 300); do echo "RPUSH list$((i % 7)) $i"; done | tool redis-cli -p "$port" --pipe | tail -n 1
before=$(digest)
cli debug loadaof
[ "$(digest)" = "$before" ] && echo 'as it was'
cli shutdown
finished
start --appendonly yes
[ "$(digest)" = "$before" ] && echo 'as it was'
cli get key7
cli lrange list3 0 4

title 'threads that read and write'
cli shutdown nosave
finished
start --appendonly yes --io-threads 3 --io-threads-do-reads yes
tool redis-benchmark -p "$port" -n 1000 -c 30 -P 8 -t get -q | tr '\r' '\n' |
    sed -n 's/^\([^:]*\): [0-9.]* requests per second.*/\1 done/p'
[ "$(digest)" = "$before" ] && echo 'as it was'

title 'a signal ends it'
kill -TERM "$server"
finished
grep -o 'Redis is now ready to exit, bye bye' log

title 'errors'
status payload --port nonsense 2>&1 | grep -e status -e '^[a-z]'
status cli ping 2>&1 | sed "s,:$port:,:PORT:,"
