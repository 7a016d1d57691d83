# %% [markdown]
# # Two strategies as a Markov chain
#
# *Goals:* write a strategy as five numbers and a meeting as a Markov chain; tell where it spends its time, and what
# each player gets, without rolling a die; see what one slip of the hand does to tit for tat. *Needs:* [notebook
# 2](02_repetition.ipynb), matrices. *Reading:* 30 minutes; exercises 45.
#
# *Play first*, in the explorer: [tit for tat meets
# itself](../ipd_theory/explorer/index.html#1/pair?p=TFT&q=TFT&discount=1&R=3&S=0&T=5&P=1); predict it before you
# drag: both cooperate all the time. What share of it is left when hands tremble once in a hundred rounds?
#
# Two players meet again and again, and each remembers only the last meeting. Who gets what in the long run? The
# answer is exact, without a single simulated game: two strategies are a Markov chain with four states.
#
# Every number in the text is asserted in the cell beside it. The game is R = 1, S = −1, T = 2, P = 0 from here on:
# whatever you do, I get one more by defecting.

# %%
import importlib.util

if not importlib.util.find_spec("ipd_theory"):
    get_ipython().run_line_magic("pip", "install --quiet 'ipd-theory[notebooks]'")

# %%
import jax
import matplotlib.pyplot as plt
import numpy as np
from ipywidgets import FloatSlider, interact

import ipd_theory as ipd
from ipd_theory import strategies

jax.config.update("jax_enable_x64", True)
plt.style.use("ipd_theory.drawing.ipd_theory")
OUTCOMES = ("CC", "CD", "DC", "DD")
game = ipd.prisoners_dilemma(R=1, S=-1, T=2, P=0)
R, S, T, P = np.asarray(game.outcome_payoffs[0])

# %% [markdown]
# ## 1. A strategy is five numbers
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
# ## 2. A meeting is a Markov chain
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
# How much do they earn at other trembles? Win-stay, lose-shift loses in proportion; tit for tat falls off a cliff at
# once.


# %% alt="Long-run payoff over the tremble: tit for tat is at one half, win-stay lose-shift falls slowly."
def draw(most: float) -> None:
    """What both earn against themselves, for trembles up to `most`."""
    trembles = np.linspace(1e-6, most, 100)
    _, ax = plt.subplots(figsize=(4.6, 3), layout="constrained")
    for name, table in (
        ("tit for tat", strategies.tit_for_tat()),
        ("win-stay, lose-shift", strategies.win_stay_lose_shift()),
    ):
        shaky = strategies.tremble(table[None], trembles)
        earned = ipd.expected_returns(game, shaky, shaky, discount=1.0)[:, 0]
        ax.plot(trembles, earned, label=name)
    ax.set(xlabel="tremble", ylabel="payoff a round", ylim=(0, 1.02))
    ax.legend()
    plt.show()


draw(0.2)

# %% tags=["live"]
interact(draw, most=FloatSlider(value=0.2, min=0.01, max=0.5, step=0.01))

# %% [markdown]
# ## 3. The return, exactly
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
# ## Exercises
#
# **Exercise 1.** *Grim*, trembling, forgives: after DD it defects with probability 1 − ε only. What does it earn
# against itself in the long run, and what becomes of that as ε → 0? (A real grim, which never forgives, remembers
# more than one round: `ipd.automata.classics`.)

# %% tags=["solution"]
for epsilon in (1e-2, 1e-4, 1e-6):
    shaky_grim = strategies.tremble(strategies.grim(), epsilon)
    earned = ipd.expected_returns(game, shaky_grim, shaky_grim, discount=1.0)[0]
    print(epsilon, earned)
assert earned < 1e-4  # both leave DD together with probability ε², and CC alone with 2ε: almost all time is DD

# %% [markdown]
# **Exercise 2.** Show that tit for tat never earns less than its opponent minus (T − S)(1 − γ) a round, whoever that
# is.

# %% tags=["solution"]
anyone = np.random.default_rng(1).uniform(size=(5000, 5))
anyone = np.vstack([anyone, strategies.all_pure()])
pay = np.asarray(ipd.expected_returns(game, strategies.tit_for_tat(), anyone, discount=DISCOUNT))
behind = pay[:, 1] - pay[:, 0]
assert behind.max() <= (T - S) * (1 - DISCOUNT) + 1e-12  # it is the sucker at most once more often than it exploits
assert np.isclose(behind.max(), (T - S) * (1 - DISCOUNT))  # and always defecting attains it

# %% [markdown]
# **Exercise 3.** After a slip that leads two players of generous tit for tat from CC to CD, how long until they are
# back in CC, on average? Solve for the expected time, and check with the chain raised to powers.

# %% tags=["solution"]
G = transition_matrix(gtft, gtft)
to_peace = np.linalg.solve(np.eye(3) - G[1:, 1:], np.ones(3))  # from CD, DC, DD
still_feuding = [np.linalg.matrix_power(G[1:, 1:], t)[0].sum() for t in range(200)]
assert np.isclose(sum(still_feuding), to_peace[0])
assert np.isclose(to_peace[0], to_peace[1])

# %% [markdown]
# **Exercise 4.** Two players who toss coins, p and q, whatever happened. Write the return as a formula, and check.

# %% tags=["solution"]
p, q = 0.3, 0.8
formula = p * q * R + p * (1 - q) * S + (1 - p) * q * T + (1 - p) * (1 - q) * P
assert np.isclose(ipd.expected_returns(game, strategies.random(p), strategies.random(q), discount=0.5)[0], formula)

# %% [markdown]
# ## Sources
#
# Nowak & Sigmund, "The evolution of stochastic strategies in the prisoner's dilemma", 1990, and "A strategy of
# win-stay, lose-shift that outperforms tit-for-tat", 1993. Grassmann, Taksar & Heyman, "Regenerative analysis and
# steady state distributions for Markov chains", 1985, for elimination without subtraction. Molander, "The optimal
# level of generosity in a selfish, uncertain environment", 1985.
