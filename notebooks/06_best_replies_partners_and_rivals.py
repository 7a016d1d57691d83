# %% [markdown]
# # What a strategy is: what it enforces, how it is answered, partners and rivals
#
# *Goals:* list all best replies to a strategy, in fractions where ties matter; tell Nash from perfect, partners from
# rivals, and from which discount on; find who beats a strategy that is none of these; see from which length of a match
# on learning within it makes exploitable. *Needs:* [notebook
# 2](02_repetition.ipynb) and [notebook 5](05_zero_determinant_strategies.ipynb). *Reading:* 40 minutes; exercises 45.
#
# *Play first*, in the explorer: [tit for tat meets
# itself](../ipd_theory/explorer/index.html#1/pair?p=TFT&q=TFT&discount=0.4&R=3&S=0&T=5&P=1);
# drag $\gamma$, and read the table of best replies. From which patience on is it an answer to itself, and why later
# than grim, whose threshold is one half?
#
# Give a strategy of the iterated prisoner's dilemma, and ask four questions:
#
# 1. What does it **enforce**, and what payoffs does it **leave** to its opponents?
# 2. What are **all** of its best replies, in fractions where ties matter?
# 3. Is it **Nash**, **subgame perfect**, a **partner**, a **rival**, and for which discounts?
# 4. And how many of all strategies are?
#
# Payoffs are Axelrod's, $(R, S, T, P) = (3, 0, 5, 1)$. Every number in the text is asserted in the cell beside it.

# %%
import importlib.util

if not importlib.util.find_spec("ipd_theory"):
    get_ipython().run_line_magic("pip", "install --quiet 'ipd-theory[notebooks]'")

# %%
from fractions import Fraction

import jax
import matplotlib.pyplot as plt
import numpy as np
import sympy
from IPython.core.pylabtools import print_figure
from IPython.display import Image, Math, display

import ipd_theory as ipd
from ipd_theory import partner_conditions, payoff_sets, replies, strategies
from ipd_theory.drawing import style
from ipd_theory.drawing.payoffs import portrait
from ipd_theory.learning import in_context
from ipd_theory.replies import exact

jax.config.update("jax_enable_x64", True)
plt.style.use("ipd_theory.drawing.ipd_theory")

game = ipd.games.axelrod()

# %% [markdown]
# ## 1. What is enforced, and what is left
#
# Extort-3 holds whoever it meets to the line $\pi_1 - P = 3(\pi_2 - P)$. The payoffs that all opponents together can
# bring about are a polygon; here it is a segment, from mutual defection, $(1, 1)$, to what it gets from unconditional
# cooperators, $(41/11, 21/11)$. Beside it the fingerprint: the score against tit for tat that cooperates with
# probability $x$, or defects with probability $y$, instead.

# %% alt="Left, all opponents lie on one line of slope one third. Right, the fingerprint rises with x."
extort = strategies.named("extort(3)", game=game)
corners = payoff_sets.left_by(game, extort)
print(corners.round(4))
assert np.allclose(corners, [[1, 1], [41 / 11, 21 / 11]])
Image(print_figure(portrait(game, extort, discount=1.0, name="Extort-3")))

# %% [markdown]
# ## 2. All best replies
#
# Against tit for tat at $\gamma = 2/3$ it pays alike, 3 a step, to cooperate for ever and to defect every other time:
# at the start and after CC and CD both actions are optimal. One part in $10^{30}$ below, cooperation is optimal there
# no more. Such ties are decided in fractions.

# %%
tft = strategies.tit_for_tat()
print("after        C and D optimal at 2/3, just below, just above")
found = [exact.best_responses(game, tft, discount=Fraction(2, 3) + d * Fraction(1, 10**30)) for d in (0, -1, 1)]
for i, context in enumerate(strategies.contexts(1)):
    print(f"{context:6s}", *(f"{x.optimal[i].tolist()!s:15s}" for x in found))
assert found[0].value == found[2].value == 3 < found[1].value
assert found[0].optimal.tolist() == [[True, True]] * 3 + [[True, False]] * 2
assert found[1].optimal[:3].tolist() == [[False, True]] * 3

# %% [markdown]
# ## 3. From which discount on
#
# Tit for tat is Nash from $2/3$ on and GRIM from $1/2$ on. AON₂, which answers a mistake with two rounds of
# defection, is subgame perfect from the golden ratio on, where $\gamma + \gamma^2 = 1$: $(\sqrt 5 - 1)/2 = 0.618$.
# Tit for tat never is: after CD it should let the matter rest.

