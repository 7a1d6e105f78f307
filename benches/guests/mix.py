# What ordinary Python does between its system calls: dictionaries, strings,
# regular expressions, numbers. Prints the nanoseconds of a round; the argument
# is how many there are.
import json
import re
import sys
import time


def work():
    words = [str(i * 7919 % 10007) for i in range(5000)]
    count = {}
    for word in words:
        count[word[:2]] = count.get(word[:2], 0) + 1
    text = json.dumps(sorted(count.items()))
    total = sum(int(n) for n in re.findall(r"[0-9]+", text))
    return total + sum(i * i % 7 for i in range(20000))


rounds = int(sys.argv[1])
start = time.perf_counter_ns()
for _ in range(rounds):
    work()
print((time.perf_counter_ns() - start) / rounds)
