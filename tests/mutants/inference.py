"""Formulas of strategies read from play."""

from tests.mutants import Mutant

COUNTS, TABLES = "ipd_theory/inference/counts.py", "ipd_theory/inference/tables.py"
MEMORIES, PLAY, PLAYS = (f"ipd_theory/inference/{name}.py" for name in ("memories", "play", "plays"))
AGREEMENT, MIXTURES = "ipd_theory/inference/_agreement.py", "ipd_theory/inference/mixtures.py"
OF_PLAYS, OF_TABLES = "test_inference_plays.py", "test_inference_tables.py"
OF_MIXTURES = "test_inference_mixtures.py"
READOUT, OF_READOUT = "ipd_theory/inference/readout.py", "test_inference_readout.py"

MUTANTS = (
    Mutant(
        "rounds after a gap count at once",
        COUNTS,
        "(plays.first[run] == 0) | (position >= memory)",
        "position >= 0",
        OF_PLAYS,
        "round_by_round",
    ),
    Mutant(
        "the round before the last is read as the last",
        COUNTS,
        "code += 4 ** (back - 1) *",
        "code += 4 ** (memory - back) *",
        OF_PLAYS,
        "round_by_round",
    ),
    Mutant("the first late round is early", COUNTS, "rounds.position >= turn", "rounds.position > turn", OF_TABLES),
    Mutant("a run begins after its gap", PLAYS, "rounds[begin] - least", "0 * rounds[begin]", OF_PLAYS),
    Mutant("the other side's actions stay one's own", PLAYS, "2 * played + played[..., ::-1]", "3 * played", OF_PLAYS),
    Mutant("play that is made cooperates with 1 − p", PLAY, ">= cooperate[", "< cooperate[", OF_PLAYS, "made"),
    Mutant(
        "play that is made sees the first side's outcome from both",
        PLAY,
        "np.array(strategies.OUTCOME_SWAP)[outcome]",
        "outcome",
        OF_PLAYS,
        "made",
    ),
    Mutant("the likelihood forgets defections", TABLES, "+ special.xlogy(no, no) ", "", OF_TABLES, "likelihood"),
    Mutant("the evidence is not held to the prior", TABLES, "(after - special.betaln(*prior))", "after", OF_TABLES),
    Mutant(
        "the prior is left out of the posterior",
        TABLES,
        "stats.beta(yes + prior[0],",
        "stats.beta(yes + 1e-9,",
        OF_TABLES,
    ),
    Mutant(
        "an interval leaves all on either side", TABLES, "after.ppf(outside / 2))", "after.ppf(outside))", OF_TABLES
    ),
    Mutant(
        "draws are of another posterior",
        TABLES,
        ".beta(after[..., 0], after[..., 1]",
        ".beta(after[..., 0], 1",
        OF_TABLES,
    ),
    Mutant("G is the gain, not twice it", MEMORIES, "float(2 * (fine - best))", "float(fine - best)", OF_TABLES),
    Mutant("the play is not one of the draws", MEMORIES, "(1 + larger) / (1 + draws)", "larger / draws", OF_TABLES),
    Mutant(
        "what is dealt may come again",
        MEMORIES,
        "left, rounds = left - dealt[..., k], rounds - visits[:, k]",
        "rounds = rounds - 0 * visits[:, k]",
        OF_TABLES,
    ),
    Mutant(
        "reactive classes hold one's own actions",
        MEMORIES,
        "outcome[1] for outcome",
        "outcome[0] for outcome",
        OF_TABLES,
    ),
    Mutant(
        "a tremble leaves what was meant as it is",
        MIXTURES,
        "seen.meant + trembles[..., None] * (1 - 2 * seen.meant)",
        "seen.meant * (1 - trembles[..., None])",
        OF_MIXTURES,
        "plain_python",
    ),
    Mutant(
        "what is meant is counted as cooperation alone",
        AGREEMENT,
        "np.stack([c, 1 - c], -1)",
        "np.stack([c, c], -1)",
        OF_MIXTURES,
        "plain_python",
    ),
    Mutant(
        "an automaton begins each stretch anew",
        AGREEMENT,
        "state[here] = lead[before, state[before]]",
        "state[here] = state[before]",
        OF_MIXTURES,
        "plain_python",
    ),
    Mutant(
        "play after a gap counts as a match of its own",
        AGREEMENT,
        "np.asarray(plays.first) == 0",
        "np.asarray(plays.first) >= 0",
        OF_MIXTURES,
        "gap",
    ),
    Mutant(
        "the slope of the tremble forgets what is meant by halves",
        MIXTURES,
        "rounds * (1 - 2 * meant) / (meant +",
        "rounds * np.sign(1 - 2 * meant) / (meant +",
        OF_MIXTURES,
        "disagreements",
    ),
    Mutant(
        "shares are of rounds, not of players",
        MIXTURES,
        "shares = belongs.sum(1) / weights.sum(-1, keepdims=True)",
        "shares = belongs.max(1) / belongs.max(1).sum(-1, keepdims=True)",
        OF_MIXTURES,
        "dense",
    ),
    Mutant(
        "the criterion counts one parameter less",
        MIXTURES,
        "len(self.names) - 1 + (1 if",
        "len(self.names) - 2 + (1 if",
        OF_MIXTURES,
        "simulated",
    ),
    Mutant(
        "the other's cooperation is one's own", READOUT, "np.array(OTHER_C))", "np.array(OWN_C))", OF_READOUT, "rates"
    ),
    Mutant(
        "what is not defined counts",
        READOUT,
        "share * np.maximum(many - 1, 0)",
        "share * (len(values) - 1) + 0 * many",
        OF_READOUT,
        "not_defined",
    ),
    Mutant("a partner need not be nice", READOUT, "(nash & np.asarray(nice))", "(nash | np.asarray(nice))", OF_READOUT),
    Mutant(
        "the distance is its square", READOUT, "spread(jnp.sqrt(found.residual)", "spread(found.residual", OF_READOUT
    ),
    Mutant(
        "near is the square of near", READOUT, "max(near**2, rounding)", "max(near, rounding)", OF_READOUT, "extorts"
    ),
    Mutant("the fair extort", READOUT, "(chi > 1 + rounding)", "(chi > 0)", OF_READOUT, "extorts"),
    Mutant(
        "an automaton answers the other action",
        READOUT,
        "p * (1 - q), (1 - p) * q",
        "(1 - p) * q, p * (1 - q)",
        OF_READOUT,
        "point_masses",
    ),
    Mutant(
        "players are compared as contexts",
        MEMORIES,
        "np.arange(counts.shape[1]).repeat(len(counts))",
        "np.zeros(counts.shape[1] * len(counts), int)",
        OF_TABLES,
        "players",
    ),
    Mutant(
        "inner episodes are all the first",
        TABLES,
        "from_rollout(episode, player)",
        "from_rollout(played[0], player)",
        "test_inference_tables.py",
        "one_by_one",
    ),
)
