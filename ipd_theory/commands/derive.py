"""`ipd-theory derive`."""

import re
from typing import Annotated, Any, Literal, NamedTuple

import tyro

from ipd_theory.commands.console import print_json, print_table, progress_bar, results
from ipd_theory.commands.derived_stability import print_stability, setting
from ipd_theory.commands.strategy_argument import NUMBER, listed, number_or_symbol, strategy


class Entry(NamedTuple):
    """A derived form, a sympy expression, and its name in text and in LaTeX."""

    name: str
    latex: str
    form: Any


def derive(
    quantity: Annotated[
        Literal["return", "gradient", "hessian", "occupancy", "partner", "stability"], tyro.conf.Positional
    ],
    p: str | None = None,
    q: str | None = None,
    discount: str | None = None,
    payoffs: str | None = None,
    player: Literal[1, 2] = 1,
    wrt: Literal["p", "q", "pq"] = "p",
    memory: Literal[1, 2, 3] = 2,
    family: Literal["reactive", "counting"] = "reactive",
    learning_rate: str | None = None,
    inner_episodes: int = 1,
    batch_size: str = "1",
    p_naive: str | None = None,
    latex: bool = False,
    json: bool = False,
) -> None:
    """Derive a closed form: a return, its derivatives, the occupancy; what makes partners, or defection unstable.

    Whatever is not given stays a symbol: the cooperation probabilities p_0 … p_4 and q_0 … q_4 (at the start, after CC,
    CD, DC, DD, own action first), the discount γ, the payoffs R, S, T, P. Short results come as fractions, long ones as
    products of 4 × 4 determinants |c p̃ q̃ f| with a table of their columns. Example, the long-run return of any strategy
    against tit for tat:

      ipd-theory derive return --q TFT --discount 1

    partner takes --memory, --family and --payoffs: the inequalities that say, in the limit of means, when a nice
    strategy that looks at the other's last actions lets nobody earn more than R. Example, in the donation game:

      ipd-theory derive partner --memory 2 --payoffs b-c,-c,b,0

    stability takes --q, --discount, --payoffs and the options below --family: when agents that always defect, in a pool
    with naive learners whose first probabilities are q and move by gradient steps, begin to cooperate after DC. With
    numbers for all but --learning-rate it lists the steps for which they do. Example, of a learner that starts at one
    half: ipd-theory derive stability --q 1/2,1/2,1/2,1/2,1/2 --discount 0.9 --payoffs 1,-1,2,0

    Args:
        quantity: What to derive.
        p: Player 1's strategy: a name (TFT, WSLS, GRIM, …; extort(3) where payoffs and discount are numbers), a file
            (mine.json) or five entries, e.g. 1,1,a,1,1/3.
        q: Player 2's strategy, likewise, in its own view.
        discount: A number, a fraction or a symbol; 1 is the limit of means.
        payoffs: R,S,T,P with commas, e.g. 3,0,5,1; sums of numbers and symbols as well, e.g. b-c,-c,b,0.
        player: Whose return.
        wrt: Whose strategy a gradient is taken in; pq is the mixed Hessian, rows in p and columns in q.
        memory: For partner, how many of the other's actions the strategy looks at.
        family: For partner, whether it looks at all of them or counts cooperations.
        learning_rate: For stability, the learner's step η on its return, an average a step.
        inner_episodes: For stability, M, the learner's steps, 0 to 3; 1 and 2 print well.
        batch_size: For stability, B by which the shaping part of the gradient is divided; 1 is the true gradient.
        p_naive: For stability, the weight of the learners in what agents ascend; it sets the size, not the sign.
        latex: Print LaTeX.
        json: Print JSON, each entry as LaTeX and, in full, as text that sympy reads back (tell it that S is a symbol).
    """
    pool = setting(learning_rate, inner_episodes, batch_size, p_naive)
    if quantity == "partner":
        _partner(memory, family, payoffs, latex, json)
        return
    pairing = _pairing(p, q, discount, payoffs)
    if quantity == "stability":
        print_stability(pool, pairing, latex, json)
        return
    if wrt == "pq" and quantity != "hessian":
        raise ValueError(f"--wrt pq is for the Hessian; the {quantity} takes p or q")
    from ipd_theory import symbolic

    with progress_bar(f"deriving the {quantity}") as progress:
        derived = _derived(quantity, pairing, player, wrt)
        simple = []
        for i, entry in enumerate(derived):
            simple.append(entry._replace(form=_printable(entry.form, by_payoff=quantity == "return")))
            progress((i + 1) / len(derived))

    columns: dict[str, Any] = {}
    short: list[Entry] = []
    for entry in simple:
        form, used = symbolic.shorthand(entry.form, pairing, 0 if player == 1 else 1)
        short.append(entry._replace(form=form))
        columns |= used
    if json:
        written = {
            whole.name: {"expression": str(whole.form), "latex": symbolic.latex(brief.form)}
            for whole, brief in zip(simple, short, strict=True)
        }
        texts = {name: [str(x) for x in column] for name, column in columns.items()}
        print_json({"quantity": quantity, "player": player, "entries": written, "columns": texts})
    elif latex:
        _print_latex(short, columns)
    else:
        _print_text(short, columns)


def _payoffs(text: str) -> list[Any]:
    """Return the four payoffs, each a sum of numbers and symbols."""
    entries = []
    for entry in listed("--payoffs", text, 4):
        parts = [entry] if NUMBER.fullmatch(entry) else re.findall(r"[-+]?[^-+]+", entry) or [entry]
        signs = [-1 if part[0] == "-" else 1 for part in parts]
        terms = [number_or_symbol("--payoffs", part.lstrip("-+").strip()) for part in parts]
        entries.append(sum(sign * term for sign, term in zip(signs, terms, strict=True)))
    return entries


