# %% [markdown]
# # Two strategies as a Markov chain
#
# Two players meet again and again. Each time, each of them either **cooperates** (C) or **defects** (D), and each
# remembers only the last meeting. Who gets what in the long run? How should a player change its ways to get more?
# And what becomes of players that know that the others are learning, too?
#
# All three questions have exact answers here, without a single simulated game: two strategies are a Markov chain
# with four states, its averages are quotients of determinants, its gradient is the policy gradient theorem. At the
# end we let agents climb that gradient and find, in half a minute, the three findings of [Meulemans et al.
# (2025)](https://arxiv.org/abs/2410.18636) in small.
#
# Every number in the text is asserted in the cell beside it.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
import sympy
from IPython.display import Math

import ipd_theory as ipd
from ipd_theory import strategies, symbolic, zero_determinant
from ipd_theory.learning import pool as pools

jax.config.update("jax_enable_x64", True)
plt.style.use("ipd_theory.drawing.ipd_theory")
OUTCOMES = ("CC", "CD", "DC", "DD")

# %% [markdown]
# ## 1. The game
#
# One round has four outcomes. We write our own action first, so CD means *I cooperated, you defected*.
#
# | | you C | you D |
# |---|---|---|
# | **I C** | R = 1, the reward | S = −1, the sucker's payoff |
# | **I D** | T = 2, the temptation | P = 0, the punishment |
#
# Whatever you do, I get one more by defecting. You see it the same way. So in a single round we both defect and get
# 0, where we could both have had 1: the prisoner's dilemma.

# %%
game = ipd.prisoners_dilemma(R=1, S=-1, T=2, P=0)
R, S, T, P = np.asarray(game.outcome_payoffs[0])

assert T - R == P - S == 1  # "one more by defecting"
assert (R, P) == (1, 0)

# %% [markdown]
# ## 2. A strategy is five numbers
#
# The probability to cooperate in the first round, and after each of the four outcomes. The classics are all of this
# kind:

# %%
gallery = {
    "always cooperate": strategies.always_cooperate(),
    "always defect": strategies.always_defect(),
    "tit for tat": strategies.tit_for_tat(),
    "generous tit for tat": strategies.generous_tit_for_tat(),
    "win-stay, lose-shift": strategies.win_stay_lose_shift(),
    "grim": strategies.grim(),
}
print(f"{'':24}start    CC    CD    DC    DD")
for name, table in gallery.items():
    print(f"{name:22}" + "".join(f"{float(x):6.2f}" for x in table))

# %% [markdown]
# *Tit for tat* repeats what the other did. *Win-stay, lose-shift* repeats **its own** last action if it was paid
# well (1 or 2) and changes it otherwise. *Grim* never forgives.
#
# ## 3. A meeting is a Markov chain
#
# Let both play tit for tat, but let hands tremble: with probability 0.05 an action comes out as its opposite. Given
# the last outcome, both players' probabilities are known, and so is the probability of every next outcome: a Markov
# chain on {CC, CD, DC, DD}. One thing to mind: your CD is my DC, so your table is read with these two swapped.

# %%
TREMBLE = 0.05


def transition_matrix(p: jax.Array, q: jax.Array) -> np.ndarray:
    """M[s, s'] over CC, CD, DC, DD as player 1 sees them."""
    a, b = np.asarray(p)[1:, None], np.asarray(q)[[1, 3, 2, 4], None]
    return np.hstack([a * b, a * (1 - b), (1 - a) * b, (1 - a) * (1 - b)])


noisy_tft = strategies.tremble(strategies.tit_for_tat(), TREMBLE)
noisy_wsls = strategies.tremble(strategies.win_stay_lose_shift(), TREMBLE)
M = transition_matrix(noisy_tft, noisy_tft)
print(M.round(4))

assert np.allclose(M.sum(1), 1)
assert np.isclose(M[0, 0], (1 - TREMBLE) ** 2)  # after CC both mean to cooperate, and neither hand slips

