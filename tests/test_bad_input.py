"""Every public function of these rooms refuses every sort of bad value with one error that names it.

The walk runs in a process of its own, without the run-time type checks that tests switch on, as users do.
"""

import subprocess
import sys

ROOMS = (
    *("games", "strategies", "returns", "zero_determinant", "equilibria"),
    *("replies", "evolution", "automata", "alternating", "tournaments", "sampling"),
)


def test_every_bad_value_ends_in_one_clear_error() -> None:
    walk = [sys.executable, "-m", "tests.bad_input", *ROOMS]
    walked = subprocess.run(walk, capture_output=True, text=True, timeout=600)
    assert walked.returncode == 0, walked.stdout + walked.stderr[-2000:]
