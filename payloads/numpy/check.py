"""What the wheels do: their own libraries, threads and code for this processor."""

import threading

import markupsafe
import markupsafe._speedups
import numpy as np

print(markupsafe.escape("<a> & 'b'"), markupsafe._speedups.__name__)

numbers = np.arange(1_000_000, dtype=np.float64)
print(numbers.sum(), numbers.std().round(4), np.sqrt(numbers[::1000]).sum().round(4))
print(np.sort((numbers * 7919) % 100_003)[[0, 500_000, -1]])

generator = np.random.default_rng(42)
matrix = generator.standard_normal((300, 300))
inverse = np.linalg.inv(matrix)
print(np.allclose(matrix @ inverse, np.eye(300)), round(float(np.linalg.slogdet(matrix)[1]), 4))
u, s, vt = np.linalg.svd(matrix)
print(np.allclose(u * s @ vt, matrix), s[:2].round(4))
values = np.linalg.eigvalsh(matrix + matrix.T)
print(values[[0, -1]].round(4))

signal = np.sin(np.linspace(0, 40 * np.pi, 4096, endpoint=False))
print(int(np.abs(np.fft.rfft(signal)).argmax()))

np.save("numbers.npy", numbers)
mapped = np.load("numbers.npy", mmap_mode="r+")
mapped[5] = 50
mapped.flush()
print(np.load("numbers.npy")[3:7])

sums = [0.0] * 4


def work(me):
    for n in range(10):
        sums[me] += float((matrix @ matrix)[me, n])


threads = [threading.Thread(target=work, args=(me,)) for me in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(np.allclose(sums, (matrix @ matrix)[:4, :10].sum(axis=1)))

records = np.array([(1, "one", 0.5), (2, "two", 1.5)], dtype=[("n", "i4"), ("name", "U8"), ("x", "f8")])
print(records["name"], records["x"].mean(), np.datetime64("2024-02-28") + np.arange(3))
try:
    np.linalg.inv(np.zeros((2, 2)))
except np.linalg.LinAlgError as error:
    print(error)
with np.errstate(divide="raise"):
    try:
        np.ones(3) / np.zeros(3)
    except FloatingPointError as error:
        print(error)
