"""Who may import whom, held by reading every import of the package, its commands and its figures."""

import ast
import graphlib
from pathlib import Path

import ipd_theory

PACKAGE = Path(ipd_theory.__file__).parent
ROOTS = {"ipd_theory": PACKAGE, "paper_figures": PACKAGE.parent / "paper_figures"}
GAME = {"_checks", "games", "strategies"}
EXACT = GAME | {"returns", "_engine"}
# A room (a module, or a folder of them) and the rooms it may import, itself apart. Rooms stand in order: a room may
# only name rooms above it, so that no arrow points up.
MAY_IMPORT: dict[str, set[str]] = {
    "_lazy": set(),
    "_extras": set(),
    "_files": set(),
    "_words": set(),
    "compilation_cache": set(),
    "_arguments": set(),
    "_places": set(),
    "_polygon": set(),
    "_checks": set(),
    "_fractions": set(),
    "symbolic": {"_checks", "_fractions"},
    "partner_conditions": {"symbolic"},
    "games": {"_checks"},
    "_discount": {"_checks"},
    "zero_determinant": {"_polygon", "_checks", "games", "_discount"},
    "strategies": {"_checks", "games", "zero_determinant"},
    "_engine": {"strategies"},
    "returns": GAME | {"_engine", "_discount"},
    "replies": EXACT | {"_fractions"},
    "payoff_sets": EXACT | {"replies", "zero_determinant"},
    "automata": EXACT | {"replies"},
    "alternating": EXACT | {"automata"},
    "fingerprints": EXACT | {"automata"},
    "equilibria": EXACT | {"replies"},
    "tournaments": EXACT | {"alternating", "automata", "equilibria"},
    "adapters": GAME | {"automata", "tournaments"},
    "evolution": EXACT | {"equilibria"},
    "inference": EXACT | {"replies", "zero_determinant", "automata"},
    "learning": EXACT | {"_fractions", "_places", "equilibria", "payoff_sets"},
    "phases": EXACT | {"learning", "replies", "symbolic"},
    "sampling._held": {"_checks"},
    "sampling.estimators": {"_checks", "_places", "sampling._held"},
    "sampling.enumeration": GAME | {"returns", "sampling._held", "sampling.estimators", "sampling"},
    "sampling": GAME | {"sampling._held", "sampling.estimators", "sampling.enumeration"},
    "rl": {"_checks", "_places", "games", "strategies", "sampling.estimators"},
    "rl.lola_dice": {"rl", "sampling"},
    "rl.scripted": {"rl", "games", "strategies", "zero_determinant"},
    "rl.evaluation": {"rl", "rl.scripted", "_checks", "games", "strategies"},
    "rl.efficiency": {"rl", "rl.evaluation", "learning"},
    "drawing": EXACT
    | {
        "_words",
        "zero_determinant",
        "equilibria",
        "evolution",
        "automata",
        "fingerprints",
        "payoff_sets",
        "tournaments",
        "inference",
        "learning",
        "phases",
        "rl",
        "sampling",
        "sampling.estimators",
    },
}
ANYTHING = {"commands", "cli", "__main__"}  # which no room imports
MODULES = {
    ".".join((root, *path.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__"): path
    for root, folder in ROOTS.items()
    for path in folder.rglob("*.py")
}


def imported(path: Path) -> set[str]:
    """The modules of ours that a file imports anywhere in it, by their full names."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] in ROOTS:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = inside & MODULES.keys()
            names |= modules | ({str(node.module)} if modules != inside else set())
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.split(".")[0] in ROOTS}
    return names


IMPORTS = {module: imported(path) for module, path in MODULES.items()}


def room(module: str) -> str:
    """The most specific room of the table that a module of the package belongs to."""
    inner = module.removeprefix("ipd_theory.")
    matches = [key for key in (*MAY_IMPORT, *ANYTHING) if inner == key or inner.startswith(f"{key}.")]
    return max(matches, key=len, default="")


def test_every_module_has_a_room():
    assert not [m for m in MODULES if m.startswith("ipd_theory.") and not room(m)]


def test_every_import_names_a_module_that_exists():
    assert not [f"{module} imports {name}" for module, names in IMPORTS.items() for name in names - MODULES.keys()]


def test_no_arrow_points_up_or_past_a_door():
    order = list(MAY_IMPORT)
    assert not [
        f"{key}: {a}"
        for key, allowed in MAY_IMPORT.items()
        for a in allowed
        if order.index(a) > order.index(key) and a.split(".")[0] != key.split(".")[0]
    ]
    broken = []
    for module, names in IMPORTS.items():
        if not module.startswith("ipd_theory.") or room(module) in ANYTHING:
            continue
        here = room(module)
        allowed = MAY_IMPORT[here] | {here, "_lazy", "_arguments", "_extras", "_files"}
        broken += [f"{module} imports {name}" for name in names if name == "ipd_theory" or room(name) not in allowed]
    assert not broken


def test_the_engine_has_one_door():
    inside = "ipd_theory._engine."
    assert not [
        f"{module} imports {name}"
        for module, names in IMPORTS.items()
        if not module.startswith("ipd_theory._engine")
        for name in names
        if name.startswith(inside) and name != f"{inside}chains"
    ]


def test_figures_import_the_library_and_never_the_other_way_round():
    assert not [
        module
        for module, names in IMPORTS.items()
        if module.startswith("ipd_theory") and any(n.startswith("paper_figures") for n in names)
    ]
    private = [
        f"{module} imports {name}"
        for module, names in IMPORTS.items()
        if module.startswith("paper_figures")
        for name in names
        if name.startswith("ipd_theory.") and any(part.startswith("_") for part in name.split("."))
    ]
    assert not private


def test_nothing_imports_in_a_circle():
    graph = {m: {n for n in names if n != m} for m, names in IMPORTS.items() if m != "ipd_theory"}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_symbolic_needs_no_jax():
    reached, todo = set(), {"ipd_theory.symbolic"}
    while todo:
        module = todo.pop()
        reached.add(module)
        todo |= IMPORTS[module] - reached
    used = {
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else node.names[0].name.split(".")[0]
        for module in reached
        for node in ast.parse(MODULES[module].read_text()).body  # what a function imports, it may never need
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert not used & {"jax", "jaxtyping", "equinox", "optax"}


def test_no_two_classes_have_one_name():
    """`Settings` apart: each figure has its own, which it alone reads."""
    names: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and node.name != "Settings":
                names.setdefault(node.name, []).append(module)
    assert not {name: modules for name, modules in names.items() if len(modules) > 1}


def test_files_stay_readable():
    folders = (*ROOTS.values(), PACKAGE.parent / "tests")
    assert not [p for f in folders for p in f.rglob("*.py") if len(p.read_text().splitlines()) > 400]