# %% [markdown]
# We could now roll dice. Here are 20,000 rounds, and the share of time spent in each outcome so far (solid), for
# tit for tat and for win-stay, lose-shift, each against itself. The dashed lines are not simulated: they are
# `state_occupancy`.


# %% alt="Shares of the four outcomes over simulated rounds settle at the computed ones, for TFT and for WSLS."
def simulate(M: np.ndarray, rounds: int, seed: int) -> np.ndarray:
    """A path of outcomes that starts in CC."""
    dice, steps, path = np.random.default_rng(seed).random(rounds), M.cumsum(1), [0]
    for roll in dice:
        path.append(min(3, int(np.searchsorted(steps[path[-1]], roll, side="right"))))
    return np.array(path[1:])


figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
gap = []
for ax, (name, player) in zip(
    axes, {"tit for tat": noisy_tft, "win-stay, lose-shift": noisy_wsls}.items(), strict=True
):
    visited = simulate(transition_matrix(player, player), 20_000, seed=1)[:, None] == np.arange(4)
    shares = visited.cumsum(0) / np.arange(1, 20_001)[:, None]
    exact = ipd.state_occupancy(player, player, discount=1.0)
    for s, outcome in enumerate(OUTCOMES):
        (line,) = ax.semilogx(np.arange(1, 20_001), shares[:, s], label=outcome)
        ax.axhline(float(exact[s]), color=line.get_color(), linestyle="--", linewidth=1)
    ax.set(title=f"{name}, trembling", xlabel="rounds")
    gap.append(np.abs(shares[-1] - exact).max())
axes[0].set_ylabel("share of time")
axes[1].legend()
plt.show()

print("largest gap after 20,000 rounds:", np.round(gap, 3))
assert max(gap) < 0.03

# %% [markdown]
# Tit for tat has a problem. One slip, and the two echo it back and forth until another slip ends the feud: in the
# long run the four outcomes are *equally* frequent, and the players earn 0.5 instead of 1. Win-stay, lose-shift
# repairs a slip in two rounds (both defect, both shift back), cooperates mutually 82 % of the time and earns 0.86.

# %%
feud = ipd.state_occupancy(noisy_tft, noisy_tft, discount=1.0)
repaired = ipd.state_occupancy(noisy_wsls, noisy_wsls, discount=1.0)

assert np.allclose(feud, 0.25, atol=1e-12)
assert np.allclose(ipd.expected_returns(game, noisy_tft, noisy_tft, discount=1.0), 0.5)
assert np.allclose(repaired[0], 0.817)
assert np.allclose(ipd.expected_returns(game, noisy_wsls, noisy_wsls, discount=1.0), 0.8645)

# %% [markdown]
# ## 4. The return, exactly
#
# Usually the future is discounted: after each round the game goes on with probability $\gamma$. Write $\delta = 1 -
# \gamma$, $s_0$ for the distribution of the first outcome and $r$ for the four payoffs. Summing over the time of
# the last round,
#
# $$ v = \delta \sum_{t \ge 0} \gamma^t\, s_0^\top M^t = \delta\, s_0^\top (I - \gamma M)^{-1},
#    \qquad J = v \cdot r . $$
#
# $v$ is the **occupancy**, the share of (discounted) time in each outcome; $J$ is the **return**, the average
# payoff a round. As $\gamma \to 1$ it becomes the long-run average. Let us solve the linear system by hand, for
# generous tit for tat against a coin.

# %%
DISCOUNT = 0.95


def solve_by_hand(p: jax.Array, q: jax.Array, discount: float) -> float:
    """Player 1's return by a linear solve."""
    a, b = float(p[0]), float(q[0])
    first = np.array([a * b, a * (1 - b), (1 - a) * b, (1 - a) * (1 - b)])
    occupancy = (1 - discount) * np.linalg.solve(np.eye(4) - discount * transition_matrix(p, q).T, first)
    return float(occupancy @ np.array([R, S, T, P]))


