"""Good values for the walk over the room of sampled play, and what is left out of it and why."""

import functools
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import ipd_theory as ipd
from ipd_theory.rl import config, environments, evaluation, lola_dice, networks, policies, run_folder, schelling, shaper
from ipd_theory.rl import ipd as dilemma
from ipd_theory.rl.environment import Environment
from tests.bad_input.sampling import Thunk

TINY = config.Config(
    iterations=1,
    meta_batch=2,
    batch=2,
    inner_episodes=1,
    episode_length=2,
    num_naive=1,
    network=networks.HawkSettings(width=2, heads=1, expanded_width=2),
)


@functools.cache
def a_run() -> Path:
    """The folder of a run that has saved nothing yet."""
    folder = Path(tempfile.mkdtemp())
    run_folder.write_settings(folder / run_folder.CONFIG, run_folder.described(TINY, (0,)))
    return folder


@functools.cache
def environment() -> Environment:
    """The iterated dilemma."""
    return dilemma.iterated(ipd.prisoners_dilemma())


def evaluated() -> evaluation.Evaluation:
    """Of who always defects."""
    meeting = evaluation.Meeting("always defect", evaluation.NAIVE, {"reward": np.zeros(2)})
    return evaluation.Evaluation(1, [meeting])


def policy() -> policies.Policy:
    """One that cooperates every other time."""
    return policies.playing(jnp.full(5, 0.5))


CLEANUP = environments.CleanUpLite()


def seen() -> np.ndarray:
    """What a player sees of an empty grid."""
    from ipd_theory.rl import cleanup

    state = cleanup.reset(CLEANUP, jax.random.key(0), ())
    return np.asarray(cleanup.observe(CLEANUP, state)[0])


RUN: dict[str, Thunk] = {"run": a_run}
SIZES: dict[str, Thunk] = {"num_observations": lambda: 5, "num_outputs": lambda: 3}
SEEN: dict[str, Thunk] = {"rules": lambda: CLEANUP, "observation": seen}
GOOD: dict[str, Thunk] = {
    "config": lambda: TINY,
    "directory": lambda: Path(tempfile.mkdtemp()),
    "environment": environment,
}
OWN: dict[str, dict[str, Thunk]] = {
    "rl.efficiency.against_naive": {"environment": environments.IteratedDilemma, "evaluated": evaluated},
    "rl.build.environment": {"settings": environments.IteratedDilemma},
    "rl.build.policy": {"settings": lambda: TINY.network},
    "rl.cleanup.environment": {"rules": lambda: CLEANUP},
    "rl.cleanup_pettingzoo.CleanUpLiteParallel": {"rules": lambda: CLEANUP, "render_mode": lambda: "ansi"},
    "rl.cleanup_render.episode": {
        "rules": lambda: CLEANUP,
        "observations": lambda: seen()[None],
        "rewards": lambda: np.zeros((1, 2)),
        "titles": lambda: ["first"],
    },
    "rl.cleanup_render.frame": SEEN,
    "rl.cleanup_render.save": {
        "path": lambda: Path(tempfile.mkdtemp()) / "a.gif",
        "frames": lambda: [np.zeros((2, 2, 3), np.uint8)],
    },
    "rl.cleanup_render.scene": SEEN,
    "rl.cleanup_render.text": SEEN,
    "rl.config.Config": {
        "environment": environments.IteratedDilemma,
        "network": lambda: TINY.network,
        "naive": config.Naive,
        "meta": config.Meta,
    },
    "rl.config.with_method": {"method": lambda: "coala"},
    "rl.evaluation.Player": {"policy": policy},
    "rl.evaluation.evaluate": RUN,
    "rl.evaluation.load_policy": RUN,
    "rl.evaluation.play_of": RUN,
    "rl.evaluation.watch": RUN,
    "rl.gru.GRU": SIZES,
    "rl.hawk.Hawk": SIZES,
    "rl.lola_dice.gradient": {
        "ego": policy,
        "other": policy,
        "settings": lambda: lola_dice.LolaDice(1, 1.0, 1, 1, 0.9),
    },
    "rl.policies.TabularPolicy": {"table": lambda: jnp.zeros((5, 3))},
    "rl.policies.playing": {"strategy": lambda: jnp.full(5, 0.5)},
    "rl.rollout.Sizes": {"batch": lambda: 1, "inner_episodes": lambda: 1, "episode_length": lambda: 1},
    "rl.run_folder.iterations_done": {"directory": a_run},
    "rl.run_folder.read_config": {"directory": a_run},
    "rl.run_folder.read_metrics": {"directory": a_run},
    "rl.runs.read_states": {"directory": a_run},
    "rl.schelling.diagram": {
        "environment": environment,
        "cleaner": policy,
        "rider": policy,
        "key": lambda: jax.random.key(0),
        "games": lambda: 2,
        "episode_length": lambda: 2,
    },
    "rl.schelling.is_dilemma": {"found": lambda: schelling.Schelling(*np.ones((4, 2)))},
    "rl.scripted.Script": {"rules": lambda: CLEANUP},
    "rl.scripted.by_hand": {"environment": environments.IteratedDilemma},
    "rl.scripted.cleanup_players": {"rules": lambda: CLEANUP},
    "rl.shaper.evolve": {
        "settings": lambda: shaper.ShaperSettings(population_size=2),
        "generations": lambda: 1,
    },
    "rl.shaper.shaper": {"settings": lambda: shaper.ShaperSettings(population_size=2)},
    "rl.tagging.load_class": {"place": lambda: "ipd_theory.rl.networks:GRUSettings"},
}


