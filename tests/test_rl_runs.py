"""Runs: co-players drawn as specified, seeds side by side, checkpoints that resume to the bit, the commands."""

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ipd_theory import cli
from ipd_theory.rl import chunks, devices, runs, train
from ipd_theory.rl.checkpoint import Checkpoints
from ipd_theory.rl.config import PRESETS, Config, Meta, with_method
from ipd_theory.rl.networks import HawkSettings
from ipd_theory.rl.run_folder import read_config, read_metrics

OPTIONS = (
    "ipd-mixed-quick --methods coala m_fos --iterations 20 --meta-batch 4 --batch 2 --inner-episodes 2 "
    "--episode-length 2 --p-naive 0.5 --num-naive 3 --dynamic-naive --network.width 4 --network.expanded-width 4 "
    "--meta.epochs 1 --meta.trajectories-at-once None --gradient-parts-every 0"
)
TINY = Config(
    methods=("coala", "m_fos"),
    iterations=20,
    meta_batch=4,
    batch=2,
    inner_episodes=2,
    episode_length=2,
    p_naive=0.5,
    num_naive=3,
    dynamic_naive=True,
    network=HawkSettings(width=4, expanded_width=4),
    meta=Meta(learning_rate=5e-4, epochs=1),
)
EVERY = {"log_every": 2, "checkpoint_every": 4}


class KilledError(Exception):
    """Stands for whatever ends a process."""


def train_until(stop: int, directory: Path) -> None:
    def report(line: dict[str, Any]) -> None:
        if line["iteration"] >= stop:
            raise KilledError

    runs.train(TINY, directory, (5,), report=report, **EVERY)


def latest(directory: Path) -> int | None:
    return max(Checkpoints(directory / "checkpoints").iterations(), default=None)


def same(a: Any, b: Any) -> bool:
    plain = lambda x: jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(plain(x), plain(y)) for x, y in pairs)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.train(TINY, tmp_path_factory.mktemp("run") / "whole", (5,), **EVERY)


