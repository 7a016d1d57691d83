"""Training that is asked to stop: by Ctrl-C or SIGTERM, once or twice, by a user or a cluster."""

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import pytest

from ipd_theory.rl import run_folder, runs, shaper
from ipd_theory.rl.config import Config, Meta
from ipd_theory.rl.interruption import RAISED, Terminated
from tests.test_rl_run_folder import Rows
from tests.test_rl_runs import same, without_machine

CONFIG = Config(
    iterations=12, meta_batch=2, batch=2, inner_episodes=2, episode_length=2, num_naive=1, network=Rows(),
    meta=Meta(epochs=1, minibatches=1),
)  # fmt: skip
EVERY = {"log_every": 2, "checkpoint_every": 10}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.train(CONFIG, tmp_path_factory.mktemp("whole") / "run", **EVERY)


def asked_to_stop_after(iteration: int, number: int, times: int = 1) -> Any:
    def report(line: dict[str, Any]) -> None:
        if line["iteration"] == iteration:
            for _ in range(times):
                signal.raise_signal(number)

    return report


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_saves_and_goes_on_to_the_bit(number: int, uninterrupted: Path, tmp_path: Path) -> None:
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    words = "is saved up to iteration 4, and the same command goes on from there"
    with pytest.raises(KeyboardInterrupt, match=words) as stop:
        runs.train(CONFIG, tmp_path, report=asked_to_stop_after(4, number), **EVERY)
    assert stop.type is RAISED[number]
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert runs.read_states(tmp_path).iteration.tolist() == [4]
    runs.train(CONFIG, tmp_path, **EVERY)
    assert same(runs.read_states(tmp_path), runs.read_states(uninterrupted))
    lines = [without_machine(run_folder.read_metrics(run)) for run in (tmp_path, uninterrupted)]
    assert lines[0] == lines[1]


def test_within_a_window_it_stops_after_the_iteration_under_way(
    uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines then end where they would have ended, and averages are over what came since the line before."""
    honest, done = runs.compiled_iteration, 0

    def counted(*args: Any) -> Any:
        program = honest(*args)

        def step(states: Any) -> Any:
            nonlocal done
            done += 1
            if done == 3:
                signal.raise_signal(signal.SIGINT)
            return program.step(states)

        return program._replace(step=step)

    monkeypatch.setattr(runs, "compiled_iteration", counted)
    with pytest.raises(KeyboardInterrupt, match="up to iteration 3"):
        runs.train(CONFIG, tmp_path, **EVERY)
    runs.train(CONFIG, tmp_path, **EVERY)
    assert [line["iteration"] for line in run_folder.read_metrics(tmp_path)] == [2, 3, 4, 6, 8, 10, 12]
    assert same(runs.read_states(tmp_path), runs.read_states(uninterrupted))


def test_asked_twice_it_stops_at_once(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        runs.train(CONFIG, tmp_path, report=asked_to_stop_after(4, signal.SIGINT, times=2), **EVERY)
    assert not list((tmp_path / "checkpoints").iterdir())
    assert run_folder.iterations_done(tmp_path) == 4


def test_asked_to_stop_when_done_it_is_done(uninterrupted: Path, tmp_path: Path) -> None:
    runs.train(CONFIG, tmp_path, report=asked_to_stop_after(12, signal.SIGINT), **EVERY)
    assert same(runs.read_states(tmp_path), runs.read_states(uninterrupted))


def test_a_second_process_is_told_while_the_first_trains(tmp_path: Path) -> None:
    def report(line: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="is being written by process"):
            runs.train(CONFIG, tmp_path, **EVERY)

    runs.train(replace(CONFIG, iterations=2), tmp_path, report=report, **EVERY)
    assert [line["iteration"] for line in run_folder.read_metrics(tmp_path)] == [2]


@pytest.fixture
def as_evosax_computes() -> Iterator[None]:
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        yield


@pytest.mark.usefixtures("as_evosax_computes")
def test_a_search_that_is_asked_to_stop_goes_on_to_the_same_end(tmp_path: Path) -> None:
    settings = shaper.ShaperSettings(population_size=2)

    def stop(line: dict[str, Any]) -> None:
        if line["generation"] == 2:
            signal.raise_signal(signal.SIGTERM)

    whole = shaper.evolve(CONFIG, settings, 3, tmp_path / "whole")
    with pytest.raises(Terminated, match="is saved up to generation 2"):
        shaper.evolve(CONFIG, settings, 3, tmp_path / "stopped", report=stop)
    assert same(shaper.evolve(CONFIG, settings, 3, tmp_path / "stopped"), whole)
    assert run_folder.read_metrics(tmp_path / "stopped") == run_folder.read_metrics(tmp_path / "whole")
