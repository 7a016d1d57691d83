# %% [markdown]
# # The shadow of the future: repetition, discounting and the folk theorem
#
# *Goals:* value a stream of payoffs; see why a known last round unravels cooperation; find the patience from which a
# threat carries it; draw all payoffs that equilibria can have, and watch the set grow with patience.
# *Needs:* [notebook 1](01_stage_games.ipynb), geometric series. *Reading:* 35 minutes; exercises 45.
#
# *Play first*, in the explorer: [grim meets
# grim](../ipd_theory/explorer/index.html#1/pair?p=GRIM&q=GRIM&discount=0.3&R=3&S=0&T=5&P=1); drag $\gamma$. From
# which patience on does neither gain by another strategy?
#
# Every number in the text is asserted in the cell beside it.

# %%
import importlib.util

if not importlib.util.find_spec("ipd_theory"):
    get_ipython().run_line_magic("pip", "install --quiet 'ipd-theory[notebooks]'")

# %%
from fractions import Fraction

import jax
import matplotlib.pyplot as plt
import numpy as np
from ipywidgets import FloatSlider, interact

import ipd_theory as ipd
from ipd_theory import games, payoff_sets, replies, strategies
from ipd_theory.drawing import style
from ipd_theory.replies import exact

jax.config.update("jax_enable_x64", True)
plt.style.use("ipd_theory.drawing.ipd_theory")
game = games.axelrod()
R, S, T, P = np.asarray(game.outcome_payoffs[0])

# %% [markdown]
# ## 1. Play first
#
# The game of notebook 1 again, (R, S, T, P) = (3, 0, 5, 1), but now we play it many times, and you face somebody who
# cooperates until you defect, and then never again: **grim**. After each round a die says whether there is another:
# with probability $\gamma$ there is. Will you defect? When? Decide for $\gamma = 0.2$ and for $\gamma = 0.9$; then
# read on.
#
# ## 2. What a stream of payoffs is worth
#
# Round $t$ (from 0) is reached with probability $\gamma^t$. So the payoffs $r_0, r_1, \dots$ are worth $\sum_t
# \gamma^t r_t$, or, as an average a round, $(1 - \gamma) \sum_t \gamma^t r_t$. The same formula serves a player who
# is sure of the next round but impatient. Averages can be compared with the payoffs of one round, so averages it is.

# %%
DISCOUNT = 0.9
stream = np.where(np.arange(2000) == 0, T, P)  # defect on grim: 5 once, then 1 for ever
by_hand = (1 - DISCOUNT) * (DISCOUNT ** np.arange(2000) * stream).sum()
exactly = ipd.expected_returns(game, strategies.always_defect(), strategies.grim(), discount=DISCOUNT)[0]
print(f"summed {by_hand:.12f}, closed form {float(exactly):.12f}")

assert np.isclose(by_hand, exactly, rtol=1e-12)
assert np.isclose(exactly, (1 - DISCOUNT) * T + DISCOUNT * P)

# %% [markdown]
# And rolled with real dice? Ten thousand games, each as long as its die says:

# %%
dice = np.random.default_rng(0)
lengths = dice.geometric(1 - DISCOUNT, size=10_000)
totals = T + P * (lengths - 1.0)
error = totals.std(ddof=1) / np.sqrt(len(totals)) * (1 - DISCOUNT)
rolled = totals.mean() * (1 - DISCOUNT)
print(f"rolled {rolled:.3f} ± {error:.3f}, exact {float(exactly):.3f}; the mean length is {lengths.mean():.2f}")

assert abs(rolled - exactly) < 4 * error
assert abs(lengths.mean() - 1 / (1 - DISCOUNT)) < 0.4

# %% [markdown]
# ## 3. A known end unravels it
#
# If both know that round $N$ is the last, both defect in it, whatever came before: it is a single round. So round
# $N - 1$ cannot be rewarded or punished either, and both defect in it; and so on to the first. *Backward induction*
# leaves nothing of cooperation. Grim is no best reply to itself in any finite game: it is better to defect last.

# %%
grim = strategies.grim()
for rounds in (1, 2, 10, 200):
    total = float(ipd.expected_returns(game, grim, grim, horizon=rounds, normalized=False)[0])
    best = float(replies.best_responses(game, grim, horizon=rounds).value) * rounds
    print(f"{rounds:4} rounds: grim against itself {total:6.1f} in all, the best reply to it {best:6.1f}")
    assert np.isclose(best, total + (T - R))  # cooperate to the last round but one, then defect

