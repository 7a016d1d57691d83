# %% [markdown]
# # Zero-determinant strategies: what one player can enforce alone
#
# *Goals:* see how one player's table can force a line on the payoffs of both; build extortioners, generous strategies
# and equalizers, with and without discounting; know what they cannot do; fit the nearest extortioner to a strategy.
# *Needs:* [notebook 4](04_closed_form_and_gradient.ipynb). *Reading:* 35 minutes; exercises 45.
#
# *Play first*, in the explorer:
# [extortion](../ipd_theory/explorer/index.html#1/pair?p=EXTORT%283%29&q=RANDOM&discount=1&R=3&S=0&T=5&P=1); move the
# second player's sliders as you like. Can you leave the line, and where on it are you both best off?
#
# Every number in the text is asserted in the cell beside it. Payoffs are Axelrod's, (R, S, T, P) = (3, 0, 5, 1), as
# in Press & Dyson's paper.

# %%
import importlib.util

if not importlib.util.find_spec("ipd_theory"):
    get_ipython().run_line_magic("pip", "install --quiet 'ipd-theory[notebooks]'")

# %%
from fractions import Fraction

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from ipywidgets import FloatSlider, interact

import ipd_theory as ipd
from ipd_theory import games, payoff_sets, strategies, zero_determinant
from ipd_theory.drawing import style

jax.config.update("jax_enable_x64", True)
plt.style.use("ipd_theory.drawing.ipd_theory")
game = games.axelrod()
R, S, T, P = np.asarray(game.outcome_payoffs[0])

# %% [markdown]
# ## 1. Play first
#
# Here is an opponent: after CC, CD, DC, DD (its own action first) it cooperates with probability 11/13, 1/2, 7/26 and
# 0. Find a strategy that earns a lot against it, in the long run. Try a few:

# %%
extort_3 = jnp.array([0, 11 / 13, 1 / 2, 7 / 26, 0])
for name, mine in {
    "always defect": strategies.always_defect(),
    "tit for tat": strategies.tit_for_tat(),
    "win-stay, lose-shift": strategies.win_stay_lose_shift(),
    "a coin": strategies.random(0.5),
    "always cooperate": strategies.always_cooperate(),
}.items():
    its, yours = (float(x) for x in ipd.expected_returns(game, extort_3, mine, discount=1.0))
    print(f"{name:22} you get {yours:.4f}, it gets {its:.4f}: surpluses {yours - P:.4f} and {its - P:.4f}")
    assert np.isclose(its - P, 3 * (yours - P), atol=1e-9)

# %% [markdown]
# Whatever you do, its surplus over P is three times yours. You do best to cooperate always, and then it gets 41/11
# and you 21/11. It does not have to see how you decide, nor to adapt. This is Press & Dyson's **Extort-3**.

# %%
best_for_you = ipd.expected_returns(game, extort_3, strategies.always_cooperate(), discount=1.0)
assert np.allclose(best_for_you, [41 / 11, 21 / 11])

# %% [markdown]
# ## 2. Why it works
#
# Let $v$ be the share of time in CC, CD, DC, DD. How often do I cooperate? Count it twice: I cooperate in CC and CD,
# so $v \cdot (1, 1, 0, 0)$; and each round I cooperate with what my table says after the round before, so, in the
# long run, $v \cdot p$. Both are the same number (Akin 2012):
#
# $$ v \cdot \tilde p = 0, \qquad \tilde p = p - (1, 1, 0, 0). $$
#
# It holds **whoever the other is**. And payoffs are averages over the same $v$: $\pi_1 = v \cdot A$, $\pi_2 = v \cdot
# B$, $1 = v \cdot \mathbf 1$. So if I choose $p$ such that $\tilde p = \alpha A + \beta B + \kappa \mathbf 1$, then
#
# $$ \alpha \pi_1 + \beta \pi_2 + \kappa = 0, $$
#
# a line that you cannot leave. In notebook 4's determinant two columns have become multiples of one another.

# %%
A, B = np.asarray(game.outcome_payoffs)
tilde = np.asarray(zero_determinant.autocratic_vector(extort_3))
weights, leftover, *_ = np.linalg.lstsq(np.stack([A, B, np.ones(4)], 1), tilde, rcond=None)
print("p̃ =", tilde.round(4), "= α A + β B + κ with (α, β, κ) =", weights.round(4))
assert np.allclose(np.stack([A, B, np.ones(4)], 1) @ weights, tilde)

