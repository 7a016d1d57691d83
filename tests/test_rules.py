"""Each rule against its formula, evaluated from the explicit Jacobian and Hessian blocks of the textbook return."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ipd_theory as ipd
from ipd_theory.learning import rules
from ipd_theory.learning.play import direction, learn
from ipd_theory.learning.rules.anticipation import _polynomial, cola_solution, hola_residual
from ipd_theory.learning.rules.base import Problem
from ipd_theory.learning.views import RepeatedGame, repeated_game

ASYMMETRIC = ipd.MatrixGame(jnp.array([[[3.0, -1.0], [2.5, 0.5]], [[1.0, 2.0], [-2.0, 0.0]]]))
LOLA_GAME = ipd.prisoners_dilemma(R=-1.0, S=-3.0, T=0.0, P=-2.0)
GAMES = [(LOLA_GAME, 0.96, False), (ASYMMETRIC, 0.8, True)]
ALPHA = 0.7


def textbook_returns(game, discount, normalized, theta):
    """Both returns by solving d (I − γM) = s_0, in one vector of parameters θ = (x, y)."""
    p, q = jax.nn.sigmoid(theta[:5]), jax.nn.sigmoid(theta[5:])[jnp.array([0, 1, 3, 2, 4])]
    joint = jnp.stack([p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)], -1)
    d = jnp.linalg.solve(jnp.eye(4) - discount * joint[1:].T, joint[0])
    return (1 - discount if normalized else 1.0) * game.outcome_payoffs @ d


class Blocks:
    """The loss convention of the sources: ξ, H, H_o, χ and single blocks, from full Hessians of the losses."""

    def __init__(self, game, discount, normalized, x, y):
        self.theta = jnp.concatenate([x, y])

        def losses(theta):
            return -textbook_returns(game, discount, normalized, theta)

        self.losses = losses
        G = jax.jacrev(losses)(self.theta).reshape(2, 2, 5)  # loss, block, entry
        W = jax.hessian(losses)(self.theta).reshape(2, 2, 5, 2, 5)
        self.xi = jnp.concatenate([G[0, 0], G[1, 1]])
        self.H = jnp.concatenate([W[0, 0].reshape(5, 10), W[1, 1].reshape(5, 10)])
        self.H_o = self.H * (1 - jnp.kron(jnp.eye(2), jnp.ones((5, 5))))
        self.chi = jnp.concatenate([W[1, 1, :, 0].T @ G[0, 1], W[0, 0, :, 1].T @ G[1, 0]])
        self.xi0 = self.xi - ALPHA * self.H_o @ self.xi

    def xi_at(self, theta):
        G = jax.jacrev(self.losses)(theta).reshape(2, 2, 5)
        return jnp.concatenate([G[0, 0], G[1, 1]])


def sos_formula(b):
    d = -ALPHA * b.chi @ b.xi0
    p1 = 1.0 if d >= 0 else min(1.0, -0.5 * (b.xi0 @ b.xi0) / d)
    norm = jnp.linalg.norm(b.xi)
    return b.xi0 - min(p1, norm**2 if norm < 0.1 else 1.0) * ALPHA * b.chi


def sga_formula(b):
    A = (b.H - b.H.T) / 2
    down, turn = b.H.T @ b.xi, A.T @ b.xi
    return b.xi + jnp.sign((b.xi @ down) * (turn @ down) / 10 + 0.1) * turn


FORMULAS = {
    "naive": (rules.naive(), lambda b: b.xi),
    "look-ahead": (rules.look_ahead(ALPHA), lambda b: b.xi0),
    "LOLA as published": (rules.lola_as_published(ALPHA), lambda b: b.xi - ALPHA * b.chi),
    "LOLA with look-ahead": (rules.lola_with_look_ahead(ALPHA), lambda b: b.xi0 - ALPHA * b.chi),
    "SOS": (rules.sos(ALPHA), sos_formula),
    "consensus": (rules.consensus(0.3), lambda b: b.xi + 0.3 * b.H.T @ b.xi),
    "SGA": (rules.sga(), sga_formula),
    "CGD": (rules.cgd(ALPHA), lambda b: jnp.linalg.inv(jnp.eye(10) + ALPHA * b.H_o) @ b.xi),
    "extragradient": (rules.extragradient(ALPHA), lambda b: b.xi_at(b.theta - ALPHA * b.xi)),
    "surgery": (rules.symplectic_surgery(), lambda b: (b.xi + b.H.T @ jnp.linalg.inv(b.H) @ b.xi) / 2),
}


def pairs(seed, *batch):
    keys = jax.random.split(jax.random.key(seed), 2)
    return [1.5 * jax.random.normal(key, (*batch, 5)) for key in keys]


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("setting", GAMES, ids=["prisoners", "asymmetric"])
def test_direction_is_the_formula(name, setting):
    game, discount, normalized = setting
    rule, formula = FORMULAS[name]
    x, y = pairs(1, 4)
    mirrored = ipd.MatrixGame(jnp.swapaxes(game.payoffs[::-1], -1, -2))
    ours = direction(game, rule, x, y, discount=discount, normalized=normalized)
    theirs = direction(mirrored, rule, y, x, discount=discount, normalized=normalized)
    for i in range(4):
        want = -formula(Blocks(game, discount, normalized, x[i], y[i]))
        scale = jnp.abs(want).max()
        np.testing.assert_allclose(ours[i], want[:5], rtol=1e-8, atol=1e-8 * scale)
        np.testing.assert_allclose(theirs[i], want[5:], rtol=1e-8, atol=1e-8 * scale)


def test_sos_turns_the_shaping_term_down_where_it_is_against_look_ahead():
    x, y = (v[jnp.array([26, 49])] for v in pairs(1, 64))
    got = direction(LOLA_GAME, rules.sos(ALPHA), x, y, discount=0.96, normalized=False)
    for i in range(2):
        blocks = Blocks(LOLA_GAME, 0.96, False, x[i], y[i])
        assert jnp.abs(sos_formula(blocks) - (blocks.xi0 - ALPHA * blocks.chi)).max() > 1e-6
        np.testing.assert_allclose(got[i], -sos_formula(blocks)[:5], rtol=1e-8)


def test_the_polynomial_of_cola_is_its_taylor_series():
    rng = np.random.default_rng(0)
    c, d = [rng.normal(size=(3,) * (k + 1)) for k in range(4)], rng.normal(size=3)
    want = c[0] + c[1] @ d + c[2] @ d @ d / 2 + c[3] @ d @ d @ d / 6
    np.testing.assert_allclose(_polynomial(tuple(map(jnp.asarray, c)), jnp.asarray(d)), want, rtol=1e-12)


def test_near_fixed_points_sos_fades_by_the_square_of_the_gradient_s_norm():
    faint = ipd.MatrixGame(0.1 * LOLA_GAME.payoffs)
    x, y = pairs(1, 4)
    got = direction(faint, rules.sos(ALPHA), x, y, discount=0.96)
    for i in range(4):
        blocks = Blocks(faint, 0.96, True, x[i], y[i])
        assert 0.001 < jnp.linalg.norm(blocks.xi) < 0.1
        np.testing.assert_allclose(got[i], -sos_formula(blocks)[:5], rtol=1e-9)


def of(rule, x, y, game=LOLA_GAME, discount=0.96):
    return direction(game, rule, x, y, discount=discount)


def single_view(game=LOLA_GAME, discount=0.96):
    return repeated_game(game, discount, np.dtype(np.float64))


def together(x, y, *many):
    """Directions of many rules for one pair, compiled as one program, which shares what they have in common."""
    return jax.jit(lambda x, y: [rule.update(single_view(), x, y, ())[0] for rule in many])(x, y)


def test_limits_join_the_rules():
    x, y = pairs(2)
    small = 1e-5
    none, naive, hola, one, p0, look, p1, lola, exact, first_order = together(
        x,
        y,
        rules.lola_dice(0, 3.0),
        rules.naive(),
        rules.hola(1, 3.0),
        rules.lola_dice(1, 3.0),
        rules.sos(3.0, share=0.0),
        rules.look_ahead(3.0),
        rules.sos(3.0, share=1.0),
        rules.lola_with_look_ahead(3.0),
        rules.lola_dice(1, small),
        rules.lola_with_look_ahead(small),
    )
    for a, b in ((none, naive), (hola, one), (p0, look), (p1, lola)):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(exact - naive, first_order - naive, rtol=1e-4, atol=1e-6 * jnp.abs(exact - naive).max())


def test_whole_path_is_the_mean_of_last_steps_and_shaping_is_the_rest():
    x, y = pairs(3)
    last = [rules.lola_dice(k, 4.0) for k in range(3)]
    path = [rules.coala(2, 4.0, weight) for weight in (None, 0.5, 0.0)]
    *each, whole, half, none = together(x, y, *last, *path)
    np.testing.assert_allclose(whole, sum(each) / 3, rtol=1e-10)
    np.testing.assert_allclose(half, (whole + none) / 2, rtol=1e-10)


def test_hola_residual_falls_with_its_order():
    x, y = pairs(4)
    residuals = [float(hola_residual(single_view(), x, y, 1.0, n)) for n in (0, 1, 2)]
    assert residuals[1] < residuals[0] / 3
    assert residuals[2] < residuals[1] / 3


class Tandem:
    """L_1 = (x + y)² − 2x, L_2 = (x + y)² − 2y (Letcher et al. 2019): COLA is known in closed form."""

    def own(self, x, y):
        return 2 * x[0] - (x[0] + y[0]) ** 2

    def other(self, x, y):
        return 2 * y[0] - (x[0] + y[0]) ** 2

    def swapped(self):
        return self


def test_cola_solves_the_tandem_game():
    """h(x, y) = a(x + y) + c: −2α(1 + a)² = a and c(1 + 2α(1 + a)) = 2α, from the consistency equations."""
    alpha = 0.1
    a = (-(4 * alpha + 1) + np.sqrt((4 * alpha + 1) ** 2 - 16 * alpha**2)) / (4 * alpha)
    c = 2 * alpha / (1 + 2 * alpha * (1 + a))
    x, y = jnp.array([0.3]), jnp.array([-1.1])
    (h, A), residual, _ = cola_solution(Tandem(), x, y, alpha, 1, 1e-13, 200)
    np.testing.assert_allclose(h, a * (x[0] + y[0]) + c, rtol=1e-10)
    np.testing.assert_allclose(A, a, rtol=1e-10)
    assert residual < 1e-12


def test_cola_is_the_limit_of_hola_and_reports_where_it_is_not():
    x, y = pairs(5)
    rule = rules.cola(0.1)
    got, _, info = jax.jit(lambda x, y: rule.update(single_view(), x, y, ()))(x, y)
    assert info.residual < 1e-6
    assert info.problem == Problem.NONE
    nearer, farther = (jnp.abs(got - of(rules.hola(n, 0.1), x, y)).max() for n in (1, 2))
    assert farther < nearer / 3
    assert farther < 1e-5
    rule = rules.cola(1000.0)
    _, _, info = jax.jit(lambda x, y: rule.update(single_view(), x, y, ()))(x, y)
    assert info.problem == Problem.UNCONVERGED
    assert info.residual > 1e-6


def test_pola_is_stationary_and_lola_for_strong_penalties():
    x, y = pairs(6)
    got, _, info = jax.jit(lambda x, y: rules.pola(1.0, 0.5).update(single_view(), x, y, ()))(x, y)
    assert info.problem == Problem.NONE
    assert info.residual < 1e-8  # aimed at, in spite of rounding in the inner answer

    def kl(old, new):
        p, r = jax.nn.sigmoid(old), jax.nn.sigmoid(new)
        return (p * jnp.log(p / r) + (1 - p) * jnp.log((1 - p) / (1 - r))).mean()

    def objective(x_new):  # the inner problem by plain gradient ascent, unrolled
        def ascend(y_new, _):
            return y_new + 2.0 * jax.grad(lambda v: single_view().other(x_new, v) - 0.5 * kl(y, v))(y_new), None

        y_new, _ = jax.lax.scan(ascend, y, length=3000)
        return single_view().own(x_new, y_new) - kl(x, x_new)

    gradient = jax.jit(jax.grad(objective))
    np.testing.assert_allclose(gradient(x + got), 0, atol=1e-5)
    assert jnp.abs(gradient(x)).max() > 1e-3


def test_loqa_is_advantage_alignment_with_the_dropped_term():
    """Differentiating the other's action values and summing advantages over pairs of times are the same shaping."""
    x, y = pairs(7, 5)
    for game, discount in ((LOLA_GAME, 0.9), (ASYMMETRIC, 0.6)):
        a = of(rules.loqa(0.4), x, y, game, discount)
        b = of(rules.advantage_alignment(0.4, same_step=True, as_published=False), x, y, game, discount)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
        dropped = of(rules.advantage_alignment(0.4, as_published=False), x, y, game, discount)
        assert jnp.abs(dropped - a).max() > 1e-4