def _in(module: str, names: str, why: str) -> dict[str, str]:
    return {f"rl.{module}.{name}": why for name in names.split()}


PIECE = "a piece of compiled code, called with what a config and an environment that were checked have made"
FOLDER = "called by `runs.train` and `shaper.evolve` on a folder that they hold"
LAYER = "a part of a network, made by the network from settings that were checked"
INSIDE = {
    **_in("checkpoint", "Checkpoints drop_after silent_threads plain like", FOLDER),
    **_in("chunks", "largest_divisor group_size sequences_at_once mean_over_chunks in_turn sum_over mean_over", PIECE),
    **_in("cleanup", "reset draw step num_features observe measure", "the rules, called by the environment in play"),
    **_in("cleanup_render", "ffmpeg", "called by `save` with its path"),
    **_in("devices", "initial_states iterate_seeds iterate_on mesh_for compiled_iteration on_every_device", PIECE),
    **_in("devices", "agreed", "questions that processes put to each other"),
    **_in("fitting", "environment_fits policy_fits", "the check itself, of what one's own settings build"),
    **_in("gradient_parts", "measured credit_by_time norms", PIECE),
    **_in("hawk", "Features ByLag ByWindow ReadyHawk", "what a network is in play, made by `ready`"),
    **_in("hawk_layers", "Linear product RMSNorm decay_parameter Encoder Gates recurrence_terms Decoder", LAYER),
    **_in("losses", "descend discounted_returns a2c by_trajectory by_time whole meta_advantages", PIECE),
    **_in("losses", "optimizer", "called with settings that hold their fields"),
    **_in("losses", "ppo_loss ppo_update", PIECE),
    **_in("policies", "along chosen sample", PIECE),
    **_in("recurrence", "bounded_sqrt linear_recurrence", PIECE),
    **_in("resuming", "where_it_stopped hold_checkpoint", FOLDER),
    **_in("rollout", "play play_episode", PIECE),
    **_in("run_folder", "described decisive differences hold held write_whole write_settings append rewind", FOLDER),
    **_in("scripted", "see", PIECE),
    **_in("tagging", "to_tagged from_tagged", "called with what was read from a run's folder; they name the entry"),
    **_in("tracking", "scalars trackers", "called by the command with what training reports"),
    **_in("train", "sizes_of initial_state iterate draw_co_players meta_episode trajectories by_episode", PIECE),
    **_in("train", "against_naive against_meta", PIECE),
}
MEANT: dict[str, str] = {
    "rl.policies.TabularPolicy table another last axis": "an environment with other actions",
    "rl.runs.train max_minutes infinite": "no limit",
}
