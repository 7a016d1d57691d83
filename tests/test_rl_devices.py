"""Runs whose meta-batch is shared by several devices, of one process or of several that find each other."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ipd_theory import cli
from ipd_theory.rl import runs
from ipd_theory.rl.run_folder import iterations_done, read_metrics
from tests.test_rl_runs import OPTIONS, same, without_machine

SHARED = """
import jax, dataclasses, functools
jax.config.update("jax_num_cpu_devices", 2)
import jax.numpy as jnp, numpy as np
from jax.sharding import PartitionSpec
from ipd_theory.rl import devices, losses
from ipd_theory.rl.config import Meta
from ipd_theory.rl.hawk import Hawk
from ipd_theory.sampling import estimators
from tests.test_rl_runs import TINY
mesh = devices.mesh_for(TINY)
assert mesh.devices.size == 2
rng = np.random.default_rng(0)
integers = [jnp.asarray(rng.integers(0, high, (6, 8)), jnp.int32) for high in (5, 2)]
data = losses.Trajectories(*integers, *(jnp.asarray(rng.normal(size=(6, 8)), jnp.float32) for _ in range(4)))
settings = Meta(epochs=1, minibatches=1, optimizer="sgd", learning_rate=1.0)
policy = Hawk(jax.random.key(0), 5, 3, width=4, expanded_width=4)
state = losses.optimizer("sgd", 1.0, 1.0).init(policy)
update = functools.partial(losses.ppo_update, settings=settings)
alone = update(policy, state, data, jax.random.key(1))
split = functools.partial(update, axis="meta_batch")
specs = (PartitionSpec(), PartitionSpec(), PartitionSpec(None, "meta_batch"), PartitionSpec())
shared = jax.shard_map(split, mesh=mesh, in_specs=specs, out_specs=PartitionSpec(), check_vma=False)
together = shared(policy, state, data, jax.random.key(1))
for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5)
naive = jnp.array([True, False, True, True])
rewards, values = jnp.asarray(rng.normal(size=(2, 4, 2, 3, 2)), jnp.float32)
scaled = dataclasses.replace(settings, normalize_advantages=True)
advantages = functools.partial(losses.meta_advantages, estimator=estimators.coala_pg, settings=scaled)
spec = PartitionSpec("meta_batch")
shared = jax.shard_map(
    functools.partial(advantages, axis="meta_batch"), mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False
)
for a, b in zip(advantages(rewards, values, naive), shared(rewards, values, naive), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5)
"""


@pytest.mark.slow
def test_devices_that_share_the_data_take_the_whole_update() -> None:
    subprocess.run([sys.executable, "-c", SHARED], cwd=Path(__file__).parents[1], check=True)


Training = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def training() -> Iterator[Training]:
    """Starts the command on a tiny run, as a user does; what still runs at the end is killed."""
    started = []

    def start(directory: Path, log: Path, *options: str) -> subprocess.Popen[bytes]:
        command = [str(Path(sys.executable).with_name("ipd-theory")), "train", *OPTIONS.split(), "--iterations", "80"]
        command += ["--seed", "5", "--log-every", "2", "--checkpoint-every", "10", "--out", str(directory), *options]
        with log.open("wb") as file:
            started.append(subprocess.Popen(command, stderr=file, env={**os.environ, "JAX_PLATFORMS": "cpu"}))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_two_processes_either_of_which_is_killed_make_the_run_of_one(tmp_path: Path, training: Training) -> None:
    """One process of two devices, uninterrupted, has the same bits; who loses the other says so and ends."""
    two, one = tmp_path / "two", tmp_path / "one"

    def pair() -> list[subprocess.Popen[bytes]]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        shared = ("--coordinator", address, "--processes", "2", "--process")
        return [training(two, tmp_path / f"log {i}", *shared, str(i)) for i in range(2)]

    for victim in range(2):
        processes = pair()
        before = iterations_done(two)
        while iterations_done(two) < before + 15:
            assert all(process.poll() is None for process in processes)
            time.sleep(0.02)
        processes[victim].kill()
        assert processes[1 - victim].wait(150) != 0
        said = (tmp_path / f"log {1 - victim}").read_text()
        assert re.search(r"lost the others|another task died", said)
    assert [process.wait(300) for process in pair()] == [0, 0]
    assert training(one, tmp_path / "log", "--cpu-devices", "2").wait(300) == 0
    assert "each of 2 devices" in (tmp_path / "log").read_text()
    assert iterations_done(two) == 80
    assert same(runs.read_states(two), runs.read_states(one))
    assert without_machine(read_metrics(two)) == without_machine(read_metrics(one))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--processes 2", "coordinator goes with several processes; got None with processes=2"),
        ("--coordinator localhost:1", "coordinator goes with several processes; got localhost:1 with processes=1"),
        ("--coordinator localhost --processes 2", "coordinator must be HOST:PORT; got localhost"),
        ("--coordinator localhost:1 --processes 2 --process 2", "process must lie in 0 to processes - 1 = 1; got 2"),
        ("--cpu-devices 0", "cpu-devices must be 1 or more; got 0"),
    ],
)
def test_processes_that_cannot_meet_are_refused(
    options: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ipd-theory", "train", "ipd-shaping-quick", *options.split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