# %%
for name in ("TFT", "GRIM", "AON(2)", "WSLS", "ALLD"):
    table = strategies.named(name)
    nash, perfect = (
        replies.discount_windows(game, table, test) for test in (replies.is_nash, replies.is_subgame_perfect)
    )
    print(f"{name:7s} Nash {np.round(nash, 4).tolist()!s:18s} perfect {np.round(perfect, 4).tolist()}")
windows = replies.discount_windows(game, strategies.all_or_none(2), replies.is_subgame_perfect)
assert np.allclose(windows, [((np.sqrt(5) - 1) / 2, 1)], atol=1e-9)
assert np.allclose(replies.discount_windows(game, tft), [(2 / 3, 1)])
assert np.allclose(replies.discount_windows(game, strategies.grim()), [(1 / 2, 1)])
assert replies.discount_windows(game, tft, replies.is_subgame_perfect) == []
assert bool(replies.mistaken(game, tft, discount=0.8)[2])  # after CD
turns = ipd.expected_returns(game, strategies.memory_one(0, 0, 0, 1, 1), tft, discount=2 / 3)
assert np.isclose(turns[0], 3)

# %% [markdown]
# A *no* has a witness. Tit for two tats is not Nash even in the limit of means: who defects and cooperates in turn
# earns $(5 + 3)/2 = 4$.

# %%
witness = replies.challenger(game, strategies.tit_for_two_tats())
print(f"earns {float(witness.earns):g}, playing", replies.path(witness.strategy, strategies.tit_for_two_tats()).cycle)
assert float(witness.earns) == 4
assert set(replies.path(witness.strategy, strategies.tit_for_two_tats()).cycle) == {"CC", "DC"}

# %% [markdown]
# ## 4. Partners, derived
#
# A **partner** is nice, and nobody earns more than $R$ against it. For strategies that look at the other's last two
# actions the condition is derived by machine; in the donation game (cost $c$, benefit $b$) two inequalities remain.

# %%
b, c = sympy.symbols("b c")
found = partner_conditions.conditions(2, "reactive", (b - c, -c, b, 0))
for condition in found:
    display(Math(sympy.latex(condition.inequality)))
assert {str(x.inequality) for x in found} == {"p_DD <= 1 - c/b", "p_CD/2 + p_DC/2 <= 1 - c/(2*b)"}
assert len(partner_conditions.conditions(2)) == 5  # in a game with any R, S, T, P

# %% [markdown]
# ## 5. All 65,536 of memory two
#
# A **rival** never earns less than its opponent; an **efficient** strategy is back at cooperation with its copy as
# trembles vanish. Of all pure strategies of memory two, 8,768 are partners, 4,485 rivals, 1,996 both (friendly
# rivals), and only 16 of these are efficient; TFT-ATFT is one of them. With the payoffs $(1, -1, 2, 0)$ there are
# more partners, 11,264, and the same 16.

# %% alt="Bars: how many strategies are Nash, perfect, partners, rivals, efficient, friendly rivals, for two games."
tables = replies.all_pure_of_memory(2)
kinds = ("nash", "perfect", "partner", "rival", "efficient", "friendly_rival")
classes = {
    "(3, 0, 5, 1)": replies.classify(game, tables),
    "(1, −1, 2, 0)": replies.classify(ipd.prisoners_dilemma(), tables),
}
counts = {name: [int(getattr(x, kind).sum()) for kind in kinds] for name, x in classes.items()}
best = {name: np.flatnonzero(x.friendly_rival & x.efficient) for name, x in classes.items()}
for name in counts:
    print(name, dict(zip(kinds, counts[name], strict=True)), "efficient friendly rivals:", len(best[name]))
assert counts["(3, 0, 5, 1)"] == [9624, 19, 8768, 4485, 7639, 1996]
assert counts["(1, −1, 2, 0)"] == [12526, 19, 11264, 4485, 7639, 1996]
assert len(best["(3, 0, 5, 1)"]) == 16
assert (best["(3, 0, 5, 1)"] == best["(1, −1, 2, 0)"]).all()
assert any((tables[i] == np.asarray(strategies.tft_atft())).all() for i in best["(3, 0, 5, 1)"])

