"""Phases of pools among three players: public goods over the multiplication factor and the share of naive seats.

An agent remembers who contributed in the last round. Each of the two other seats of its group is a naive learner's with
probability p_naive, else its own copy's (`learning.pool`). What became of it is told as in the maps for two players
(`phases.outcomes`): R is the return when all contribute, P when nobody does, CC and DD how often an agent contributes
and does not, and the gap what a best reply to two copies earns beyond them. On the left these outcomes, in the middle
how often copies contribute among each other (their return on the scale from P to R, which is the same in this game), on
the right what an agent gets from two naive learners in their last inner episode beyond what unconditional defection
would have got from them, on the same scale.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory.drawing import phase_maps
from ipd_theory.games import MatrixGame, public_goods
from ipd_theory.learning import pool as pools
from ipd_theory.phases.outcomes import ALWAYS_DEFECT, Measures, classify
from ipd_theory.replies import gap
from ipd_theory.returns import expected_returns, state_occupancy
from paper_figures.about import OURS, About
from paper_figures.run import Arrays

Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True)
class Settings:
    """The map's cells and how its pools are trained."""

    num_players: int = 3
    multiplication: tuple[float, ...] = (1.2, 1.6, 2.0, 2.4, 2.8)
    p_naive: tuple[float, ...] = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)
    discount: float = 0.95
    learning_rate: float = 20.0
    num_inner_episodes: int = 10
    num_learners: int = 2
    num_judges: int = 16
    meta_rate: float = 0.05
    seeds: int = 4
    steps: int = 400


ABOUT = About(
    "public-goods",
    OURS,
    150,
    {
        "x": ("x", "multiplication factor"),
        "y": ("y", "p_naive"),
        "outcome": ("x y seed", "number of the Outcome"),
        "contributing": ("x y seed", "share of rounds"),
        "shaped": ("x y seed", "share of R − P"),
        "gap": ("x y seed", "share of R − P"),
    },
    remark="at r of 2 and more agents contribute among each other wherever p_naive is 0.2 or more (in 0.61 to 1 of all "
    "rounds, the mean over seeds, with a gap of 0.01 or less but for one cell), at r = 1.2 nowhere, at r = 1.6 in one "
    "run of 24, though learners are shaped there; at p_naive 0.05 in a quarter to a half of the rounds. None extorts.",
)
PRESETS = {
    "quick": Settings(),
    "paper": Settings(
        multiplication=tuple(np.linspace(1.1, 2.9, 10).round(2).tolist()),
        p_naive=tuple(np.linspace(0.05, 0.95, 10).round(2).tolist()),
        num_inner_episodes=20,
        num_learners=8,
        num_judges=32,
        meta_rate=0.02,
        seeds=8,
        steps=2000,
    ),
}


def pool_of(settings: Settings) -> pools.Pool:
    """Return the pools [x, y, seeds], of single precision: one agent each, whose copies are its fellow agents."""
    games = [public_goods(settings.num_players, r).payoffs for r in settings.multiplication]
    payoffs = jnp.asarray(np.stack(games)[:, None, None], jnp.float32)
    shape = (len(settings.multiplication), len(settings.p_naive), settings.seeds)
    return pools.Pool(
        jnp.broadcast_to(jnp.asarray(settings.p_naive, jnp.float32)[:, None], shape),
        discount=settings.discount,
        learning_rate=jnp.float32(settings.learning_rate),
        num_inner_episodes=settings.num_inner_episodes,
        num_learners=settings.num_learners,
        num_agents=1,
        self_play=True,
        learner_std=jnp.float32(1.0),
        game=MatrixGame(payoffs, num_players=settings.num_players),
        optimizer=optax.adamw(settings.meta_rate),
    )


def compute(settings: Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Train the pools of all cells, the same seeds in each, and measure them."""
    pool, key = pool_of(settings), jax.random.key(seed)
    keys = jnp.broadcast_to(jax.random.split(key, settings.seeds), pool.batch_shape)
    state, _ = pools.train(pool, pools.init(pool, keys), settings.steps, settings.steps, progress)
    found = measures(settings, pool, state.logits, jax.random.fold_in(key, 1))
    unit = (np.asarray(settings.multiplication) - 1)[:, None, None]
    return {
        "x": np.asarray(settings.multiplication),
        "y": np.asarray(settings.p_naive),
        "outcome": classify(found, unit, np.zeros_like(unit)),
        "contributing": found.among_meta[..., 0] / unit,
        "shaped": (found.against_learned - found.defector_learned)[..., 0] / unit,
        "gap": found.gap[..., 0] / unit,
    }


def measures(settings: Settings, pool: pools.Pool, logits: Any, key: Any) -> Measures:
    """Return what two-player maps tell of agents, of groups: `phases.outcomes` with all in place of both."""
    n, discount = settings.num_players, settings.discount
    judge = dataclasses.replace(pool, num_learners=settings.num_judges)
    learners = pools.draw_learners(judge, jnp.broadcast_to(key, pool.batch_shape))
    paths = [pools.naive_path(judge, x, learners).mean(-2) for x in (logits, jnp.full_like(logits, ALWAYS_DEFECT))]
    table = jax.nn.sigmoid(logits[..., 0, :].astype(float))
    game = MatrixGame(pool.game.payoffs.astype(float), num_players=n)

    def contributes(*others: Any) -> Any:
        return state_occupancy(table, *others, discount=discount)[..., : 2 ** (n - 1)].sum(-1)

    always = [jnp.full(table.shape[-1], p) for p in (1.0, 0.0)]
    rate, *rates = (contributes(*(other,) * (n - 1)) for other in (table, *always))
    among = expected_returns(game, *(table,) * n, discount=discount)[..., 0]
    of_agents = (among, rate, 1 - rate, gap(game, *(table,) * n, discount=discount), among, rate)
    whole, last, defector = paths[0].mean(0), paths[0][-1], paths[1][-1]
    learned = (last[..., 0], last[..., 1:].mean(-1), defector[..., 0])
    naive = (whole[..., 0], whole[..., 1:].mean(-1), *learned)
    return Measures(*(np.asarray(x, float) for x in (*naive, *(y[..., None] for y in (*of_agents, *rates)))))


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the three maps."""
    x, y = arrays["x"], arrays["y"]
    figure, grid = subplots(1, 3, figsize=(7.4, 2.9), sharey=True)
    phase_maps.draw_outcomes(grid[0], x, y, arrays["outcome"])
    grid[0].set_title("outcome (paler: seeds disagree)", fontsize=8)
    grid[0].set_ylabel("p_naive, share of naive seats")
    borders = [phase_maps.edges(values, log=False) for values in (x, y)]
    shaped = arrays["shaped"].mean(-1)
    for axes, name, title, unit, limits, colors in (
        (grid[1], "contributing", "contributing among copies", "share of rounds", (0.0, 1.0), "cividis"),
        (
            grid[2],
            "shaped",
            "gained by shaping",
            "share of R − P",
            (min(0.0, shaped.min()), max(0.5, shaped.max())),
            "viridis",
        ),
    ):
        low, high = limits
        drawn = axes.pcolormesh(*borders, arrays[name].mean(-1).T, cmap=colors, vmin=low, vmax=high)
        figure.colorbar(drawn, ax=axes, label=unit)
        axes.set_title(title, fontsize=8)
    grid[0].set_yticks(y)
    for axes in grid:
        axes.set_xlabel("multiplication factor r")
        axes.set_xticks(x[:: -(-len(x) // 6)])
    phase_maps.name_outcomes(figure, arrays["outcome"])
    return figure