gtft, coin = strategies.generous_tit_for_tat(), strategies.random(0.5)
by_hand = solve_by_hand(gtft, coin, DISCOUNT)
returns = ipd.expected_returns(game, gtft, coin, discount=DISCOUNT)
print(f"by hand {by_hand:.12f}, the package {float(returns[0]):.12f}; the coin gets {float(returns[1]):.3f}")

assert np.isclose(by_hand, returns[0], rtol=1e-12)
assert returns[1] > returns[0]

# %% [markdown]
# Why have a package, then? Try this in single precision, where most of machine learning lives, with players that
# seldom tremble and a future that almost never ends. The solve subtracts nearly equal numbers and loses everything.
# The package eliminates the states one after the other *without a single subtraction* and loses nothing.

# %%
steady = strategies.tremble(strategies.win_stay_lose_shift(), 2**-10).astype("float32")
almost_one = 1 - 1e-7

exact = float(ipd.expected_returns(game, steady.astype("float64"), steady.astype("float64"), discount=almost_one)[0])
kept = np.eye(4, dtype=np.float32) - np.float32(almost_one) * transition_matrix(steady, steady).T
a = float(steady[0])
first = np.array([a * a, a * (1 - a), (1 - a) * a, (1 - a) ** 2], np.float32)
solved = np.float32(1e-7) * np.linalg.solve(kept, first) @ np.array([R, S, T, P], np.float32)
eliminated = ipd.expected_returns(game, steady, steady, discount=almost_one)[0]
solve_error, our_error = abs(float(solved) - exact), abs(float(eliminated) - exact)
print(f"exact {exact:.6f}; error of a float32 solve {solve_error:.1e}, of the package in float32 {our_error:.1e}")

assert kept.dtype == solved.dtype == eliminated.dtype == np.float32
assert solve_error > 0.01
assert our_error < 1e-6

# %% [markdown]
# ## 5. The closed form
#
# Numbers are good, formulas are better. Press and Dyson (2012) noticed that the occupancy-weighted average of *any*
# vector $f$ over the four outcomes is a quotient of two determinants. `ipd_theory.symbolic` derives it for you,
# discounting included:

# %%
pairing = symbolic.Pairing()  # ten probabilities, γ and four payoffs, all of them symbols
form, columns = symbolic.shorthand(symbolic.expected_return(pairing), pairing)
Math("J = " + symbolic.latex(form))

# %% [markdown]
# with the columns $c$, $\tilde p$, $\tilde q$, $f$ (rows: after CC, CD, DC, DD) and $\mathbf 1$, a column of ones:

# %%
Math(symbolic.latex(sympy.Matrix.hstack(*(sympy.Matrix(column) for column in columns.values()))))

# %% [markdown]
# Look at the second column: it holds **player 1's table alone**. And the third belongs to player 2 alone. So a
# player can make its own column a combination of payoffs, and the determinant vanishes *whatever the other does*.
# That is how zero-determinant strategies work, and we meet one at the end.
#
# How big is this formula when multiplied out? The numerator has 313 terms and the denominator 55, and each
# probability occurs only to the first power: a small rational function.

# %%
numerator, denominator = sympy.fraction(symbolic.expected_return(pairing))
terms = [len(sympy.expand(symbolic.evaluated(x)).args) for x in (numerator, denominator)]
print(terms)

assert terms == [313, 55]

# %% [markdown]
# It shrinks as soon as one player is known. Here is the long-run return of *any* strategy $p$ against tit for tat:

# %%
against_tft = symbolic.Pairing(q=(1, 1, 0, 1, 0), discount=1)
long_run = symbolic.by_payoff(symbolic.simplest(symbolic.expected_return(against_tft)))
Math(r"J(p, \mathrm{TFT}) = " + symbolic.latex(long_run))

# %% [markdown]
# Three facts to read off, none of them obvious from simulations:
#
# * The opening move $p_0$ is gone. In the long run it does not matter (as long as no corner is reached).
# * $S$ and $T$ have the same coefficient: against tit for tat you are the sucker exactly as often as you exploit.
# * No pure strategy gets more than $R = 1$: tit for tat cannot be exploited in the long run.

