# %% [markdown]
# # One round: games, best replies and Nash equilibria
#
# *Goals:* read a payoff matrix; tell dominance from best replies; find all equilibria of a two-by-two game by hand and
# by machine, mixed ones included; see why the prisoner's dilemma is a dilemma, and which games are not.
# *Needs:* fractions and expectations. *Reading:* 30 minutes; exercises 45.
#
# *Play first*, in the explorer: [one
# round](../ipd_theory/explorer/index.html#1/pair?p=RANDOM&q=RANDOM&discount=0&R=3&S=0&T=5&P=1); with $\gamma = 0$
# only the first round counts. Move both players' first sliders. Where can neither gain by moving alone, and is there
# a place that both like better?
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

from ipd_theory import equilibria, games
from ipd_theory.drawing import style

jax.config.update("jax_enable_x64", True)
plt.style.use("ipd_theory.drawing.ipd_theory")

# %% [markdown]
# ## 1. Play first
#
# You and I each choose, unseen by the other, to **cooperate** (C) or to **defect** (D). Then we are paid:
#
# | I, you | you C | you D |
# |---|---|---|
# | **I C** | 3, 3 | 0, 5 |
# | **I D** | 5, 0 | 1, 1 |
#
# Write down what you would do, once. Then what you would do if I promised to cooperate, and if I promised to defect.
# Whatever you wrote for the first: the last two answers are not a matter of taste. If I cooperate, 5 is more than 3; if
# I defect, 1 is more than 0. D is better **in either case**: it *strictly dominates* C. The same holds for me, so two
# players who see this end with 1 each, where both could have had 3. That gap is the dilemma.

# %%
game = games.axelrod()
A, B = np.asarray(game.payoffs)  # rows: what I do; columns: what you do
print("what I get\n", A, "\nwhat you get\n", B, sep="")

assert (A[1] > A[0]).all()  # D is better for me in each column
assert (B[:, 1] > B[:, 0]).all()  # and for you in each row
assert equilibria.undominated(A, B) == ([1], [1])
assert A[0, 0] - A[1, 1] == 2  # the gap

# %% [markdown]
# The four payoffs have names: **R**eward for mutual cooperation, **S**ucker's payoff, **T**emptation, **P**unishment. A
# symmetric game of two actions is a *prisoner's dilemma* if $T > R > P > S$ (and, for repeated play, $2R > T + S$, so
# that taking turns at being the sucker does not pay better than cooperating).
#
# ## 2. Best replies, and equilibria
#
# Other orders of the four numbers make other games. A profile is a **Nash equilibrium** if each action is a best reply
# to the other: nobody gains by changing alone. In two-by-two games one finds the pure ones by marking best replies.


# %%
def marked(A: np.ndarray, B: np.ndarray) -> str:
    """The game's cells; a star marks a payoff that is a best reply."""
    rows = []
    for i in range(2):
        cells = [
            f"{A[i, j]:g}{'*' if A[i, j] == A[:, j].max() else ' '} {B[i, j]:g}{'*' if B[i, j] == B[i].max() else ' '}"
            for j in range(2)
        ]
        rows.append("   ".join(f"{cell:>8}" for cell in cells))
    return "\n".join(rows)


gallery = {
    "prisoner's dilemma": games.prisoners_dilemma(),
    "stag hunt": games.stag_hunt(),
    "chicken": games.chicken(),
    "battle of the sexes": games.battle_of_the_sexes(),
    "matching pennies": games.matching_pennies(),
}
stars = {}
for name, other in gallery.items():
    a, b = np.asarray(other.payoffs)
    print(f"{name}\n{marked(a, b)}\n")
    both = (a == a.max(0)) & (b == b.max(1, keepdims=True))
    stars[name] = int(both.sum())

assert list(stars.values()) == [1, 2, 2, 2, 0]

# %% [markdown]
# A cell with two stars is an equilibrium. The prisoner's dilemma has one, and both players would rather be elsewhere.
# The *stag hunt* has two: the hunt together is better for both, and hunting hares is safe. In *chicken* and the
# *battle of the sexes* the equilibria differ in who gets more. *Matching pennies* has none: one of the two always wants
# to move.
#
# ## 3. Mixing
#
# Let players mix: I cooperate with probability $x$, you with $y$. My expected payoff is linear in $x$,
#
# $$ u(x, y) = x\,\bigl[y R + (1 - y) S\bigr] + (1 - x)\,\bigl[y T + (1 - y) P\bigr], $$
#
# so my best reply is all or nothing, but for the one $y^*$ that makes me indifferent:
#
# $$ y^* = \frac{P - S}{(R - T) + (P - S)} . $$
#
# Nash (1950): with mixing, every finite game has an equilibrium. Where two best-reply curves cross, there is one.

