"""`ipd-theory figures`."""

import importlib
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ipd_theory.commands.checkout import module_of_checkout
from ipd_theory.commands.console import messages, progress_bar, results
from ipd_theory.commands.options import OutputFolder, Seed

WHEN_INTERRUPTED = "interrupted; the figures that are finished are kept, and the same command goes on from there"


def figures(
    names: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    list_figures: Annotated[bool, tyro.conf.arg(name="list")] = False,
    preset: Literal["quick", "paper"] = "quick",
    out: OutputFolder = Path("figures"),
    replot: bool = False,
    seed: Seed = 0,
) -> None:
    """Regenerate figures of the paper, and our own, from scratch.

    Each gets a picture (PNG and PDF) and a caption (text) in the folder, and its data (npz, and JSON with axes and
    units) in the subfolder `data`, all of which carry preset and seed in their names. Data is used again while its
    settings are unchanged; interrupt at any time and run the same command to go on with the figures that are missing.

    Args:
        names: Which figures, e.g. 3A 3C 9; all of them if none is named.
        list_figures: Say what figures there are, where each stands in the paper and how long it takes, and stop.
        preset: `quick` for a laptop, `paper` for the paper's seeds and steps.
        out: Folder for everything that is written.
        replot: Draw from stored data only; fail where there is none instead of computing.
        seed: Seed of everything random; figures of recorded training runs have seeds of their own.
    """
    run = module_of_checkout("paper_figures.run")
    wanted = [run.check_name(name) for name in names] or list(run.FIGURES)
    if list_figures:
        _print_list(run, wanted)
        return
    for name in names if seed else ():
        if run.module_of(name).ABOUT.recorded:
            raise ValueError(f"--seed: figure {name} shows training runs of seeds of their own; leave --seed out")
    import jax

    jax.config.update("jax_enable_x64", True)
    for name in wanted:
        of_seed = 0 if run.module_of(name).ABOUT.recorded else seed
        made = f"{preset}, seed {of_seed}" if of_seed == seed else f"{preset}, recorded runs of seeds of their own"
        arrays = run.stored(name, preset, of_seed, out)
        how = "drawn from stored data"
        if arrays is None and replot:
            raise ValueError(f"--replot: no stored data of figure {name} for preset {preset}, seed {of_seed} in {out}")
        if arrays is None:
            with progress_bar(f"figure {name}") as progress:
                arrays, how = run.compute(name, preset, of_seed, out, progress), "computed"
        paths = run.draw(name, preset, of_seed, out, arrays)
        messages.print(f"figure {name}: {how} ({made})")
        results.print("\n".join(str(path) for path in paths), soft_wrap=True)


def _print_list(run: Any, names: Sequence[str]) -> None:
    """Print what figures there are, under the heading of where they are from, and the time of the quick preset."""
    said_of = importlib.import_module("paper_figures.about")
    paper, own = said_of.PAPER, said_of.OURS
    for heading, ours in ((f"of the paper ({paper})", False), (own, True)):
        abouts = {name: run.module_of(name).ABOUT for name in names}
        chosen = {name: about for name, about in abouts.items() if (about.source == own) == ours}
        if chosen:
            results.print(f"{heading}; times are the quick preset's", soft_wrap=True)
        for name, about in chosen.items():
            place = about.source.removeprefix(f"{paper}, ")
            said = [] if place in (own, f"Figure {name}") else [place]
            said += [f"{about.seconds:g} s", *["recorded runs"] * about.recorded]
            line = f"{name:<15}{run.first_line(name)} ({', '.join(said)})"
            results.print(textwrap.fill(line, results.width, subsequent_indent=" " * 15, break_on_hyphens=False))
