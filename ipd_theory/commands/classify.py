"""`ipd-theory classify`."""

from typing import Any, Literal

from ipd_theory._words import mean_in_words, payoffs_in_words
from ipd_theory.commands.console import print_json, print_table, progress_bar, results
from ipd_theory.commands.options import Probability
from ipd_theory.commands.stage import four_payoffs

Kind = Literal["nash", "perfect", "partner", "rival", "efficient"]
KINDS: tuple[Kind, ...] = ("nash", "perfect", "partner", "rival", "efficient")
WORDS = ("Nash", "subgame perfect", "partner", "rival", "efficient")


def classify(
    memory: Literal[1, 2] = 2,
    discount: Probability = 1.0,
    payoffs: str = "3,0,5,1",
    list: tuple[Kind, ...] = (),
    json: bool = False,
) -> None:
    """Count the pure strategies that are Nash, subgame perfect, partners, rivals or efficient, and list them.

    All 16 strategies of memory one, or 65,536 of memory two, are held to each word; rounds not yet played count as
    mutual cooperation. Partners are never first to defect and Nash; rivals never earn less than their opponent;
    efficient strategies cooperate with their copy all the time in the limit of trembles that vanish. The table has how
    many are both what the row and what the column says.

      ipd-theory classify --list partner rival efficient

    Args:
        memory: How many outcomes they remember.
        discount: γ from 0 to 1; 1 is the limit of means.
        payoffs: R,S,T,P with commas, by default Axelrod's.
        list: List those that are all of this.
        json: Print JSON.
    """
    R, S, T, P = four_payoffs(payoffs)
    import jax

    jax.config.update("jax_enable_x64", True)
    from ipd_theory import games, replies

    game = games.symmetric_game(R=R, S=S, T=T, P=P)
    tables = replies.all_pure_of_memory(memory)
    with progress_bar("classifying") as progress:
        found = replies.classify(game, tables, discount=discount, progress=progress)
    pairs = {a: {b: int((getattr(found, a) & getattr(found, b)).sum()) for b in KINDS} for a in KINDS}
    settings = {"memory": memory, "discount": discount, "payoffs": [R, S, T, P]}
    result: dict[str, Any] = {"settings": settings, "strategies": len(tables), "both": pairs}
    if list:
        result["listed"] = _members(tables, found, list, memory)
    if json:
        print_json(result)
    else:
        _print_counts(result)


def _members(tables: Any, found: Any, kinds: tuple[Kind, ...], memory: int) -> list[dict[str, Any]]:
    """Return the strategies that are all of this: their responses after each last outcomes, what they earn, names."""
    import numpy as np

    chosen = np.logical_and.reduce([getattr(found, kind) for kind in kinds])
    names = _names(memory)
    settled = 4**memory
    return [
        {
            "responses": "".join("DC"[int(x)] for x in table[-settled:]),
            "earns_against_itself": float(earns),
            "names": names.get(table.tobytes(), []),
        }
        for table, earns in zip(tables[chosen], found.earns[chosen], strict=True)
    ]


def _names(memory: int) -> dict[bytes, list[str]]:
    """Return the names of pure strategies, by their tables."""
    import numpy as np

    from ipd_theory import strategies

    known: dict[bytes, list[str]] = {}
    for name in ("ALLC", "ALLD", "TFT", "GRIM", "WSLS", "FBF", "TF2T", "2TFT", "AON(2)", "TFT-ATFT"):
        table = strategies.named(name)
        if strategies.memory_of(table) <= memory:
            known.setdefault(np.asarray(strategies.extend(table, memory), float).tobytes(), []).append(name)
    return known


def _print_counts(result: dict[str, Any]) -> None:
    settings = result["settings"]
    mean = mean_in_words(settings["discount"])
    rows = [
        (word, *(str(result["both"][kind][other]) for other in KINDS)) for word, kind in zip(WORDS, KINDS, strict=True)
    ]
    title = f"of {result['strategies']:,} pure strategies of memory {settings['memory']}, {mean}"
    print_table(("both", *WORDS), rows, title=title)
    results.print(f"payoffs {payoffs_in_words(settings['payoffs'])}", soft_wrap=True)
    if "listed" not in result:
        return
    from ipd_theory import strategies

    contexts = strategies.contexts(settings["memory"])[-(4 ** settings["memory"]) :]
    results.print(
        f"\n{len(result['listed'])} listed, by what they do after {contexts[0]}, {contexts[1]}, …, {contexts[-1]}"
    )
    members = [
        (
            " ".join(x["responses"][i : i + 4] for i in range(0, len(contexts), 4)),
            f"{x['earns_against_itself']:.4f}",
            ", ".join(x["names"]),
        )
        for x in result["listed"]
    ]
    print_table(("responses", "earns against itself", "name"), members)
