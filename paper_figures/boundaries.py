"""Where unconditional defection loses its stability: predicted in closed form, and measured in pools that start there.

Lines are predictions (`phases.drift`); cells are trained pools that start at p = 0.001 everywhere, filled where
the agents came to cooperate more after DC. Leaving defection is not the same as ending in cooperation: at these
p_naive most of the pools that leave it end as extortioners. Without trembles the weight of the naive learners does not
matter so long as it is above 0; with trembles it must be above p*(ε). At the quick preset all cells at the edges of
the three maps lie within a cell of the predicted edge.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

import ipd_theory as ipd
from ipd_theory.drawing.style import CONTEXTS, PREDICTED, SERIES
from ipd_theory.learning import pool as pools
from ipd_theory.phases.boundaries import boundary_agreement, learning_rate_windows
from ipd_theory.phases.drift import AFTER_DC, defection_drift, sobol_learners
from paper_figures.about import OURS, About
from paper_figures.pools import logits_of, note_bands, part
from paper_figures.run import Arrays

ADAM = optax.adamw(0.02)
START = logits_of([[0.001] * 5])
TREMBLED_STEPS = (1.0, 5.0, 20.0)  # the learner's steps for which p*(ε) is drawn; pools are trained at the second


@dataclass(frozen=True)
class Settings:
    """The pools have one agent that also meets its own copy; M = 20 where nothing else is said."""

    log2_learners: int = 7
    window_points: int = 32
    discounts: tuple[float, ...] = (0.5, 0.8, 0.9, 0.96, 0.99, 0.999)
    episodes: tuple[int, ...] = (2, 5, 20)
    rows: int = 8
    columns: int = 12
    escape_steps: int = 150
    num_learners: int = 8
    trained_steps: int = 500
    seeds: int = 3
    p_naive: float = 0.5
    learner_step: float = 5.0
    discount: float = 0.95
    num_inner_episodes: int = 20


ABOUT = About(
    "boundaries",
    OURS,
    30,
    {
        "windows": ("inner_episodes discount end", "step η"),
        "drift_by_discount": ("discount learning_rate context", "payoff a step"),
        "critical_batch": ("learning_rate", "trajectories"),
        "threshold": ("learning_rate tremble", "p_naive"),
        "escape_by_discount": ("discount learning_rate", "logit"),
        "escape_by_batch": ("batch_size learning_rate", "logit"),
        "escape_by_tremble": ("p_naive tremble", "logit"),
        "batch_sizes": ("batch_size", "trajectories"),
        "trained": ("start batch_size seed", "payoff a step"),
    },
)
PRESETS = {
    "quick": Settings(),
    "paper": Settings(
        log2_learners=10, window_points=96, rows=24, columns=32, escape_steps=400, num_learners=32,
        trained_steps=3000, seeds=16,
    ),
}  # fmt: skip

Grid = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def axes_of(settings: Settings) -> tuple[Grid, Grid, Grid]:
    """Return the maps' axes: learner's steps by 1 − γ, and by batch sizes, and trembles by p_naive."""
    rates = np.geomspace(0.1, 200, settings.columns)
    return (
        (rates, np.geomspace(0.5, 0.01, settings.rows)),
        (rates, np.geomspace(1, 16, settings.rows)),
        (np.geomspace(1e-3, 0.3, settings.columns), np.geomspace(3e-3, 1, settings.rows)),
    )


def trained(
    settings: Settings, steps: int, key: Any, start: Any, progress: Callable[[float], None], **changes: Any
) -> Any:
    """Return the pools and their state after some steps."""
    pool = pools.Pool(
        num_agents=1, self_play=True, num_learners=settings.num_learners, optimizer=ADAM,
        num_inner_episodes=settings.num_inner_episodes, **changes,
    )  # fmt: skip
    state = pools.init(pool, key, start)
    return pool, pools.train(pool, state, steps, steps // 5 or 1, progress)[0]


def compute(settings: Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Return predicted and measured boundaries."""
    game, learners = ipd.prisoners_dilemma(), sobol_learners(settings.log2_learners, seed=seed)
    windows = np.array([
        [
            learning_rate_windows(game, learners, discount=g, num_inner_episodes=M, points=settings.window_points)[0]
            for g in settings.discounts
        ]
        for M in settings.episodes
    ])  # fmt: skip
    progress(0.2)
    (rates, deltas), (_, batches), (trembles, weights) = axes_of(settings)
    fixed: dict[str, Any] = {"num_inner_episodes": settings.num_inner_episodes}
    by_discount = defection_drift(game, learners, discount=1 - deltas[:, None], learning_rate=rates, **fixed)
    here = defection_drift(game, learners, discount=settings.discount, learning_rate=rates, **fixed)
    trembled = defection_drift(
        game,
        learners,
        discount=settings.discount,
        learning_rate=np.array(TREMBLED_STEPS)[:, None],
        tremble=trembles,
        **fixed,
    )
    arrays = {
        "windows": windows,
        "drift_by_discount": by_discount.against_naive(),
        "critical_batch": here.critical_batch_size(),
        "threshold": jnp.minimum(trembled.critical_p_naive(), 1),
    }
    changes: dict[str, dict[str, Any]] = {
        "escape_by_discount": {"learning_rate": rates, "discount": 1 - deltas[:, None]},
        "escape_by_batch": {"learning_rate": rates, "shaping_weight": 1 / batches[:, None]},
        "escape_by_tremble": {"tremble": trembles, "p_naive": weights[:, None], "learning_rate": TREMBLED_STEPS[1]},
    }
    for i, (name, change) in enumerate(changes.items()):
        arrays[name] = escape(settings, seed, part(progress, 0.2 + 0.2 * i, 0.4 + 0.2 * i), change)
    return {k: np.asarray(x) for k, x in arrays.items()} | _trained_returns(settings, seed, part(progress, 0.8, 1.0))