# %%
game_of_chicken = games.chicken()
R, S, T, P = (Fraction(float(x)) for x in game_of_chicken.outcome_payoffs[0])
indifferent = (P - S) / ((R - T) + (P - S))
found = equilibria.nash_equilibria(*np.asarray(game_of_chicken.payoffs))
print("indifferent where the other cooperates with probability", indifferent)
for e in found:
    print("I cooperate with", round(float(e.row[0]), 6), "you with", round(float(e.column[0]), 6), f"gap {e.gap:.0e}")

mixed = [e for e in found if 0 < e.row[0] < 1]
assert len(found) == 3
assert len(mixed) == 1
assert np.isclose(mixed[0].row[0], float(indifferent), rtol=0, atol=1e-12)


# %% alt="Best-reply curves of both players in chicken cross three times; each crossing is an equilibrium."
def draw(temptation: float) -> None:
    """The best-reply curves of a symmetric game, and where they cross."""
    drawn = games.symmetric_game(float(R), float(S), temptation, float(P))
    _, ax = plt.subplots(figsize=(3.6, 3.4), layout="constrained")
    other = np.linspace(0, 1, 1001)
    cooperate = other * float(R) + (1 - other) * float(S)
    defect = other * temptation + (1 - other) * float(P)
    reply = np.where(cooperate > defect, 1.0, 0.0)
    ax.plot(other, reply, color=style.BLUE, label="my best reply to you")
    ax.plot(reply, other, color=style.VERMILION, linestyle="--", label="your best reply to me")
    for e in equilibria.nash_equilibria(*np.asarray(drawn.payoffs)):
        ax.plot(e.column[0], e.row[0], "ko", markersize=8, markerfacecolor="none")
    ax.set(xlabel="you cooperate with probability", ylabel="I cooperate with probability", title=f"T = {temptation:g}")
    ax.legend(loc="upper right")
    plt.show()


draw(float(T))

# %% [markdown]
# Circles are equilibria. With a running kernel, move the temptation and see two of them vanish where it falls below R.

# %% tags=["live"]
interact(draw, temptation=FloatSlider(value=float(T), min=float(S), max=2 * float(T), step=0.25))

# %% [markdown]
# ## 4. All of them, and how sure one can be
#
# An equilibrium is *certified* by its best-response gap: the most that anybody gains by deviating. `nash_equilibria`
# returns it with each. Games with ties ("degenerate" ones) have equilibria that many programs miss; here every extreme
# one is listed, whatever the units of the payoffs.

# %%
tied = [[1, 2], [2, 0]], [[2, 2], [0, 0]]
for scale in (1e-9, 1.0, 1e9):
    many = equilibria.nash_equilibria(*(scale * np.array(x, float) for x in tied))
    gap = max(e.gap for e in many) / scale
    print(f"payoffs times {scale:g}: {len(many)} extreme equilibria, largest gap {gap:.0e}")
    assert len(many) == 4
    assert gap <= 1e-8

# %% [markdown]
# ## 5. Do people who adapt get there?
#
# An equilibrium is a place where nobody wants to move. Whether anybody ever *arrives* is another question. Let a large
# population play the stag hunt, and let those who do better grow. Below, the share of hunters from many starts: it goes
# to one of the **pure** equilibria. The mixed one is a watershed, not a goal.

# %% alt="Shares of stag hunters over time: starts above the mixed equilibrium rise to one, those below fall to nought."
hunt = np.asarray(games.stag_hunt().payoffs[0])
watershed = next(e.row[0] for e in equilibria.nash_equilibria(hunt, hunt.T) if 0 < e.row[0] < 1)
times = np.linspace(0, 12, 121)
figure, ax = plt.subplots(figsize=(4.6, 3), layout="constrained")
ends = {}
for share in np.arange(0.05, 1, 0.1):
    path = equilibria.replicator(hunt, [share, 1 - share], times)
    ax.plot(times, path[:, 0], color=style.GREEN if share > watershed else style.DARK)
    ends[round(float(share), 2)] = path[-1, 0]
