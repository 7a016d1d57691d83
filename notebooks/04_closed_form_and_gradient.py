# %% [markdown]
# # The closed form and its gradient
#
# *Goals:* write the return of two strategies as a quotient of determinants; read facts off the formula that no
# simulation shows; derive the policy gradient theorem for it, and know which of its five numbers a player should
# change. *Needs:* [notebook 3](03_strategies_as_markov_chains.ipynb), determinants, derivatives. *Reading:* 40
# minutes; exercises 45.
#
# *Play first*, in the explorer: [a coin against tit for
# tat](../ipd_theory/explorer/index.html#1/pair?p=RANDOM&q=TFT); move one of the first player's five probabilities at
# a time. Which one earns most for a small move?
#
# Every number in the text is asserted in the cell beside it.

# %%
import importlib.util

if not importlib.util.find_spec("ipd_theory"):
    get_ipython().run_line_magic("pip", "install --quiet 'ipd-theory[notebooks]'")

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import sympy
from IPython.display import Math

import ipd_theory as ipd
from ipd_theory import strategies, symbolic

jax.config.update("jax_enable_x64", True)
plt.style.use("ipd_theory.drawing.ipd_theory")
OUTCOMES = ("CC", "CD", "DC", "DD")
DISCOUNT = 0.95
game = ipd.prisoners_dilemma(R=1, S=-1, T=2, P=0)
R, S, T, P = np.asarray(game.outcome_payoffs[0])
coin = strategies.random(0.5)

# %% [markdown]
# ## 1. The closed form
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
# ## 2. Its gradient is the policy gradient theorem
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
# ## Exercises
#
# **Exercise 1.** Derive the long-run return of win-stay, lose-shift against always defecting, in symbols, and check
# it.

# %% tags=["solution"]
wsls_alld = symbolic.rational(
    symbolic.expected_return(symbolic.Pairing((1, 1, 0, 0, 1), (0, 0, 0, 0, 0), 1, (1, -1, 2, 0)))
)
assert wsls_alld == sympy.Rational(-1, 2)  # it tries C every other round: (S + P) / 2
met = ipd.expected_returns(game, strategies.win_stay_lose_shift(), strategies.always_defect(), discount=1.0)[0]
assert np.isclose(float(met), -0.5)

# %% [markdown]
# **Exercise 2.** Against a coin that cooperates with probability q whatever you do, show that every entry of the
# gradient is negative, and that they add up to −1 times the share of rounds, all of them.

# %% tags=["solution"]
for q in (0.2, 0.9):
    slope = ipd.return_gradient(game, coin, strategies.random(q), discount=DISCOUNT)
    assert (np.asarray(slope) < 0).all()
    assert np.isclose(slope.sum(), -1)  # visits add up to 1, and each C costs T − R = P − S = 1

# %% [markdown]
# **Exercise 3.** From which discount on does a player who tosses coins want to cooperate more against tit for tat, in
# every context? Find it from the formula $2\gamma - 1$ and by looking at signs of the gradient.

# %% tags=["solution"]
for discount, sign in ((0.49, -1), (0.51, 1)):
    slope = ipd.return_gradient(game, coin, strategies.tit_for_tat(), discount=discount)
    assert (np.sign(slope) == sign).all()

# %% [markdown]
# **Exercise 4.** The second derivative $\partial^2 J / \partial p_{CC}\,\partial q_{CC}$ says how much my cooperation
# after CC raises yours in value. Compute it by automatic differentiation at two coins, and by central differences.

# %% tags=["solution"]
both = lambda x: ipd.expected_returns(game, coin.at[1].set(x[0]), coin.at[1].set(x[1]), discount=DISCOUNT)[0]  # noqa: E731
at = jnp.array([0.5, 0.5])
mixed = jax.hessian(both)(at)[0, 1]
h = 1e-4
corners = [both(at + h * jnp.array(e)) for e in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
assert np.isclose(mixed, (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * h * h), rtol=1e-4)

# %% [markdown]
# ## Sources
#
# Press & Dyson, "Iterated prisoner's dilemma contains strategies that dominate any evolutionary opponent", 2012, for
# the determinants; Sutton, McAllester, Singh & Mansour, "Policy gradient methods for reinforcement learning with
# function approximation", 2000, for the theorem; `ipd-theory derive gradient --q TFT --discount 1` prints these
# formulas for any pair you like.
