"""How the time for a chain grows with batch, memory and players: `python -m tests.benchmarks.growth [--picture FILE]`.

What was measured is kept in `docs/how-to/growth.json` with its machine; the picture is drawn from it.
"""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from matplotlib.figure import Figure
from rich.progress import track

import ipd_theory as ipd
from ipd_theory import strategies
from ipd_theory.commands.console import messages
from ipd_theory.drawing import style
from tests.benchmarks import seconds
from tests.benchmarks.__main__ import machine
from tests.benchmarks.chains import DISCOUNT, game_for, systems

FOLDER = Path(__file__).parents[2] / "docs" / "how-to"
BATCHES = {1: 2**18, 2: 2**14, 3: 2**11}  # the largest for each memory
PLAYERS = (2, 3, 4, 5)
EACH = 1024  # chains for each number of players
LINES = {"returns": "-", "gradient": "--", "numpy": ":"}


def measured() -> dict[str, Any]:
    """Return seconds a chain of ours and numpy's, by batch for each memory and by players, in float64."""
    found: dict[str, Any] = {"machine": machine(), "memory": {}, "players": {}}
    with jax.enable_x64(True):
        sizes = [(m, 4**k) for m, most in BATCHES.items() for k in range(10) if 4**k <= most]
        for memory, batch in track(sizes, "memory and batch", console=messages):
            found["memory"].setdefault(str(memory), {})[str(batch)] = _times(2, memory, batch)
        for players in track(PLAYERS, "players", console=messages):
            found["players"][str(players)] = _times(players, 1, EACH)
    return found


def _times(players: int, memory: int, batch: int) -> dict[str, float]:
    game, contexts = game_for(players), strategies.num_contexts(memory, players)
    drawn = list(np.random.default_rng(0).random((players, batch, contexts)))
    tables = [jnp.asarray(x) for x in drawn]
    matrices, payoffs = systems(game, [x[:EACH] for x in drawn], memory)
    right = np.broadcast_to(payoffs, (len(matrices), *payoffs.shape))
    returns = jax.jit(lambda *x: ipd.expected_returns(game, *x, discount=DISCOUNT))
    gradient = jax.jit(lambda *x: ipd.return_gradient(game, *x, discount=DISCOUNT))
    return {
        "returns": seconds(returns, *tables) / batch,
        "gradient": seconds(gradient, *tables) / batch,
        "numpy": seconds(np.linalg.solve, matrices, right) / len(matrices),
    }


def picture(found: dict[str, Any]) -> Figure:
    """Return the picture: time a chain by batch for each memory, and by the number of players."""
    with style.sheet():
        figure = Figure(figsize=(6.8, 2.9), layout="constrained")
        by_batch, by_players = figure.subplots(1, 2, width_ratios=[3, 2], sharey=True)
        for (memory, times), color in zip(found["memory"].items(), style.SERIES, strict=False):
            batches = [int(b) for b in times]
            for what, dashes in LINES.items():
                by_batch.plot(batches, [1e6 * t[what] for t in times.values()], dashes, color=color)
            by_batch.plot([], [], color=color, label=f"memory {memory}")
        players = [int(n) for n in found["players"]]
        for what, dashes in LINES.items():
            name = "numpy's solve" if what == "numpy" else what
            times = [1e6 * t[what] for t in found["players"].values()]
            by_players.plot(players, times, dashes, marker="o", markersize=3, color=style.DARK, label=name)
        by_batch.set(xscale="log", yscale="log", xlabel="strategies in a batch", ylabel="time for one, µs")
        by_players.set(xlabel=f"players, memory one, {EACH} in a batch", xticks=players)
        by_batch.legend()
        by_players.legend()
        style.put_below(figure, f"Inside jax.jit, float64. {found['machine']}. Dotted: numpy's batched linalg.solve.")
    return figure


def main(measure: bool = True) -> None:
    """Measure and draw how the time for a chain grows.

    Args:
        measure: Measure anew; otherwise draw what was kept.
    """
    kept = FOLDER / "growth.json"
    if measure:
        kept.write_text(json.dumps(measured(), indent=1) + "\n")
    with style.sheet():  # which keeps what is below the axes
        picture(json.loads(kept.read_text())).savefig(FOLDER / "growth.png", dpi=160)
    messages.print(f"written: {kept} and growth.png beside it")


if __name__ == "__main__":
    tyro.cli(main)
