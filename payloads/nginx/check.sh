port=$((20000 + $$ % 10000))
mkdir -p www/old logs temp
echo 'hello from nginx' >www/index.html
seq 200000 >www/numbers.txt
echo 'the words are old' >www/words.html
# The same word in three ways.
cat >passwords <<'PASSWORDS'
md5:$1$saltstri$WHZcnT3IOdSrMvizOq7Ht1
sha256:$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.
sha512:$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.
PASSWORDS

get() { curl --silent --max-time 20 "http://127.0.0.1:$port/$1"; }
code() { curl --silent --max-time 20 --output /dev/null --write-out '%{http_code}\n' "$@"; }
# becomes WANTED COMMAND...: sooner or later it prints this.
becomes() {
    wanted=$1
    shift
    for _ in $(seq 200); do
        [ "$("$@" 2>/dev/null)" != "$wanted" ] || { echo "$wanted"; return 0; }
        sleep 0.1
    done
    echo "never: $wanted"
}
workers() { wc -w <"/proc/$(cat nginx.pid)/task/$(cat nginx.pid)/children"; }

configure() {
    cat >nginx.conf <<CONFIGURATION
worker_processes 2;
pid nginx.pid;
error_log logs/error.log notice;
events { worker_connections 256; }
http {
    access_log logs/access.log;
    client_body_temp_path temp/body;
    proxy_temp_path temp/proxy;
    fastcgi_temp_path temp/fastcgi;
    uwsgi_temp_path temp/uwsgi;
    scgi_temp_path temp/scgi;
    types { text/plain txt; text/html html; }
    keepalive_timeout 60;
    server {
        listen 127.0.0.1:$port;
        listen 127.0.0.1:$((port + 1)) http2;
        root www;
        aio threads;
        sendfile on;
        gzip on;
        gzip_types text/plain;
        location /version { return 200 "$1\n"; }
        location ~ ^/square/(?<side>[0-9]+)\$ { return 200 "a square of \$side\n"; }
        location /old { rewrite ^/old/(.*)\$ /\$1 last; }
        location /words { sub_filter old new; try_files /words.html =404; }
        location /secret { auth_basic secret; auth_basic_user_file passwords; alias www/index.html; }
        location /through { proxy_pass http://127.0.0.1:$port/numbers.txt; }
        location /read { sendfile off; directio 512; alias www/numbers.txt; }
        location /slow { alias www/numbers.txt; limit_rate 500k; limit_rate_after 100k; }
        location /status { stub_status; }
    }
}
CONFIGURATION
}

title 'its configuration'
configure one
status payload -p "$PWD/" -c nginx.conf -t 2>&1 | sed "s,$PWD/,,g"
payload -v 2>&1

title 'a master and two workers'
payload -p "$PWD/" -c nginx.conf
becomes 'hello from nginx' get ''
becomes 2 workers

title 'files'
get numbers.txt | cmp - www/numbers.txt && echo same
get read | cmp - www/numbers.txt && echo 'same, read by threads'
get through | cmp - www/numbers.txt && echo 'same, through itself'
curl --silent --range 100-119 "http://127.0.0.1:$port/numbers.txt"
code "http://127.0.0.1:$port/nothing"
curl --silent --compressed "http://127.0.0.1:$port/numbers.txt" | cmp - www/numbers.txt && echo 'same, compressed'
curl --silent --http2-prior-knowledge --write-out '%{http_version}\n' "http://127.0.0.1:$((port + 1))/version"

title 'patterns, and what is replaced'
get square/12
get old/version
get words

title 'passwords'
code "http://127.0.0.1:$port/secret"
code --user sha512:wrong "http://127.0.0.1:$port/secret"
for user in md5 sha256 sha512; do
    code --user $user:secret "http://127.0.0.1:$port/secret"
done

title 'many connections'
ab -q -k -n 400 -c 8 "http://127.0.0.1:$port/index.html" 2>&1 |
    grep -E '^(Complete requests|Failed requests|Keep-Alive requests)'
ab -q -n 60 -c 6 "http://127.0.0.1:$port/numbers.txt" 2>&1 | grep -E '^(Complete|Failed) requests'

title 'another configuration, while it serves'
get slow >slow &
configure two
payload -p "$PWD/" -c nginx.conf -s reload
becomes two get version
wait $!
cmp slow www/numbers.txt && echo 'a download that began before is whole'
becomes 2 workers

title 'another log'
mv logs/access.log logs/access.log.1
payload -p "$PWD/" -c nginx.conf -s reopen
becomes logs/access.log ls logs/access.log
get version
becomes 1 grep -c 'GET /version' logs/access.log

title 'a worker that dies has a successor'
kill -KILL "$(cut -d ' ' -f 1 "/proc/$(cat nginx.pid)/task/$(cat nginx.pid)/children")"
becomes 2 workers
becomes two get version

title 'the end'
payload -p "$PWD/" -c nginx.conf -s quit
becomes gone sh -c '[ -e nginx.pid ] || echo gone'
grep -c '\[emerg\]' logs/error.log
status payload -p "$PWD/" -c missing.conf 2>&1 | sed -e "s,$PWD/,,g" -e 's/^nginx: //'