# %%
assert not long_run.has(symbolic.P_SYMBOLS[0])
s, t = symbolic.PAYOFFS[1:3]
assert sympy.simplify(sympy.diff(long_run, s) - sympy.diff(long_run, t)) == 0

best = ipd.expected_returns(game, strategies.all_pure(), strategies.tit_for_tat(), discount=1.0)[:, 0].max()
assert best == R

# %% [markdown]
# The trembling players of section 3, now with the tremble $\varepsilon$ as a symbol. Tit for tat earns exactly
# $1/2$ **for every** $\varepsilon$ strictly between 0 and 1, however small; win-stay, lose-shift loses only
# $3\varepsilon$ to first order.

# %%
epsilon = sympy.Symbol("ε")


def trembling(table: tuple[int, ...]) -> sympy.Expr:
    flipped = [(1 - epsilon) * x + epsilon * (1 - x) for x in table]
    return symbolic.rational(symbolic.expected_return(symbolic.Pairing(flipped, flipped, 1, (1, -1, 2, 0))))


tft_return, wsls_return = trembling((1, 1, 0, 1, 0)), trembling((1, 1, 0, 0, 1))

assert tft_return == sympy.Rational(1, 2)
assert sympy.series(wsls_return, epsilon, 0, 2).removeO() == 1 - 3 * epsilon
Math(r"\mathrm{TFT:}\ " + symbolic.latex(tft_return) + r"\qquad \mathrm{WSLS:}\ " + symbolic.latex(wsls_return))

# %% [markdown]
# And patience. Against tit for tat I may cooperate for ever, which gives 1, defect for ever, which gives
# $2(1 - \gamma)$, or alternate, which gives $(2 - \gamma) / (1 + \gamma)$. When does honesty pay? In this game both
# temptations lose from the same point on, $\gamma = 1/2$.

# %% alt="Returns of three replies to tit for tat over the discount: all three curves meet at one half."
gamma = symbolic.DISCOUNT
replies = {"cooperate": (1, 1, 1, 1, 1), "defect": (0, 0, 0, 0, 0), "alternate": (0, 0, 0, 1, 1)}
curves = {
    name: symbolic.rational(symbolic.expected_return(symbolic.Pairing(p, (1, 1, 0, 1, 0), payoffs=(1, -1, 2, 0))))
    for name, p in replies.items()
}
edges = {name: sympy.solve(curves[name] - curves["cooperate"], gamma) for name in ("defect", "alternate")}

figure, ax = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
gammas = np.linspace(0, 1, 200)
for name, curve in curves.items():
    ax.plot(gammas, np.broadcast_to(sympy.lambdify(gamma, curve)(gammas), gammas.shape), label=name)
ax.axvline(0.5, color="0.6", linewidth=1, linestyle=":")
ax.set(xlabel="discount γ", ylabel="return a round", title="replies to tit for tat")
ax.legend()
plt.show()

assert curves["cooperate"] == 1
assert sympy.simplify(curves["defect"] - 2 * (1 - gamma)) == 0
assert sympy.simplify(curves["alternate"] - (2 - gamma) / (1 + gamma)) == 0
assert edges == {"defect": [sympy.Rational(1, 2)], "alternate": [sympy.Rational(1, 2)]}

# %% [markdown]
# ## 6. Its gradient is the policy gradient theorem
#
# Which of its five numbers should a player raise, and which should it lower? Derivatives of a return have a form
# known from reinforcement learning: **how often you get there** times **what cooperating there is worth**,
#
# $$ \frac{\partial J}{\partial p_s} = \underbrace{\gamma\, v_s}_{\text{visits}}\;
#    \underbrace{\bigl[Q(s, C) - Q(s, D)\bigr]}_{\text{advantage of cooperating}}
#    \qquad (\text{with } \delta \text{ instead of } \gamma v_s \text{ at the start}). $$
#
# It is usually estimated by sampling. Here both factors are determinants:

