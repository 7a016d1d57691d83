"""`ipd-theory watch`."""

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import tyro

from ipd_theory.commands.console import file_to_write, messages, print_json, results, warnings_in_one_line
from ipd_theory.commands.options import Count, FileToWrite, InputFolder, Positive, Seed, Within


def watch(
    run: Annotated[InputFolder, tyro.conf.Positional],
    out: Annotated[Path, FileToWrite((".gif", ".mp4"))] | None = None,
    live: bool = False,
    against: Literal["naive", "meta"] = "naive",
    agent: Annotated[int, Within(0)] = 0,
    episodes: tuple[Count, ...] = (),
    iteration: Annotated[int, Within(0)] | None = None,
    frames_per_second: Positive = 8.0,
    seed: Seed = 0,
    json: bool = False,
) -> None:
    """Watch an agent of a CleanUp-lite run play, as an animation or drawn in the terminal.

    The agent (blue, 1) plays a whole meta-episode against a naive learner (orange, 2), which learns after every inner
    episode, or against another meta agent. Both players' returns stand below.

      ipd-theory watch runs/mine --live --episodes 1 20

    Args:
        run: Folder of the run.
        out: Animation to write, .gif or .mp4 (which needs ffmpeg); RUN/episode.gif if not given and not live.
        live: Draw in the terminal instead, or as well.
        against: A fresh naive learner, or the next meta agent of the pool.
        agent: Which meta agent, counted from 0.
        episodes: Inner episodes to show, counted from 1; the first and the last if none is given.
        iteration: Which checkpoint; the latest if not given.
        frames_per_second: Speed.
        seed: Seed of the play, and, counted around, which naive learner; the run has its own.
        json: Print where the animation lies, and both players' returns in each episode shown, as JSON.
    """
    from ipd_theory.rl import cleanup_render, evaluation, run_folder
    from ipd_theory.rl.environments import CleanUpLite

    config, _ = run_folder.read_config(run)
    rules = config.environment
    if not isinstance(rules, CleanUpLite):
        raise ValueError(f"run {run} plays {type(rules).__name__}; only CleanUpLite can be watched")
    shown = episodes or tuple(dict.fromkeys((1, config.inner_episodes)))
    for number in shown:
        if not 1 <= number <= config.inner_episodes:
            raise ValueError(f"episodes must lie in 1 to {config.inner_episodes}; got {number}")
    path = out or (None if live else run / "episode.gif")
    if path is not None:
        file_to_write("--out", path, (".gif", ".mp4"))
        if path.suffix == ".mp4":
            cleanup_render.ffmpeg(path)

    messages.print("playing one meta-episode (compiling takes a moment) …")
    with warnings_in_one_line():
        watched = evaluation.watch(run, agent, against, iteration, seed)
    played = [Episode(number, watched.observations[number - 1], watched.rewards[number - 1]) for number in shown]
    if live:
        _draw(rules, played, frames_per_second)
    if path is not None:
        highest = max(episode.rewards.sum(0).max().item() for episode in played)
        frames: list[cleanup_render.RGB] = []
        for episode in played:
            frames += cleanup_render.episode(rules, episode.observations, episode.rewards, episode.titles(), highest)
        cleanup_render.save(path, frames, frames_per_second)
    if json:
        returns = [{"episode": number, "returns": rewards.sum(0)} for number, _, rewards in played]
        print_json({"run": run, "animation": path, "episodes": returns})
    elif path is not None:
        results.print(str(path), soft_wrap=True)


class Episode(NamedTuple):
    """One inner episode that is shown: its number, and what was seen [T, F] and got [T, 2] in it."""

    number: int
    observations: Any
    rewards: Any

    def titles(self) -> list[str]:
        """Return what stands above each step."""
        steps = len(self.observations)
        return [f"episode {self.number}, step {t + 1} of {steps}" for t in range(steps)]


def _draw(rules: Any, played: list[Episode], frames_per_second: float) -> None:
    """Draw episodes in the terminal, step by step."""
    import time

    import numpy as np
    from rich.live import Live
    from rich.text import Text

    from ipd_theory.rl import cleanup_render

    for episode in played:
        returns = np.concatenate([np.zeros((1, 2)), episode.rewards.cumsum(0)])
        with Live(console=results, auto_refresh=False) as screen:
            for title, seen, (mine, theirs) in zip(episode.titles(), episode.observations, returns, strict=False):
                drawing = cleanup_render.text(rules, seen)
                returned = f"return 1: {mine:g}   2: {theirs:g}"
                screen.update(Text.from_markup(f"{drawing}\n{title}   {returned}"), refresh=True)
                time.sleep(1 / frames_per_second)