def summed_alignment(game, x, y, discount, beta, same_step, horizon):
    """Σ_t γ^t E[∇log π_1 (A1_t + βγ Σ_k γ^{t−k} A1_k A2_t)], step by step: visits and what they have earned so far."""
    p, q = (np.asarray(jax.nn.sigmoid(v)) for v in (x, y))
    q = q[[0, 1, 3, 2, 4]]
    joint = np.stack([p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)], -1)
    r = np.asarray(game.outcome_payoffs)
    w = np.linalg.solve(np.eye(4) - discount * joint[1:], r.T).T
    A1, A2 = (v[None] - joint @ v[:, None] for v in w)
    grads = np.array([1 - p, 1 - p, -p, -p]).T  # d log π / d logit by context and joint action
    visits, trace, total = np.eye(5)[0], np.zeros(5), np.zeros(5)
    for t in range(horizon):
        now = visits[:, None] * A1
        kept = trace[:, None] + (now if same_step else 0)
        total += discount**t * (joint * grads * (now + beta * discount * kept * A2)).sum(1)
        onward = joint * visits[:, None], discount * joint * (trace[:, None] + now)
        visits, trace = (np.append(0.0, x.sum(0)) for x in onward)
    return (1 - discount) * total


@pytest.mark.parametrize("same_step", [False, True])
def test_advantage_alignment_is_its_sum_over_time(same_step):
    x, y = pairs(8)
    game, discount = ASYMMETRIC, 0.7
    got = of(rules.advantage_alignment(0.8, same_step), x, y, game, discount)
    want = summed_alignment(game, x, y, discount, 0.8, same_step, 200)
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_a_mixture_is_the_weighted_sum():
    x, y = pairs(9, 3)
    parts = (rules.naive(), rules.lola_as_published(2.0), rules.still())
    got = of(rules.mixture(parts, (0.25, 0.75, 9.0)), x, y)
    np.testing.assert_allclose(got, 0.25 * of(parts[0], x, y) + 0.75 * of(parts[1], x, y), rtol=1e-12)


