"""The Hawk network: one definition, evaluated in numpy float64, against every fast path."""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from ipd_theory.rl.hawk import ByLag, ByWindow, Hawk
from ipd_theory.rl.hawk_layers import decay_parameter, product, recurrence_terms
from ipd_theory.rl.recurrence import linear_recurrence

OBSERVATIONS, OUTPUTS = 5, 3
PATHS = {"direct": 1, "table of windows": 10**6}


def awake(hawk: Hawk, seed: int = 9) -> Hawk:
    """Fill what starts at zero, so that an error anywhere shows in the outputs."""
    rng = np.random.default_rng(seed)
    where = lambda h: (
        h.decoder.readout.weight,
        h.gates.bias,
        h.gates.conv_bias,
        h.encoder.norm.scale,
        h.decoder.norm.scale,
        h.decoder.up.bias,
        h.encoder.to_recurrence.bias,
    )
    fill = [jnp.asarray(rng.normal(size=leaf.shape) * 0.5, jnp.float32) for leaf in where(hawk)]
    return eqx.tree_at(where, hawk, fill)


@pytest.fixture(scope="module")
def hawk() -> Hawk:
    return awake(Hawk(jax.random.key(0), OBSERVATIONS, OUTPUTS))


def numpy_hawk(hawk: Hawk, observations: np.ndarray, resets: np.ndarray) -> np.ndarray:
    """The formulas of De et al. 2024 for one stream, one step after another, in float64."""
    h64 = jax.tree.map(lambda x: np.asarray(x, np.float64), hawk)
    sigmoid = lambda x: 1 / (1 + np.exp(-x))
    gelu = lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    norm = lambda n, x: x / np.sqrt((x**2).mean() + 1e-6) * (1 + n.scale)
    linear = lambda layer, x: x @ layer.weight + layer.bias
    gates, encoder, decoder = h64.gates, h64.encoder, h64.decoder
    heads, block = gates.weight.shape[1:3]
    hidden, past, outputs = None, [], []
    for observation, reset in zip(observations, resets, strict=True):
        if reset:
            hidden, past = None, []
        x = linear(encoder.embedding, np.eye(OBSERVATIONS)[observation])
        normed = norm(encoder.norm, x)
        past = [linear(encoder.to_recurrence, normed), *past][: len(gates.conv_weight)]
        v = gates.conv_bias + sum(w * u for w, u in zip(gates.conv_weight, past, strict=False))
        by_head = v.reshape(heads, block)
        rho, iota = (
            sigmoid(np.concatenate([by_head[k] @ gates.weight[g, k] for k in range(heads)]) + gates.bias[g])
            for g in range(2)
        )
        a = np.exp(-8 * rho * np.log1p(np.exp(gates.decay_parameter)))
        hidden = iota * v if hidden is None else a * hidden + np.sqrt(1 - a**2) * iota * v
        x = x + linear(decoder.from_recurrence, gelu(linear(encoder.to_branch, normed)) * hidden)
        first, second = np.split(linear(decoder.up, norm(decoder.norm, x)), 2)
        x = x + linear(decoder.down, gelu(first) * second)
        outputs.append(linear(decoder.readout, norm(decoder.final_norm, x)))
    return np.array(outputs)


def streams(seed: int, steps: int, batch: int, p_reset: float) -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(seed)
    resets = rng.random((steps, batch)) < p_reset
    resets[0] = True
    return jnp.asarray(rng.integers(0, OBSERVATIONS, (steps, batch)), jnp.int32), jnp.asarray(resets)


class Ways(NamedTuple):
    """Outputs [time, batch, outputs] and the last hidden units, evaluated in three ways."""

    whole: jax.Array
    chunks: jax.Array
    steps: jax.Array
    hidden: list[jax.Array]


@functools.partial(jax.jit, static_argnums=3)
def evaluate(hawk: Hawk, observations: jax.Array, resets: jax.Array, num_steps: int) -> Ways:
    """Evaluate at once, in chunks of 8, and step by step."""
    network = hawk.ready(num_steps)
    start = network.initial_state(observations.shape[1])

    def chunk(state: Any, at: tuple[jax.Array, jax.Array]) -> tuple[Any, jax.Array]:
        return network.sequence(*at, state)[::-1]

    def step(state: Any, at: tuple[jax.Array, jax.Array]) -> tuple[Any, jax.Array]:
        return network.step(*at, state)[::-1]

    whole, end = network.sequence(observations, resets, start)
    by_chunk = tuple(x.reshape(-1, 8, *x.shape[1:]) for x in (observations, resets))
    end_of_chunks, chunks = jax.lax.scan(chunk, start, by_chunk)
    end_of_steps, steps = jax.lax.scan(step, start, (observations, resets))
    hidden = [end.hidden, end_of_chunks.hidden, end_of_steps.hidden]
    return Ways(whole, chunks.reshape(whole.shape), steps, hidden)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("p_reset", [0.0, 0.15, 0.7])