def _partner(memory: int, family: Any, payoffs: str | None, latex: bool, json: bool) -> None:
    """Print when a strategy of a family is a partner."""
    import sympy

    from ipd_theory import partner_conditions, symbolic

    given = symbolic.PAYOFFS if payoffs is None else _payoffs(payoffs)
    found = partner_conditions.conditions(memory, family, given)
    if json:
        entries = [
            {"cycle": x.cycle, "inequality": str(x.inequality), "latex": sympy.latex(x.inequality)} for x in found
        ]
        print_json({"quantity": "partner", "memory": memory, "family": family, "conditions": entries})
    elif latex:
        for x in found:
            results.print(sympy.latex(x.inequality), markup=False, soft_wrap=True)
    else:
        which = "p_h, h the other's last actions, oldest first" if family == "reactive" else "r_k, k its cooperations"
        results.print(f"a nice {family}-{memory} strategy ({which}) is a partner if", markup=False, soft_wrap=True)
        for x in found:
            results.print(f"  {x.inequality}    (against {x.cycle})", markup=False, soft_wrap=True)


def _pairing(p: str | None, q: str | None, discount: str | None, payoffs: str | None) -> Any:
    from ipd_theory import symbolic

    parts: dict[str, Any] = {}
    if discount is not None:
        parts["discount"] = number_or_symbol("--discount", discount)
    if payoffs is not None:
        parts["payoffs"] = _payoffs(payoffs)
    for name, text in (("p", p), ("q", q)):
        if text is not None:
            parts[name] = _entries(f"--{name}", text, symbolic.Pairing(**parts))
    return symbolic.Pairing(**parts)


def _entries(option: str, text: str, setting: Any) -> list[Any]:
    """Return a strategy's five entries, numbers or symbols; `setting` has the discount and the payoffs."""
    if "," in text and "(" not in text:
        return [number_or_symbol(option, x) for x in listed(option, text, 5)]
    import jax

    jax.config.update("jax_enable_x64", True)  # so that a named strategy's 1/3 is recognised
    from ipd_theory import games, strategies

    game = None
    if all(x.is_number for x in (*setting.payoffs, setting.discount)):
        game = games.symmetric_game(*map(float, setting.payoffs))
    table = strategy(option, text, game, float(setting.discount) if game else 1.0)
    if strategies.memory_of(table) > 1:
        raise ValueError(f"{option}: {text!r} remembers more than one round; derive takes strategies of memory one")
    entries: list[Any] = strategies.extend(table, 1).tolist()
    return entries


def _derived(quantity: str, pairing: Any, player: int, wrt: str) -> list[Entry]:
    from ipd_theory import symbolic

    who: symbolic.Player = 0 if player == 1 else 1
    x, y = wrt[0], wrt[-1]
    rows: symbolic.Player = 0 if x == "p" else 1
    columns: symbolic.Player = 0 if y == "p" else 1
    J, J_latex = f"J{'₁₂'[who]}", f"J_{player}"
    if quantity == "return":
        return [Entry(J, J_latex, symbolic.expected_return(pairing, who))]
    if quantity == "occupancy":
        shares = zip(symbolic.CONTEXTS[1:], symbolic.occupancy(pairing), strict=True)
        return [Entry(f"v_{s}", f"v_{{{s}}}", form) for s, form in shares]
    if quantity == "gradient":
        return [
            Entry(f"∂{J}/∂{x}_{i}", rf"\frac{{\partial {J_latex}}}{{\partial {x}_{i}}}", slope)
            for i, slope in enumerate(symbolic.gradient(pairing, who, rows))
        ]
    matrix = symbolic.hessian(pairing, who, (rows, columns))
    return [
        Entry(
            f"∂²{J}/∂{x}_{i}∂{y}_{j}",
            rf"\frac{{\partial^2 {J_latex}}}{{\partial {x}_{i}\,\partial {y}_{j}}}",
            matrix[i, j],
        )
        for i in range(5)
        for j in range(5)
        if x != y or i <= j  # otherwise symmetric
    ]


def _printable(form: Any, by_payoff: bool) -> Any:
    import sympy

    from ipd_theory import symbolic

    simple = symbolic.simplest(form)
    if by_payoff and not simple.has(sympy.Determinant):
        return min(simple, symbolic.by_payoff(simple), key=sympy.count_ops)
    return simple


def _print_text(derived: list[Entry], columns: dict[str, Any]) -> None:
    import sympy

    from ipd_theory.symbolic import CONTEXTS

    for entry in derived:
        text = f"{entry.name} = {entry.form}"
        drawn = sympy.pretty(sympy.Eq(sympy.Symbol(entry.name), entry.form, evaluate=False), wrap_line=False)
        if entry.form.has(sympy.zoo, sympy.nan):
            text = f"{entry.name} does not exist: the limit of means jumps here"
        elif max(map(len, drawn.splitlines())) <= results.width:
            text = drawn
        results.print(text, markup=False, soft_wrap=True)
    if columns:
        rows = zip(CONTEXTS[1:], *columns.values(), strict=True)
        title = "columns of the determinants (1: ones, e_s: 1 after s, else 0)"
        print_table(("after", *columns), [[str(x) for x in row] for row in rows], title=title)


def _print_latex(derived: list[Entry], columns: dict[str, Any]) -> None:
    import sympy

    from ipd_theory import symbolic

    for entry in derived:
        results.print(f"{entry.latex} = {symbolic.latex(entry.form)}", markup=False, soft_wrap=True)
    for name, column in columns.items():
        accented = symbolic.COLUMN_LATEX.get(name, name)
        vector = symbolic.latex(sympy.ImmutableMatrix(column))
        results.print(f"{accented} = {vector}", markup=False, soft_wrap=True)
