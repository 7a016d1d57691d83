"""Players by hand in CleanUp-lite: what they do on boards written down, and what they earn where it is known."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ipd_theory.rl import cleanup, losses, policies, rollout, schelling, scripted, train
from ipd_theory.rl.cleanup import DOWN, LEFT, NOTHING, RIGHT, UP, ZAP
from ipd_theory.rl.config import PRESETS, Naive
from ipd_theory.rl.environments import CleanUpLite

RULES = CleanUpLite(rows=4, columns=3)
PLAYERS: dict[str, Any] = scripted.cleanup_players(RULES, waits=2.0)


def seen(own: tuple[int, int], other: tuple[int, int], dirt: int = 0, apples: int = 0, frozen: int = 0) -> Any:
    """What the first player sees: places are row and column, dirt and apples bits of rows."""
    rows, columns = (jnp.array(x, jnp.int32)[:, None] for x in zip(own, other, strict=True))
    never = jnp.zeros((2, 1), bool)
    masks = (jnp.array([x], jnp.uint32) for x in (dirt, apples))
    state = cleanup.State(rows, columns, jnp.array([[0], [frozen]], jnp.int32), *masks, never, never)
    return cleanup.observe(RULES, state)[0]


def does(name: str, observations: Any, time: int = 9, owed: int = 0) -> int:
    memory = scripted.Memory(jnp.array([time], jnp.int32), jnp.array([owed], jnp.int32))
    outputs, _ = PLAYERS[name].step(observations, jnp.zeros(1, bool), memory)
    return int(outputs[0, :6].argmax())


@pytest.mark.parametrize(
    ("name", "own", "other", "dirt", "apples", "action"),
    [
        ("cleaner", (0, 1), (3, 0), 0b0000, 0b0001, RIGHT),  # even where all is clean
        ("cleaner", (1, 2), (3, 0), 0b1001, 0, UP),  # the nearer of two
        ("cleaner", (2, 2), (0, 0), 0b1001, 0, DOWN),
        ("cleaner", (1, 2), (3, 0), 0b0010, 0, NOTHING),
        ("harvester", (1, 1), (3, 0), 0b0011, 0, LEFT),  # two are dirty, apples still grow
        ("harvester", (1, 1), (3, 0), 0b0111, 0, RIGHT),
        ("harvester", (1, 2), (3, 0), 0b0001, 0b1000, UP),  # once there it cleans all
        ("harvester", (1, 2), (3, 0), 0b0000, 0b1000, LEFT),
        ("free rider", (1, 2), (3, 0), 0b0111, 0, LEFT),
        ("free rider", (1, 0), (3, 2), 0b0111, 0b1001, UP),
        ("free rider", (2, 0), (3, 2), 0b0111, 0b1001, DOWN),
        ("free rider", (2, 0), (3, 2), 0b0111, 0b0000, NOTHING),
        ("teacher", (2, 0), (2, 1), 0b0001, 0, ZAP),
        ("teacher", (2, 0), (2, 1), 0b0000, 0, NOTHING),  # nothing to clean, no one is lazy
        ("teacher", (2, 0), (2, 2), 0b0001, 0, NOTHING),  # who is in the river is spared
        ("teacher", (0, 0), (3, 0), 0b0001, 0, NOTHING),  # out of reach
        ("patient teacher", (2, 0), (2, 1), 0b0001, 0, NOTHING),
        ("zapper", (2, 0), (2, 2), 0b0000, 0, ZAP),
    ],
)
def test_what_players_by_hand_do(
    name: str, own: tuple[int, int], other: tuple[int, int], dirt: int, apples: int, action: int
) -> None:
    assert does(name, seen(own, other, dirt, apples)) == action


def test_who_is_frozen_is_not_zapped_again() -> None:
    assert does("zapper", seen((2, 0), (2, 1))) == ZAP
    assert does("zapper", seen((2, 0), (2, 1), frozen=3)) == NOTHING


def test_a_teacher_keeps_out_of_the_way_at_first() -> None:
    board = seen((2, 0), (0, 2), dirt=0b0001, apples=0b0100)
    assert [does("teacher", board, time=t) for t in (0, 1, 2)] == [RIGHT, RIGHT, NOTHING]


def test_a_tit_for_tat_cleaner_cleans_while_the_other_does() -> None:
    board = seen((1, 1), (3, 0), dirt=0b0111)
    assert [does("tit-for-tat cleaner", board, owed=steps) for steps in (2, -5, -6)] == [RIGHT, RIGHT, LEFT]
    memory = PLAYERS["cleaner"].initial_state(1)
    for place, owed in (((0, 2), 1), ((0, 0), 1), ((3, 2), 2)):
        _, memory = PLAYERS["cleaner"].step(seen((1, 0), place), jnp.zeros(1, bool), memory)
        assert memory.owed == owed
    _, memory = PLAYERS["cleaner"].step(seen((1, 2), (0, 0)), jnp.zeros(1, bool), memory)
    assert memory.owed == 1
    _, memory = PLAYERS["cleaner"].step(seen((1, 2), (0, 0)), jnp.ones(1, bool), memory)
    assert (memory.owed, memory.time) == (-1, 1)  # a reset forgets before the step


def test_a_script_is_one_policy_among_others() -> None:
    """Stacked with others, a naive learner's update runs on it, and a sequence is its steps."""
    players = jax.tree.map(lambda *x: jnp.stack(x), *PLAYERS.values())
    sizes, learner = rollout.Sizes(3, 2, 6), losses.a2c(Naive())
    co_players = rollout.CoPlayers(players, jnp.arange(len(PLAYERS)) % 2 == 0)
    game = cleanup.environment(RULES)
    record = rollout.play(game, PLAYERS["harvester"], co_players, learner, jax.random.key(0), sizes)
    assert record.rewards.shape == (2, 6, len(PLAYERS), 2, 3)
    whole = losses.whole(record.observations)
    log_probabilities, _ = policies.along(PLAYERS["harvester"], whole)
    taken = losses.whole(record.actions[..., 0, :])
    np.testing.assert_array_equal(log_probabilities.argmax(-1), taken)


