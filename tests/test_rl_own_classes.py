"""Environments and networks of one's own, from a file: trained, stored, resumed and read back like the package's."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ipd_theory import cli
from ipd_theory.rl import build, fitting, run_folder, runs, tagging
from ipd_theory.rl.config import Config, Meta
from ipd_theory.rl.environments import ENVIRONMENTS, CleanUpLite, EnvironmentSettings, IteratedDilemma
from ipd_theory.rl.networks import NETWORKS, GRUSettings, HawkSettings
from ipd_theory.rl.policies import TabularPolicy

OWN = '''
from dataclasses import dataclass
import jax, jax.numpy as jnp
from ipd_theory.rl.environment import Environment
from ipd_theory.rl.environments import EnvironmentSettings
from ipd_theory.rl.networks import NetworkSettings
from ipd_theory.rl.policies import TabularPolicy

@dataclass(frozen=True)
class Matching(EnvironmentSettings):
    """Pennies: both see the last two choices; player 1 wants them equal."""
    stakes: tuple[float, float] = (1.0, 2.0)

    def build(self):
        def step(state, actions, key):
            equal = (actions[0] == actions[1]).astype(jnp.float32)
            return 1 + 2 * actions[0] + actions[1], jnp.stack([self.stakes[0] * equal, self.stakes[1] * (1 - equal)])
        return Environment(
            2, 5, True, lambda key, batch: jnp.zeros(batch, jnp.int32), lambda state: (state, state), step,
            lambda state, actions, after: {"heads": actions[0]},
        )

@dataclass(frozen=True)
class Table(NetworkSettings):
    spread: float = 0.1

    def build(self, key, environment):
        shape = (environment.num_observations, environment.num_actions + 1)
        return TabularPolicy(self.spread * jax.random.normal(key, shape, jnp.float32))
'''


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "pennies.py"
    path.write_text(OWN)
    return path


def test_own_environment_and_network_train_resume_and_are_read_back(own: Path, tmp_path: Path) -> None:
    matching, table = (tagging.load_class(f"{own}:{name}") for name in ("Matching", "Table"))
    config = Config(
        methods=("coala",), iterations=2, meta_batch=2, batch=2, inner_episodes=2, episode_length=2, num_naive=1,
        environment=matching(stakes=(3.0, 4.0)), network=table(spread=0.2), meta=Meta(epochs=1, minibatches=1),
    )  # fmt: skip
    directory = runs.train(config, tmp_path / "run", log_every=1, checkpoint_every=1, max_minutes=0.0)
    assert run_folder.iterations_done(directory) == 1
    del sys.modules[str(own)]  # as another process, which has not run the file yet
    there, seeds = run_folder.read_config(directory)
    assert seeds == (0,)
    assert (there.environment.stakes, there.network.spread) == ((3.0, 4.0), 0.2)
    assert type(there.environment).__module__ == str(own)
    runs.train(there, directory, log_every=1, checkpoint_every=1)
    states = runs.read_states(directory)
    assert states.meta.table.shape == (1, 1, 5, 3)
    assert [set(line["against_naive"]) for line in run_folder.read_metrics(directory)] == [
        {"reward", "co_player_reward", "heads"}
    ] * 2
    assert states.iteration.tolist() == [2]


@pytest.mark.parametrize("environment", [IteratedDilemma(), CleanUpLite(rows=3, columns=2)])
def test_a_grus_sequence_is_its_steps(environment: Any) -> None:
    """One after another, resets included, and nothing before a reset counts."""
    game, network = build.environment(environment), GRUSettings(width=4)
    agent = build.policy(network, game, jax.random.key(0)).ready()
    rng = np.random.default_rng(0)
    shape, high = ((6, 3), 5) if game.discrete else ((6, 3, game.num_observations), 2)
    features, resets = jnp.asarray(rng.integers(0, high, shape)), jnp.asarray(rng.random((6, 3)) < 0.4)
    outputs, last = agent.sequence(features, resets, agent.initial_state(3))
    state, steps = agent.initial_state(3), []
    for x, reset in zip(features, resets, strict=True):
        output, state = agent.step(x, reset, state)
        steps.append(output)
    assert outputs.shape == (6, 3, game.num_actions + 1)
    np.testing.assert_allclose(outputs, np.stack(steps), atol=1e-6)
    np.testing.assert_allclose(last, state, atol=1e-6)
    alone = jnp.ones((1, 3), bool)
    fresh, _ = agent.sequence(features[3:4], alone, agent.initial_state(3))
    busy, _ = agent.sequence(features[3:4], alone, last)
    np.testing.assert_array_equal(fresh, busy)


@pytest.mark.parametrize("settings", [HawkSettings(width=8), GRUSettings(5)])
def test_networks_of_the_package_go_by_their_name(settings: Any) -> None:
    tagged = tagging.to_tagged("network", settings, NETWORKS)
    assert tagged["name"] == type(settings).__name__
    assert tagging.from_tagged("network", tagged, NETWORKS) == settings


def test_runs_from_before_networks_were_named_are_hawks() -> None:
    recorded = Path(__file__).parents[1] / "paper_figures" / "runs" / "ipd-shaping-quick-coala-0"
    assert "name" not in json.loads((recorded / "config.json").read_text())["network"]
    assert run_folder.read_config(recorded)[0].network == HawkSettings()


@dataclasses.dataclass(frozen=True)
class WithArray:
    """Holds what JSON cannot bring back."""

    weights: Any = None


@dataclasses.dataclass(frozen=True)
class Named:
    """Has a field that means the class in a file."""

    name: str = "x"


class Bare(EnvironmentSettings):
    """Has no `build`."""


def test_settings_that_would_not_come_back_are_refused_before_the_work() -> None:
    with pytest.raises(TypeError, match="network must be an instance of a frozen dataclass; got <class"):
        tagging.to_tagged("network", HawkSettings, NETWORKS)
    for weights in (np.zeros(2), [1, 2], {"a": 1}, float("nan")):
        with pytest.raises(ValueError, match="environment must consist of numbers, words and tuples"):
            tagging.to_tagged("environment", WithArray(weights), ENVIRONMENTS)
    with pytest.raises(ValueError, match="Named has a field called name"):
        tagging.to_tagged("environment", Named(), ENVIRONMENTS)
    inside = dataclasses.make_dataclass("inside", [], frozen=True)
    inside.__qualname__ = "test.<locals>.inside"
    with pytest.raises(ValueError, match="must stand at the top of its file"):
        tagging.to_tagged("environment", inside(), ENVIRONMENTS)
    with pytest.raises(TypeError, match="environment must be settings with a method `build`; got <tests"):
        build.environment(Bare())


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("Game", "'Game': a place must be FILE.py:NAME or MODULE:NAME"),
        ("{own}:Matchin", "pennies.py defines no Matchin; did you mean Matching?"),
        ("ipd_theory.rl.hawk:Hawk", None),
        ("json:JSONDecoder", "'json:JSONDecoder': a class of settings must be a dataclass; got <class"),
    ],
)
def test_places_without_a_class_are_refused(place: str, message: str | None, own: Path) -> None:
    place = place.format(own=own)
    if message is None:
        assert tagging.load_class(place).__name__ == "Hawk"
        return
    with pytest.raises(ValueError, match=message):
        tagging.load_class(place)


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ([1], "network must be described by its fields"),
        ({"name": "LSTM"}, "network must be one of HawkSettings, GRUSettings, or FILE.py:CLASS; got 'LSTM'"),
        ({"depth": 3}, "network: HawkSettings has no setting depth"),
        ({"width": 0}, "width must be 1 or more; got 0"),
        ({"width": 1.5}, r"(?s)network: .*width"),
    ],
)
def test_descriptions_of_no_network_are_refused(described: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tagging.from_tagged("network", described, NETWORKS)


ODD: dict[str, tuple[dict[str, Any], str]] = {
    "rewards of whole numbers": (
        {"step": lambda state, actions, key: (state, actions)},
        r"step: the rewards must be an array \[2, 3\] of floating numbers for 3 games; got int32\[2, 3\]",
    ),
    "one reward": (
        {"step": lambda state, actions, key: (state, actions[0].astype(jnp.float32))},
        r"step: the rewards must be an array \[2, 3\]",
    ),
    "a state that grows": (
        {"step": lambda state, actions, key: (jnp.stack([state, state]), actions.astype(jnp.float32))},
        r"step must keep the shapes and dtypes of the state; int32\[3\] became int32\[2, 3\]",
    ),
    "features": (
        {"observe": lambda state: (state.astype(jnp.float32), state)},
        r"observe: what player 0 sees must be an array \[3\] of whole numbers",
    ),
    "one view": ({"observe": lambda state: state}, "observe must return what each of two players sees"),
    "a measure of all games": (
        {"measure": lambda state, actions, after: {"mean": actions.mean(dtype=jnp.float32)}},
        r"measure: mean must be an array \[3\] for 3 games",
    ),
}


@pytest.mark.parametrize("odd", ODD)
def test_environments_that_do_not_fit_are_told_what_is_wrong(odd: str) -> None:
    change, message = ODD[odd]
    with pytest.raises(ValueError, match=message):
        fitting.environment_fits(build.environment(IteratedDilemma())._replace(**change))


def test_policies_that_do_not_fit_are_told_what_is_wrong() -> None:
    game = build.environment(IteratedDilemma())
    with pytest.raises(ValueError, match=r"step: the outputs must be an array \[3, 3\] of floating numbers"):
        fitting.policy_fits(TabularPolicy(jnp.zeros((5, 2))), game)
    fitting.policy_fits(TabularPolicy(jnp.zeros((5, 3))), game)
    fitting.policy_fits(build.policy(GRUSettings(2), game, jax.random.key(0)), game)
    fitting.environment_fits(build.environment(CleanUpLite()))


def test_the_command_takes_classes_of_ones_own(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = "--iterations 1 --meta-batch 2 --batch 2 --inner-episodes 2 --episode-length 2 --gradient-parts-every 0"
    command = f"train ipd-shaping-quick {sizes} --meta.minibatches 1 --meta.epochs 1 --out {tmp_path / 'run'} --json"
    cli.main([*command.split(), "--own-environment", f"{own}:Matching", "--own-network", f"{own}:Table"])
    assert json.loads(capsys.readouterr().out)["iteration"] == 1
    config, _ = run_folder.read_config(tmp_path / "run")
    assert (type(config.environment).__name__, type(config.network).__name__) == ("Matching", "Table")
    with pytest.raises(SystemExit) as ended:
        cli.main([*command.split(), "--own-network", f"{own}:None"])
    assert ended.value.code == 2
    assert f"--own-network: '{own}:None': {own} defines no None" in capsys.readouterr().err
