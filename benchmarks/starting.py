"""Measure a whole run of the command, with the start of Python.

python benchmarks/starting.py ARGUMENT...
"""

import resource
import subprocess
import sys
import time


def spent() -> float:
    """Return the CPU time of the processes that have ended, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


program = [sys.executable, "-m", "dockerproto_cli", *sys.argv[1:]]
seconds, cpu = time.perf_counter(), spent()
subprocess.run(program, stdout=subprocess.DEVNULL, check=True)
seconds, cpu = time.perf_counter() - seconds, spent() - cpu
memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
print(f'{{"seconds": {seconds}, "cpu": {cpu}, "memory": {memory}}}')