def test_a_network_of_a_run_meets_a_player_by_hand() -> None:
    config = replace(PRESETS["cleanup-shaping-quick"], inner_episodes=2, meta_batch=2, batch=2, episode_length=4)
    state = jax.eval_shape(lambda: train.initial_state(config, jax.random.key(0)))
    ego = scripted.by_hand(config.environment)["teacher"]
    shape = jax.eval_shape(lambda naive, key: train.against_naive(config, ego, naive, key), state.naive, state.key)
    assert shape["reward"].shape == (2,)


def test_the_diagram_where_it_is_known() -> None:
    """One row, two columns: the cleaner camps in the river, where dirt of probability p lasts for the step, so that a
    rider who camps in the orchard gets 1 - p a step; alone two riders get nothing once the cell is dirty.

    Players begin anywhere and are there after a step, T = 400 steps; tolerance 5 standard errors, of 4 numbers:
    false alarms under one in 100,000, and 1/400 for the start.
    """
    rules = CleanUpLite(rows=1, columns=2, saturating_dirt=1, initial_dirt=1, dirt_probability=0.3)
    cleaner, rider = (scripted.cleanup_players(rules)[name] for name in ("cleaner", "free rider"))
    game = cleanup.environment(rules)
    found = schelling.diagram(game, cleaner, rider, jax.random.key(1), 400, 400)
    assert abs(found.rides[1] - 0.7) < 5 * found.rides_error[1] + 1 / 400
    np.testing.assert_allclose(found.rides_error[1], np.sqrt(0.7 * 0.3 / 400 / 400), rtol=0.25)
    assert max(*found.cleans, found.rides[0]) < 2 / 400
    assert not schelling.is_dilemma(found)  # two cleaners get nothing here


def test_what_a_dilemma_is() -> None:
    exact, noisy = np.zeros(2), np.full(2, 1.0)
    rewards = lambda s, r, p, t: (np.array([s, r]), np.array([p, t]))
    assert schelling.is_dilemma(schelling.Schelling(*rewards(-1.0, 1.0, 0.0, 2.0), exact, exact))
    assert not schelling.is_dilemma(schelling.Schelling(*rewards(-1.0, 1.0, 0.0, 2.0), noisy, noisy))
    assert schelling.is_dilemma(schelling.Schelling(*rewards(-1.0, 1.0, 0.0, 0.5), exact, exact))  # of fear alone
    assert not schelling.is_dilemma(schelling.Schelling(*rewards(0.5, 1.0, 0.0, 0.9), exact, exact))  # harmony
    assert not schelling.is_dilemma(schelling.Schelling(*rewards(-1.0, -0.5, 0.0, 2.0), exact, exact))
