"""`ipd-theory verify --certificate`: the proof in fractions, as a file."""

import json
from pathlib import Path
from typing import Any

from ipd_theory._files import written_whole
from ipd_theory.commands.console import messages
from ipd_theory.commands.strategy_argument import strategy


def write_certificate(path: Path, estimator: Any, game: Any, shape: tuple[int, int, int], ego: tuple[str, ...]) -> None:
    """Write the certificate of an estimator on one rational problem.

    Args:
        path: The file.
        estimator: An `Estimator`.
        game: A two-player game, or None for Axelrod's prisoner's dilemma.
        shape: (B, M, T).
        ego: One table as a command names it, entries such as 1/3 taken exactly; none for the table of the default.

    Raises:
        ValueError: if there is no such proof.
    """
    from ipd_theory.sampling import certificates, trials

    problem = trials.rational_problem(game, shape, **_ego(ego, game))
    proof = certificates.certificate(estimator, problem)
    with written_whole(path) as partial:
        partial.write_text(json.dumps(proof, indent=1) + "\n", encoding="utf-8")
    count = len(proof["pieces"])
    messages.print(
        f"{path}: the mean of {estimator.label} is the true gradient, in fractions; {count} pieces, which "
        "tests/check_certificate.py of the repository adds up without this package",
        soft_wrap=True,
    )


def _ego(texts: tuple[str, ...], game: Any) -> dict[str, Any]:
    """Return the argument that names ego's table, or none."""
    if not texts:
        return {}
    entries = texts[0].split(",")
    return {"ego": entries if len(entries) == 5 else strategy("--ego", texts[0], game, 1.0)}
