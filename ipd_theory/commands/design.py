"""`ipd-theory verify --design`: what the estimators cost, and the best that their terms allow."""

from collections.abc import Sequence
from typing import Any

from ipd_theory.commands.console import print_json, print_table, progress_bar, results


def print_design(problems: Sequence[Any], json: bool) -> None:
    """Print the exact error of each estimator on each problem, with the best weight and the best baseline.

    Args:
        problems: A few `Trial`s.
        json: Print JSON instead of tables.
    """
    from ipd_theory.sampling import design

    found = []
    with progress_bar("designing") as progress:
        for i, problem in enumerate(problems):
            found.append(design.designed(problem))
            progress((i + 1) / len(problems))
    if json:
        rows = [{"problem": p.name, **d._asdict()} for p, d in zip(problems, found, strict=True)]
        print_json({"designs": rows})
        return
    for problem, one in zip(problems, found, strict=True):
        header = ("n", *one.errors, "best α", "with it")
        columns = (*one.errors.values(), one.best_weight, one.best_error)
        lines = [(f"{n:,}", *(f"{x[k]:.3f}" for x in columns)) for k, n in enumerate(one.num_meta_episodes)]
        print_table(header, lines, title=problem.name)
        saved = {name: (one.noise[name] / less) ** 2 for name, less in one.noise_less_baseline.items() if less}
        results.print("as noisy without the baseline, by so many times the meta-episodes:")
        results.print(", ".join(f"{name} {share:.1f}" for name, share in saved.items()) + "\n", soft_wrap=True)
    results.print(
        "n       meta-episodes over which an estimate is averaged; in its column\n"
        "        √E‖ĝ − ∇J̄‖² / ‖∇J̄‖, bias and noise together, exact, less the baseline of\n"
        "        inner episode, step and context that leaves each estimator least noise;\n"
        "        M-FOS over B\n"
        "best α  the weight of later inner episodes' rewards in COALA-PG with the least\n"
        "        error, which stands beside it; it tends to 1",
        soft_wrap=True,
    )