def test_learning_is_the_updates_one_by_one_and_timescales_freeze():
    x, y = pairs(10, 2)
    pair = (rules.lola_with_look_ahead(1.0), rules.naive())
    sgd = optax.sgd(0.5)
    out = learn(LOLA_GAME, pair, x, y, discount=0.9, optimizers=(sgd, sgd), steps=4, every=(1, 3))
    for t in range(4):
        np.testing.assert_allclose(
            out.returns[:, t], ipd.expected_returns(LOLA_GAME, *map(jax.nn.sigmoid, (x, y)), discount=0.9), rtol=1e-12
        )
        new_x = x + 0.5 * of(pair[0], x, y, discount=0.9)
        if t % 3 == 0:
            y = y + 0.5 * of(pair[1], y, x, discount=0.9)
        x = new_x
    np.testing.assert_allclose(out.logits, jnp.stack([x, y], 1), rtol=1e-12)
    assert out.problems() == []


def test_divergence_is_named_and_never_nan():
    x, y = pairs(11, 3)
    huge, rich = optax.sgd(1e308), ipd.MatrixGame(1e6 * LOLA_GAME.payoffs)
    out = learn(rich, (rules.naive(), rules.naive()), x, y, discount=0.9, optimizers=(huge, huge), steps=5)
    assert jnp.isfinite(out.logits).all()
    assert jnp.isfinite(out.returns).all()
    assert (out.problem == Problem.NOT_FINITE).all()
    np.testing.assert_array_equal(out.problem_step, 0)
    assert out.problems()[0] == "player 1: not finite in 3 of 3 pairs, first at step 0"


