"""Re-check a certificate of `ipd-theory verify --certificate FILE` in bare Python: `python check_certificate.py FILE`.

Nothing of ipd_theory is used: the game is replayed by its rules, in fractions. A trajectory is a number whose digits in
base 4 are its outcomes CC, CD, DC, DD (ego's action first), the first outcome being the most significant.
"""

import itertools
import json
import math
import sys
from fractions import Fraction

DEFINITIONS = ("coala", "full")  # whose weights are known here; others count as given, if equal rewards have equal ones


def require(condition, words):
    if not condition:
        raise ValueError(words)


def fractions(x):
    return [fractions(y) for y in x] if isinstance(x, list) else Fraction(x)


def defined_weights(name, rewards):
    """Return w = c/B + f̄ (COALA-PG) or c̄ + f̄ (full) from rewards [B][M][T]."""
    B, M, T = len(rewards), len(rewards[0]), len(rewards[0][0])
    now = [[[sum(r[m][t:]) for t in range(T)] for m in range(M)] for r in rewards]
    later = [Fraction(sum(sum(map(sum, r[m + 1 :])) for r in rewards)) / B for m in range(M)]
    mean = [[sum(c[m][t] for c in now) / B for t in range(T)] for m in range(M)]
    own = [mean] * B if name == "full" else [[[x / B for x in episode] for episode in c] for c in now]
    return [[[x + later[m] for x in own[b][m]] for m in range(M)] for b in range(B)]


def replay(problem, trajectories):
    """Return the learner's part of the probability, rewards [B][M][T], and ego's (context, action) [B][M][T]."""
    M, T, rate = problem["episodes"], problem["length"], Fraction(problem["learning_rate"])
    payoffs, q = fractions(problem["payoffs"]), fractions(problem["learner"])
    outcomes = [[n // 4 ** (M * T - 1 - l) % 4 for l in range(M * T)] for n in trajectories]
    ego = [[(0 if l == 0 else 1 + row[l - 1], row[l] // 2) for l in range(M * T)] for row in outcomes]
    probability = Fraction(1)
    for m in range(M):
        step = [Fraction(0)] * 5
        for row in outcomes:
            for t in range(T):
                l = m * T + t
                context = 0 if t == 0 else 1 + [0, 2, 1, 3][row[l - 1]]  # the learner sees its own action first
                cooperated = row[l] % 2 == 0
                probability *= q[context] if cooperated else 1 - q[context]
                step[context] += sum(payoffs[1][o] for o in row[l : (m + 1) * T]) * (cooperated - q[context])
        q = [x + rate * s / len(outcomes) for x, s in zip(q, step, strict=True)]
        require(m == M - 1 or all(0 <= x <= 1 for x in q), "the learner leaves [0, 1]")
    rewards = [[payoffs[0][o] for o in row] for row in outcomes]
    return probability, *([[row[m * T : (m + 1) * T] for m in range(M)] for row in x] for x in (rewards, ego))


def check(certificate):
    """Raise `ValueError` unless every line of a certificate is right; return what it proves."""
    require(certificate["format"] == "ipd-theory certificate 1", "this is no such certificate")
    problem, name, seen = certificate["problem"], certificate["estimator"], {}
    B, M, T, p = problem["batch"], problem["episodes"], problem["length"], fractions(problem["ego"])
    require(len(p) == len(problem["learner"]) == 5 and all(0 < x < 1 for x in p), "a table is not as it must be")
    everything = list(itertools.combinations_with_replacement(range(4 ** (M * T)), B))
    listed = [tuple(piece["trajectories"]) for piece in certificate["pieces"]]
    require(listed == everything, "the pieces are not every multiset of trajectories, in order")
    mean, gradient, total = [Fraction(0)] * 5, [Fraction(0)] * 5, Fraction(0)
    for piece, row in zip(certificate["pieces"], everything, strict=True):
        probability, rewards, ego = replay(problem, row)
        orders = math.factorial(B) // math.prod(math.factorial(row.count(n)) for n in set(row))
        scores = [Fraction(0)] * 5  # ∂ log P / ∂p
        weights, estimate = fractions(piece["weights"]), [Fraction(0)] * 5
        for b, m, t in itertools.product(range(B), range(M), range(T)):
            context, defected = ego[b][m][t]
            taken = 1 - p[context] if defected else p[context]
            probability, score = probability * taken, (-1 if defected else 1) / taken
            scores[context] += score
            estimate[context] += weights[b][m][t] * score
        require(piece["orders"] == orders, f"{row}: occurs in {orders} orders")
        require(Fraction(piece["probability"]) == orders * probability, f"{row}: has another probability")
        right = name not in DEFINITIONS or weights == defined_weights(name, rewards)
        require(right, f"{row}: weights are not {name}'s")
        require(seen.setdefault(str(rewards), weights) == weights, f"{row}: weights are no function of rewards")
        total, P = total + orders * probability, orders * probability
        J = sum(x for r in rewards for episode in r for x in episode) / B
        mean = [x + P * g for x, g in zip(mean, estimate, strict=True)]
        gradient = [x + P * J * s for x, s in zip(gradient, scores, strict=True)]
    require(total == 1, "probabilities do not add up to one")
    require(mean == gradient, "the mean is not the gradient")
    require([fractions(certificate[x]) for x in ("mean", "gradient")] == [mean] * 2, "a vector is another")
    whose = "by its definition" if name in DEFINITIONS else "by the weights listed"
    return f"{name}, {whose}: E[g] = grad J in all 5 components, over {len(listed)} multisets of {B} trajectories"


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            print("holds:", check(json.load(file)))
    except (OSError, ValueError, KeyError, TypeError, IndexError, ArithmeticError) as error:
        sys.exit(f"rejected: {error!r}")
