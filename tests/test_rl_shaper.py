"""Shaper's evolution finds what a single inner episode rewards: to defect."""

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ipd_theory import cli
from ipd_theory.rl.config import Config
from ipd_theory.rl.networks import HawkSettings
from ipd_theory.rl.shaper import ShaperSettings, shaper
from ipd_theory.rl.train import against_naive


def test_evolution_learns_to_defect_in_a_single_episode() -> None:
    """Untrained learners cooperate half of the time: an even coin earns 0.5 a step, defection 1.0."""
    config = Config(
        meta_batch=4,
        batch=16,
        inner_episodes=1,
        episode_length=4,
        num_naive=2,
        network=HawkSettings(8, expanded_width=8),
    )
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        search = shaper(config, ShaperSettings(population_size=32, deviation=0.1, learning_rate=0.05))
        state, rewards = jax.jit(
            lambda key: jax.lax.scan(lambda state, _: search.generation(state), search.init(key), None, 60)
        )(jax.random.key(0))
        played = against_naive(config, search.policy(state), state.naive, jax.random.key(1))
    assert rewards.shape == (60, 32)
    assert abs(float(rewards[0].mean()) - 0.5) < 0.15
    assert float(played["reward"].mean()) > 0.85
    assert float(played["defection"].mean()) > 0.9
    assert np.isfinite(np.asarray(rewards)).all()
    assert rewards.dtype == jnp.float32


@pytest.mark.parametrize(
    ("change", "message"), [({"population_size": 7}, "even number"), ({"deviation": 0.0}, "positive")]
)
def test_bad_settings_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ShaperSettings(**change)


@pytest.mark.slow
def test_the_command_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def search(folder: str, generations: int, *more: str) -> dict[str, object]:
        options = (
            "ipd-shaping-quick --population-size 4 --meta-batch 2 --batch 2 --inner-episodes 2 --episode-length 2 "
            f"--network.width 4 --network.expanded-width 4 --generations {generations} --out {tmp_path / folder} --json"
        )
        monkeypatch.setattr(sys, "argv", ["ipd-theory", "shaper", *options.split(), *more])
        with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
            cli.main()
        printed: dict[str, object] = json.loads(capsys.readouterr().out)
        return printed

    whole = search("whole", 3)
    search("stopped", 1)
    stopped = search("stopped", 3)
    assert whole | {"directory": ""} == stopped | {"directory": ""}
    metrics = [(tmp_path / folder / "metrics.jsonl").read_text() for folder in ("whole", "stopped")]
    assert metrics[0] == metrics[1]
    assert len(metrics[0].splitlines()) == 3
    with pytest.raises(SystemExit):
        search("stopped", 3, "--deviation", "0.2")
    assert "other settings: search.deviation is 0.05, not 0.2" in capsys.readouterr().err
