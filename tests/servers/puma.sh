# Puma: two processes of threads behind one socket, more and fewer of them, a
# worker that is killed, a restart by exec that keeps the socket, and a graceful
# end.
# km-test: needs=root,namespaces,/usr/bin/puma,/usr/bin/ab,/usr/bin/curl
. "${0%/*}/lib.sh"

cat >config.ru <<'RUBY'
require 'digest'
require 'open3'

run lambda { |env|
  text =
    case env['PATH_INFO']
    when '/' then "hello\n"
    when '/pid' then "#{Process.pid}\n"
    when '/digest' then "#{Digest::MD5.hexdigest(env['rack.input'].read)}\n"
    when '/child'
      output, status = Open3.capture2('/bin/sh', '-c', 'cat; exit 3', stdin_data: 'from a child')
      "#{status.exitstatus} #{output}\n"
    when '/threads'
      (1..4).map { |n| Thread.new { sleep 0.01; n * n } }.map(&:value).join(' ') + "\n"
    end
  text ? [200, { 'Content-Type' => 'text/plain' }, [text]] : [404, {}, []]
}
RUBY
cat >puma.rb <<'RUBY'
bind 'tcp://127.0.0.1:7061'
bind "unix://#{Dir.pwd}/puma.sock"
workers 2
threads 2, 4
pidfile 'puma.pid'
RUBY

get() { curl -s -m 20 "http://127.0.0.1:7061/$1"; }
workers() { wc -w <"/proc/$puma/task/$puma/children"; }
head -c 3000000 /dev/urandom >large

serve puma /usr/bin/puma --config puma.rb --environment production config.ru
eventually "puma answers" says hello get ""
eventually "by two processes" says 2 workers
is "by the other socket" "$(curl -s -m 20 --unix-socket puma.sock http://localhost/)" hello
is "nothing there" "$(curl -s -m 20 -o none -w '%{http_code}' http://127.0.0.1:7061/none)" 404
is "a body" "$(curl -s -m 20 --data-binary @large http://127.0.0.1:7061/digest)" "$(md5sum <large | cut -d' ' -f1)"
is "a child" "$(get child)" "3 from a child"
is "threads" "$(get threads)" "1 4 9 16"
ab -q -k -n 200 -c 4 http://127.0.0.1:7061/ >ab.log 2>&1
for line in "Complete requests" "Failed requests" "Keep-Alive requests"; do
    echo "$line: $(sed -n "s/^$line: *//p" ab.log)"
done

kill -TTIN "$puma"
eventually "one more" says 3 workers
kill -TTOU "$puma"
eventually "one less" says 2 workers
victim=$(get pid)
kill -KILL "$victim"
eventually "the killed one is gone" fails test -e "/proc/$victim"
eventually "another takes its place" says 2 workers
is "and it goes on" "$(get "")" hello

kill -USR2 "$puma"
eventually "a restart" grep -q "Inherited tcp" puma.log
eventually "with workers" says 2 workers
is "that answer" "$(get "")" hello
stop puma TERM 143
eventually "having said so" grep -q "Gracefully shutting down workers" puma.log
finish
