"""`ipd-theory shaper`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ipd_theory.commands.console import messages, print_json, results
from ipd_theory.rl.config import PRESETS, Config

WHEN_INTERRUPTED = "interrupted; the search is kept up to its last checkpoint, and the same command goes on from there"

if TYPE_CHECKING:
    Preset = Config
else:  # every field of the chosen preset is an option of its own
    Preset = tyro.extras.subcommand_type_from_defaults(
        {name: config for name, config in PRESETS.items() if config.p_naive == 1}, prefix_names=False
    )


def shaper(
    config: Annotated[tyro.conf.AvoidSubcommands[Preset], tyro.conf.arg(name="")],
    population_size: int = 128,
    deviation: float = 0.05,
    learning_rate: float = 0.01,
    generations: int = 200,
    out: Path | None = None,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Search for a policy that shapes naive learners by evolution strategies (Shaper).

    Every policy of a generation plays one meta-episode against the same learners; no gradient goes through play. Of
    the preset, the environment, the sizes, the network and the naive learners count. Run the same command again, with
    more generations if you like, to go on from the latest checkpoint.

    Args:
        config: Settings to start from; every one can be changed by an option of its own.
        population_size: Policies a generation, an even number: they come in mirrored pairs.
        deviation: Standard deviation of every weight around the mean policy.
        learning_rate: Step size of Adam on the mean policy.
        generations: How many generations in all.
        out: Folder of the search; runs/shaper-seedN if not given.
        seed: Seed of everything random.
        json: Print the result as JSON.
    """
    import jax
    from rich.progress import Progress

    from ipd_theory.rl.shaper import ShaperSettings, evolve
    from ipd_theory.rl.shaper import shaper as search
    from ipd_theory.rl.train import against_naive

    if generations < 1:
        raise ValueError(f"generations must be 1 or more; got {generations}")
    settings = ShaperSettings(population_size, deviation, learning_rate)
    directory = out or Path("runs") / f"shaper-seed{seed}"
    with Progress(console=messages) as bar:
        task = bar.add_task("compiling", total=generations)

        def report(line: dict[str, Any]) -> None:
            bar.update(task, completed=line["generation"], description=f"{line['reward']:.3f} a step")

        state = evolve(config, settings, generations, directory, seed, report=report)
    mean = search(config, settings).policy(state)
    played = jax.jit(lambda key: against_naive(config, mean, state.naive, key))(jax.random.key(seed))
    if json:
        print_json({"directory": str(directory), **{name: x.tolist() for name, x in played.items()}})
        return
    reward = played["reward"]
    first, last, whole = float(reward[0]), float(reward[-1]), float(reward.mean())
    results.print(
        f"{directory}: the mean policy earns {whole:.3f} a step against naive learners, {first:.3f} in the first inner "
        f"episode and {last:.3f} in the last",
        soft_wrap=True,
    )