def without_machine(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    machine = ("seconds", "steps_per_second", "devices", "bytes_per_device")
    return [{k: v for k, v in line.items() if k not in machine} for line in lines]


def test_a_run_stopped_at_three_random_moments_resumes_to_the_bit(uninterrupted: Path, tmp_path: Path) -> None:
    directory = tmp_path / "stopped"
    moments = sorted(random.Random(0).sample(range(3, 20), 3))
    for moment in moments:
        with pytest.raises(KilledError):
            train_until(moment, directory)
        saved = latest(directory)
        assert saved is None or moment - saved <= EVERY["checkpoint_every"] + EVERY["log_every"]
    runs.train(TINY, directory, (5,), **EVERY)
    assert same(runs.read_states(directory), runs.read_states(uninterrupted))
    assert without_machine(read_metrics(directory)) == without_machine(read_metrics(uninterrupted))


def test_the_same_call_on_a_finished_run_changes_nothing(uninterrupted: Path) -> None:
    before = read_metrics(uninterrupted)
    runs.train(TINY, uninterrupted, (5,), **EVERY)
    assert read_metrics(uninterrupted) == before
    assert [line["iteration"] for line in before] == list(range(2, 21, 2))


def test_a_half_written_checkpoint_is_never_loaded(uninterrupted: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(uninterrupted, copy)
    unfinished = copy / "checkpoints" / "24.orbax-checkpoint-tmp"
    shutil.copytree(copy / "checkpoints" / "20", unfinished)
    for file in list(unfinished.rglob("*"))[::2]:
        if file.is_file():
            file.unlink()
    assert latest(copy) == 20
    assert same(runs.read_states(copy), runs.read_states(uninterrupted))


def test_a_state_that_is_not_finite_is_not_saved(uninterrupted: Path, tmp_path: Path) -> None:
    states = runs.read_states(uninterrupted)
    broken = jax.tree.map(lambda x: jnp.full_like(x, jnp.nan) if x.dtype == jnp.float32 else x, states)
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=2)
    with pytest.raises(FloatingPointError, match="after iteration 7 is not finite"):
        checkpoints.save(7, broken, {})
    checkpoints.close()
    assert checkpoints.iterations() == []
    assert checkpoints.newest(states) is None


@pytest.mark.slow
def test_an_iteration_is_the_same_where_agents_and_co_players_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU they do, so that what learns stays in its cache; elsewhere all play and learn together."""
    config = dataclasses.replace(TINY, meta_batch=8, batch=100, inner_episodes=1)
    assert chunks.sequences_at_once(None, config.batch * config.episode_length) in (0, 4)  # of 8 co-players
    start = train.initial_state(config, jax.random.key(3))
    ends = []
    for backend in ("cpu", "gpu"):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        ends.append(jax.jit(lambda state: train.iterate(config, state))(start))
    (turns, by_turns), (together, at_once) = ends
    for a, b in zip(jax.tree.leaves((turns.meta, by_turns)), jax.tree.leaves((together.meta, at_once)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-5)


def test_settings_are_stored_and_held(uninterrupted: Path) -> None:
    assert read_config(uninterrupted) == (TINY, (5,))
    with pytest.raises(ValueError, match="holds a run with other settings: methods"):
        runs.train(with_method(TINY, "coala"), uninterrupted, (5,), **EVERY)
    hotter = dataclasses.replace(TINY, meta=dataclasses.replace(TINY.meta, clip=0.3))
    with pytest.raises(ValueError, match="holds a run with other settings: meta"):
        runs.train(hotter, uninterrupted, (5,), **EVERY)
    # How many sequences are taken at once changes no result beyond rounding.
    meta = dataclasses.replace(TINY.meta, trajectories_at_once=1)
    runs.train(dataclasses.replace(TINY, co_players_at_once=1, meta=meta), uninterrupted, (5,), **EVERY)
    assert read_config(uninterrupted) == (TINY, (5,))
    with pytest.raises(ValueError, match="checkpoint_every=3 must be a positive multiple of log_every=2"):
        runs.train(TINY, uninterrupted, (5,), log_every=2, checkpoint_every=3)
    with pytest.raises(ValueError, match="holds no run"):
        read_config(uninterrupted / "nothing")


def test_the_commands_train_and_evaluate(
    uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(line: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["ipd-theory", *line.split()])
        cli.main()
        return json.loads(capsys.readouterr().out)

    printed = call(f"train {OPTIONS} --out {tmp_path / 'run'} --seed 5 --log-every 2 --checkpoint-every 4 --json")
    assert printed["iteration"] == 20
    assert read_config(tmp_path / "run") == (TINY, (5,))
    assert same(runs.read_states(tmp_path / "run"), runs.read_states(uninterrupted))
    events = list((tmp_path / "run" / "events").iterdir())
    assert len(events) == 1
    assert b"against_naive/reward/seed_5/agent_1" in events[0].read_bytes()
    states = sum(x.nbytes for x in jax.tree.leaves(runs.read_states(uninterrupted)))
    would = call(f"train {OPTIONS} --out {tmp_path / 'dry'} --seed 5 --dry-run --json")
    assert would == {name: printed[name] for name in ("devices", "bytes_per_device")}
    assert would["bytes_per_device"] > states
    assert not (tmp_path / "dry").exists()
    evaluated = call(f"evaluate {tmp_path / 'run'} --meta-episodes 1 --json")
    assert evaluated["efficiency"]["always defect"] == 0
    played = evaluated["pairings"]
    defector = next(row for row in played if row["ego"] == "always defect")
    assert defector["defection"] == [1.0, 1.0]
    assert len(played) == 2 + 1 + 4
    monkeypatch.setattr(sys, "argv", ["ipd-theory", "evaluate", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2


def test_co_players_are_drawn_as_specified() -> None:
    """4,000 draws; each share lies within 4.5 standard errors of what the paper says (a false alarm in 15,000)."""
    config = Config(methods=("coala",) * 4, p_naive=0.75, num_naive=5, meta_batch=4000, network=HawkSettings(width=2))
    state = train.initial_state(config, jax.random.key(0))
    mark = lambda x, start: jnp.arange(start, start + x.shape[0], dtype=jnp.float32)[:, None] + 0 * x
    bias = lambda policy: policy.decoder.readout.bias
    marked = [
        jax.tree.map(lambda x, start=start: mark(x, start) if x.ndim == 2 else x, policy)
        for policy, start in ((state.naive, 0), (state.meta, 100))
    ]
    state = state._replace(naive=marked[0], meta=marked[1])
    agent = 2
    drawn = train.draw_co_players(state, jnp.int32(agent), jax.random.key(1), config.meta_batch, config.p_naive)
    labels, naive = np.asarray(bias(drawn.policies)[:, 0]), np.asarray(drawn.naive)
    np.testing.assert_array_equal(labels < 100, naive)
    shares = dict.fromkeys(range(5), 0.75 / 5) | {100 + i: 0.25 / 3 for i in range(4) if i != agent}
    for label, share in shares.items():
        assert abs((labels == label).mean() - share) < 4.5 * np.sqrt(share * (1 - share) / 4000)
    assert set(labels) == set(shares)


@pytest.mark.slow
def test_seeds_side_by_side_are_the_seeds_one_by_one(tmp_path: Path) -> None:
    for _ in range(2):
        two, one = (
            runs.train(TINY, tmp_path / str(seeds), seeds, max_minutes=0.0, **EVERY) for seeds in ((4, 5), (5,))
        )
    assert [line["iteration"] for line in read_metrics(two)] == [2, 4]
    for a, b in zip(
        jax.tree.leaves(runs.read_states(two).meta), jax.tree.leaves(runs.read_states(one).meta), strict=True
    ):
        np.testing.assert_allclose(a[1], b[0], atol=1e-4)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(
    uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the good checkpoint on, one agent's weights are spoilt before an iteration."""
    directory = tmp_path / "spoilt"
    shutil.copytree(uninterrupted, directory)
    shutil.rmtree(directory / "checkpoints" / "20")
    honest = runs.compiled_iteration

    def spoilt(*args: Any) -> devices.Program:
        program = honest(*args)
        bias = lambda s: s.meta.decoder.readout.bias
        spoil = lambda states: eqx.tree_at(bias, states, bias(states).at[0, 1].set(jnp.inf))
        return program._replace(step=lambda states: program.step(spoil(states)))

    monkeypatch.setattr(runs, "compiled_iteration", spoilt)
    with pytest.raises(
        FloatingPointError, match="a loss was not finite by iteration 18; the last good checkpoint is 16"
    ):
        runs.train(TINY, directory, (5,), **EVERY)
    assert latest(directory) == 16
    monkeypatch.undo()
    runs.train(TINY, directory, (5,), **EVERY)
    assert same(runs.read_states(directory), runs.read_states(uninterrupted))


KILLABLE = """
import sys
from pathlib import Path
import jax
jax.config.update("jax_compilation_cache_dir", sys.argv[2])
from tests.test_rl_runs import TINY
import dataclasses
from ipd_theory.rl import runs
runs.train(dataclasses.replace(TINY, iterations=2000), Path(sys.argv[1]), (5,), log_every=2, checkpoint_every=10)
"""


@pytest.mark.slow
def test_a_run_killed_at_three_random_moments_resumes_to_the_bit(tmp_path: Path) -> None:
    """Processes ended by SIGKILL, which no code can catch, while they train and write."""
    root = Path(__file__).parents[1]

    def start(name: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", KILLABLE, str(tmp_path / name), str(tmp_path / "cache")]
        return subprocess.Popen(command, cwd=root, env={**os.environ, "JAX_PLATFORMS": "cpu"})

    assert start("whole").wait() == 0
    lengths = random.Random(1)
    for _ in range(3):
        process = start("killed")
        before = len(read_metrics(tmp_path / "killed"))
        while len(read_metrics(tmp_path / "killed")) <= before:
            time.sleep(0.05)
        time.sleep(lengths.uniform(0.1, 2.0))
        process.send_signal(signal.SIGKILL)
        assert process.wait() != 0
    assert start("killed").wait() == 0
    assert same(runs.read_states(tmp_path / "killed"), runs.read_states(tmp_path / "whole"))


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("ipd")])
def test_presets_are_the_papers_tables(name: str) -> None:
    config = PRESETS[name]
    if not name.endswith("quick"):
        assert (config.iterations, config.meta_batch, config.batch) == (3000, 128, 16)
        assert (config.inner_episodes, config.episode_length, config.num_naive) == (20, 10, 10)
        assert (config.meta.learning_rate, config.meta.epochs, config.meta.minibatches) == (3e-4, 4, 2)
        assert config.p_naive == (1.0 if "shaping" in name else 0.75)
        assert not config.dynamic_naive
    assert (config.p_naive == 1) == ("shaping" in name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p_naive": 1.5}, "p_naive must lie in"),
        (
            {"methods": ("reinforce",)},
            "methods must be among coala, full, batch_unaware, m_fos, or FILE.py:NAME; got 'reinforce'",
        ),
        ({"p_naive": float("nan")}, "p_naive must be a finite number; got nan"),
        ({"methods": ()}, r"methods must be a tuple, a learning rule for each meta agent; got \(\)"),
        ({"p_naive": 0.5, "methods": ("coala",)}, "two meta agents or more"),
        ({"batch": 0}, "batch must be 1 or more; got 0"),
        ({"num_naive": 0}, "num_naive must be 1 or more"),
        ({"meta_batch": 3, "batch": 1}, "meta.minibatches must divide"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Config(**change)
