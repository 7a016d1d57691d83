"""`make gpu`, at the smallest sizes and on the processor."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.gpu import __main__ as gpu


def test_a_step_that_fails_is_said_and_one_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    def step(text: str) -> gpu.Step:
        return gpu.Step("a", 0.001, lambda folder, minutes: [sys.executable, "-c", text], gpu.engine().summary)

    failed = gpu.carried_out(step("raise SystemExit(3)"), tmp_path / "a", time.monotonic())
    assert failed["exit_status"] == 3
    assert not failed["finished"]
    assert "engine.json" in failed["error"]
    stopped = gpu.carried_out(step("import time; time.sleep(300)"), tmp_path / "a", time.monotonic(), least=1.0)
    assert stopped["exit_status"] != 0
    assert stopped["seconds"] < 60


def test_a_step_that_does_not_stop_when_asked_is_ended() -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(300)"
    process = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline()
    assert gpu.ended(process, seconds=0.5) == -9
    process.stdout.close()


@pytest.mark.slow
def test_every_step_runs_and_none_twice(tmp_path: Path) -> None:
    gpu.main(out=tmp_path, minutes=20.0, toy=True)
    (path,) = tmp_path.glob("*/results.json")
    found = json.loads(path.read_text())
    assert list(found) == [step.name for step in gpu.TOY]
    assert all(step["finished"] and step["exit_status"] == 0 for step in found.values())
    for row in found["engine"]["rows"]:
        assert row["value"] > 0
        assert row["share"] is None or 0 < row["share"] < 1.5  # a bound from below, of a noisy measurement
    before = time.monotonic()
    gpu.main(out=tmp_path, minutes=20.0, toy=True)
    assert json.loads(path.read_text()) == found
    assert time.monotonic() - before < 20
