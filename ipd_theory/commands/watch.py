"""`ipd-theory watch`."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from ipd_theory.commands.console import messages, results


def watch(
    run: Annotated[Path, tyro.conf.Positional],
    out: Path | None = None,
    live: bool = False,
    against: Literal["naive", "meta"] = "naive",
    agent: int = 0,
    episodes: tuple[int, ...] = (),
    iteration: int | None = None,
    frames_per_second: float = 8.0,
    seed: int = 0,
) -> None:
    """Watch an agent of a CleanUp-lite run play, as an animation or drawn in the terminal.

    The agent (blue, 1) plays a whole meta-episode against a naive learner (orange, 2), which learns after every inner
    episode, or against another meta agent. Both players' returns stand below.

    Args:
        run: Folder of the run.
        out: Animation to write, .gif or .mp4 (which needs ffmpeg); RUN/episode.gif if not given and not live.
        live: Draw in the terminal instead, or as well.
        against: A fresh naive learner, or the next meta agent of the pool.
        agent: Which meta agent, counted from 0.
        episodes: Inner episodes to show, counted from 1; the first and the last if none is given.
        iteration: Which checkpoint; the latest if not given.
        frames_per_second: Speed.
        seed: Seed of the play.
    """
    import time

    import jax
    import jax.numpy as jnp
    import numpy as np
    from rich.live import Live
    from rich.text import Text

    from ipd_theory.rl import cleanup, cleanup_render, run_folder, runs, train
    from ipd_theory.rl.environments import CleanUpLite
    from ipd_theory.rl.losses import a2c
    from ipd_theory.rl.rollout import CoPlayers, play

    config, _ = run_folder.read_config(run)
    rules = config.environment
    if not isinstance(rules, CleanUpLite):
        raise ValueError(f"run {run} plays {type(rules).__name__}; only CleanUpLite can be watched")
    shown = episodes or tuple(dict.fromkeys((1, config.inner_episodes)))
    for name, value, least, most in (
        ("agent", agent, 0, len(config.methods) - 1),
        *(("episodes", number, 1, config.inner_episodes) for number in shown),
    ):
        if not least <= value <= most:
            raise ValueError(f"{name} must lie in {least} to {most}; got {value}")
    if against == "meta" and len(config.methods) < 2:
        raise ValueError(f"against=meta needs a pool of two meta agents or more; run {run} has one")
    if frames_per_second <= 0:
        raise ValueError(f"frames_per_second must be positive; got {frames_per_second}")
    path = out or (None if live else run / "episode.gif")
    if path is not None and path.suffix not in (".gif", ".mp4"):
        raise ValueError(f"out must end in .gif or .mp4; got {path.name}")

    messages.print("playing one meta-episode (compiling takes a moment) …")
    states = jax.tree.map(lambda x: x[0], runs.read_states(run, iteration))
    pool, other = (states.naive, seed % config.num_naive) if against == "naive" else (states.meta, agent + 1)
    other %= jax.tree.leaves(pool)[0].shape[0]
    co_player = CoPlayers(jax.tree.map(lambda x: x[other][None], pool), jnp.array([against == "naive"]))
    ego = jax.tree.map(lambda x: x[agent], states.meta)
    sizes = train.sizes_of(config)
    meet = jax.jit(lambda ego, co, key: play(cleanup.environment(rules), ego, co, a2c(config.naive), key, sizes))
    record = jax.tree.map(np.asarray, meet(ego, co_player, jax.random.key(seed)))
    observations, rewards = record.observations[:, :, 0, 0], record.rewards[:, :, 0, :, 0]

    highest = rewards[[number - 1 for number in shown]].sum(1).max().item()
    frames: list[cleanup_render.RGB] = []
    for number in shown:
        seen, got = observations[number - 1], rewards[number - 1]
        titles = [f"episode {number}, step {t + 1} of {len(seen)}" for t in range(len(seen))]
        if path is not None:
            frames += cleanup_render.episode(rules, seen, got, titles, highest)
        if live:
            returns = np.concatenate([np.zeros((1, 2)), got.cumsum(0)])
            with Live(console=results, auto_refresh=False) as screen:
                for title, observation, (mine, theirs) in zip(titles, seen, returns, strict=False):
                    drawing = cleanup_render.text(rules, observation)
                    returned = f"return 1: {mine:g}   2: {theirs:g}"
                    screen.update(Text.from_markup(f"{drawing}\n{title}   {returned}"), refresh=True)
                    time.sleep(1 / frames_per_second)
    if path is not None:
        cleanup_render.save(path, frames, frames_per_second)
        results.print(str(path), soft_wrap=True)
