"""What does not grow with the batch: a call for one pair or a few, and the start of a process, against limits."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import ipd_theory as ipd
from tests.benchmarks import Row

CALLS = 1000
GAME = ipd.prisoners_dilemma()
COMMAND = [sys.executable, "-m", "ipd_theory"]


def run() -> list[Row]:
    """Rows: calls for 1 and 16 pairs, from Python and within `jax.jit`; import, help, the first result and the next."""
    with jax.enable_x64(True):
        calls = [row for pairs in (1, 16) for row in _calls(pairs)]
    with tempfile.TemporaryDirectory() as folder:  # an empty cache of compiled programs
        starts = [
            _start("import ipd_theory", [sys.executable, "-c", "import ipd_theory"], 0.15, folder),
            _start("ipd-theory --help", [*COMMAND, "--help"], 0.5, folder),
            _start("the first ipd-theory returns TFT WSLS", [*COMMAND, "returns", "TFT", "WSLS"], 4.0, folder),
            _start("the next one", [*COMMAND, "returns", "TFT", "WSLS"], 2.0, folder),
        ]
    return calls + starts


def _calls(pairs: int) -> list[Row]:
    p, q = (jnp.asarray(x) for x in np.random.default_rng(0).random((2, pairs, 5)))
    if pairs == 1:
        p, q = p[0], q[0]
    within = jax.jit(lambda p, q: ipd.expected_returns(GAME, p, q, discount=0.95))
    told = f"{pairs} pair{'s' if pairs > 1 else ''}, a call"
    return [
        _call(f"returns of {told}", lambda: ipd.expected_returns(GAME, p, q, discount=0.95), 60e-6),
        _call(f"occupancy of {told}", lambda: ipd.state_occupancy(p, q, discount=0.95), 60e-6),
        _call(f"gradient of {told}", lambda: ipd.return_gradient(GAME, p, q, discount=0.95), 60e-6),
        _call(f"returns of {told} within jit", lambda: within(p, q), 20e-6),
    ]


def _call(what: str, function: Callable[[], Any], limit: float) -> Row:
    """Return the row of one call, the quickest tenth of many, its result waited for."""
    jax.block_until_ready(function())
    times = np.empty(CALLS)
    for i in range(CALLS):
        begin = time.perf_counter()
        jax.block_until_ready(function())
        times[i] = time.perf_counter() - begin
    taken = float(np.quantile(times, 0.1))
    return Row(f"{what} (peer: the limit)", taken, limit, limit / taken, 1.0)


def _start(what: str, command: list[str], limit: float, folder: str) -> Row:
    own = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=own | {"IPD_THEORY_CACHE": folder})
    taken = time.perf_counter() - begin
    return Row(f"{what} (peer: the limit)", taken, limit, limit / taken, 1.0)
