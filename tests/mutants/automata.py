"""Formulas of automata, alternating moves and tournaments, broken."""

from tests.mutants import Mutant

BASE = "ipd_theory/automata/base.py"
CHAINS = "ipd_theory/_engine/chains.py"
MATCHES = "ipd_theory/automata/matches.py"
ANSWERS = "ipd_theory/automata/answers.py"
MINIMAL = "ipd_theory/automata/minimal.py"
CLASSICS = "ipd_theory/automata/classics.py"
ALTERNATING = "ipd_theory/alternating.py"
PAIRS = "ipd_theory/tournaments/pairs.py"
STANDINGS = "ipd_theory/tournaments/standings.py"
LINE_UPS = "ipd_theory/tournaments/line_ups.py"

MUTANTS = (
    Mutant(
        "one who misperceives takes its own action for the opposite",
        BASE,
        "OTHER_FLIPPED = np.array([1, 0, 3, 2])",
        "OTHER_FLIPPED = np.array([2, 3, 0, 1])",
        "test_automata_matches.py",
        "courses_of_play",
    ),
    Mutant(
        "cooperations are missed as often as defections should be",
        BASE,
        "blind = jnp.stack([*jnp.broadcast_arrays(*missed)] * 2, -1)",
        "blind = jnp.stack([*jnp.broadcast_arrays(*missed[::-1])] * 2, -1)",
        "test_automata_matches.py",
        "courses_of_play",
    ),
    Mutant(
        "slips to defection make cooperators of defectors",
        BASE,
        "(1 - down) * meant + up * (1 - meant)",
        "(1 - up) * meant + down * (1 - meant)",
        "test_automata_matches.py",
        "one_sided",
    ),
    Mutant(
        "player 2's automaton sees outcomes as player 1 does",
        MATCHES,
        "seen = second.moves[..., np.array(strategies.OUTCOME_SWAP), :]",
        "seen = second.moves",
        "test_automata_matches.py",
        "courses_of_play",
    ),
    Mutant(
        "rows of a gradient keep what all of their entries share",
        MATCHES,
        "towards = [g - (g * x).sum(-1, keepdims=True) for",
        "towards = [g for",
        "test_automata_matches.py",
        "output_and_transition",
    ),
    Mutant(
        "steps of a finite game all weigh alike whatever the discount",
        CHAINS,
        "(entered(moves, distribution), weight * gamma, total",
        "(entered(moves, distribution), weight, total",
        "test_automata_matches.py",
        "courses_of_play",
    ),
    Mutant(
        "perfect is asked of the start alone",
        ANSWERS,
        "return ~(wrong & _reachable(automaton)).any((-1, -2))",
        "return ~(wrong & (jnp.eye(automaton.num_states) > 0)).any((-1, -2))",
        "test_automata_answers.py",
        "one_deviation",
    ),
    Mutant(
        "a rival is who is never ahead",
        "ipd_theory/replies/best.py",
        "return MatrixGame(jnp.stack([ahead, -ahead], -3))",
        "return MatrixGame(jnp.stack([-ahead, ahead], -3))",
        "test_automata_answers.py",
        "rivals",
    ),
    Mutant(
        "a grudger forgives",
        CLASSICS,
        "return _of_states([1.0, 0.0], lambda s, own, other: int(s or other))",
        "return _of_states([1.0, 0.0], lambda s, own, other: int(other))",
        "test_tournaments.py",
        "known_after",
    ),
    Mutant(
        "probers look one round too early",
        CLASSICS,
        "hopeful = so_far == 0 and hoped.get(step, other) == other",
        "hopeful = so_far == 0 and hoped.get(step + 1, other) == other",
        "test_tournaments.py",
        "known_after",
    ),
    Mutant(
        "states are merged that move apart",
        MINIMAL,
        "np.round(m @ into, DIGITS).reshape(len(c), -1)",
        "np.round(m[:, :1] @ into, DIGITS).reshape(len(c), -1)",
        "test_tournaments.py",
        "few_states",
    ),
    Mutant(
        "the mirror of a match is the match itself",
        PAIRS,
        "earned[j, i] = theirs",
        "earned[j, i] = mine",
        "test_tournaments.py",
        "each_cell",
    ),
    Mutant(
        "roles are counted as if both were player 1",
        STANDINGS,
        "scores=(payoffs + second).mean(1) / 2",
        "scores=payoffs.mean(1)",
        "test_tournaments.py",
        "roles",
    ),
    Mutant(
        "a match is won by who earns less",
        STANDINGS,
        "wins = (payoffs - second.T > slack).sum(1)",
        "wins = (second.T - payoffs > slack).sum(1)",
        "test_tournaments.py",
        "standings",
    ),
    Mutant(
        "Nydegger weighs the oldest round most",
        LINE_UPS,
        "enumerate(rounds))  # the oldest counts least",
        "enumerate(rounds[::-1]))",
        "test_tournaments.py",
        "known_after",
    ),
    Mutant(
        "players who take turns both move as player 1 sees it",
        ALTERNATING,
        "theirs = q[..., jnp.array(strategies.CONTEXT_SWAP)]",
        "theirs = q",
        "test_alternating.py",
        "followed",
    ),
    Mutant(
        "player 2's move changes player 1's action",
        ALTERNATING,
        "[[0, 1, 0, 1], [0, 0, 2, 2]][mover]",
        "[[0, 1, 0, 1], [0, 1, 0, 1]][mover]",
        "test_alternating.py",
        "followed",
    ),
    Mutant(
        "automata that take turns pay the pair before the move",
        ALTERNATING,
        'jnp.einsum("...sx,t,...ixy->...isty", acts[0], ones[1], payoffs)',
        'jnp.einsum("...sy,t,...ixy->...isty", acts[0], ones[1], payoffs)',
        "test_alternating.py",
        "agree",
    ),
    Mutant(
        "the opening of automata that take turns is not paid",
        ALTERNATING,
        "return delta[..., None] * opened + (1 - delta)[..., None] * onward",
        "return onward",
        "test_alternating.py",
        "agree",
    ),
)