def test_whole_sequences_chunks_and_steps_are_the_published_recurrence(hawk: Hawk, path: str, p_reset: float) -> None:
    observations, resets = streams(1, 40, 4, p_reset)
    assert isinstance(hawk.ready(PATHS[path]).front, ByLag if path == "direct" else ByWindow)
    ways = evaluate(hawk, observations, resets, PATHS[path])
    for stream in range(4):
        expected = numpy_hawk(hawk, np.asarray(observations[:, stream]), np.asarray(resets[:, stream]))
        for outputs in (ways.whole, ways.chunks, ways.steps):
            np.testing.assert_allclose(outputs[:, stream], expected, atol=1e-5)
    for hidden in ways.hidden[1:]:
        np.testing.assert_allclose(hidden, ways.hidden[0], atol=1e-5)


def test_a_reset_forgets_everything_and_only_a_reset_does(hawk: Hawk) -> None:
    observations, _ = streams(3, 40, 4, 0.0)
    never = jnp.zeros((40, 4), bool).at[0].set(True)
    at_16 = never.at[16].set(True)
    for num_steps in PATHS.values():
        other_past = jnp.concatenate([(observations[:16] + 1) % OBSERVATIONS, observations[16:]])
        here, there = (evaluate(hawk, o, at_16, num_steps).whole[16:] for o in (observations, other_past))
        np.testing.assert_array_equal(here, there)
        remembered = [evaluate(hawk, o, never, num_steps).whole[16:] for o in (observations, other_past)]
        assert float(jnp.abs(remembered[0] - remembered[1]).max()) > 1e-2


def test_both_paths_have_the_same_gradient(hawk: Hawk) -> None:
    observations, resets = streams(4, 40, 4, 0.05)

    def loss(hawk: Hawk, num_steps: int) -> jax.Array:
        network = hawk.ready(num_steps)
        return jnp.square(network.sequence(observations, resets, network.initial_state(4))[0]).mean()

    direct, tabulated = (jax.jit(jax.grad(loss), static_argnums=1)(hawk, steps) for steps in PATHS.values())
    for a, b in zip(jax.tree.leaves(direct), jax.tree.leaves(tabulated), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 * float(jnp.abs(a).max()) + 1e-9)


def test_terms_of_the_recurrence_keep_their_digits_where_a_unit_hardly_forgets() -> None:
    """Against float64, gates from shut to open: √(1 − a²), from 2e-4 on, in relative terms; a as floats near 1 are."""
    logits = np.linspace(-20, 20, 81)
    both, never = jnp.asarray(np.stack([logits, np.zeros(81)], -1), jnp.float32), jnp.zeros(81, bool)
    decay, inputs = recurrence_terms(jnp.zeros(1, jnp.float32), jnp.ones((81, 1), jnp.float32), both, never)
    log_decay = -8 / (1 + np.exp(-logits)) * np.log(2)
    np.testing.assert_allclose(decay[:, 0], np.exp(log_decay), atol=2e-7)
    np.testing.assert_allclose(inputs[:, 0], 0.5 * np.sqrt(-np.expm1(2 * log_decay)), rtol=2e-6)


def test_gradient_of_the_recurrence_matches_finite_differences() -> None:
    rng = np.random.default_rng(5)
    decay, inputs, start = rng.uniform(0.2, 1, (7, 3)), rng.normal(size=(7, 3)), rng.normal(size=3)
    weight = jnp.asarray(rng.normal(size=(7, 3)))
    f = jax.jit(lambda *args: (weight * jnp.sin(linear_recurrence(*args))).sum())
    check_grads(f, (jnp.asarray(decay), jnp.asarray(inputs), jnp.asarray(start)), 2, modes=["rev"])


