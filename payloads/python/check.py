"""A bit of everything that programs in Python ask of the standard library and
of their system. It prints the same at every run."""

import sys


def numbers():
    import cmath
    import datetime
    import decimal
    import fractions
    import heapq
    import math
    import random
    import statistics
    import struct
    import zoneinfo

    print(2**200 % 10**9, math.comb(50, 25), math.isqrt(10**40), round(math.gamma(5.5), 6))
    print(cmath.sqrt(-1), fractions.Fraction(1, 3) + fractions.Fraction(1, 6))
    decimal.getcontext().prec = 40
    print(decimal.Decimal(2).sqrt())
    generator = random.Random(42)
    values = [generator.randrange(1000) for _ in range(2000)]
    print(sum(values), statistics.median(values), heapq.nlargest(3, values), round(statistics.stdev(values), 4))
    print(struct.pack("<hIq8s", -2, 3, -4, b"bytes").hex())
    moment = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc)
    print(moment + datetime.timedelta(days=366), moment.strftime("%A %j"), moment.timestamp())
    print(moment.astimezone(zoneinfo.ZoneInfo("UTC")).isoformat())


def texts():
    import base64
    import csv
    import difflib
    import html.parser
    import io
    import json
    import pickle
    import re
    import string
    import textwrap
    import tomllib
    import unicodedata
    import xml.etree.ElementTree as ElementTree

    print(re.sub(r"(?P<word>\w+) (\w+)", r"\2 \g<word>", "one two three four"))
    print(unicodedata.name("\N{EURO SIGN}"), unicodedata.normalize("NFD", "\u00e4").encode(), "\u00df".upper())
    print("\u65e5\u672c".encode("shift_jis"), "\u4e2d".encode("gb18030"), "\ud55c".encode("euc_kr"))
    data = {"list": [1, 2.5, None, True], "text": "a\u20ac", "nested": {"key": "value"}}
    assert json.loads(json.dumps(data)) == data and pickle.loads(pickle.dumps(data)) == data
    print(json.dumps(data, sort_keys=True), tomllib.loads('a = [1, 2]\nb = "c"\n'))
    rows = list(csv.DictReader(io.StringIO('a,b\n1,"two, three"\n4,5\n')))
    print(rows)
    root = ElementTree.fromstring("<list><item n='1'>one</item><item n='2'/></list>")
    print([(item.get("n"), item.text) for item in root.iter("item")])
    print(textwrap.shorten("a text that is too long for this", 20), base64.b85encode(b"some bytes"))
    print("".join(difflib.unified_diff(["a\n", "b\n"], ["a\n", "c\n"], lineterm="\n")).count("\n"))
    print(string.Template("$who is $what").substitute(who="km", what="small"))
    print(html.unescape("&lt;&eacute;"))


def compression():
    import bz2
    import gzip
    import hashlib
    import io
    import lzma
    import tarfile
    import zipfile
    import zlib

    text = b"".join(b"line %d of many\n" % (n * 7919 % 1000) for n in range(5000))
    print(zlib.crc32(text), zlib.adler32(text))
    for module in (gzip, bz2, lzma):
        packed = module.compress(text)
        print(module.__name__, len(packed) < len(text) // 3, module.decompress(packed) == text)
    for name in ("md5", "sha1", "sha256", "sha3_512", "blake2b"):
        print(name, hashlib.new(name, text).hexdigest()[:32])
    print(hashlib.pbkdf2_hmac("sha256", b"word", b"salt", 1000).hex()[:32], hashlib.scrypt(b"w", salt=b"s", n=16, r=1, p=1).hex()[:16])
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("text", text)
    with zipfile.ZipFile(archive) as file:
        print(file.namelist(), file.read("text") == text)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:xz") as file:
        entry = tarfile.TarInfo("text")
        entry.size = len(text)
        file.addfile(entry, io.BytesIO(text))
    archive.seek(0)
    with tarfile.open(fileobj=archive) as file:
        print(file.getnames(), file.extractfile("text").read() == text)


def database():
    import sqlite3

    connection = sqlite3.connect("check.db")
    connection.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, amount REAL)")
    with connection:
        connection.executemany("INSERT INTO item (name, amount) VALUES (?, ?)", ((f"item {n}", n / 8) for n in range(3000)))
    connection.create_function("double", 1, lambda value: value * 2)
    print(connection.execute("SELECT count(*), sum(double(amount)), max(name) FROM item").fetchone())
    try:
        with connection:
            connection.execute("DELETE FROM item")
            raise KeyError("changed my mind")
    except KeyError as error:
        print(error, connection.execute("SELECT count(*) FROM item").fetchone())
    connection.execute("CREATE VIRTUAL TABLE note USING fts5(text)")
    connection.execute("INSERT INTO note VALUES ('a virtual machine'), ('a real program')")
    print(connection.execute("SELECT text FROM note WHERE note MATCH 'machine'").fetchall())
    connection.close()