# %%
slope, _ = symbolic.shorthand(symbolic.gradient(pairing)[1], pairing)
Math(r"\frac{\partial J}{\partial p_1} = " + symbolic.latex(slope))

# %% [markdown]
# Let a player that tosses coins (all five numbers 0.5) meet three opponents, and draw visits, advantage and their
# product.

# %% alt="Bars by context of visits, advantage of cooperating and their product, against three opponents."
opponents = {
    "a coin": strategies.random(0.5),
    "tit for tat": strategies.tit_for_tat(),
    "win-stay, lose-shift": strategies.win_stay_lose_shift(),
}
figure, axes = plt.subplots(1, 3, figsize=(11, 3), sharex=True, layout="constrained")
slopes = {}
for k, (name, q) in enumerate(opponents.items()):
    occupancy = ipd.state_occupancy(coin, q, discount=DISCOUNT)
    visits = np.concatenate([[1 - DISCOUNT], DISCOUNT * occupancy])
    gains = ipd.advantages(game, coin, q, discount=DISCOUNT)
    advantage = np.asarray(gains[:, 0] - gains[:, 1])
    slopes[name] = ipd.return_gradient(game, coin, q, discount=DISCOUNT)
    assert np.allclose(visits * advantage, slopes[name], atol=1e-13)  # the theorem
    for ax, height in zip(axes, (visits, advantage, visits * advantage), strict=True):
        ax.bar(np.arange(5) + 0.27 * (k - 1), height, width=0.25, label=name)
for ax, title in zip(axes, ("visits", "advantage of cooperating (payoff)", "gradient (payoff a round)"), strict=True):
    ax.set(title=title, xticks=range(5), xlabel="after")
    ax.set_xticklabels(("start", *OUTCOMES))
    ax.axhline(0, color="0.4", linewidth=0.8)
axes[2].legend(loc="lower left")
plt.show()

# %% [markdown]
# A coin does not react, so to cooperate costs 1 now and brings nothing: the advantage is −1 everywhere. Tit for tat
# pays back. To cooperate costs 1 now and brings $2\gamma$ in the next round: the advantage is $2\gamma - 1 = 0.9$
# everywhere, and **every sign flips**. (Positive for $\gamma > 1/2$: the point of the last figure again.)
# Reciprocity teaches a learner to cooperate. Win-stay, lose-shift rewards cooperation after CC and DD and punishes
# it after CD and DC.
#
# The closed form agrees with automatic differentiation, with finite differences and with the symbols.


# %%
def advantage_over(q: jax.Array) -> jax.Array:
    gains = ipd.advantages(game, coin, q, discount=DISCOUNT)
    return gains[:, 0] - gains[:, 1]


assert np.allclose(advantage_over(opponents["a coin"]), -1)
assert np.allclose(advantage_over(opponents["tit for tat"]), 2 * DISCOUNT - 1)
assert (np.sign(advantage_over(opponents["win-stay, lose-shift"])) == [1, 1, -1, -1, 1]).all()


def my_return(p: jax.Array) -> jax.Array:
    return ipd.expected_returns(game, p, strategies.tit_for_tat(), discount=DISCOUNT)[0]


step = 1e-5 * jnp.eye(5)
differences = jnp.stack([(my_return(coin + e) - my_return(coin - e)) / 2e-5 for e in step])
exactly = symbolic.gradient(symbolic.Pairing((0.5,) * 5, (1, 1, 0, 1, 0), 0.95, (1, -1, 2, 0)))

assert np.allclose(slopes["tit for tat"], jax.grad(my_return)(coin), rtol=1e-12)
assert np.allclose(slopes["tit for tat"], differences, rtol=1e-8)
assert np.allclose(slopes["tit for tat"], [float(symbolic.rational(x)) for x in exactly], rtol=1e-12)

