"""What Python can ask of a run: who earns what against whom, one game to watch, an agent's next move."""

import doctest
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory.rl import build, devices, efficiency, evaluation, policies, run_folder, scripted
from ipd_theory.rl.checkpoint import Checkpoints
from ipd_theory.rl.config import Config
from ipd_theory.rl.environments import CleanUpLite, EnvironmentSettings, IteratedDilemma
from ipd_theory.rl.networks import GRUSettings, NetworkSettings


@dataclass(frozen=True)
class Tables(NetworkSettings):
    """A table of logits for a discrete environment."""

    def build(self, key: Any, environment: Any) -> policies.TabularPolicy:
        """Return a random one."""
        shape = (environment.num_observations, environment.num_actions + 1)
        return policies.TabularPolicy(jax.random.normal(key, shape, jnp.float32))


SEEDS = (3, 8)
CONFIG = Config(
    methods=("coala", "m_fos"), meta_batch=2, batch=2, inner_episodes=2, episode_length=3, p_naive=0.5, num_naive=2,
    network=Tables(),
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder whose agent 0 always cooperates and agent 1 always defects."""
    directory = tmp_path_factory.mktemp("run") / "run"
    states = devices.initial_states(CONFIG, SEEDS)
    tables = [policies.playing(s).table for s in (ipd.strategies.always_cooperate(), ipd.strategies.always_defect())]
    meta = policies.TabularPolicy(jnp.stack([jnp.stack(tables)] * 2))
    run_folder.write_settings(directory / run_folder.CONFIG, run_folder.described(CONFIG, SEEDS))
    checkpoints = Checkpoints(directory / "checkpoints", keep=1)
    checkpoints.save(7, states._replace(meta=meta, iteration=jnp.full_like(states.iteration, 7)), {})
    checkpoints.close()
    return directory


def test_every_agent_meets_the_learners_and_every_other_agent(run: Path) -> None:
    shown: list[int] = []
    found = evaluation.evaluate(
        str(run), meta_episodes=2, seed=1, progress=lambda pairs: shown.append(len(pairs)) or pairs
    )
    assert found.iteration == 7
    by_names = {(meeting.ego, meeting.co_player): meeting.averages for meeting in found.meetings}
    assert shown == [len(found.meetings)] == [2 * 3 + 4]
    among = by_names["coala 0, seed 8", "m_fos 1, seed 8"]
    np.testing.assert_array_equal(among["reward"], [-1, -1])
    np.testing.assert_array_equal(among["co_player_reward"], [2, 2])
    np.testing.assert_array_equal(among["co_player_defection"], [1, 1])
    for agent, hand in (("coala 0", "always cooperate"), ("m_fos 1", "always defect")):
        mine, hands = by_names[f"{agent}, seed 3", "naive learners"], by_names[hand, "naive learners"]
        assert set(mine) == {"reward", "co_player_reward", "defection", "co_player_defection"}
        for name in mine:  # the same co-players, the same random numbers
            np.testing.assert_array_equal(mine[name], hands[name])
    assert {"tit for tat", "extortion, factor 2"} <= {ego for ego, _ in by_names}


def test_efficiency_is_a_share_between_defection_and_the_largest_payoff(run: Path) -> None:
    """Who always defects gains nothing; nobody gains more than all; of a game without a bound nothing is said."""
    found = evaluation.evaluate(run, meta_episodes=2, seed=1)
    gained = efficiency.against_naive(CONFIG.environment, found)
    rewards = {x.ego: x.averages["reward"].mean() for x in found.meetings if x.co_player == "naive learners"}
    assert gained.shares.keys() == rewards.keys()
    assert gained.shares["m_fos 1, seed 3"] == gained.shares["always defect"] == 0
    least = rewards["always defect"]
    for name, reward in rewards.items():
        assert reward <= 2
        assert gained.shares[name] == pytest.approx((reward - least) / (2 - least))
    assert "the largest payoff, 2" in gained.words
    elsewhere = efficiency.against_naive(CleanUpLite(), found)
    assert elsewhere == ({}, "efficiency: no bound is known of CleanUpLite")


def test_players_by_hand_are_of_the_packages_own_environments() -> None:
    assert scripted.by_hand(EnvironmentSettings()) == {}
    assert {"teacher", "free rider"} <= scripted.by_hand(CleanUpLite()).keys()
    table: Any = scripted.by_hand(IteratedDilemma())["tit for tat"]
    p = jax.nn.softmax(table.table[:, :2])[:, 0]
    np.testing.assert_allclose(p, ipd.strategies.tit_for_tat(), atol=1e-12)


def test_one_game_to_watch(run: Path) -> None:
    seen = evaluation.watch(run, agent=1, against="meta")
    np.testing.assert_array_equal(seen.actions, np.broadcast_to([1, 0], (2, 3, 2)))
    np.testing.assert_array_equal(seen.rewards, np.broadcast_to([2, -1], (2, 3, 2)))
    np.testing.assert_array_equal(seen.observations, [[0, 3, 3]] * 2)
    learner = evaluation.watch(run, agent=1, seed=5)
    np.testing.assert_array_equal(learner.actions[..., 0], np.ones((2, 3)))
    np.testing.assert_array_equal(learner.rewards[..., 0], 2 * (1 - learner.actions[..., 1]))


def test_a_trained_agent_plays_move_by_move(run: Path) -> None:
    np.testing.assert_allclose(evaluation.load_policy(run, 1, seed=8).act(0)[0], [0, 1], atol=1e-12)
    test = doctest.DocTestFinder().find(evaluation.load_policy, globs={**vars(evaluation), "run": run})[0]
    assert doctest.DocTestRunner().run(test) == (0, 4)


def test_a_players_memory_is_the_networks() -> None:
    """Of three games at once, and of one, from a fresh memory."""
    agent: Any = build.policy(GRUSettings(4), build.environment(IteratedDilemma()), jax.random.key(0))
    agent = jax.tree.map(lambda x: 10 * x, agent)
    seen = jnp.asarray(np.random.default_rng(0).integers(0, 5, (4, 3)))
    expected = np.exp(policies.along(agent.ready(), seen)[0])
    player, memory, alone = evaluation.Player(agent), None, None
    for t in range(4):
        probabilities, memory = player.act(seen[t], memory)
        np.testing.assert_allclose(probabilities, expected[t], atol=1e-5)
        one, alone = player.act(int(seen[t, 1]), alone)
        np.testing.assert_allclose(one, expected[t, 1], atol=1e-5)
    with pytest.raises(TypeError, match=r"observation must hold whole numbers; got 0\.5"):
        player.act(0.5)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda run: evaluation.evaluate(run, meta_episodes=0), "meta_episodes must be 1 or more; got 0"),
        (lambda run: evaluation.evaluate(run / "none"), "holds no run"),
        (lambda run: evaluation.evaluate(run, 3), "3"),
        (lambda run: evaluation.watch(run, agent=2), "agent must lie in 0 to 1; got 2"),
        (lambda run: evaluation.watch(run, agent=-1), "agent must lie in 0 to 1; got -1"),
        (lambda run: evaluation.watch(run, against="itself"), "against"),
        (lambda run: evaluation.load_policy(run, 2), "agent must lie in 0 to 1; got 2"),
        (lambda run: evaluation.load_policy(run, seed=4), "seed must be one of 3, 8; got 4"),
    ],
)
def test_what_a_run_does_not_have_is_said(run: Path, ask: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ask(run)


def test_a_pool_of_one_has_no_other_meta_agent(tmp_path: Path) -> None:
    alone = replace(CONFIG, methods=("coala",), p_naive=1.0)
    run_folder.write_settings(tmp_path / run_folder.CONFIG, run_folder.described(alone, (0,)))
    with pytest.raises(ValueError, match="against='meta' needs a pool of two meta agents or more"):
        evaluation.watch(tmp_path, against="meta")
