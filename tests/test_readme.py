"""The README's example runs and prints what the README says; the commands it names exist."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np

from ipd_theory import cli
from paper_figures import run

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_example_prints_what_it_says():
    code, output = re.search(r"```python\n(.*?)```\n+```text\n(.*?)```", README, re.DOTALL).groups()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    numbers = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")
    said, got = (np.array([float(x) for x in numbers.findall(text)]) for text in (output, printed.getvalue()))
    np.testing.assert_allclose(got, said, rtol=1e-7, atol=1e-12)


def test_the_commands_and_figures_it_names_exist():
    assert set(re.findall(r"`ipd-theory (\w+)", README)) <= set(cli.COMMANDS)
    named = re.search(r"ipd-theory figures ([\w ]+)`", README).group(1).split()
    assert set(named) <= set(run.FIGURES)


def test_the_paths_it_names_exist():
    root = Path(__file__).parents[1]
    for path in re.findall(r"`((?:notebooks|ipd_theory|paper_figures)/[\w./]*)`", README):
        assert (root / path).exists(), path
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (root / path).exists(), path
