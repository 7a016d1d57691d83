"""What a start loads and compiles: time is not measured here, but what would take it."""

import json
import os
import subprocess
import sys

import pytest

SLOW_TO_LOAD = {"jax", "numpy", "scipy", "sympy", "nashpy", "optax", "optimistix", "lineax", "equinox", "matplotlib"}
ALWAYS = {"jax", "numpy", "equinox"}  # what the repeated game itself is computed with
GAME = (
    "ipd.prisoners_dilemma, ipd.expected_returns, ipd.best_response, ipd.round_robin, ipd.estimators, "
    "ipd.zero_determinant, ipd.replies, ipd.automata, ipd.strategies"
)
RETURNS = "cli.main(['returns', 'TFT', 'WSLS', '--json'])"


@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("import ipd_theory as ipd", set()),
        ("import ipd_theory as ipd; ipd.symbolic", {"numpy", "sympy"}),
        (f"import ipd_theory as ipd; {GAME}", ALWAYS),
        (f"from ipd_theory import cli; {RETURNS}", ALWAYS),
    ],
)
def test_what_is_slow_to_load_waits_until_it_is_needed(code: str, loaded: set[str]):
    listed = f"{code}; import json, sys; print(json.dumps(list(sys.modules)), file=sys.stderr)"
    ended = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True, env=os.environ)
    assert SLOW_TO_LOAD & {name.split(".")[0] for name in json.loads(ended.stderr)} == loaded


COMPILED = """
import jax, numpy as np
import ipd_theory as ipd
names = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, _, **said: names.append(said["fun_name"]) if "backend_compile" in event else None
)
p, q = ipd.strategies.tit_for_tat(), ipd.strategies.generous_tit_for_tat(0.3)
assert set(names) <= {"jit(stage)"}, names  # which copies numbers
game = ipd.prisoners_dilemma()
ipd.expected_returns(game, p, q, discount=0.9)
ipd.return_gradient(game, p, q, discount=0.9)
ipd.state_occupancy(p, q, discount=0.9)
ipd.expected_returns(game, np.array(p), np.array(q), discount=0.8)  # numpy's arrays go through the same program
print(*(name for name in names if name != "jit(stage)"))
"""


def test_few_programs_are_compiled_for_one_pair():
    """Each takes tens of milliseconds at every first start; strategies are made without any, a game by one."""
    ended = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, env=os.environ)
    assert (ended.returncode, len(ended.stdout.split())) == (0, 4), ended.stdout + ended.stderr
