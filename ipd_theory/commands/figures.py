"""`ipd-theory figures`."""

import importlib
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

import ipd_theory
from ipd_theory.commands.console import messages, progress_bar, results

WHEN_INTERRUPTED = "interrupted; the figures that are finished are kept, and the same command goes on from there"


def figures(
    names: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    preset: Literal["quick", "paper"] = "quick",
    out: Path = Path("figures"),
    replot: bool = False,
    seed: int = 0,
) -> None:
    """Regenerate figures of the paper, and our own, from scratch.

    Data is stored beside its settings and used again while they are unchanged; interrupt at any time and run
    the same command to go on with the figures that are missing.

    Args:
        names: Which figures, e.g. 3A 3C 9; all of them if none is named.
        preset: `quick` for a laptop, `paper` for the paper's seeds and steps.
        out: Folder for the figures (PNG and PDF); the data goes to its subfolder `data`.
        replot: Draw from stored data only; fail where there is none instead of computing.
        seed: Seed of everything random.
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    run = _from_checkout()
    for name in [run.check_name(name) for name in names] or list(run.FIGURES):
        arrays = run.stored(name, preset, seed, out)
        made = "drawn from stored data"
        if arrays is None and replot:
            raise ValueError(f"--replot: no stored data of figure {name} for preset {preset}, seed {seed} in {out}")
        if arrays is None:
            with progress_bar(f"figure {name}") as progress:
                arrays, made = run.compute(name, preset, seed, out, progress), "computed"
        paths = run.draw(name, preset, seed, out, arrays)
        messages.print(f"figure {name}: {made} ({preset}, seed {seed})")
        results.print("\n".join(str(path) for path in paths), soft_wrap=True)


def _from_checkout() -> Any:
    """Return the module that makes the figures, which is no part of the installed package.

    Raises:
        ValueError: where there is no checkout beside the package nor in the working directory.
    """
    for folder in (Path(ipd_theory.__file__).parents[1], Path.cwd()):
        if (folder / "paper_figures" / "run.py").is_file():
            if str(folder) not in sys.path:
                sys.path.append(str(folder))
            return importlib.import_module("paper_figures.run")
    raise ValueError(
        "the figures are no part of the installed package: run this in a checkout of the repository, "
        "in the folder that holds paper_figures"
    )
