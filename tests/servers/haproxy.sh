# haproxy before two servers of nginx: in turn, and past one that is gone.
# km-test: needs=root,namespaces,/usr/sbin/haproxy,/usr/sbin/nginx,/usr/bin/ab,/usr/bin/curl
. "${0%/*}/lib.sh"

get() { curl -s -m 10 "http://127.0.0.1:7021/"; }
for number in 1 2; do
    mkdir -p "web$number/logs"
    cat >"web$number/nginx.conf" <<NGINX
worker_processes 1;
daemon off;
pid nginx.pid;
error_log logs/error.log;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {
        listen 127.0.0.1:703$number;
        location / { return 200 "$number"; }
    }
}
NGINX
    serve "web$number" nginx -p "$PWD/web$number" -c nginx.conf
done
cat >haproxy.cfg <<HAPROXY
global
    nbthread 2
    stats socket $PWD/control
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 30s
frontend front
    bind 127.0.0.1:7021
    default_backend web
backend web
    balance roundrobin
    option redispatch
    option httpchk GET /
    server web1 127.0.0.1:7031 check inter 200
    server web2 127.0.0.1:7032 check inter 200
HAPROXY
serve haproxy haproxy -db -f haproxy.cfg
for port in 7031 7032 7021; do
    eventually "port $port answers" curl -s -m 10 "http://127.0.0.1:$port/"
done
# Two requests, and whose turn it was, in any order.
turns() { printf '%s\n' "$(get)" "$(get)" | sort | tr -d '\n'; }
eventually "both in turn" says 12 turns
ab -q -k -n 200 -c 4 http://127.0.0.1:7021/ >ab.log 2>&1
is "many requests" "$(sed -n 's/^Complete requests: *//p' ab.log)" 200
is "none refused" "$(grep -c Non-2xx ab.log)" 0
stop web1 QUIT
eventually "only the other" says 22 turns
serve web1 nginx -p "$PWD/web1" -c nginx.conf
eventually "both again" says 12 turns
stop haproxy USR1
stop web1 TERM
stop web2 TERM
finish
