"""Measure the import of one or several libraries, in a process that has imported nothing else.

python benchmarks/importing.py MODULE...
"""

import sys
import time


def resident() -> int:
    """Return the memory of this process, in bytes."""
    with open("/proc/self/statm", encoding="ascii") as pages:  # noqa: PTH123  # pathlib would be imported
        return int(pages.read().split()[1]) * 4096


before = resident()
seconds, cpu = time.perf_counter(), time.process_time()
for name in sys.argv[1:]:
    __import__(name)
seconds, cpu = time.perf_counter() - seconds, time.process_time() - cpu
print(f'{{"seconds": {seconds}, "cpu": {cpu}, "memory": {resident() - before}}}')
