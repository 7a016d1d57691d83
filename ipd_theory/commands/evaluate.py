"""`ipd-theory evaluate`."""

from pathlib import Path
from typing import Annotated

import tyro

from ipd_theory.commands.console import messages, print_json, results


def evaluate(
    run: Annotated[Path, tyro.conf.Positional],
    iteration: int | None = None,
    meta_episodes: int = 4,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Play the agents of a training run against fresh naive learners, and against each other.

    Strategies played by hand against the same learners stand beside them: they say what shaping is worth at these
    settings. Rewards are averages a step; "first" and "last" are the first and last inner episodes.

    Args:
        run: Folder of the run.
        iteration: Which checkpoint; the latest if not given.
        meta_episodes: Meta-episodes of each pairing, each against the run's meta-batch of co-players.
        seed: Seed of the play.
        json: Print JSON instead of a table.
    """
    import functools

    import jax
    from rich.progress import track
    from rich.table import Table

    import ipd_theory as ipd
    from ipd_theory.rl import run_folder, runs, train
    from ipd_theory.rl.environments import IteratedDilemma
    from ipd_theory.rl.policies import playing

    if meta_episodes < 1:
        raise ValueError(f"meta_episodes must be 1 or more; got {meta_episodes}")
    config, seeds = run_folder.read_config(run)
    states = runs.read_states(run, iteration)
    keys = jax.random.split(jax.random.key(seed), meta_episodes)
    naive = jax.jit(lambda ego, inits: jax.lax.map(lambda key: train.against_naive(config, ego, inits, key), keys))
    meta = jax.jit(lambda ego, other: jax.lax.map(lambda key: train.against_meta(config, ego, other, key), keys))
    by_hand = {}
    if isinstance(config.environment, IteratedDilemma):
        game = ipd.games.symmetric_game(*config.environment.payoffs)
        by_hand = {
            "always defect": ipd.strategies.always_defect(),
            "always cooperate": ipd.strategies.always_cooperate(),
            "tit for tat": ipd.strategies.tit_for_tat(),
            "extortion, factor 2": ipd.zero_determinant.extortion(game, 2.0, 0.15),
        }
    pairings = []
    for s, label in enumerate(seeds):
        agents = [jax.tree.map(lambda x, s=s, i=i: x[s, i], states.meta) for i in range(len(config.methods))]
        inits = jax.tree.map(lambda x, s=s: x[s], states.naive)
        names = [f"{method} {i}, seed {label}" for i, method in enumerate(config.methods)]
        for name, ego in zip(names, agents, strict=True):
            pairings.append((name, "naive learners", functools.partial(naive, ego, inits)))
        for i, j in ((i, j) for i in range(len(agents)) for j in range(len(agents)) if i < j):
            pairings.append((names[i], names[j], functools.partial(meta, agents[i], agents[j])))
        if s == 0:
            for name, table in by_hand.items():
                pairings.append((name, "naive learners", functools.partial(naive, playing(table), inits)))
    rows = []
    for ego_name, co_name, meet in track(pairings, "playing", console=messages, transient=True):
        seen = jax.tree.map(lambda x: x.mean(0), meet())
        rows.append({"ego": ego_name, "co_player": co_name, **{k: v.tolist() for k, v in seen.items()}})
    if json:
        print_json({"run": str(run), "iteration": int(states.iteration[0]), "pairings": rows})
        return
    measures = [name for name in rows[0] if name not in ("ego", "co_player", "reward", "co_player_reward")]
    by_measure = [column for name in measures for column in (f"{name.replace('_', ' ')} first", "last")]
    columns = ("ego", "co-player", "reward", "first", "last", "co-player's reward", *by_measure)
    printed = Table(*columns, title=f"{run}, iteration {int(states.iteration[0])}")
    for row in rows:
        reward, co_reward = row["reward"], row["co_player_reward"]
        ends = [row[name][i] for name in measures for i in (0, -1)]
        numbers = (sum(reward) / len(reward), reward[0], reward[-1], sum(co_reward) / len(co_reward), *ends)
        printed.add_row(row["ego"], row["co_player"], *(f"{x:.3f}" for x in numbers))
    results.print(printed)
