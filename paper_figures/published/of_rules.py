"""Published results of learning rules on the exact repeated prisoner's dilemma, at their own settings."""

import functools
from collections.abc import Callable

import jax
import numpy as np
import optax

import ipd_theory as ipd
from ipd_theory.learning import rules
from ipd_theory.learning.play import learn
from paper_figures.published.rows import Number, Row, Work, mean

SETTING = "payoffs −1, −3, 0, −2; γ 0.96; logits N(0, 1)"
RULES: dict[str, Callable[[float], rules.Rule]] = {
    "naive": lambda step: rules.naive(),
    "LOLA": rules.lola_as_published,
    "SOS": functools.partial(rules.sos, looking_ahead=False),
    "extragradient": rules.extragradient,
    "CGD": rules.cgd,
}


def _game() -> ipd.MatrixGame:
    return ipd.prisoners_dilemma(R=-1.0, S=-3.0, T=0.0, P=-2.0)


@functools.cache
def _played(
    first: str, second: str, pairs: int, steps: int, step: float, normalized: bool, seed: int
) -> tuple[Number, Number]:
    """Return both players' normalised returns after learning, means over pairs."""
    logits = jax.random.normal(jax.random.key(seed), (2, pairs, 5))
    sgd, pair = optax.sgd(step), (RULES[first](step), RULES[second](step))
    out = learn(_game(), pair, *logits, discount=0.96, optimizers=(sgd, sgd), steps=steps, normalized=normalized)
    last = np.asarray(out.returns)[:, -1] * (1.0 if normalized else 0.04)
    return mean(last[:, 0]), mean(last[:, 1])


def _of_meta_value(first: str, second: str, player: int) -> Callable[[Work], Number]:
    return lambda work: _played(first, second, work.size(256, 1024), 300, 25.0, True, 11)[player]


def _of_sos(name: str) -> Callable[[Work], Number]:
    def measure(work: Work) -> Number:
        # Both players' losses are averaged, which are not independent: the error of one is above that of the mean.
        one, other = _played(name, name, work.size(512, 4096), 100, 1.0, False, 0)
        return Number(-(one.value + other.value) / 2, max(one.error, other.error))

    return measure


def _of_lola(first: str, second: str, player: int) -> Callable[[Work], Number]:
    return lambda work: _played(first, second, work.size(256, 2048), 200, 0.5, False, 5)[player]


def _of_pair(first: str, second: str, player: int) -> Callable[[Work], Number]:
    def measure(work: Work) -> Number:
        pair = ipd.strategies.named(first), ipd.strategies.named(second)
        return Number(float(ipd.expected_returns(_game(), *pair, discount=0.96)[player]))

    return measure


@functools.cache
def _script(look_aheads: int) -> np.ndarray:
    rule, adam = rules.lola_dice(look_aheads, 0.3), optax.adam(0.2)
    with jax.numpy_dtype_promotion("standard"):  # optax.adam mixes integer counts and floats
        out = learn(
            _game(), (rule, rule), np.zeros(5), np.zeros(5), discount=0.96, optimizers=(adam, adam), steps=50,
            normalized=False,
        )  # fmt: skip
    return 0.04 * np.asarray(out.returns)[:, 0]


def _of_script(look_aheads: int, update: int) -> Callable[[Work], Number]:
    return lambda work: Number(float(_script(look_aheads)[update]))


ROWS: tuple[Row, ...] = (
    *(Row("LOLA-DiCE, exact script", f"{k} look-ahead{'s' * (k != 1)}, value after {update} updates", Number(value),
          _of_script(k, update), "learning.play.learn", "zero logits; Adam 0.2; inner step 0.3", rounding=1e-4)
      for k, values in ((0, (-1.8790, -1.9765, -1.9920, -1.9956, -1.9969)),
                        (1, (-1.5071, -1.2801, -1.0525, -1.0115, -1.0055)))
      for update, value in zip((10, 20, 30, 40, 50), values, strict=True)),
    *(Row("MeVa's table", f"{first} against {second}, the {which}'s payoff", Number(value, error),
          _of_meta_value(first, second, player), "learning.play.learn",
          f"{SETTING}; 300 steps of 25; 256 pairs (full: 1,024), seed 11", rounding=5e-4)
      for first, second, which, player, value, error in (
          ("naive", "naive", "first", 0, -1.988, 0.003), ("naive", "LOLA", "first", 0, -1.377, 0.015),
          ("naive", "LOLA", "second", 1, -1.357, 0.015), ("LOLA", "LOLA", "first", 0, -1.041, 0.005))),
    *(Row("SOS's table", f"{name}, loss after 100 steps", Number(value, error), _of_sos(name), "learning.play.learn",
          f"{SETTING}; steps of 1; 512 pairs (full: 4,096), seed 0", rounding=5e-4)
      for name, value, error in (("naive", 1.992, 0.001), ("LOLA", 1.047, 0.003), ("SOS", 1.051, 0.003),
                                 ("extragradient", 1.981, 0.002), ("CGD", 1.968, 0.003))),
    *(Row("LOLA's tables", f"{first} against {second}, the {which}'s payoff", Number(value, error),
          _of_lola(first, second, player), "learning.play.learn",
          f"{SETTING}; 200 steps of 0.5; 256 pairs (full: 2,048), seed 5", rounding=5e-3)
      for first, second, which, player, value, error in (
          ("naive", "naive", "first", 0, -1.98, 0.14 / 50**0.5), ("LOLA", "LOLA", "first", 0, -1.06, 0.19 / 50**0.5),
          ("naive", "LOLA", "naive", 0, -1.54, 0.066), ("naive", "LOLA", "LOLA", 1, -1.28, 0.066))),
    *(Row("LOLA", f"{what}, normalised value", Number(value),
          _of_pair(first, second, player), "expected_returns", "payoffs −1, −3, 0, −2; γ 0.96")
      for what, first, second, player, value in (
          ("TFT against TFT", "TFT", "TFT", 0, -1.0), ("TFT against ALLD", "TFT", "ALLD", 0, -2.04),
          ("ALLD against TFT", "TFT", "ALLD", 1, -1.92))),
)  # fmt: skip
