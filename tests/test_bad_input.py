"""Every public function of every room refuses every sort of bad value with one error that names it.

The walk runs in a process of its own, without the run-time type checks that tests switch on, as users do. It finds the
functions by itself: one that is written later, and has neither good values nor a reason to be left out, fails it.
"""

import subprocess
import sys

import pytest

from tests.bad_input import recipes, walk


def test_every_bad_value_ends_in_one_clear_error() -> None:
    walked(["--quick"])


@pytest.mark.slow
def test_every_bad_value_of_every_argument_inside_jit_and_vmap_too() -> None:
    walked([])


def walked(options: list[str]) -> None:
    walk = [sys.executable, "-m", "tests.bad_input", *options]
    ended = subprocess.run(walk, capture_output=True, text=True, timeout=1200)
    assert ended.returncode == 0, ended.stdout + ended.stderr[-2000:]


def test_a_function_without_good_values_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def added_later(anything: int) -> int:
        return anything

    monkeypatch.setattr(walk, "public_functions", lambda: {"games.added_later": added_later})
    ((call, judged),) = walk.findings()
    assert judged == "no recipe"
    assert "anything" in call.sort


def test_a_value_that_is_silently_taken_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(discount: float) -> float:
        return 0.0

    monkeypatch.setattr(walk, "public_functions", lambda: {"games.silent": silent})
    assert {judged for call, judged in walk.findings() if call.sort != "huge"} == {"accepted"}


def test_nothing_is_left_out_that_is_not_there() -> None:
    public = walk.public_functions()
    listed = [name for name in (*recipes.INSIDE, *recipes.OWN) if not name.startswith("adapters.")]  # may be absent
    assert not [name for name in listed if name not in public]