def test_a_singular_system_is_reported():
    level = ipd.MatrixGame(jnp.zeros((2, 2, 2)))
    x, y = pairs(12)
    sgd = optax.sgd(1.0)
    out = learn(level, (rules.symplectic_surgery(), rules.naive()), x, y, discount=0.9, optimizers=(sgd, sgd), steps=2)
    assert out.problem[0] == Problem.SINGULAR
    assert out.problem_step[0] == 0
    np.testing.assert_array_equal(out.logits[0], x)


def test_bad_input_is_one_clear_error():
    pair, sgd = (rules.naive(), rules.naive()), optax.sgd(1.0)
    settings = {"discount": 0.9, "optimizers": (sgd, sgd), "steps": 1}
    with pytest.raises(ValueError, match="other_logits"):
        learn(LOLA_GAME, pair, np.zeros(5), np.zeros(4), **settings)
    for change in ({"steps": 0}, {"every": (1, 0)}, {"discount": -0.1}):
        with pytest.raises(ValueError, match=next(iter(change))):
            learn(LOLA_GAME, pair, np.zeros(5), np.zeros(5), **(settings | change))


def test_a_view_swapped_twice_is_itself():
    view = single_view(ASYMMETRIC)
    assert isinstance(view, RepeatedGame)
    for a, b in zip(view.exchanged().exchanged(), view, strict=True):
        np.testing.assert_array_equal(a, b)
    x, y = pairs(13)
    np.testing.assert_allclose(view.swapped().own(y, x), view.other(x, y), rtol=1e-14)