# %% [markdown]
# ## 7. Two learners that take each other for granted
#
# Now let two players climb their own gradients, each as if the other stood still. (The step is taken in logits, so
# that probabilities stay probabilities.) Such *naive learners* are the textbook case of self-interested learning,
# with the textbook's outcome: of 64 random pairs, 61 end in mutual defection. Three stumble into cooperation, and
# stay there.


# %% alt="Mean returns of 64 pairs of naive learners: nearly all fall to 0, three rise to 1."
def naive_step(logits: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
    """Both players [2, runs, 5] take a gradient step on their own returns."""
    p, q = jax.nn.sigmoid(logits)
    mine = ipd.return_gradient(game, p, q, discount=DISCOUNT, player=0, wrt=0)
    yours = ipd.return_gradient(game, p, q, discount=DISCOUNT, player=1, wrt=1)
    slope = jnp.stack([p * (1 - p) * mine, q * (1 - q) * yours])
    return logits + 5.0 * slope, ipd.expected_returns(game, p, q, discount=DISCOUNT).mean(-1)


starts = jax.random.normal(jax.random.key(0), (2, 64, 5))
_, learning = jax.jit(lambda x: jax.lax.scan(naive_step, x, length=400))(starts)

figure, ax = plt.subplots(figsize=(5.5, 3), layout="constrained")
ax.plot(learning, color="C0", alpha=0.15)
ax.plot(learning.mean(1), color="C1", linewidth=2.5, label="mean of 64 runs")
ax.set(xlabel="learning step", ylabel="mean return of the two", title="naive learners", ylim=(-0.1, 1.05))
ax.legend()
plt.show()

defecting, cooperating = (int(x.sum()) for x in (learning[-1] < 0.01, learning[-1] > 0.99))
print(f"{defecting} pairs end in mutual defection, {cooperating} in cooperation; the mean is {learning[-1].mean():.3f}")

assert (defecting, cooperating) == (61, 3)

# %% [markdown]
# ## 8. Agents that know the other is learning
#
# A naive learner is predictable, and its path is a *differentiable function of our policy*: it climbs a gradient
# that we know in closed form. So an agent can choose its policy for where it **leads** the learner, by
# differentiating through all of the learner's steps. That is a *learning-aware* (meta) agent.
# `ipd_theory.learning.pool` trains pools of them: with weight `p_naive` an agent plays naive learners that take 20
# steps of size 5, with weight `1 - p_naive` it plays the other meta agent.
#
# The three findings are what becomes of such pools at `p_naive` = 1, 0.25 and 0. For each, four
# pools of two agents, all trained at once:

# %% quick="STEPS = 100"
P_NAIVE, STEPS = (1.0, 0.25, 0.0), 1000

# %% trained=true alt="Returns over training for p_naive 1, 0.25 and 0: extortion, cooperation, defection."
pool = pools.Pool(
    p_naive=jnp.array(P_NAIVE)[:, None],
    discount=DISCOUNT,
    learning_rate=5.0,
    num_inner_episodes=20,
    num_learners=8,
    optimizer=optax.adamw(0.02),
)
keys = jnp.broadcast_to(jax.random.split(jax.random.key(0), 4), (3, 4))
state, history = pools.train(pool, pools.init(pool, keys), num_steps=STEPS, record_every=50)

figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), sharey=True, layout="constrained")
for i, (ax, p_naive) in enumerate(zip(axes, P_NAIVE, strict=True)):
    for color, name, values in (
        ("C0", "meta agent, against naive", history.returns.against_naive),
        ("C1", "naive learner, against meta", history.returns.of_naive),
        ("C2", "meta agent, against meta", history.returns.among_meta),
    ):
        per_seed = np.asarray(values[:, i].mean(-1))  # [records, seeds]
        ax.plot(history.steps, per_seed.mean(1), color=color, label=name)
        ax.fill_between(history.steps, per_seed.min(1), per_seed.max(1), color=color, alpha=0.2, linewidth=0)
    ax.set(title=f"p_naive = {p_naive:g}", xlabel="training step")
