"""Learning rules against a PyTorch loop over the same pairs, written as the SOS paper's notebook writes it, batched.

LOLA payoffs, γ 0.96, un-normalised returns, 4096 pairs of N(0, 1) logits, 100 steps of size 1; both sides in float64,
then both in float32.
"""

import importlib.util
import time
from typing import Any

import jax
import numpy as np
import optax

import ipd_theory as ipd
from ipd_theory.commands.console import messages
from ipd_theory.learning import rules
from ipd_theory.learning.play import learn
from ipd_theory.learning.rules.entrants import FIRST_TWELVE, entrant
from ipd_theory.learning.tournament import play_all
from tests.benchmarks import Row, seconds

PAIRS, STEPS, DISCOUNT = 4096, 100, 0.96


def lola_in_torch(first: np.ndarray[Any, Any], steps: int) -> np.ndarray[Any, Any]:
    """Return the mean normalised loss after `steps` of LOLA with the look-ahead term, by `torch.inverse`."""
    import torch

    in_first_order = [first[:, 0], first[:, 1][:, [0, 1, 3, 2, 4]]]  # both name CD and DC as player 1 does
    theta = [torch.tensor(logits, requires_grad=True) for logits in in_first_order]
    eye = torch.eye(4, dtype=theta[0].dtype)
    payoffs = torch.tensor([[-1.0, -3.0, 0.0, -2.0], [-1.0, 0.0, -3.0, -2.0]], dtype=eye.dtype)

    def losses() -> Any:
        p, q = (torch.sigmoid(t) for t in theta)
        joint = torch.stack([p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)], -1)
        occupancy = torch.bmm(joint[:, :1], torch.inverse(eye - DISCOUNT * joint[:, 1:]))[:, 0]
        return -occupancy @ payoffs.T

    def gradient(value: Any, of: Any) -> Any:
        return torch.autograd.grad(value.sum(), of, create_graph=True)[0]

    for _ in range(steps):
        L = losses()
        g = [[gradient(L[:, j], theta[i]) for j in (0, 1)] for i in (0, 1)]
        directions = [
            g[i][i] - torch.autograd.grad((g[1 - i][i] * g[1 - i][1 - i]).sum(), theta[i], retain_graph=True)[0]
            for i in (0, 1)
        ]
        with torch.no_grad():
            for t, d in zip(theta, directions, strict=True):
                t -= d
    return (1 - DISCOUNT) * losses().detach().numpy().mean(1)


def lola_row(dtype: np.dtype[Any]) -> Row:
    """Return the row of the LOLA table's pairs in one precision."""
    game = ipd.prisoners_dilemma(R=-1.0, S=-3.0, T=0.0, P=-2.0)
    first = jax.random.normal(jax.random.key(0), (PAIRS, 2, 5)).astype(dtype)
    rule, sgd = rules.lola_with_look_ahead(1.0), optax.sgd(1.0)
    what = f"LOLA, {PAIRS} pairs × {STEPS} steps, {dtype}"

    def ours() -> Any:
        pair = {"optimizers": (sgd, sgd), "steps": STEPS, "normalized": False}
        return learn(game, (rule, rule), first[:, 0], first[:, 1], discount=DISCOUNT, **pair).returns

    mine = seconds(ours)
    if importlib.util.find_spec("torch") is None:
        messages.print("rules: torch is not installed; its loop is left out (pip install torch)")
        return Row(f"{what} (no peer: torch is missing)", mine, *[float("nan")] * 2, 20)
    lola_in_torch(np.asarray(first), 2)  # the first calls set up threads and libraries
    begin = time.perf_counter()
    theirs = lola_in_torch(np.asarray(first), STEPS)
    peer = time.perf_counter() - begin
    gap = np.abs(theirs + (1 - DISCOUNT) * np.asarray(ours())[:, -1].mean(-1))
    messages.print(f"rules: median difference from the torch loop, {dtype}, {STEPS} steps: {np.median(gap):.1e}")
    return Row(what, mine, peer, peer / mine, 20)


def run() -> list[Row]:
    """Time the LOLA table's pairs in both precisions and the round robin of twelve rules."""
    if not jax.config.jax_enable_x64:
        jax.config.update("jax_enable_x64", True)
    rows = [lola_row(np.dtype(np.float64)), lola_row(np.dtype(np.float32))]

    step = optax.sgd(5.0)
    twelve = tuple(entrant(name, 0.95).rule for name in FIRST_TWELVE)
    begin = time.perf_counter()
    first = jax.random.normal(jax.random.key(0), (64, 2, 5))
    settings = {"discount": 0.95, "optimizers": (step,) * 12, "steps": 200, "tail": 50}
    jax.block_until_ready(play_all(ipd.prisoners_dilemma(), twelve, first, **settings))
    took = time.perf_counter() - begin
    rows.append(
        Row(
            "12 rules, 64 seeds, 200 steps, compilation included (peer: the limit of 3 minutes)",
            took,
            180,
            180 / took,
            1,
        )
    )
    return rows