def files():
    import glob
    import mmap
    import os
    import pathlib
    import shutil
    import stat
    import tempfile

    folder = pathlib.Path(tempfile.mkdtemp(dir=os.curdir))
    (folder / "a" / "b").mkdir(parents=True)
    path = folder / "a" / "numbers"
    path.write_text("".join(f"{n} {n * n}\n" for n in range(20000)))
    with path.open() as file:
        print(sum(int(line.split()[1]) for line in file), path.stat().st_size)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[:3] = b"xyz"
        print(mapped.find(b"19999 "), len(mapped))
    print(path.read_bytes()[:8])
    os.link(path, folder / "a" / "b" / "hard")
    os.symlink("a/numbers", folder / "link")
    path.chmod(0o640)
    print(stat.filemode(path.stat().st_mode), path.stat().st_nlink, os.readlink(folder / "link"))
    print(sorted(str(found.relative_to(folder)) for found in folder.rglob("*")), len(glob.glob(f"{folder}/*")))
    shutil.copytree(folder, "copied", symlinks=True)
    print(sorted(entry.name for entry in os.scandir("copied")))
    try:
        os.open(folder / "missing", os.O_RDONLY)
    except FileNotFoundError as error:
        print(error.strerror, error.errno)
    shutil.rmtree(folder)


def threads():
    import concurrent.futures
    import contextvars
    import queue
    import threading

    jobs, results = queue.Queue(), []
    lock, barrier = threading.Lock(), threading.Barrier(6)

    def work():
        barrier.wait()
        while (job := jobs.get()) is not None:
            with lock:
                results.append(job * job)
        barrier.wait()

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for n in range(2000):
        jobs.put(n)
    for _ in workers:
        jobs.put(None)
    for worker in workers:
        worker.join()
    print(len(results), sum(results), threading.active_count())
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        print(sum(pool.map(lambda n: n**3, range(500))))
    event = threading.Event()
    timer = threading.Timer(0.02, event.set)
    timer.start()
    print(event.wait(10), contextvars.copy_context() is not None)