# %% [markdown]
# ## 4. How much future is enough?
#
# With no known end there is always something to lose. To defect on grim brings T once and P for ever after; to
# cooperate brings R. It does not pay if
#
# $$ R \ge (1 - \gamma)\,T + \gamma P \quad\Longleftrightarrow\quad \gamma \ge \frac{T - R}{T - P} = \frac12 . $$
#
# Tit for tat punishes for as long as you defect, and forgives at once, so there is a second temptation: to defect
# every other round. It sets the bar higher, at $\gamma = (T - R)/(R - S) = 2/3$.


# %%
def threshold(table: jax.Array) -> Fraction:
    """The discount from which on always cooperating is a best reply, by bisection in fractions."""
    low, high = Fraction(0), Fraction(1)
    for _ in range(40):
        middle = (low + high) / 2
        answer = exact.best_responses(game, table, discount=middle)
        cooperates = all(answer.optimal[i][0] for i in (0, 1))  # at the start, and after CC
        low, high = (low, middle) if cooperates else (middle, high)
    return high.limit_denominator(1000)


for name, table in (("grim", grim), ("tit for tat", strategies.tit_for_tat())):
    print(f"{name}: {threshold(table)}")

assert threshold(grim) == Fraction(1, 2)
assert threshold(strategies.tit_for_tat()) == Fraction(2, 3)


# %% alt="Three replies to grim over the discount: cooperation beats defection from one half on."
def draw(temptation: float) -> None:
    """What replies to grim earn over the discount, for a temptation."""
    drawn = games.symmetric_game(float(R), float(S), temptation, float(P))
    gammas = np.linspace(0, 0.99, 100)
    _, ax = plt.subplots(figsize=(4.6, 3), layout="constrained")
    for reply, colour, label in (
        (strategies.always_cooperate(), style.GREEN, "cooperate"),
        (strategies.always_defect(), style.DARK, "defect"),
    ):
        earned = ipd.expected_returns(drawn, reply[None], grim[None], discount=gammas)[:, 0]
        ax.plot(gammas, earned, color=colour, label=label)
    ax.axvline((temptation - R) / (temptation - P), color=style.VERMILION, linestyle=":", label="threshold")
    ax.set(xlabel="discount γ", ylabel="payoff a round", title=f"replies to grim, T = {temptation:g}")
    ax.legend()
    plt.show()


draw(float(T))

# %% tags=["live"]
interact(draw, temptation=FloatSlider(value=float(T), min=3.25, max=6, step=0.25))

# %% [markdown]
# ## 5. A threat must be credible
#
# Grim and tit for tat threaten to punish. Would they, if it came to that? A strategy is **subgame perfect** if it is
# a best reply to itself after *every* history, also those that it never lets happen. Once grim has been crossed, both
# defect for ever, which is an equilibrium: the threat is credible. Tit for tat, after both have defected, is to
# defect for ever, where one forgiving C would start an exchange of favours worth more: nobody would carry its threat
# out. It is **Nash** from 2/3 on, and never perfect.

# %%
discounts = np.array([0.4, 0.6, 2 / 3, 0.9])
for name, table in (("grim", grim), ("tit for tat", strategies.tit_for_tat())):
    nash = [bool(replies.is_nash(game, table, discount=float(g))) for g in discounts]
    perfect = [bool(replies.is_subgame_perfect(game, table, discount=float(g))) for g in discounts]
    print(f"{name:12} Nash {nash}, perfect {perfect} at {discounts.round(3)}")
    assert nash == ([False, True, True, True] if name == "grim" else [False, False, True, True])
    assert perfect == ([False, True, True, True] if name == "grim" else [False] * 4)

# %% [markdown]
# ## 6. The folk theorem
#
# Which payoffs can equilibria have at all? No player can be held below the *minimax* payoff, here P = 1, what it can
# guarantee itself; and payoffs must be averages of the four outcomes. The **folk theorem** says that this is all:
# every feasible payoff above the minimax is had by some perfect equilibrium, if players are patient enough. How much
# of it at which patience? The set of all perfect equilibria's payoffs is the largest that generates itself (Abreu,
# Pearce & Stacchetti 1990); `payoff_sets.perfect` iterates to it. (With a public coin, so that sets are convex.)

# %% alt="The set of perfect payoffs: a point at 0.2, larger at 0.3 and 0.5, all above the minimax at 0.6."
patience = (0.2, 0.3, 0.5, 0.6)
figure, axes = plt.subplots(1, 4, figsize=(9.5, 2.6), sharex=True, sharey=True, layout="constrained")
areas = {}


def area(corners: np.ndarray) -> float:
    """A polygon's area, by the shoelace formula."""
    x, y = np.asarray(corners).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


for ax, gamma in zip(axes, patience, strict=True):
    ax.fill(*payoff_sets.feasible(game).T, color="0.92", label="feasible")
    ax.fill(*payoff_sets.individually_rational(game).T, color="0.8", label="above minimax")
    corners = payoff_sets.perfect(game, discount=gamma)
    areas[gamma] = area(corners) if len(corners) > 2 else 0.0
    ax.fill(*corners.T, color=style.GREEN, alpha=0.7, label="perfect")
    ax.plot(*corners.T, ".", color=style.GREEN)
    ax.set(title=f"γ = {gamma:g}", xlabel="player 1")
