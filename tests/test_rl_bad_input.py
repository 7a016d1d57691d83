"""What reinforcement learning is given from outside: one error that names the argument and what is allowed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory.rl import cleanup_render, lola_dice, losses, policies, rollout
from ipd_theory.rl.cleanup_pettingzoo import CleanUpLiteParallel
from ipd_theory.rl.environments import CleanUpLite, IteratedDilemma
from ipd_theory.rl.gru import GRU
from ipd_theory.rl.hawk import Hawk
from ipd_theory.rl.ipd import iterated
from ipd_theory.rl.networks import GRUSettings, HawkSettings

NAN, KEY = float("nan"), jax.random.key(0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: policies.playing(jnp.full(5, NAN)), "strategy holds nan"),
        (lambda: policies.playing(jnp.full(5, 1.5)), "strategy holds 1.5"),
        (lambda: policies.playing(jnp.full(5, 0.5), -1.0), "sharpness must be 0 or more; got -1"),
        (lambda: policies.playing(jnp.full(5, 0.5), NAN), "sharpness must be a finite number; got nan"),
        (lambda: iterated(ipd.games.public_goods(3, 2.0)), "game must be one game for two players; it is for 3"),
        (lambda: IteratedDilemma((1.0, NAN, 2.0, 0.0)), "payoffs must be a tuple of four finite numbers"),
        (lambda: CleanUpLite(zap_probability=1.5), r"zap_probability must lie in \[0, 1\]; got 1.5"),
        (lambda: CleanUpLite(distance="taxi"), "distance"),
        (lambda: HawkSettings(width=6, heads=4), "heads must divide width=6; got 4"),
        (lambda: HawkSettings(conv_width=0), "conv_width must be 1 or more; got 0"),
        (lambda: HawkSettings(decay_initialization="fast"), "decay_initialization"),
        (lambda: GRUSettings(0), "width must be 1 or more; got 0"),
        (lambda: Hawk(KEY, 5, 3, expanded_width=0), "expanded_width must be .* 1 .*; got 0"),
        (lambda: GRU(KEY, 5, 1), "num_outputs must be .* 2 .*; got 1"),
        (lambda: rollout.Sizes(2, 0, 2), "inner_episodes must be 1 or more; got 0"),
        (lambda: lola_dice.LolaDice(discount=1.5), r"discount must lie in \[0, 1\]; got 1.5"),
        (lambda: lola_dice.LolaDice(step_size=NAN), "step_size must be a finite number; got nan"),
        (lambda: lola_dice.LolaDice(batch=0), "batch and episode_length 1 or more"),
        (lambda: losses.optimizer("rmsprop", 0.1, 1.0), "optimizer must be adam or sgd; got 'rmsprop'"),
        (lambda: CleanUpLiteParallel(episode_length=0), "episode_length must be .*; got 0"),
        (lambda: cleanup_render.save(Path("x.gif"), [], 0.0), "frames_per_second must be a positive number; got 0"),
        (lambda: cleanup_render.scene(CleanUpLite(), np.zeros(3, bool)), r"observation has shape \(3,\)"),
    ],
)
def test_bad_values_are_refused_by_name(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(Exception, match=f"(?s){message}") as caught:
        call()
    assert isinstance(caught.value, ValueError | TypeError) or "Type-check error" in str(caught.value)
