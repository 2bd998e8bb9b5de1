"""Cells that run in a real kernel of IPython, and the outputs that a notebook then has.

The kernel is started by a process of its own, as the libraries of Jupyter warn and leave sockets open. The
two talk over unix sockets.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from tests.support.terminal import environment
from tests.testbed.processes import short_directory

_RUN = """
import json, sys
import nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
notebook = nbformat.v4.new_notebook()
notebook.cells += map(nbformat.v4.new_code_cell, json.load(sys.stdin))
manager = AsyncKernelManager(kernel_name="python3", transport="ipc")
NotebookClient(notebook, km=manager, timeout=60, allow_errors=True).execute()
json.dump([cell.outputs for cell in notebook.cells], sys.stdout)
"""


def run_cells(cells: Sequence[str], **variables: str) -> list[list[dict[str, Any]]]:
    """Run cells one after the other, with some environment variables; return the outputs of each."""
    directory = short_directory()
    places = {"JUPYTER_RUNTIME_DIR": "run", "JUPYTER_CONFIG_DIR": "config", "IPYTHONDIR": "ipython"}
    variables |= {name: str(directory / folder) for name, folder in places.items()}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _RUN],
            input=json.dumps(cells),
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
            env=environment(PYTHONWARNINGS="default", JUPYTER_PLATFORM_DIRS="1", **variables),
        )
    finally:
        shutil.rmtree(directory)
    assert done.returncode == 0, done.stderr
    outputs: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return outputs
