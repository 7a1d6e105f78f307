# memcached: threads that serve many connections.
# km-test: needs=root,namespaces,/usr/bin/memcached,/usr/bin/python3
. "${0%/*}/lib.sh"

cat >client.py <<'PYTHON'
import socket, threading

PORT = 7011

class Client:
    def __init__(self):
        self.file = socket.create_connection(("127.0.0.1", PORT)).makefile("rwb")

    def line(self, text):
        self.file.write(text + b"\r\n")
        self.file.flush()
        return self.file.readline().rstrip()

    def store(self, key, data):
        return self.line(b"set %s 0 0 %d\r\n%s" % (key, len(data), data))

    def fetch(self, key):
        head = self.line(b"get " + key)
        if head == b"END":
            return None
        data = self.file.read(int(head.split()[3]) + 2)[:-2]
        self.file.readline()
        return data

def work(number):
    client = Client()
    for i in range(20):
        key, data = b"key%d_%d" % (number, i), b"x" * (i * 997)
        assert client.store(key, data) == b"STORED"
        assert client.fetch(key) == data
        client.line(b"incr count 1")
    good.append(number)

good = []
first = Client()
first.store(b"count", b"0")
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("good clients", len(good))
print("counted", int(first.fetch(b"count")))
print("missing", first.fetch(b"nothing"))
print("deleted", first.line(b"delete count"))
print("too large", first.store(b"large", b"x" * (2 << 20)))
print("version", first.line(b"version").split()[0])
PYTHON

serve memcached memcached -u nobody -l 127.0.0.1 -p 7011 -t 4
answers() { echo quit >/dev/tcp/127.0.0.1/7011; }
eventually "memcached answers" answers
timeout 40 python3 client.py 2>&1
stop memcached TERM
finish
