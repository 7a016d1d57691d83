"""`ipd-theory evaluate`."""

from typing import Annotated

import tyro

from ipd_theory.commands.console import messages, print_json, print_table, results, warnings_in_one_line
from ipd_theory.commands.options import Count, InputFolder, Seed, Within


def evaluate(
    run: Annotated[InputFolder, tyro.conf.Positional],
    iteration: Annotated[int, Within(0)] | None = None,
    meta_episodes: Count = 4,
    seed: Seed = 0,
    json: bool = False,
) -> None:
    """Play the agents of a training run against fresh naive learners, and against each other.

    Strategies played by hand against the same learners stand beside them: they say what shaping is worth at these
    settings. Rewards are averages a step; "first" and "last" are the first and last inner episodes. "Efficiency" is
    the share gained, at least, of what could be gained of the learners over unconditional defection: 0% is no better
    than defection, and nobody exceeds 100%.

      ipd-theory evaluate runs/mine --iteration 200 --json

    Args:
        run: Folder of the run.
        iteration: Which checkpoint; the latest if not given.
        meta_episodes: Meta-episodes of each pairing, each against the run's meta-batch of co-players.
        seed: Seed of the play; the run has its own.
        json: Print JSON instead of a table: every average by inner episode.
    """
    from rich.progress import track

    from ipd_theory.rl import efficiency, evaluation, run_folder

    with warnings_in_one_line():
        evaluated = evaluation.evaluate(
            run,
            iteration,
            meta_episodes=meta_episodes,
            seed=seed,
            progress=lambda pairs: track(
                pairs, "playing", console=messages, transient=True, disable=not messages.is_terminal
            ),
        )
    config, _ = run_folder.read_config(run)
    gained = efficiency.against_naive(config.environment, evaluated)
    if json:
        rows = [{"ego": ego, "co_player": other, **averages} for ego, other, averages in evaluated.meetings]
        shares = {"efficiency": gained.shares, "efficiency_means": gained.words}
        print_json({"run": run, "iteration": evaluated.iteration, "pairings": rows, **shares})
        return
    rewards = ("reward", "co_player_reward")
    measures = [name for name in evaluated.meetings[0].averages if name not in rewards]
    ends = [f"{name.replace('_', ' ')} {end}" for name in measures for end in ("first", "last")]
    table = []
    for ego, other, averages in evaluated.meetings:
        reward, co_reward = (averages[name] for name in rewards)
        numbers = [reward[0], reward[-1], co_reward.mean()]
        numbers += [averages[name][i] for name in measures for i in (0, -1)]
        share = gained.shares.get(ego) if other == evaluation.NAIVE else None
        said = [] if not gained.shares else [f"{share:z.0%}" if share is not None else "–"]
        table.append((f"{ego} against {other}", f"{reward.mean():.3f}", *said, *(f"{x:.3f}" for x in numbers)))
    shown = ("efficiency",) if gained.shares else ()
    header = ("agents", "reward", *shown, "first", "last", "co-player's reward", *ends)
    print_table(header, table, title=f"{run}, iteration {evaluated.iteration}")
    results.print(gained.words, soft_wrap=True)