axes[0].set_ylabel("return a round\n(mean, and range of 4 pools)")
axes[0].legend()
plt.show()

against_naive, of_naive, among_meta = (
    np.asarray(x[-1].mean((-1, -2)))
    for x in (history.returns.against_naive, history.returns.of_naive, history.returns.among_meta)
)
for i, p_naive in enumerate(P_NAIVE):
    print(
        f"p_naive {p_naive:4}: meta against naive {against_naive[i]:5.2f} (the learner {of_naive[i]:5.2f}), "
        f"meta against meta {among_meta[i]:5.2f}"
    )

# %% [markdown]
# 1. **Meet only learners: extortion.** The agents earn more than 0.9 from naive learners, who are left with less
#    than half of that. Two such agents get less than 0.2 from each other: extortioners have no one to lead.
# 2. **Meet both: cooperation.** With naive learners in a quarter of the objective the same agents earn more than
#    0.85 *from each other*. Learners make it pay to be worth cooperating with, and the other meta agent responds to
#    the same pressure.
# 3. **Meet only each other: defection.** Without learners in the pool they earn less than 0.1, like the naive pair.

# %% trained=true
assert against_naive[0] > 0.9
assert of_naive[0] < against_naive[0] / 2
assert among_meta[0] < 0.2
assert among_meta[1] > 0.85
assert among_meta[2] < 0.1

# %% [markdown]
# What did the first pool learn? Let one of its agents play 2,000 random strategies and plot the returns, mine
# against yours. Beside it, a zero-determinant **extortioner** with $\chi = 3$: it makes its column in section 5 a
# combination of payoffs such that $\pi_1 = 3\,\pi_2$ whatever the other does, and its cloud is a line. The learned
# agent's is a thin, steep fan. It has never heard of determinants, and is ahead of every single opponent.

# %% trained=true alt="My return over yours, against random players: the extortioner's is a line, the learned a fan."
random_opponents = jnp.asarray(np.random.default_rng(0).uniform(size=(2000, 5)))
low, high = zero_determinant.phi_range(game, 1 / 3, P, DISCOUNT)
extortioner = zero_determinant.extortion(game, chi=3.0, phi=0.5 * (low + high) / 3, discount=DISCOUNT)
learned = jax.nn.sigmoid(state.logits[0, 0, 0])

figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), sharex=True, sharey=True, layout="constrained")
feasible = np.array([[R, R], [S, T], [P, P], [T, S], [R, R]])
clouds = []
for ax, (name, agent) in zip(
    axes, {"extortioner, χ = 3": extortioner, "learned, p_naive = 1": learned}.items(), strict=True
):
    mine, yours = np.asarray(ipd.expected_returns(game, agent, random_opponents, discount=DISCOUNT)).T
    ax.plot(*feasible.T[::-1], color="0.7", linewidth=1, label="possible returns")
    ax.plot([-0.2, 1.1], [-0.2, 1.1], color="0.7", linewidth=1, linestyle=":", label="equal returns")
    ax.plot(yours, mine, ".", markersize=3, alpha=0.4)
    ax.set(title=name, xlabel="your return")
    clouds.append((mine, yours))
axes[0].set_ylabel("my return")
axes[0].legend()
plt.show()

assert np.allclose(clouds[0][0], 3 * clouds[0][1], atol=1e-12)
print("the learned agent (start, CC, CD, DC, DD):", np.round(learned, 2))
assert (clouds[1][0] > clouds[1][1]).all()

# %% [markdown]
# ## Where to go from here
#
# * `ipd-theory derive gradient --q TFT --discount 1` prints the formulas of sections 5 and 6 for any pair you like.
# * `ipd-theory figures 3A 3B 3C` draws the three findings at length; `8` measures how near learned policies come to
#   the extortion line.
# * An exercise: which `p_naive` is the least that still brings cooperation? Add values to `P_NAIVE` and see where
#   finding 3 turns into finding 2.