anyone = jnp.asarray(np.random.default_rng(0).uniform(size=(3000, 5)))
occupied = ipd.state_occupancy(extort_3, anyone, discount=1.0)
assert np.abs(occupied @ tilde).max() < 1e-12  # Akin's lemma, against 3,000 strategies
line = zero_determinant.relation(game, extort_3)
slope, meets = float(line.slope), float(line.baseline)
print(f"it enforces the line of slope {slope:.4f} that meets the diagonal at {meets:g}")
assert np.isclose(line.slope, 1 / 3)
assert np.isclose(line.baseline, P)

# %% [markdown]
# ## 3. Three families
#
# Lines are named by their slope $1/\chi$ and where they meet the diagonal: *extortioners* in (P, P), *generous* ones
# in (R, R), *equalizers* are flat: they set the other's payoff to a number of their choice. Each, against 3,000
# random opponents:

# %% alt="Payoffs against random opponents lie on a line for each of three families, inside the polygon."
families = {
    "extortion, χ = 3": zero_determinant.extortion(game, chi=3.0, phi=1 / 26),
    "generous, χ = 2": zero_determinant.generous(game, chi=2.0, phi=0.1),
    "equalizer at 2": zero_determinant.equalizer(game, payoff=2.0, phi=0.2),
}
feasible = payoff_sets.feasible(game)
figure, axes = plt.subplots(1, 3, figsize=(8.5, 3), sharex=True, sharey=True, layout="constrained")
for ax, (name, table) in zip(axes, families.items(), strict=True):
    mine, yours = np.asarray(ipd.expected_returns(game, table, anyone, discount=1.0)).T
    ax.fill(*feasible.T, color="0.92")
    ax.plot([S, T], [S, T], color="0.6", linestyle=":", linewidth=1)
    ax.plot(mine, yours, ".", color=style.VERMILION, markersize=2)
    left = payoff_sets.left_by(game, table)
    ax.plot(*np.vstack([left, left[:1]]).T, color=style.BLUE, linewidth=1)
    ax.set(title=name, xlabel="my payoff")
    assert zero_determinant.relation(game, table).residual < 1e-20
axes[0].set_ylabel("your payoff")
plt.show()

assert np.allclose(families["extortion, χ = 3"], extort_3)
assert np.allclose(ipd.expected_returns(game, families["equalizer at 2"], anyone, discount=1.0)[:, 1], 2.0)

# %% [markdown]
# Dots are opponents, the blue segment is all that *any* opponent can reach. An equalizer does not know what it gets
# itself; an extortioner gets at least as much as you, a generous one at most.


# %% alt="An extortioner of adjustable greed: its line turns about mutual defection as chi grows."
def draw(chi: float) -> None:
    """The line of an extortioner, and what its most cooperative opponent brings both."""
    _, high = zero_determinant.phi_range(game, 1 / chi, P)
    table = zero_determinant.extortion(game, chi=chi, phi=0.5 * float(high) * (P - S) / chi)
    left = payoff_sets.left_by(game, table)
    _, ax = plt.subplots(figsize=(3.6, 3.2), layout="constrained")
    ax.fill(*feasible.T, color="0.92")
    ax.plot([S, T], [S, T], color="0.6", linestyle=":", linewidth=1)
    ax.plot(*left.T, "o-", color=style.VERMILION)
    ax.set(xlabel="extortioner's payoff", ylabel="your payoff", title=f"χ = {chi:g}")
    plt.show()


draw(3.0)

# %% tags=["live"]
interact(draw, chi=FloatSlider(value=3.0, min=1.0, max=15.0, step=0.5))

# %% [markdown]
# ## 4. With a finite future
#
# If the game goes on with probability γ only, the first round counts, and the same argument gives $\tilde p = \gamma
# p + (1 - \gamma) p_0 - (1, 1, 0, 0)$ (Hilbe, Traulsen & Sigmund 2015). Less future, less to enforce: the range of φ
# shrinks, and below some γ is empty. An extortioner has to open with D, and that costs it mutual cooperation unless
# it then gives in a little: the *less* greedy, the more future it takes. Working out when the probabilities fit
# gives, in this game, $\gamma \ge (2\chi + 3) / (4\chi + 1)$: only the limit for χ = 1, and one half for the
# greediest.

# %% alt="The least discount at which extortion is possible falls with chi, from one towards one half."
chis = np.linspace(1.0, 20.0, 60)


def least_discount(chi: float) -> float:
    """The γ from which on some φ > 0 gives probabilities, by bisection."""
    low, high = 0.01, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        span = zero_determinant.phi_range(game, 1 / chi, P, middle)
        low, high = (low, middle) if float(span.high) > max(float(span.low), 0.0) else (middle, high)
    return high