fig, ax = plt.subplots(figsize=(4.6, 2.4), layout="constrained")
for shift, (name, color) in zip((-0.2, 0.2), zip(counts, (style.BLUE, style.VERMILION), strict=True), strict=True):
    ax.bar(np.arange(6) + shift, counts[name], 0.38, color=color, label=f"(R, S, T, P) = {name}")
ax.set(yscale="log", ylabel="strategies", xticks=range(6))
ax.set_xticklabels([kind.replace("_", "\n") for kind in kinds])
fig.legend(loc="outside upper center", ncols=2)
plt.show()

# %% [markdown]
# ## 6. What equilibria can pay
#
# Below $\gamma = 1/4$ mutual defection is all that subgame perfect equilibria pay. From there on players can take
# turns, which brings $(4, 1)$ and $(1, 4)$; from $1/2$ on mutual cooperation is possible as well, and with it all
# that is feasible and individually rational.

# %% alt="Equilibrium payoffs: a point at discount 0.2, a triangle at 0.3, all individually rational ones at 0.5."
fig, axes = plt.subplots(1, 3, figsize=(6.6, 2.4), layout="constrained", sharey=True)
sets = {discount: payoff_sets.perfect(game, discount=discount) for discount in (0.2, 0.3, 0.5)}
for ax, (discount, found) in zip(axes, sets.items(), strict=True):
    ax.fill(*payoff_sets.feasible(game).T, color=style.PALE)
    ax.fill(*found.T, color=style.SKY)
    ax.plot(*found.T, "o", color=style.BLUE, markersize=3)
    ax.set(title=f"γ = {discount}", xlabel="player 1 earns", aspect="equal")
axes[0].set_ylabel("player 2 earns")
assert np.allclose(sets[0.2], [[1, 1]])
assert np.allclose(sorted(sets[0.3].round(6).tolist()), [[1, 1], [1, 4], [4, 1]])
assert np.allclose(sets[0.5], payoff_sets.individually_rational(game), atol=1e-8)
assert np.allclose(payoff_sets.perfect(game, discount=0.249), [[1, 1]])
assert np.allclose(payoff_sets.perfect(game, discount=0.251).max(0), [4, 4], atol=1e-6)
assert payoff_sets.perfect(game, discount=0.499).sum(1).max() < 5.1  # not 6, of mutual cooperation
plt.show()

# %% [markdown]
# ## 7. Who learns within a match can be led
#
# Best replies so far are to a strategy that is known. Somebody who does not know it can learn it *within* one match:
# believe that the opponent is of memory one, with five probabilities drawn evenly, count what it does, and reply best
# to what is believed. In a match of $n$ rounds that is the best there is against such opponents. But it is a
# deterministic function of what it sees, and whoever knows that can choose what it gets to see. When does that make
# it exploitable? Let defection gain the same whatever the other does, $R = 1$, $P = 0$, $S = 1 - T$:

# %% alt="Above mutual defection the exploiter gets more and the learner less from some length of the match on."
rounds = np.arange(1, 13)
fig, ax = plt.subplots(figsize=(4.6, 2.5), layout="constrained")
onsets, led = {}, {}
for T, color in ((1.1, style.BLUE), (1.5, style.GREEN), (2.0, style.VERMILION)):
    donation = ipd.prisoners_dilemma(T=T, S=1 - T)
    found = [in_context.exploitation(donation, int(n), exact=False) for n in rounds]
    exploiter, learner = (np.array([getattr(x, who) for x in found]) / rounds for who in ("exploiter", "agent"))
    ax.plot(rounds, exploiter, "o-", color=color, markersize=3, label=f"exploiter, T = {T}")
    ax.plot(rounds, learner, "s--", color=color, markersize=3, label="learner")
    onsets[T], led[T] = int(rounds[exploiter > 1e-9][0]), found[-1]
ax.axhline(0, color="0.7", linewidth=0.6, zorder=0)
ax.set(xlabel="rounds of the match", ylabel="payoff a round")
fig.legend(loc="outside right center", fontsize="small")
plt.show()
print("exploitable from", onsets, "rounds on")
print("12 rounds, T = 1.1, the learner's action first:", *("CD"[a] + "CD"[b] for a, b in led[1.1].actions))

assert onsets == {1.1: 4, 1.5: 7, 2.0: 10}
exact_led = [in_context.exploitation(ipd.prisoners_dilemma(R=10, S=-1, T=11, P=0), n) for n in (3, 4)]
assert [(x.exploiter, x.agent) for x in exact_led] == [(0, 0), (11, -1)]  # in fractions: T = 1.1, payoffs × 10

