"""What the figures about pools share: settings, training, and curves with quartile bands."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from ipd_theory.drawing import style
from ipd_theory.learning import pool as pools

Array = np.ndarray[Any, Any]
CONTEXTS = tuple(style.CONTEXTS)


def arrays(axes: str) -> dict[str, tuple[str, str]]:
    """Return the axes and units of a history, whose returns have these axes."""
    returns = dict.fromkeys(("against_naive", "of_naive", "among_meta", "self_play"), (axes, "payoff a step"))
    return {"steps": ("record", "training steps"), **returns, "logits": (f"{axes} context", "logit of cooperation")}


@dataclasses.dataclass(frozen=True)
class Settings:
    """How pools are trained. The paper leaves `num_inner_episodes` and `num_learners` open."""

    seeds: int = 8
    steps: int = 2000
    record_every: int = 50
    discount: float = 0.95
    learner_step: float = 5.0
    num_inner_episodes: int = 20
    num_learners: int = 16


def pool_of(settings: Settings, p_naive: Any, num_agents: int = 2) -> pools.Pool:
    """Return the pool [...] of these settings; a single agent meets its own copy."""
    return pools.Pool(
        jnp.asarray(p_naive, float),
        discount=settings.discount,
        learning_rate=jnp.asarray(settings.learner_step),
        num_inner_episodes=settings.num_inner_episodes,
        num_learners=settings.num_learners,
        num_agents=num_agents,
        self_play=num_agents == 1,
    )


def logits_of(probabilities: Any) -> Array:
    """Return the logits of cooperation probabilities."""
    p = np.asarray(probabilities, float)
    return np.log(p) - np.log1p(-p)


def train(
    pool: pools.Pool,
    settings: Settings,
    seed: int,
    progress: Callable[[float], None],
    logits: Any = None,
    seeds: int | None = None,
) -> tuple[pools.PoolState, dict[str, Array]]:
    """Train one pool a seed; return the last state and the history as arrays [records, …, seeds, agents]."""
    keys = jax.random.split(jax.random.key(seed), settings.seeds if seeds is None else seeds)
    state = pools.init(pool, keys, logits)
    state, history = pools.train(pool, state, settings.steps, settings.record_every, progress)
    arrays = {"steps": history.steps, **history.returns._asdict(), "logits": history.logits}
    if pool.num_agents == 1:
        del arrays["among_meta"]
    return state, {name: np.asarray(x) for name, x in arrays.items()}


def part(progress: Callable[[float], None], begin: float, end: float) -> Callable[[float], None]:
    """Return a progress function for the stretch of the work from `begin` to `end`."""
    return lambda done: progress(begin + (end - begin) * done)


def curve(axes: Axes, steps: Array, values: Array, label: str, color: str, linestyle: str = "-") -> None:
    """Draw the median over seeds with a band between the quartiles; values [records, seeds, …]."""
    low, middle, high = np.percentile(values.reshape(*values.shape[:2], -1).mean(-1), [25, 50, 75], axis=1)
    axes.fill_between(steps, low, high, color=color, alpha=0.2, linewidth=0)
    axes.plot(steps, middle, color=color, label=label, linestyle=linestyle)


def label_training(axes: Axes, ylabel: str = "reward a step") -> None:
    """Label the axes of a training curve."""
    axes.set_xlabel("training step")
    axes.set_ylabel(ylabel)
    axes.margins(x=0)


def note_bands(axes: Axes, seeds: int, unit: str = "seeds") -> None:
    """Say what line and band are, above the axes."""
    axes.set_title(f"median and quartiles, {seeds} {unit}", fontsize=6, color="0.4", loc="right", pad=3)


def efficiency_axis(axes: Axes, defection: float, best: float, label: str = "agent's efficiency") -> None:
    """Add an axis on the right that is 0 at what unconditional defection earns, and 1 at the best."""
    gain = best - defection
    functions = (lambda y: (np.asarray(y, float) - defection) / gain, lambda x: defection + gain * np.asarray(x, float))
    share = axes.secondary_yaxis("right", functions=functions)
    share.set_yticks([0, 0.25, 0.5, 0.75, 1])
    share.set_ylabel(label)
