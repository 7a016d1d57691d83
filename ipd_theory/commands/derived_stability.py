"""What `ipd-theory derive stability` prints: the condition for defection to be unstable, and its numbers."""

from typing import Any, NamedTuple

from ipd_theory.commands.console import print_json, progress_bar, results
from ipd_theory.commands.strategy_argument import number_or_symbol

MOST_EPISODES = 3


class Setting(NamedTuple):
    """The settings of a pool, numbers or symbols."""

    learning_rate: Any
    inner_episodes: int
    batch_size: Any
    p_naive: Any


def setting(learning_rate: str | None, inner_episodes: int, batch_size: str, p_naive: str | None) -> Setting:
    """Return the settings that options give; what is None is a symbol.

    Raises:
        ValueError: naming the option, if one is no symbol and out of range.
    """
    import sympy

    from ipd_theory.phases.stability import LEARNING_RATE

    if not 0 <= inner_episodes <= MOST_EPISODES:
        raise ValueError(f"--inner-episodes must lie in 0 to {MOST_EPISODES}; got {inner_episodes}")
    return Setting(
        _option("--learning-rate", learning_rate, LEARNING_RATE, 0, sympy.oo),
        inner_episodes,
        _option("--batch-size", batch_size, None, 1, sympy.oo),
        _option("--p-naive", p_naive, sympy.Symbol("p_naive"), 0, 1),
    )


class _Numbers(NamedTuple):
    """What the condition comes to where it has numbers for its symbols; None where it has not.

    `windows` are the η for which defection is unstable, `holds_below` the one up to which the learner stays `within`
    [0, 1]; `total` is the sum and `of_pool` the pool's derivative after DC.
    """

    windows: list[tuple[float, float]] | None = None
    holds_below: float | None = None
    total: Any = None
    of_pool: Any = None
    within: bool | None = None


def print_stability(pool: Setting, pairing: Any, latex: bool, json: bool) -> None:
    """Print the condition for the learner, discount and payoffs of a pairing."""
    import sympy

    from ipd_theory import symbolic
    from ipd_theory.phases import stability

    values = dict(zip(symbolic.Q_SYMBOLS, pairing.q, strict=True))
    values |= dict(zip(symbolic.PAYOFFS, pairing.payoffs, strict=True)) | {symbolic.DISCOUNT: pairing.discount}
    with progress_bar("deriving the stability of defection") as progress:
        general = stability.stability_condition(pool.inner_episodes, pool.batch_size)
        progress(0.3)
        condition = general.given(values | {stability.LEARNING_RATE: pool.learning_rate})
        if condition.drift.has(sympy.zoo, sympy.nan):
            raise ValueError("--q and --discount: the condition does not exist here, where the limit of means jumps")
        condition, numbers = _with_numbers(general, condition, values, pool)
        progress(1.0)
    if json:
        definitions = {str(symbol): str(meaning) for symbol, meaning in condition.definitions}
        written = {"definitions": definitions, "drift": str(condition.drift), "latex": condition.latex()}
        print_json({"quantity": "stability", **written, **_as_json(numbers)})
    elif latex:
        results.print(condition.latex(), soft_wrap=True)
    else:
        _print_text(condition, numbers)


def _option(option: str, text: str | None, symbol: Any, low: Any, high: Any) -> Any:
    """Return what was given as a number within bounds or a symbol, `symbol` if nothing was."""
    import sympy

    value = symbol if text is None else sympy.sympify(number_or_symbol(option, text))
    if value.is_number and not low <= value <= high:
        allowed = f"lie in [{low}, {high}]" if high != sympy.oo else f"be {low} or more"
        raise ValueError(f"{option} must {allowed}; got {text}")
    return value


def _with_numbers(general: Any, condition: Any, values: dict[Any, Any], pool: Setting) -> tuple[Any, _Numbers]:
    """Return the condition, as one fraction where η alone is left, and its numbers."""
    from ipd_theory.phases.stability import LEARNING_RATE, StabilityCondition

    free = condition.drift.free_symbols.union(*(x.free_symbols for _, x in condition.definitions))
    free -= {symbol for symbol, _ in condition.definitions}
    if free == {LEARNING_RATE}:
        return StabilityCondition((), general.in_learning_rate(values)[0]), _Numbers(*general.windows(values))
    if free:
        return condition, _Numbers()
    _, learner = general.in_learning_rate(values | {LEARNING_RATE: pool.learning_rate})
    within = all(0 <= x <= 1 for x in learner)
    of_pool = condition.drift * pool.p_naive / (pool.inner_episodes + 1)
    return condition, _Numbers(total=condition.drift, of_pool=of_pool, within=within)


def _as_json(numbers: _Numbers) -> dict[str, Any]:
    """Return the numbers that there are; the pool's derivative is text as long as p_naive is a symbol."""
    if numbers.total is not None:
        pool = float(numbers.of_pool) if numbers.of_pool.is_number else str(numbers.of_pool)
        unstable = bool(numbers.total > 0 and numbers.of_pool != 0)
        return {"sum": float(numbers.total), "of_pool": pool, "unstable": unstable, "learner_within": numbers.within}
    if numbers.windows is not None:
        return {"unstable_learning_rates": numbers.windows, "holds_below": numbers.holds_below}
    return {}


def _print_text(condition: Any, numbers: _Numbers) -> None:
    results.print("unconditional defection is unstable iff, after DC,", soft_wrap=True)
    results.print(f"  0 < {condition.drift}", soft_wrap=True)
    for i, (symbol, meaning) in enumerate(condition.definitions):
        results.print(f"{'where' if i == 0 else '     '} {symbol} = {meaning}", soft_wrap=True)
    if numbers.total is not None:
        words = "unstable for every p_naive above 0" if numbers.total > 0 else "not unstable, whatever p_naive is"
        pool = f"{float(numbers.of_pool):.6g}" if numbers.of_pool.is_number else numbers.of_pool
        results.print(f"which is {float(numbers.total):.6g}: defection is {words}", soft_wrap=True)
        results.print(f"the derivative of what the pool ascends is {pool}", soft_wrap=True)
        if not numbers.within:
            results.print("the learner leaves [0, 1] on the way: the condition does not hold for it", soft_wrap=True)
    elif numbers.windows is not None:
        spans = ", ".join(f"{low:.6g} < η < {high:.6g}" for low, high in numbers.windows) or "no η"
        results.print(f"which is so for {spans}", soft_wrap=True)
        results.print(f"the learner stays within [0, 1] for η up to {numbers.holds_below:.6g}", soft_wrap=True)