axes[0].set_ylabel("player 2")
axes[0].legend(loc="upper right")
plt.show()

everything = area(payoff_sets.individually_rational(game))
print({gamma: round(size / everything, 3) for gamma, size in areas.items()}, "of what is above the minimax")
assert np.allclose(payoff_sets.minimax(game), [P, P])
assert list(areas.values()) == sorted(areas.values())
assert areas[0.2] == 0 < areas[0.3]
assert np.isclose(areas[0.6], everything, rtol=1e-6)

# %% [markdown]
# At γ = 0.2 there is one point, mutual defection. At 0.3 players cannot yet cooperate, but they can *take turns* at
# being the sucker: to give 5 away today for 5 tomorrow is worth it from γ = (P − S)/(T − P) = 1/4 on. Cooperation
# follows at 1/2, and at 0.6 there is all that is above the minimax. The theorem is good news and bad: cooperation
# *can* be had, and so can almost anything. Which of these equilibria agents who **learn** end up in is what the
# second half of this course is about.

# %%
turns_need = (P - S) / (T - P)
for gamma, possible in ((turns_need - 0.005, False), (turns_need + 0.005, True)):
    assert (len(payoff_sets.perfect(game, discount=float(gamma))) > 1) == possible
assert turns_need == 1 / 4

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Two-period punishment: cooperate; after a defection defect for two rounds, then forgive. Show on
# paper that it deters a single defection from the γ on that solves $\gamma + \gamma^2 = (T - R)/(R - P)$, and check
# numerically.

# %% tags=["solution"]
root = (-1 + np.sqrt(1 + 4 * (T - R) / (R - P))) / 2  # γ + γ² = 1: the golden section
assert np.isclose(root, (np.sqrt(5) - 1) / 2)


def deviation(gamma: float) -> float:
    """The gain of defecting once, summed: T − R now, minus R − P in each of the two rounds of punishment."""
    return (T - R) - (gamma + gamma**2) * (R - P)


assert deviation(root - 1e-6) > 0 > deviation(root + 1e-6)

# %% [markdown]
# **Exercise 2.** In a donation game with benefit b and cost c, from which discount on does grim deter defection? And
# tit for tat? Why are they the same here and not in Axelrod's game?

# %% tags=["solution"]
b, c = 4.0, 1.0
donation = games.donation_game(b, c)
r, s, t, p = np.asarray(donation.outcome_payoffs[0])
assert np.isclose((t - r) / (t - p), c / b)  # grim
assert np.isclose((t - r) / (r - s), c / b)  # tit for tat: R − S = T − P = b where gains from switching are equal
assert replies.is_nash(donation, strategies.tit_for_tat(), discount=c / b + 1e-9)
assert not replies.is_nash(donation, strategies.tit_for_tat(), discount=c / b - 1e-6)

# %% [markdown]
# **Exercise 3.** Games of exactly 10 rounds are played by people who cooperate to the last round but one. By how much
# can a player who knows them gain, in all and as a share? And in 200 rounds, as Axelrod's tournament had?

# %% tags=["solution"]
for rounds, share in ((10, 0.067), (200, 0.0034)):
    both = (rounds - 1) * R + P  # both defect in the last round
    ahead = (rounds - 2) * R + T + P  # one round before them
    assert ahead - both == T - R == 2
    assert np.isclose((ahead - both) / both, share, rtol=0.08)

# %% [markdown]
# **Exercise 4.** From which discount on does the set of perfect payoffs contain mutual cooperation, (3, 3)? Bisect,
# and compare with section 4: is there a harsher punishment than grim's?

# %% tags=["solution"]
low, high = 0.3, 0.7
for _ in range(14):
    middle = (low + high) / 2
    corners = payoff_sets.perfect(game, discount=middle)
    there = len(corners) > 0 and bool((corners.sum(1) > 2 * R - 1e-6).any())
    low, high = (low, middle) if there else (middle, high)
assert abs(high - 0.5) < 1e-3  # grim's: mutual defection holds the other to the minimax, and nothing is harsher

# %% [markdown]
# ## Sources
#
# Friedman, "A non-cooperative equilibrium for supergames", 1971. Axelrod, *The Evolution of Cooperation*, 1984.
# Fudenberg & Maskin, "The folk theorem in repeated games with discounting", 1986. Abreu, Pearce & Stacchetti, "Toward
# a theory of discounted repeated games with imperfect monitoring", 1990. Mailath & Samuelson, *Repeated Games and
# Reputations*, 2006.