def escape(settings: Settings, seed: int, progress: Callable[[float], None], change: dict[str, Any]) -> Any:
    """Return how far the logit after DC has moved [rows, columns] in pools of which some settings differ."""
    shape = (settings.rows, settings.columns)
    # Every map gives all of these per pool, so that one program is compiled for all of them.
    same = {"p_naive": settings.p_naive, "discount": settings.discount, "shaping_weight": 1.0, "tremble": 0.0}
    given = {name: np.broadcast_to(np.asarray(x, float), shape) for name, x in (same | change).items()}
    keys = jax.random.split(jax.random.key(seed), shape)
    as_arrays = {name: x if name == "discount" else jnp.asarray(x) for name, x in given.items()}
    _, state = trained(settings, settings.escape_steps, keys, START, progress, **as_arrays)
    return state.logits[..., 0, AFTER_DC] - START[0, AFTER_DC]


def _trained_returns(settings: Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Return what agents trained on naive learners alone earn from them, by batch size: from defection, and from
    random policies."""
    batch_sizes = 2.0 ** np.arange(8)
    keys = jax.random.split(jax.random.key(seed + 1), (2, 1, settings.seeds))
    random = np.random.default_rng(seed).normal(size=(1, 1, settings.seeds, 1, 5))
    start = np.concatenate([np.broadcast_to(START, random.shape), random])
    pool, state = trained(
        settings, settings.trained_steps, jnp.broadcast_to(keys, (2, 8, settings.seeds)), start, progress,
        p_naive=jnp.asarray(1.0), discount=settings.discount, learning_rate=jnp.asarray(settings.learner_step),
        shaping_weight=jnp.broadcast_to(jnp.asarray(1 / batch_sizes)[:, None], (2, 8, settings.seeds)),
    )  # fmt: skip
    returns = pools.evaluate(pool, state.logits, state.key)
    return {"batch_sizes": batch_sizes, "trained": np.asarray(returns.against_naive)[..., 0]}


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw windows, thresholds and critical batch sizes, the maps with the agreement of prediction and measurement."""
    figure, axes = subplots(2, 3, figsize=(7.2, 4.4))
    _plot_windows(axes[0, 0], arrays, settings)
    (rates, deltas), (_, batches), (trembles, weights) = axes_of(settings)
    drift = arrays["drift_by_discount"][..., AFTER_DC]
    _plot_map(axes[0, 1], rates, deltas, arrays["escape_by_discount"], drift)
    axes[0, 1].set(ylabel=r"$1-\gamma$")
    margin = arrays["critical_batch"] - batches[:, None]
    _plot_map(axes[1, 0], rates, batches, arrays["escape_by_batch"], margin)
    axes[1, 0].set(ylabel="batch size B")
    row = int(np.argmin(np.abs(deltas - (1 - settings.discount))))
    for name in ("start", "DC", "DD"):
        drift_there = arrays["drift_by_discount"][row, :, list(CONTEXTS).index(name)]
        axes[0, 2].semilogx(rates, drift_there, label=name, color=CONTEXTS[name])
    axes[0, 2].axhline(0, color="0.6", lw=0.6)
    axes[0, 2].set(xlabel=r"learner's step $\eta$", ylabel=r"drift $\partial\bar J/\partial p_s$ at $p=0$")
    axes[0, 2].set_title(rf"after …, $\gamma={1 - deltas[row]:.2f}$", fontsize=7)
    axes[0, 2].legend(loc="lower right")
    _plot_map(axes[1, 1], trembles, weights, arrays["escape_by_tremble"], weights[:, None] - arrays["threshold"][1])
    for i, (rate, threshold) in enumerate(zip(TREMBLED_STEPS, arrays["threshold"], strict=True)):
        style, label = ("-", " (cells)") if i == 1 else (":", "")
        some = threshold < 1  # 1 stands for trembles at which no weight is enough
        axes[1, 1].plot(trembles[some], threshold[some], style, color=SERIES[i], label=rf"$\eta={rate:g}$" + label)
    axes[1, 1].set(xlabel=r"tremble $\epsilon$", ylabel=r"$p_{\mathrm{naive}}$; lines: $p^*(\epsilon)$")
    axes[1, 1].legend(loc="lower right")
    for i, (label, marker) in enumerate((("from defection", "o"), ("from random policies", "s"))):
        low, middle, high = np.percentile(arrays["trained"][i], [25, 50, 75], axis=-1)
        axes[1, 2].fill_between(arrays["batch_sizes"], low, high, color=SERIES[i], alpha=0.2, lw=0)
        axes[1, 2].semilogx(arrays["batch_sizes"], middle, marker=marker, ms=3, color=SERIES[i], label=label)
    critical = np.interp(settings.learner_step, rates, arrays["critical_batch"])
    axes[1, 2].axvline(critical, color="0.4", ls=":", lw=1, label="critical B, predicted")
    axes[1, 2].set(xlabel="batch size B", ylabel="return against naive", ylim=(0.2, 1.5))
    axes[1, 2].legend(loc="upper right", bbox_to_anchor=(1.0, 1.02))
    note_bands(axes[1, 2], settings.seeds)
    return figure


def _plot_windows(axes: Axes, arrays: Arrays, settings: Settings) -> None:
    deltas = 1 - np.array(settings.discounts)
    for i, M in enumerate(settings.episodes):
        low, high = arrays["windows"][i].T
        axes.fill_between(deltas, low, high, color=SERIES[i], alpha=0.12, lw=0)
        axes.plot(deltas, low, color=SERIES[i], marker=".", label=f"M = {M}")
        axes.plot(deltas, high, color=SERIES[i], marker=".")
        axes.axhline(7 / M, color=SERIES[i], ls=":", lw=0.8)
    axes.axhline(50, color="0.4", ls=":", lw=0.8)
    axes.set(xscale="log", yscale="log", xlabel=r"$1-\gamma$", ylabel=r"learner's step $\eta$")
    axes.set(ylim=(0.07, 200))
    axes.set_title("defection unstable between the lines\ndotted: 7/M and 50", fontsize=7)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, -0.42), ncol=3, columnspacing=0.8, handlelength=1.2)


def _plot_map(axes: Axes, x: Any, y: Any, measured: Any, predicted: Any) -> None:
    """Draw the sign of what was measured in cells, and the predicted line."""
    axes.pcolormesh(x, y, measured > 0, cmap="Greys", vmin=0, vmax=2.5, shading="nearest")
    axes.contour(x, y, predicted, levels=[0.0], colors=PREDICTED, linewidths=1.3)
    axes.set(xscale="log", yscale="log", xlabel=r"learner's step $\eta$")
    share = boundary_agreement(np.asarray(predicted > 0), np.asarray(measured > 0))
    axes.set_title(f"grey: pools left defection\nline: predicted; {share:.0%} within a cell", fontsize=7)
