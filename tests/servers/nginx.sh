# nginx: files by sendfile, keep-alive, reload, change of the program while it
# serves, and a graceful end.
# km-test: needs=root,namespaces,/usr/sbin/nginx,/usr/bin/ab,/usr/bin/curl
. "${0%/*}/lib.sh"

get() { curl -s -m 20 "http://127.0.0.1:7061/${1-}"; }
workers() { wc -w <"/proc/$1/task/$1/children"; }
mkdir -p www logs
echo hello >www/index.html
head -c 3000000 /dev/urandom >www/large
configure() {
    cat >nginx.conf <<NGINX
worker_processes 2;
pid nginx.pid;
user nobody nogroup;
error_log logs/error.log notice;
events {}
http {
    access_log logs/access.log;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 60;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {
        listen 127.0.0.1:7061;
        root www;
        location /version { return 200 "$1"; }
        location /slow { alias www/large; limit_rate 1m; limit_rate_after 100k; }
        location /through { proxy_pass http://127.0.0.1:7061/large; }
    }
}
NGINX
}
configure one
# shellcheck disable=SC2086 # words, or nothing
works "nginx starts" $RUN /usr/sbin/nginx -p "$PWD" -c nginx.conf
eventually "and answers" says hello get
nginx=$(cat nginx.pid)
is "workers" "$(workers "$nginx")" 2
large=$(md5sum <www/large)
is "a large file" "$(get large | md5sum)" "$large"
is "through itself" "$(get through | md5sum)" "$large"
is "a part" "$(curl -s -m 20 -r 1000-1099 http://127.0.0.1:7061/large | wc -c)" 100
is "nothing there" "$(curl -s -m 20 -o none -w '%{http_code}' http://127.0.0.1:7061/none)" 404
ab -q -k -n 300 -c 4 http://127.0.0.1:7061/index.html >ab.log 2>&1
for line in "Complete requests" "Failed requests" "Keep-Alive requests"; do
    echo "$line: $(sed -n "s/^$line: *//p" ab.log)"
done

configure two
kill -HUP "$nginx"
eventually "another configuration" says two get version
eventually "the old workers are gone" says 2 workers "$nginx"

# The new one inherits the sockets of the old one, which then goes.
kill -USR2 "$nginx"
eventually "a new nginx" test -e nginx.pid.oldbin -a -s nginx.pid
new=$(cat nginx.pid)
eventually "with workers" says 2 workers "$new"
kill -QUIT "$nginx"
eventually "the old one is gone" fails test -e "/proc/$nginx"
is "the new one serves" "$(get)" hello

curl -s -m 30 -o slow http://127.0.0.1:7061/slow &
download=$!
eventually "a download" test -s slow
kill -QUIT "$new"
eventually "no more connections" fails get
wait $download
is "but the download is whole" "$(md5sum <slow)" "$large"
eventually "the new one is gone" fails test -e "/proc/$new"
is "complaints" "$(grep -cE '\[(alert|crit|emerg)\]' logs/error.log)" 0
finish