@pytest.mark.parametrize("outputs", [1, 3, 8, 64])
@pytest.mark.parametrize("batch", [(1,), (50, 4), (2, 3, 5)])
def test_gradient_of_a_product_is_two_products(batch: tuple[int, ...], outputs: int) -> None:
    rng = np.random.default_rng(outputs)
    x, weight, pull = (rng.normal(size=shape) for shape in ((*batch, 8), (8, outputs), (*batch, outputs)))
    result, transpose = jax.vjp(product, jnp.asarray(x, jnp.float32), jnp.asarray(weight, jnp.float32))
    by_x, by_weight = transpose(jnp.asarray(pull, jnp.float32))
    np.testing.assert_allclose(result, x @ weight, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(by_x, pull @ weight.T, rtol=1e-5, atol=1e-5)
    by_rows = x.reshape(-1, 8).T @ pull.reshape(-1, outputs)
    np.testing.assert_allclose(by_weight, by_rows, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("conv_width", [1, 2, 4])
@pytest.mark.parametrize("num_steps", PATHS.values())
def test_features_of_one_hot_vectors_are_integers_by_another_name(conv_width: int, num_steps: int) -> None:
    discrete = awake(Hawk(jax.random.key(2), OBSERVATIONS, OUTPUTS, conv_width=conv_width))
    continuous = awake(Hawk(jax.random.key(2), OBSERVATIONS, OUTPUTS, conv_width=conv_width, discrete=False))
    observations, resets = streams(6, 40, 4, 0.2)
    one_hot = jax.nn.one_hot(observations, OBSERVATIONS, dtype=jnp.float32)
    a, b = evaluate(discrete, observations, resets, num_steps), evaluate(continuous, one_hot, resets, 1)
    np.testing.assert_allclose(a.whole, b.whole, atol=1e-5)
    np.testing.assert_allclose(a.steps, b.steps, atol=1e-5)


def test_initial_distributions() -> None:
    """Variances over 400 networks; a sample variance of n normals has relative deviation √(2/n): 5 of them allowed."""
    create = jax.jit(jax.vmap(lambda key: Hawk(key, OBSERVATIONS, OUTPUTS)))
    nets = create(jax.random.split(jax.random.key(3), 400))
    expected = [
        (nets.encoder.embedding.weight, 1 / 5),
        (nets.encoder.to_branch.weight, 1 / 32),
        (nets.encoder.to_recurrence.weight, 1 / 32),
        (nets.gates.weight, 1 / 32),
        (nets.gates.conv_weight, 0.05**2),
        (nets.decoder.up.weight, 1 / 64),
        (nets.decoder.from_recurrence.weight, 2 / 32),
        (nets.decoder.down.weight, 2 / 32),
    ]
    for weight, variance in expected:
        draws = np.asarray(weight, np.float64).ravel()
        assert abs(draws.var() / variance - 1) < 5 * np.sqrt(2 / draws.size)
        assert abs(draws.mean()) < 5 * np.sqrt(variance / draws.size)
        assert np.abs(draws).max() > 3.3 * np.sqrt(variance)  # not truncated at 2 or 3 deviations
    zeros = (nets.decoder.readout, nets.encoder.norm, nets.decoder.norm, nets.decoder.final_norm, nets.gates.bias)
    assert all(not np.asarray(leaf).any() for leaf in jax.tree.leaves(zeros))


@pytest.mark.parametrize(
    ("name", "power", "low", "high"), [("squared", 2, 0.81, 0.998001), ("effective", 8, 0.9, 0.999)]
)
def test_initial_decays_are_uniform_as_their_name_says(name: str, power: int, low: float, high: float) -> None:
    """Kolmogorov's statistic of 4,000 draws stays below 2.2/√n (a false alarm in 8,000)."""
    raw = np.asarray(decay_parameter(jax.random.key(4), 4000, name), np.float64)
    place = (np.sort(np.exp(-power * np.log1p(np.exp(raw)))) - low) / (high - low)
    assert np.abs(place - np.arange(4000) / 4000).max() < 2.2 / np.sqrt(4000)


def test_gradients_stay_finite_over_5000_steps() -> None:
    hawk = Hawk(jax.random.key(5), OBSERVATIONS, OUTPUTS, decay_initialization="effective")
    # Gates driven shut, where √(1 − a²) is steepest.
    hawk = eqx.tree_at(lambda h: h.gates.bias, awake(hawk), jnp.full((2, 32), -200.0, jnp.float32))
    observations, _ = streams(7, 5000, 2, 0.0)
    resets = jnp.zeros((5000, 2), bool).at[0].set(True)

    def loss(hawk: Hawk) -> jax.Array:
        network = hawk.ready()
        return jnp.square(network.sequence(observations, resets, network.initial_state(2))[0]).sum()

    gradient = jax.jit(jax.grad(loss))
    for network in (hawk, awake(Hawk(jax.random.key(6), OBSERVATIONS, OUTPUTS))):
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(gradient(network))]
        assert all(np.isfinite(leaf).all() for leaf in leaves)
        assert any(leaf.any() for leaf in leaves)


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="heads must divide width; got heads=3, width=32"):
        Hawk(jax.random.key(0), 5, 3, heads=3)
    with pytest.raises(ValueError, match="1 or more"):
        Hawk(jax.random.key(0), 5, 3, conv_width=0)
