# Node: a cluster of two processes behind one port, worker threads that compute
# for them, files through streams, children, keep-alive, a worker that is killed,
# and a graceful end.
# km-test: needs=root,namespaces,/usr/bin/node,/usr/bin/ab,/usr/bin/curl
. "${0%/*}/lib.sh"

cat >server.js <<'NODE'
const { execFile } = require('child_process');
const cluster = require('cluster');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const { Worker } = require('worker_threads');

if (cluster.isPrimary) {
    let ending = false;
    cluster.on('exit', (worker, code, signal) => {
        console.log(`worker ends: ${code} ${signal}`);
        if (!ending) cluster.fork();
    });
    cluster.on('listening', () => {
        fs.writeFileSync('workers', Object.values(cluster.workers).map((w) => w.process.pid).join(' '));
    });
    process.on('SIGTERM', () => {
        ending = true;
        for (const worker of Object.values(cluster.workers)) worker.send('end');
    });
    cluster.fork();
    cluster.fork();
    return;
}

// Computes the digest of what it gets in shared memory.
const digest = (bytes) => new Promise((resolve, reject) => {
    const shared = new SharedArrayBuffer(bytes.length);
    new Uint8Array(shared).set(bytes);
    const worker = new Worker(`
        const { parentPort, workerData } = require('worker_threads');
        const hash = require('crypto').createHash('md5');
        parentPort.postMessage(hash.update(new Uint8Array(workerData)).digest('hex'));
    `, { eval: true, workerData: shared });
    worker.once('message', resolve);
    worker.once('error', reject);
});

const server = http.createServer(async (request, response) => {
    switch (request.url) {
    case '/':
        // Without it there is no keep-alive for a client that speaks HTTP/1.0.
        response.setHeader('Content-Length', 6);
        response.end('hello\n');
        break;
    case '/pid':
        response.end(`${process.pid}\n`);
        break;
    case '/large':
        fs.createReadStream('large').pipe(response);
        break;
    case '/digest': {
        const parts = [];
        for await (const part of request) parts.push(part);
        response.end(`${await digest(Buffer.concat(parts))}\n`);
        break;
    }
    case '/child':
        execFile('/bin/sh', ['-c', 'echo from a child; exit 3'], (error, stdout) => {
            response.end(`${error.code} ${stdout}`);
        });
        break;
    case '/pool':
        crypto.pbkdf2('password', 'salt', 1000, 16, 'sha256', (error, key) => {
            response.end(`${key.toString('hex')}\n`);
        });
        break;
    default:
        response.writeHead(404);
        response.end();
    }
});
server.listen(7061, '127.0.0.1');
process.on('message', () => {
    // Those that still speak are heard to their end.
    server.close(() => process.disconnect());
});
NODE

get() { curl -s -m 20 "http://127.0.0.1:7061/$1"; }
# Both, and neither is the one given.
new_workers() { [ "$(wc -w <workers)" = 2 ] && ! grep -qw "$1" workers; }
head -c 3000000 /dev/urandom >large

serve node /usr/bin/node server.js
eventually "node answers" says hello get ""
eventually "by two processes" new_workers none
is "a large file" "$(get large | md5sum)" "$(md5sum <large)"
is "nothing there" "$(curl -s -m 20 -o none -w '%{http_code}' http://127.0.0.1:7061/none)" 404
is "a child" "$(get child)" "3 from a child"
is "the thread pool" "$(get pool)" "632c2812e46d4604102ba7618e9d6d7d"
for _ in 1 2 3 4; do
    curl -s -m 20 --data-binary @large http://127.0.0.1:7061/digest >"digest.$_" &
    digests="${digests-} $!"
done
# shellcheck disable=SC2086 # words
wait $digests
is "worker threads" "$(cat digest.* | sort -u)" "$(md5sum <large | cut -d' ' -f1)"
ab -q -k -n 200 -c 4 http://127.0.0.1:7061/ >ab.log 2>&1
for line in "Complete requests" "Failed requests" "Keep-Alive requests"; do
    echo "$line: $(sed -n "s/^$line: *//p" ab.log)"
done

victim=$(get pid)
kill -KILL "$victim"
eventually "a new worker" new_workers "$victim"
is "and it goes on" "$(get "")" hello
stop node TERM
is "how they ended" "$(sort <node.log)" "$(printf 'worker ends: %s\n' '0 null' '0 null' 'null SIGKILL')"
finish