needed = np.array([least_discount(float(chi)) for chi in chis])
figure, ax = plt.subplots(figsize=(4.6, 2.8), layout="constrained")
ax.plot(chis, needed, color=style.VERMILION)
ax.set(xlabel="extortion factor χ", ylabel="least discount γ")
plt.show()
print(f"χ = 1: {needed[0]:.4f}; χ = 20: {needed[-1]:.4f}")
assert np.allclose(needed, (2 * chis + 3) / (4 * chis + 1), atol=1e-6)

# %% [markdown]
# ## 5. What they cannot do
#
# An extortioner *beats* everyone it meets and still earns little, because nobody who learns to defect leaves it
# anything, and two of them leave each other nothing: each holds the other to P. In an evolving population it does
# poorly (notebook 7); against a learner it does well (notebooks 8 to 11). And nobody can *set its own* payoff: the
# column needed for that has entries outside [0, 1].

# %%
between = ipd.expected_returns(game, extort_3, extort_3, discount=1.0)
assert np.allclose(between, P)
possible = False  # α π_1 + κ = 0 would be p̃ = α A + κ
for target in np.linspace(S, T, 51):
    for scale in np.concatenate([np.linspace(-1, -0.01, 100), np.linspace(0.01, 1, 100)]):
        p = scale * (A - target) + np.array([1, 1, 0, 0])
        possible |= bool(((p >= 0) & (p <= 1)).all())
assert not possible

# %% [markdown]
# ## 6. Is this strategy an extortioner?
#
# Any table can be asked how far it is from enforcing something: `fit` finds the extortioner with the nearest $\tilde
# p$. Perturb Extort-3 and see. (The paper's Figure 8 asks this of *learned* agents.)

# %%
noise = np.random.default_rng(1)
for size in (0.0, 0.02, 0.1):
    shaken = jnp.clip(extort_3 + size * noise.normal(size=5), 0, 1)
    found = zero_determinant.fit(game, shaken)
    print(f"noise {size:4}: χ {float(found.chi):.2f}, squared distance {float(found.residual):.1e}")
exactly = zero_determinant.fit(game, extort_3)
assert np.isclose(exactly.chi, 3)
assert exactly.residual < 1e-20

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Tit for tat is a zero-determinant strategy. Which line does it enforce, and with which χ?

# %% tags=["solution"]
line = zero_determinant.relation(game, strategies.tit_for_tat())
assert np.isclose(line.slope, 1)  # π_1 = π_2, χ = 1: fair
assert line.residual < 1e-20

# %% [markdown]
# **Exercise 2.** By hand: solve $\tilde p = \varphi[(A - P) - \chi(B - P)]$ for χ = 3 and the φ that makes p_CC =
# 11/13, in fractions, and recover Extort-3.

# %% tags=["solution"]
a, b = ([Fraction(int(x)) for x in row] for row in (A, B))
direction = [(x - 1) - 3 * (y - 1) for x, y in zip(a, b, strict=True)]
phi = (Fraction(11, 13) - 1) / direction[0]
p = [phi * d + repeat for d, repeat in zip(direction, (1, 1, 0, 0), strict=True)]
assert phi == Fraction(1, 26)
assert p == [Fraction(11, 13), Fraction(1, 2), Fraction(7, 26), 0]

# %% [markdown]
# **Exercise 3.** Which payoffs can an equalizer set, in the long run? Search over φ, and compare with P and R.


# %% tags=["solution"]
def settable(target: float) -> bool:
    """Whether some φ ≠ 0 gives probabilities."""
    span = zero_determinant.phi_range(game, 0.0, target)
    return max(-float(span.low), float(span.high)) > 1e-9


can = [target for target in np.linspace(0, 5, 101) if settable(float(target))]
assert np.isclose(min(can), P)
assert np.isclose(max(can), R)

# %% [markdown]
# **Exercise 4.** Show that no opponent of an extortioner earns more than it does, and none of a generous strategy
# less.

# %% tags=["solution"]
for name, sign in (("extortion, χ = 3", 1), ("generous, χ = 2", -1)):
    mine, yours = np.asarray(ipd.expected_returns(game, families[name], anyone, discount=1.0)).T
    assert (sign * (mine - yours) > -1e-12).all()

# %% [markdown]
# ## Sources
#
# Press & Dyson 2012, PNAS 109; Akin, "The iterated prisoner's dilemma: good strategies and their dynamics", 2012;
# Hilbe, Nowak & Traulsen, "Adaptive dynamics of extortion and compliance", 2013; Stewart & Plotkin, "From extortion
# to generosity", 2013; Hilbe, Traulsen & Sigmund, "Partners or rivals? Strategies for the iterated prisoner's
# dilemma", 2015.
