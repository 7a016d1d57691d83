"""Mutants of best replies in fractions, of what strategies are, and of strategies with long memories."""

from tests.mutants import Mutant

EXACT, CLASSES = "ipd_theory/replies/exact.py", "ipd_theory/replies/classification.py"
LONGER = "ipd_theory/strategies/longer.py"

MUTANTS = (
    Mutant(
        "fractions at the limit of means are taken at an ordinary discount",
        EXACT,
        "solve(process, 1 - Fraction(1, 2 * bound), guess)",
        "solve(process, Fraction(9, 10), guess)",
        "test_exact_replies.py",
    ),
    Mutant(
        "a state that is eliminated forgets that it may stay",
        EXACT,
        "stays = 1 / (1 - rows[k].pop(k, Fraction(0)))",
        "stays = 1 + 0 * rows[k].pop(k, Fraction(0))",
        "test_exact_replies.py",
    ),
    Mutant(
        "ties in fractions are no ties",
        EXACT,
        "np.array([[w[0] >= w[1], w[1] >= w[0]] for w in worth])\n        policy",
        "np.array([[w[0] >= w[1], w[1] > w[0]] for w in worth])\n        policy",
        "test_exact_replies.py",
    ),
    Mutant(
        "the last step of a finite game in fractions weighs most",
        EXACT,
        "sum(gamma**t for t in range(horizon))",
        "sum(gamma**t for t in range(1, horizon + 1))",
        "test_exact_replies.py",
        "finite",
    ),
    Mutant(
        "Nash strategies may be beaten by cycles through the whole graph",
        CLASSES,
        "return leads[0]",
        "return leads.any(0)",
        "test_classification.py",
        "cycles",
    ),
    Mutant(
        "cycles are looked for within too few steps",
        CLASSES,
        "for _ in range(len(total)):\n        best",
        "for _ in range(2):\n        best",
        "test_classification.py",
        "cycles",
    ),
    Mutant(
        "rivals are those who never earn more",
        CLASSES,
        "payoffs, ahead = whole[0], whole[0] - whole[1]",
        "payoffs, ahead = whole[0], whole[1] - whole[0]",
        "test_classification.py",
        "cycles",
    ),
    Mutant(
        "subgame perfection looks at averages alone",
        CLASSES,
        "HIGHEST_ORDER = 4",
        "HIGHEST_ORDER = -1",
        "test_classification.py",
        "counts",
    ),
    Mutant(
        "values of the first order are not relative to the average",
        CLASSES,
        "sums, jump = u - mean, follows",
        "sums, jump = u, follows",
        "test_classification.py",
        "counts",
    ),
    Mutant(
        "trembles cost nothing",
        CLASSES,
        "np.where(x > 0, 0, 1)[full:], np.where(x < 1, 0, 1)[full:]",
        "np.where(x > 0, 0, 1)[full:], np.where(x < 1, 0, 0)[full:]",
        "test_classification.py",
        "efficient",
    ),
    Mutant(
        "censored histories cost nothing to leave",
        CLASSES,
        "into[k] = rates[:k, k] - out.min(0)",
        "into[k] = rates[:k, k] - 0 * out.min(0)",
        "test_classification.py",
        "efficient",
    ),
    Mutant(
        "sums by doubling forget that weights fall",
        CLASSES,
        "follows, weight = np.take_along_axis(follows, follows, 0), weight**2",
        "follows, weight = np.take_along_axis(follows, follows, 0), weight * gamma",
        "test_classification.py",
        "single",
    ),
    Mutant(
        "CAPRI punishes for ever",
        LONGER,
        '"CCD CDC", "CDC DCC", "DCC CCC"',
        '"CDC DCC", "DCC CCC"',
        "test_longer_strategies.py",
    ),
    Mutant(
        "TFT-ATFT never gives up on one who defects twice",
        LONGER,
        ' and (own, other) != ("CC", "DD")',
        "",
        "test_classification.py",
        "counts",
    ),
)
