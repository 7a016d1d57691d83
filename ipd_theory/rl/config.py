"""Every setting of a training run, and the paper's presets (Meulemans et al. 2025, tables of appendix F).

Memory that an iteration of one seed takes on one device, as the compiler lays it out on a CPU:

| preset | as the paper | `-quick` |
|---|---|---|
| `ipd-shaping` | 44 MiB | 7 MiB |
| `ipd-mixed` | 96 MiB | 19 MiB |
| `cleanup-shaping` | 24.6 GiB | 14 MiB |
| `cleanup-mixed` | 7.4 GiB | 15 MiB |

With whole minibatches, as on a GPU, the first two of the paper's take 1,184 and 1,769 MiB; a GPU's compiler schedules
and lays out otherwise, so that there this is an estimate. `ipd-theory train PRESET --dry-run` says what it is for any
settings on the devices at hand. What playing takes is bounded by `co_players_at_once`, what learning takes by
`meta.trajectories_at_once`.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ipd_theory._arguments import checked, did_you_mean, hold_fields
from ipd_theory.rl.environments import CleanUpLite, EnvironmentSettings, IteratedDilemma
from ipd_theory.rl.networks import HawkSettings, NetworkSettings

Method = str  # the name of an estimator of `sampling.estimators`, or FILE.py:NAME
_PUBLISHED = {"coala", "batch_unaware", "m_fos"}  # names known to be right without loading jax


@dataclass(frozen=True)
class Naive:
    """Co-players that learn from each inner episode alone, by A2C with Monte-Carlo returns.

    Args:
        learning_rate: Step size of their optimizer.
        optimizer: adam or sgd.
        discount: Their γ.
        value_coefficient: Weight of the value loss.
        normalize_advantages: Whether advantages are shifted and scaled to mean 0 and deviation 1 over the batch.
        reward_scale: Factor on rewards before learning; metrics stay unscaled.
        max_gradient_norm: Gradients longer than this are shortened to it.
    """

    learning_rate: float = 0.005
    optimizer: Literal["adam", "sgd"] = "adam"
    discount: float = 0.99
    value_coefficient: float = 0.5
    normalize_advantages: bool = True
    reward_scale: float = 0.05
    max_gradient_norm: float = 1.0

    def __post_init__(self) -> None:
        hold_fields(self)
        _least(self, 0, "learning_rate", "value_coefficient")
        _shares(self, "discount")
        _positive(self, "reward_scale", "max_gradient_norm")


@dataclass(frozen=True)
class Meta:
    """How meta agents learn: PPO; one epoch of one minibatch is A2C.

    Args:
        learning_rate: Step size of their optimizer.
        optimizer: adam or sgd.
        epochs: Passes over each iteration's data.
        minibatches: Updates a pass, each on a random share of whole meta-trajectories.
        clip: How far the probability ratio may leave 1, and a value its old value.
        value_coefficient: Weight of the value loss.
        discount: γ.
        td_lambda: λ of the value targets.
        gae_lambda: λ of the advantages; γλ below 1 damps the credit for shaping.
        normalize_advantages: Whether advantages are scaled to deviation 1 (they are always centred).
        reward_scale: Factor on rewards before learning; metrics stay unscaled.
        max_gradient_norm: Gradients longer than this are shortened to it.
        trajectories_at_once: Most meta-trajectories whose gradient is taken together, 0 for a whole minibatch. None is
            a whole minibatch on a GPU, which that keeps busy, and on a CPU so few that they stay in its cache.
    """

    learning_rate: float = 3e-4
    optimizer: Literal["adam", "sgd"] = "adam"
    epochs: int = 4
    minibatches: int = 2
    clip: float = 0.2
    value_coefficient: float = 0.5
    discount: float = 1.0
    td_lambda: float = 1.0
    gae_lambda: float = 1.0
    normalize_advantages: bool = False
    reward_scale: float = 0.05
    max_gradient_norm: float = 1.0
    trajectories_at_once: int | None = None

    def __post_init__(self) -> None:
        hold_fields(self)
        _least(self, 1, "epochs", "minibatches")
        _least(self, 0, "learning_rate", "value_coefficient", "trajectories_at_once")
        _shares(self, "discount", "td_lambda", "gae_lambda")
        _positive(self, "clip", "reward_scale", "max_gradient_norm")


@dataclass(frozen=True)
class Config:
    """A training run of a pool of meta agents and naive learners in an environment for two.

    Args:
        methods: The estimator by which each meta agent in the pool learns, one entry an agent: coala, batch_unaware,
            m_fos or another of `sampling.estimators` with a credit; one's own as FILE.py:NAME.
        iterations: Updates of every meta agent.
        meta_batch: Co-players drawn for each meta agent an iteration.
        batch: B, trajectories played in parallel with each co-player.
        inner_episodes: M, inner episodes of a meta-trajectory.
        episode_length: T, steps of an inner episode.
        p_naive: Probability that a drawn co-player is naive rather than another meta agent.
        num_naive: Naive initialisations to draw from.
        dynamic_naive: Whether every naive initialisation is set to one of the meta agents at each iteration.
        co_players_at_once: Most co-players that play at the same time, 0 for all of them; fewer take less memory, and
            change no result beyond rounding. None is all on a GPU, and on a CPU so few that what the naive ones learn
            from stays in its cache.
        gradient_parts_every: Iterations between measurements of the policy gradient's parts (Figure 12), 0 for none.
        environment: What is played.
        network: The sequence model of every agent, actor and critic in one.
        naive: The naive learners.
        meta: The meta agents' learning.
    """

    methods: tuple[Method, ...] = ("coala",)
    iterations: int = 3000
    meta_batch: int = 128
    batch: int = 16
    inner_episodes: int = 20
    episode_length: int = 10
    p_naive: float = 1.0
    num_naive: int = 10
    dynamic_naive: bool = False
    co_players_at_once: int | None = None
    gradient_parts_every: int = 0
    environment: EnvironmentSettings = field(default_factory=IteratedDilemma)
    network: NetworkSettings = field(default_factory=HawkSettings)
    naive: Naive = field(default_factory=Naive)
    meta: Meta = field(default_factory=Meta)

    def __post_init__(self) -> None:
        hold_fields(self)
        if not isinstance(self.methods, tuple) or not self.methods:
            raise ValueError(f"methods must be a tuple, a learning rule for each meta agent; got {self.methods!r}")
        for method in set(self.methods) - _PUBLISHED:
            _can_train(method)
        _least(self, 1, "iterations", "meta_batch", "batch", "inner_episodes", "episode_length")
        _least(self, 0, "num_naive", "co_players_at_once", "gradient_parts_every")
        _shares(self, "p_naive")
        if self.p_naive > 0 and self.num_naive < 1:
            raise ValueError(f"num_naive must be 1 or more with p_naive={self.p_naive}; got {self.num_naive}")
        if self.p_naive < 1 and len(self.methods) < 2:
            raise ValueError(
                f"methods must name two meta agents or more with p_naive={self.p_naive}; got {self.methods}"
            )
        trajectories = self.meta_batch * self.batch
        if trajectories % self.meta.minibatches:
            raise ValueError(
                f"meta.minibatches must divide meta_batch × batch = {trajectories}; got {self.meta.minibatches}"
            )

    @property
    def steps_per_iteration(self) -> int:
        """Environment steps of one iteration, all meta agents together."""
        steps = self.meta_batch * self.batch * self.inner_episodes * self.episode_length
        return len(self.methods) * steps


def _can_train(method: Method) -> None:
    from ipd_theory.sampling import estimators

    able = {estimator.name: estimator for estimator in estimators.ESTIMATORS if estimator.credit is not None}
    if method not in able and ":" not in method:
        near = did_you_mean(method, able.keys())
        raise ValueError(f"methods must be among {', '.join(able)}, or FILE.py:NAME; got {method!r}{near}")
    try:
        estimator = able.get(method) or estimators.named(method)
    except ValueError as error:
        raise ValueError(f"methods: {error}") from error
    if estimator.credit is None:
        raise ValueError(f"methods: {method!r}: an estimator needs a credit to train with a value function")


def _least(settings: Any, least: int, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if value is not None and value < least:
            raise ValueError(f"{name} must be {least} or more; got {value}")


def _positive(settings: Any, *names: str) -> None:
    for name in names:
        if not getattr(settings, name) > 0:
            raise ValueError(f"{name} must be positive; got {getattr(settings, name)}")


def _shares(settings: Any, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(settings, name) <= 1:
            raise ValueError(f"{name} must lie in [0, 1]; got {getattr(settings, name)}")


@checked
def with_method(config: Config, method: Method) -> Config:
    """Return the same run with every meta agent learning by `method`."""
    return replace(config, methods=(method,) * len(config.methods))


_QUICK = Config(
    iterations=180,
    meta_batch=32,
    batch=8,
    inner_episodes=20,
    episode_length=5,
    gradient_parts_every=10,
    meta=Meta(learning_rate=5e-4),
)

# Naive learners that start as the agents are cannot be told from them at first, so that what shapes learners meets
# agents too. With the fixed ones of `ipd-mixed`, agents of small runs find out who is who and defect on each other.
# With a smaller meta-batch pairs differ much more from seed to seed: `paper_figures.figure_5` has the numbers.
_MIXED_QUICK = replace(_QUICK, iterations=300, methods=("coala",) * 2, meta_batch=128, p_naive=0.5, dynamic_naive=True)

# COALA-PG's settings. The paper gives the baselines others: `paper_figures.cleanup_runs.tuned`.
_CLEANUP_SHAPING = Config(
    meta_batch=512,
    batch=32,
    inner_episodes=100,
    episode_length=64,
    co_players_at_once=64,
    environment=CleanUpLite(),
    naive=Naive(reward_scale=0.1),
    meta=Meta(learning_rate=1e-3, normalize_advantages=True, reward_scale=0.1, trajectories_at_once=128),
)
_SGD = Naive(learning_rate=1.0, optimizer="sgd", discount=1.0, reward_scale=0.1)
_CLEANUP_MIXED = replace(
    _CLEANUP_SHAPING,
    methods=("coala",) * 3,
    iterations=30000,
    batch=64,
    inner_episodes=5,
    p_naive=0.75,
    num_naive=3,
    dynamic_naive=True,
    naive=_SGD,
    meta=replace(
        _CLEANUP_SHAPING.meta, learning_rate=0.1, optimizer="sgd", epochs=1, minibatches=1, trajectories_at_once=2048
    ),
)
# On 3 × 3 cells apples are near enough that naive learners learn to harvest within 20 inner episodes.
_CLEANUP_SHAPING_QUICK = replace(
    _CLEANUP_SHAPING,
    iterations=600,
    meta_batch=8,
    batch=8,
    inner_episodes=20,
    episode_length=32,
    co_players_at_once=None,
    environment=CleanUpLite(rows=3, columns=3),
    naive=Naive(learning_rate=0.01, reward_scale=0.1),
    meta=replace(_CLEANUP_SHAPING.meta, trajectories_at_once=None),
)
_CLEANUP_MIXED_QUICK = replace(
    _CLEANUP_SHAPING_QUICK,
    methods=("coala",) * 2,
    batch=16,
    inner_episodes=5,
    p_naive=0.75,
    num_naive=3,
    dynamic_naive=True,
    naive=_SGD,
    meta=replace(_CLEANUP_SHAPING_QUICK.meta, learning_rate=2e-3, epochs=1, minibatches=1),
)

PRESETS = {
    "ipd-shaping": Config(gradient_parts_every=10),
    "ipd-mixed": Config(methods=("coala",) * 4, p_naive=0.75),
    "ipd-shaping-quick": _QUICK,
    "ipd-mixed-quick": _MIXED_QUICK,
    "cleanup-shaping": _CLEANUP_SHAPING,
    "cleanup-mixed": _CLEANUP_MIXED,
    "cleanup-shaping-quick": _CLEANUP_SHAPING_QUICK,
    "cleanup-mixed-quick": _CLEANUP_MIXED_QUICK,
}