# %% [markdown]
# A match too short to learn anything is safe: the learner defects, and nobody gets more of it than mutual defection.
# From 4, 7 and 10 rounds on there is enough future for it to try whether cooperation is answered, and its trial is
# what the exploiter takes. In longer matches it is worth leading on: the exploiter cooperates just as long as keeps the
# learner at it, and defects in the end. The less there is to gain by defecting, the sooner this begins. Against the
# opponents that it expects, the same learner does better than if it never tried:

# %%
safe = 12 * 1.1 / 2  # who always defects gets T from half of what these opponents do
hoped = in_context.bayes_value(ipd.prisoners_dilemma(T=1.1, S=-0.1), 12, exact=False)
print(f"expected of 12 rounds: {hoped:.2f}, by always defecting {safe:.2f}; led, it gets {led[1.1].agent:.2f}")
assert led[1.1].agent < safe < hoped
assert led[1.1].exploiter > 2 * led[1.1].agent
assert led[1.1].actions[-1] == (1, 1)

# %% [markdown]
# On the command line: `ipd-theory strategy "extort(3)"`, `ipd-theory classify`, `ipd-theory derive partner`.

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Who defects always earns T and P in turn from *win-stay, lose-shift*. When is that more than R, and
# what are all best replies to it at γ = 0.9 and in the limit of means? Then do the same with R = 3.5.

# %% tags=["solution"]
wsls = strategies.named("WSLS")
patient = replies.best_responses(game, wsls, discount=0.9)
assert patient.optimal.tolist() == [[False, True]] * 5  # always defect is the only one
assert np.isclose(patient.value, (5 + 0.9 * 1) / 1.9)
assert patient.value > 3
assert np.isclose(replies.best_responses(game, wsls, discount=1.0).value, 3)  # (T + P)/2 = R: a tie
richer = ipd.prisoners_dilemma(R=3.5, S=0, T=5, P=1)
assert bool(replies.is_partner(richer, wsls, discount=0.9))
assert not bool(replies.is_partner(game, wsls, discount=0.9))

# %% [markdown]
# **Exercise 2.** From which discount on is generous tit for tat with generosity g a partner? Compute it for g = 1/3
# and g = 1/10 in Axelrod's game, and compare with tit for tat.

# %% tags=["solution"]
from_on = {}
for g in (0.0, 0.1, 1 / 3):
    windows = replies.discount_windows(game, strategies.generous_tit_for_tat(g), replies.is_partner)
    from_on[g] = windows[0][0] if windows else np.inf
    print(g, windows)
assert np.isclose(from_on[0.0], 2 / 3)
assert from_on[0.0] < from_on[0.1] < from_on[1 / 3]  # who forgives needs more future

# %% [markdown]
# **Exercise 3.** Is Extort-3 a rival? Is tit for tat? Is any strategy that cooperates after mutual cooperation both a
# partner and a rival at memory one?

# %% tags=["solution"]
assert replies.is_rival(game, extort)
assert replies.is_rival(game, tft)
pure = strategies.all_pure()
friendly = pure[replies.is_partner(game, pure, discount=1.0) & replies.is_rival(game, pure)]
print(len(friendly), "pure strategies of memory one are friendly rivals:", np.asarray(friendly).tolist())
assert any((np.asarray(p) == np.asarray(tft)).all() for p in friendly)

# %% [markdown]
# **Exercise 4.** Find somebody who beats win-stay, lose-shift at γ = 0.6, and say how much better than WSLS it does
# there.

# %% tags=["solution"]
gain = float(replies.gap(game, wsls, wsls, discount=0.6))
best_value = float(replies.best_responses(game, wsls, discount=0.6).value)
print("gains", gain, "of", best_value)
assert gain > 0.1
assert np.isclose(best_value, ipd.expected_returns(game, strategies.always_defect(), wsls, discount=0.6)[0])

# %% [markdown]
# ## Sources
#
# Akin 2012; Stewart & Plotkin 2013; Hilbe, Traulsen & Sigmund 2015; Hilbe, Martinez-Vaquero, Chatterjee & Nowak,
# "Memory-n strategies of direct reciprocity", 2017; Yi, Baek & Choi, "Combination with anti-tit-for-tat remedies
# problems of tit-for-tat", 2017; Glynatsi, Akin, Nowak & Hilbe, "Conditional cooperation with longer memory", 2024;
# Murase & Baek 2020. Duff, "Optimal learning", 2002, for best replies to what is believed.