def processes():
    import multiprocessing
    import os
    import signal
    import subprocess

    output = subprocess.run(["sh", "-c", "cat; echo err >&2; exit 3"], input=b"text " * 50000, capture_output=True)
    print(len(output.stdout), output.stderr, output.returncode)
    print(subprocess.check_output([sys.executable, "-c", "import sys; print(sys.argv[1:])", "a b", "c"]))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, b"from the child")
        os._exit(9)
    os.close(write)
    print(os.read(read, 100), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    with subprocess.Popen(["sleep", "100"]) as sleeper:
        sleeper.kill()
        print(sleeper.wait())
    try:
        subprocess.run(["/no/such/program"])
    except FileNotFoundError as error:
        print(error.strerror)
    with multiprocessing.get_context("fork").Pool(3) as pool:
        print(sum(pool.map(abs, range(-300, 0))))
    heard = []
    signal.signal(signal.SIGALRM, lambda number, frame: heard.append(signal.Signals(number).name))
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    signal.pause()
    print(heard)


# Values in shared memory are made by ctypes.
def shared():
    import multiprocessing

    counter = multiprocessing.Value("i", 0)

    def count():
        for _ in range(50):
            with counter.get_lock():
                counter.value += 1

    children = [multiprocessing.Process(target=count) for _ in range(3)]
    for process in children:
        process.start()
    for process in children:
        process.join()
    print(counter.value)


def web():
    import asyncio
    import http.server
    import threading
    import urllib.error
    import urllib.request

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))[::-1]
            self.send_response(200 if self.path != "/missing" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        address = f"http://127.0.0.1:{server.server_port}"
        for length in (1, 1000, 300000):
            with urllib.request.urlopen(address + "/", b"ab" * length, timeout=20) as answer:
                print(answer.status, len(answer.read()))
        try:
            urllib.request.urlopen(address + "/missing", b"x", timeout=20)
        except urllib.error.HTTPError as error:
            print(error.code)
        server.shutdown()

    async def echo(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    async def client(port, me):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answers = []
        for n in range(20):
            writer.write(f"client {me} line {n}\n".encode())
            answers.append(await reader.readline())
        writer.close()
        return answers

    async def main():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            answers = await asyncio.gather(*(client(port, me) for me in range(10)))
        process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
        output, _ = await process.communicate(b"through a child")
        print(len(answers), answers[3][7], output, process.returncode)
        try:
            await asyncio.wait_for(asyncio.sleep(10), 0.02)
        except TimeoutError:
            print("in time")

    asyncio.run(main())


def secrecy():
    """A server and its client with TLS; the certificate comes with Python's own tests."""
    import os
    import socket
    import ssl
    import threading

    certificate = os.path.join(os.path.dirname(os.__file__), "test", "keycert3.pem")
    authority = os.path.join(os.path.dirname(os.__file__), "test", "pycacert.pem")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    client = ssl.create_default_context(cafile=authority)
    left, right = socket.socketpair()

    def serve():
        with server.wrap_socket(left, server_side=True) as stream:
            stream.sendall(stream.recv(100)[::-1])

    thread = threading.Thread(target=serve)
    thread.start()
    with client.wrap_socket(right, server_hostname="localhost") as stream:
        stream.sendall(b"a secret")
        print(stream.recv(100), stream.version())
    thread.join()


def foreign():
    import ctypes

    text = ctypes.create_string_buffer(b"c a b")
    libc = ctypes.CDLL(None)
    libc.strlen.restype = ctypes.c_size_t
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
    values = (ctypes.c_int * 6)(5, 1, 4, 2, 6, 3)
    libc.qsort(values, len(values), ctypes.sizeof(ctypes.c_int), compare(lambda a, b: a[0] - b[0]))
    print(libc.strlen(text), list(values))

    class Pair(ctypes.Structure):
        _fields_ = [("small", ctypes.c_int8), ("large", ctypes.c_double)]

    print(ctypes.sizeof(Pair), Pair(1, 2.5).large)


def screens():
    import curses
    import readline

    curses.setupterm("vt100", 1)
    print(curses.tigetnum("cols"), curses.tigetstr("clear"))
    readline.add_history("a line")
    print(readline.get_history_item(1), readline.get_current_history_length())


def faults():
    import faulthandler
    import gc
    import traceback
    import weakref

    def deep(n):
        return deep(n + 1)

    try:
        deep(0)
    except RecursionError as error:
        print(type(error).__name__, len(traceback.extract_tb(error.__traceback__)) > 900)
    try:
        [1] * (1 << 62)
    except (MemoryError, OverflowError) as error:
        print(type(error).__name__)

    class Node:
        pass

    nodes = [Node() for _ in range(1000)]
    for one, two in zip(nodes, nodes[1:] + nodes[:1]):
        one.next = two
    watched = weakref.ref(nodes[0])
    del nodes, one, two
    gc.collect()
    print(watched() is None, faulthandler.is_enabled())


def main():
    checks = [numbers, texts, compression, database, files, threads, processes, shared, web, secrecy, foreign, screens, faults]
    names = sys.argv[1:] or [check.__name__ for check in checks]
    for check in checks:
        if check.__name__ in names:
            print("--", check.__name__, flush=True)
            check()
            sys.stdout.flush()


main()
