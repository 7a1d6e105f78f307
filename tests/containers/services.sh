# Servers in containers: a web server with a published port, redis with a volume, and all
# that an engine does with a container while it runs.
# km-test: needs=root,namespaces,/usr/sbin/dockerd,/usr/bin/crun,/usr/bin/curl,build/containers/rootfs.tar
. "$(dirname "$0")/lib.sh"

docker_starts
start() { docker run --detach --runtime "$runtime" "$@" >/dev/null || give_up "docker run $*"; }
# state FORMAT NAME
state() { docker inspect --format "{{.State.$1}}" "$2"; }

echo "a page" >index.html
start --name web --publish 127.0.0.1:8080:80 -v "$PWD/index.html:/srv/index.html:ro" \
    --health-cmd 'python3 -c "import urllib.request as u; u.urlopen(\"http://127.0.0.1\")"' \
    --health-interval 1s --health-timeout 20s --health-start-period 60s --memory 256m \
    debian python3 -u -c '
import http.server, os, signal, sys
os.chdir("/srv")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
signal.signal(signal.SIGUSR1, lambda *_: print("told", flush=True))
print("ready", flush=True)
http.server.HTTPServer(("", 80), http.server.SimpleHTTPRequestHandler).serve_forever()'
page() { curl --silent --fail --max-time 5 http://127.0.0.1:8080/; }
eventually "a published port" page
is "a page" "$(page)" "a page"
eventually "healthy" says healthy state Health.Status web
is "log" "$(docker logs web 2>/dev/null)" ready
works "top" docker top web -o pid,args
is "it has one process" "$(docker top web -o pid,args | grep -c 'import http.server')" 1
docker kill --signal USR1 web >/dev/null
told() { docker logs web 2>/dev/null | grep -q told; }
eventually "a signal" told
works "pause" docker pause web
is "it stands still" "$(state Status web) $(curl --silent --max-time 1 http://127.0.0.1:8080/ || echo silent)" "paused silent"
works "unpause" docker unpause web
eventually "it goes on" page
works "rename" docker rename web site
works "stats" docker stats --no-stream site
is "it has memory" "$(docker stats --no-stream --format '{{.MemUsage}}' site | grep -c '^[1-9].*/ 256MiB')" 1
is "exec" "$(docker exec -w /tmp -e A=b -u 1000 site sh -c 'echo $A; pwd; id -u')" "b
/tmp
1000"
is "exec with input" "$(echo in | docker exec -i site cat)" in
is "exec with a terminal" "$(docker exec -t site tty | tr -d '\r')" /dev/pts/0
docker exec site sh -c 'exit 5'
is "exec's code" $? 5
docker exec site /no/such >/dev/null 2>&1
case $? in 126 | 127 | 255) echo "ok exec of nothing" ;; *) is "exec of nothing" "?" "" ;; esac
works "a file comes out" docker cp site:/srv/index.html copy.html
is "the file" "$(cat copy.html)" "a page"
if [ -n "$RUN" ]; then
    echo 'while :; do sleep 0.2; done' >wait.sh
    docker cp wait.sh site:/wait.sh >/dev/null
    docker exec -d site sh /wait.sh
    waits() { docker top site -o pid,args | grep -q 'sh /wait.sh'; }
    eventually "exec in the background" waits
    is "all run under km" "$(docker top site -o pid | grep -v PID | xargs -I{} readlink /proc/{}/exe | sort -u)" /.km
else
    printf 'ok %s\n' "exec in the background" "all run under km"
fi
docker stop --time 60 site >/dev/null
is "stopped by SIGTERM" "$(state ExitCode site)" 7
docker start site >/dev/null
eventually "started again" page
docker restart --time 60 site >/dev/null
eventually "and again" page
docker rm --force site >/dev/null

start --name store --publish 127.0.0.1:6379:6379 --volume kept:/data --workdir /data debian \
    redis-server --protected-mode no --save 3600 1
cli() { docker exec store redis-cli "$@"; }
eventually "redis" says PONG cli ping
is "set" "$(cli set key value)" OK
is "from outside" "$(printf 'GET key\r\nQUIT\r\n' | timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/6379; cat >&3; cat <&3' | tr -d '\r' | tr '\n' ' ')" '$5 value +OK '
is "a snapshot by a child" "$(cli save)" OK
docker stop --time 60 store >/dev/null
is "redis has ended" "$(state ExitCode store)" 0
docker rm store >/dev/null
start --name store --volume kept:/data --workdir /data --read-only debian redis-server
eventually "redis again" says PONG cli ping
is "what was kept" "$(cli get key)" value
docker rm --force store >/dev/null
docker volume rm kept >/dev/null

start --name fails --restart on-failure:2 debian sh -c 'echo once; exit 4'
restarted() { [ "$(docker inspect --format '{{.RestartCount}} {{.State.Status}}' fails)" = "2 exited" ]; }
eventually "restarted twice" restarted
is "how often it ran" "$(docker logs fails | wc -l) $(state ExitCode fails)" "3 4"
docker rm fails >/dev/null

docker_stops
finish