ax.axhline(watershed, color=style.VERMILION, linestyle=":", label="mixed equilibrium")
ax.set(xlabel="time", ylabel="share that hunts stag")
ax.legend(loc="center right")
plt.show()

print("the watershed is at", round(float(watershed), 4))
assert all((end > 0.99) == (share > watershed) and (end < 0.01) == (share < watershed) for share, end in ends.items())

# %% [markdown]
# And in the prisoner's dilemma everybody goes to D, from any start but one: a single round offers no way out.
# The way out of the next notebooks is that there is another round.

# %%
final = equilibria.replicator(A, [0.99, 0.01], np.linspace(0, 60, 61))[-1]
print("of 99 % cooperators there are left", f"{final[0]:.0e}")
assert final[0] < 1e-12

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** In the *donation game* to cooperate costs $c$ and gives the other $b > c > 0$. Write R, S, T, P, and
# show that $R + P = S + T$ ("equal gains from switching"): what defecting gains does not depend on the other.

# %% tags=["solution"]
b, c = 3.0, 1.0
R1, S1, T1, P1 = b - c, -c, b, 0.0
assert np.allclose(games.donation_game(b, c).outcome_payoffs[0], [R1, S1, T1, P1])
assert R1 + P1 == S1 + T1
assert T1 - R1 == P1 - S1 == c  # defecting gains c, whatever the other does

# %% [markdown]
# **Exercise 2.** Find the mixed equilibrium of matching pennies by indifference, and check that it is the only one.

# %% tags=["solution"]
pennies = np.asarray(games.matching_pennies().payoffs)
(only,) = equilibria.nash_equilibria(*pennies)
assert np.allclose([*only.row, *only.column], 0.5)  # each makes the other indifferent
assert np.allclose(pennies[0] @ only.column, (pennies[0] @ only.column)[0])

# %% [markdown]
# **Exercise 3.** Three players each keep 1 or put it into a pot that is doubled and shared. What does each get if all
# contribute, if none does, and for defecting alone? Is it a dilemma? For which multiplication does it stop being one?

# %% tags=["solution"]
pot = np.asarray(games.public_goods(3, 2.0).payoffs)  # [player, a1, a2, a3]
all_in, none, alone = pot[0, 0, 0, 0], pot[0, 1, 1, 1], pot[0, 1, 0, 0]
assert np.allclose([all_in, none, alone], [1, 0, 4 / 3])  # gains over keeping: 2 − 1, 0, 2·2/3
assert (pot[0, 1] > pot[0, 0]).all()  # to keep is dominant
generous = np.asarray(games.public_goods(3, 3.5).payoffs)
assert (generous[0, 0] > generous[0, 1]).all()  # above 3, each contribution returns more than it costs

# %% [markdown]
# **Exercise 4.** In the stag hunt, an action is *risk dominant* if it is the better reply to somebody who tosses a
# coin. Which is it here? And how large must the prize $R$ be for the other to become it?

# %% tags=["solution"]
R4, S4, T4, P4 = np.asarray(games.stag_hunt().outcome_payoffs[0])
assert (T4 + P4) / 2 > (R4 + S4) / 2  # hares: 2.5 against 2
needed = T4 + P4 - S4  # where (R + S)/2 = (T + P)/2
assert needed == 5
for prize, stag_is_better in ((needed - 0.1, False), (needed + 0.1, True)):
    assert ((prize + S4) / 2 > (T4 + P4) / 2) == stag_is_better
    mix = next(
        e.row[0]
        for e in equilibria.nash_equilibria(*np.asarray(games.symmetric_game(prize, S4, T4, P4).payoffs))
        if 0 < e.row[0] < 1
    )
    assert (mix < 0.5) == stag_is_better  # the watershed moves past one half at the same prize

# %% [markdown]
# ## Sources
#
# Nash, "Equilibrium points in n-person games", PNAS 1950. Rapoport & Chammah, *Prisoner's Dilemma*, 1965. Harsanyi &
# Selten, *A General Theory of Equilibrium Selection in Games*, 1988. Taylor & Jonker, "Evolutionarily stable strategies
# and game dynamics", 1978.
