"""`ipd-theory shaper`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from ipd_theory.commands import presets
from ipd_theory.commands.console import folder_to_write, print_json, results, warnings_in_one_line
from ipd_theory.commands.options import Count, OutputFolder, Positive, Seed, Within
from ipd_theory.commands.training_progress import progress
from ipd_theory.rl.config import PRESETS

WHEN_INTERRUPTED = "interrupted; the search is kept up to its last checkpoint, and the same command goes on from there"

if TYPE_CHECKING:
    Preset = presets.Chosen
else:
    Preset = presets.options({name: config for name, config in PRESETS.items() if config.p_naive == 1})


def shaper(
    chosen: Annotated[tyro.conf.AvoidSubcommands[Preset], tyro.conf.arg(name="")],
    population_size: Annotated[int, Within(2)] = 128,
    deviation: Positive = 0.05,
    learning_rate: Positive = 0.01,
    generations: Count = 200,
    out: OutputFolder | None = None,
    seed: Seed = 0,
    json: bool = False,
) -> None:
    """Search for a policy that shapes naive learners by evolution strategies (Shaper).

    Every policy of a generation plays one meta-episode against the same learners; no gradient goes through play. Of
    the preset, the environment, the sizes, the network and the naive learners count. Ctrl-C or SIGTERM stops the
    search with a checkpoint. Run the same command again, with more generations if you like, to go on from there.

      ipd-theory shaper ipd-shaping-quick --generations 50


    Args:
        chosen: Settings to start from; every one can be changed by an option of its own.
        population_size: Policies a generation, an even number: they come in mirrored pairs.
        deviation: Standard deviation of every weight around the mean policy.
        learning_rate: Step size of Adam on the mean policy.
        generations: How many generations in all.
        out: Folder of the search; runs/shaper-PRESET-seedN if not given.
        seed: Seed of everything random: the first mean, the learners, the search and play.
        json: Print the result as JSON.
    """
    import jax

    from ipd_theory.rl.shaper import ShaperSettings, evolve
    from ipd_theory.rl.shaper import shaper as search
    from ipd_theory.rl.train import against_naive

    settings = ShaperSettings(population_size, deviation, learning_rate)
    config = chosen.config
    directory = folder_to_write("--out", out or Path("runs") / f"shaper-{chosen.preset}-seed{seed}")
    with warnings_in_one_line(), progress("generation", generations) as show:
        state = evolve(
            config,
            settings,
            generations,
            directory,
            seed,
            report=lambda line: show(line["generation"], f"{line['reward']:.3f} a step"),
        )
    mean = search(config, settings).policy(state)
    played = jax.jit(lambda key: against_naive(config, mean, state.naive, key))(jax.random.key(seed))
    if json:
        print_json({"directory": directory, **played})
        return
    reward = played["reward"]
    first, last, whole = float(reward[0]), float(reward[-1]), float(reward.mean())
    results.print(
        f"{directory}: the mean policy earns {whole:.3f} a step against naive learners, {first:.3f} in the first inner "
        f"episode and {last:.3f} in the last",
        soft_wrap=True,
    )
