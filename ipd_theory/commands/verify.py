"""`ipd-theory verify`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import tyro

from ipd_theory.commands.console import messages, print_json, progress_bar, results


def verify(
    estimator: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FILE:FUNCTION …")] = (),
    thorough: bool = False,
    meta_episodes: int | None = None,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Hold policy-gradient estimators to what they claim, exactly and by sampling; exit status 1 if a claim fails.

    On small problems every meta-episode can be listed, so that an estimator's mean, variance and bias are known
    exactly; the true gradient comes from differentiating the expected return as a polynomial. Then the same problems
    are played, and the sample mean is tested against the claim. All claims being true, one run in 1,000 raises a
    false alarm.

    Args:
        estimator: Your own instead of the built-in four, as FILE:FUNCTION: a function of rewards [..., B, M, T]
            (trajectory, inner episode, step) that returns weights of the same shape; it is held to being unbiased.
            Writing it with array methods only (sum, cumsum, mean) lets the check in fractions run as well.
        thorough: More problems, ten times the samples, and 65,536 trajectories in fractions; some minutes.
        meta_episodes: Meta-episodes to sample for each problem; 200,000, or ten times as many with --thorough.
        seed: Seed of the sampling.
        json: Print the results as JSON on standard output.
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    from ipd_theory.sampling import claims
    from ipd_theory.sampling.estimators import ESTIMATORS, UNBIASED

    held = [_load(name) for name in estimator] or list(ESTIMATORS)
    size = meta_episodes if meta_episodes is not None else 2_000_000 if thorough else 200_000
    if size < 1000:
        raise ValueError(f"--meta-episodes must be 1000 or more for the normal approximation; got {size}")
    with progress_bar("verifying") as progress:
        tried = list(claims.trials(thorough))
        verdicts = claims.verify(held, tried, size, jax.random.key(seed), progress)
        fractions = {
            claim.label: _in_fractions(claim, (2, 2, 2) if thorough else (2, 2, 1))
            for claim in held
            if claim.claim == UNBIASED
        }
    failed = [v for v in verdicts if False in (v.exact_holds, v.sampled_holds)]
    refuted = [name for name, equal in fractions.items() if equal is False]
    if json:
        rows = [v._asdict() for v in verdicts]
        print_json({"verdicts": rows, "equal_in_fractions": fractions, "holds": not failed and not refuted})
    else:
        _print_table(verdicts, fractions)
    if failed or refuted:
        first = f"; first: {failed[0].estimator} on {failed[0].problem}" if failed else ""
        messages.print(f"a claim fails in {len(failed)} of {len(verdicts)} checks{first}", soft_wrap=True)
        sys.exit(1)
    messages.print(f"all claims hold ({size:,} sampled meta-episodes a problem, false-alarm rate 0.001 a run)")


def _load(name: str) -> Any:
    """Import NAME from FILE: an `Estimator`, or a function of rewards, which is then held to being unbiased."""
    import importlib.util

    from ipd_theory.sampling.estimators import Estimator

    file, _, function = name.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"--estimator {name!r}: expected FILE:FUNCTION, and there is no file {file!r}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"--estimator {name!r}: {file!r} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"--estimator {name!r}: importing {file!r} failed: {error}") from error
    if not callable(getattr(module, function, None)):
        raise ValueError(f"--estimator {name!r}: {file!r} defines no function {function!r}")
    found = getattr(module, function)
    return found if isinstance(found, Estimator) else Estimator(name, found)


def _in_fractions(claim: Any, shape: tuple[int, int, int]) -> bool | None:
    """Return whether the claim holds as an equality of fractions, None if the function takes floats only."""
    from ipd_theory.sampling import claims

    if not claims.treats_trajectories_alike(claims.checked(claim, claim.label), shape):
        return None
    try:
        return claims.exactly_unbiased(claim, shape)
    except TypeError:
        return None


def _print_table(verdicts: list[Any], fractions: dict[str, bool | None]) -> None:
    from rich.table import Table
    from rich.text import Text

    said: dict[bool | None, str | Text] = {True: Text("holds", "green"), False: Text("fails", "bold red"), None: "–"}
    for problem in dict.fromkeys(v.problem for v in verdicts):
        table = Table(title=problem, title_justify="left", title_style="bold", box=None, pad_edge=False)
        table.add_column("estimator", overflow="fold", min_width=13)
        for column in ("bias", "cosine", "noise", "shaping", "exact", "sampled", "z", "finds"):
            table.add_column(column, justify="right", no_wrap=True)
        for v in (v for v in verdicts if v.problem == problem):
            numbers = [f"{v.bias:.1e}", f"{v.cosine:.3f}", f"{v.noise:.1f}", f"{v.shaping_to_noise:.3f}"]
            sampling = ["–" if v.sampled_holds is None else f"{v.z:.1f}", f"{v.detectable:.1e}"]
            table.add_row(v.estimator, *numbers, said[v.exact_holds], said[v.sampled_holds], *sampling)
        results.print(table)
        results.print()
    for name, claim in {v.estimator: v.claim for v in verdicts if v.claim != "none"}.items():
        results.print(f"{name} claims the mean {claim}", soft_wrap=True)
    for name, equal in fractions.items():
        word = {True: "equal to", False: "different from", None: "not computed against"}[equal]
        results.print(f"in fractions, the mean of {name} is {word} the true gradient", soft_wrap=True)
    results.print(
        "\nbias     ‖E ĝ − ∇J̄‖ / ‖∇J̄‖, exact                   exact    the mean is as claimed, to 1e-12\n"
        "cosine   of E ĝ and ∇J̄                              sampled  the sample mean is, by its z\n"
        f"noise    √(tr Cov ĝ) / ‖E ĝ‖ of one meta-episode    z        the largest; limit {verdicts[0].z_limit:.2f}\n"
        "shaping  its part of ‖E ĝ‖ over √(tr Cov ĝ)         finds    error / ‖∇J̄‖ found with 99 % power",
        soft_wrap=True,
    )
