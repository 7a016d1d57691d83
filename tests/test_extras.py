"""The core installs what the core's rooms import; a room whose extra is missing says which one to install."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import ipd_theory

PACKAGE = Path(ipd_theory.__file__).parent
PROJECT = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
DISTRIBUTION = {"PIL": "pillow", "orbax": "orbax-checkpoint"}  # where it is not called as what is imported
MODULES = {
    ".".join(("ipd_theory", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
    if path.name != "__main__.py"
}


def packages(requirements: list[str]) -> set[str]:
    return {re.split(r"[>=\[]", line)[0] for line in requirements}


CORE = packages(PROJECT["dependencies"])
EXTRAS = {name: packages(lines) for name, lines in PROJECT["optional-dependencies"].items()}


def imported(tree: ast.AST, extra: str = "") -> set[tuple[str, str]]:
    """Every package from elsewhere that is imported anywhere in a file, with the extra it is said to need."""
    found: set[tuple[str, str]] = set()
    for node in ast.iter_child_nodes(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        tops = {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"ipd_theory", "paper_figures"}
        found |= {(DISTRIBUTION.get(top, top), extra) for top in tops}
        found |= imported(node, needed_extra(node) or extra)
    return found


def needed_extra(node: ast.AST) -> str:
    calls = [item.context_expr for item in node.items] if isinstance(node, ast.With) else []
    said = [call for call in calls if isinstance(call, ast.Call) and ast.unparse(call.func) == "needs"]
    return ast.literal_eval(said[0].args[0]) if said else ""


IMPORTED = {module: imported(ast.parse(path.read_text())) for module, path in MODULES.items()}


def test_the_core_or_the_extra_that_a_module_names_holds_what_it_imports():
    missing = []
    for module, uses in IMPORTED.items():
        own = EXTRAS["cli"] if module.startswith("ipd_theory.c") else set()  # the command line names this extra itself
        for package, extra in uses:
            if package not in CORE | own | EXTRAS.get(extra, set()):
                missing.append(f"{module} imports {package}, which {extra or 'the core'} does not install")
    assert not missing


def test_the_core_installs_no_more_than_it_imports():
    assert set.union(*({package for package, _ in uses} for uses in IMPORTED.values())) >= CORE


WITHOUT_EXTRAS = """
import importlib, json, sys
from ipd_theory import cli

blocked, modules, lines = map(json.loads, sys.argv[1:])
optional = set(blocked)

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Block())
for line in lines:
    try:
        cli.main(line.split())
    except SystemExit as end:
        print(end.code, line, file=sys.stderr)
    blocked = set(blocked) - {"tyro", "rich"}
while modules:
    try:
        importlib.import_module(modules[0])
        del modules[0]
    except ModuleNotFoundError as error:
        print(modules[0], error, sep=": ")
        if error.name in blocked:
            blocked.remove(error.name)  # so that the next one is seen, too
        else:  # it is not installed either
            del modules[0]
        for name in [name for name in sys.modules if name.split(".")[0] in optional]:
            del sys.modules[name]  # what was loaded by halves
"""


ROOMS_WITH_EXTRAS = {
    "phases": {"phases"},
    "rl": {"rl", "shaper", "pettingzoo"},
    "drawing": {"figures"},
    "adapters": {"peers"},
}


def test_without_extras_the_core_loads_and_the_rest_says_what_to_install():
    blocked = set().union(*EXTRAS.values(), DISTRIBUTION) - CORE
    rooms = [module for module in MODULES if "commands" not in module]
    lines = ["returns TFT TFT", "phase", "shaper ipd-shaping-quick", "tournament --plot x.png"]
    command = [sys.executable, "-c", WITHOUT_EXTRAS, *map(json.dumps, (sorted(blocked), rooms, lines))]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    seen = set()
    for line in ended.stdout.splitlines():
        said = re.fullmatch(r"ipd_theory\.(\w+).*: this needs \w+, which .*: pip install 'ipd-theory\[(\w+)\]'", line)
        assert said, line
        assert said[2] in ROOMS_WITH_EXTRAS.get(said[1], ()), line
        seen.add(said[2])
    assert seen >= {"phases", "rl", "shaper", "pettingzoo", "peers"}
    said_by_commands = ended.stderr.splitlines()
    assert len(said_by_commands) == 2 * len(lines)
    for error, status, extra in zip(*[iter(said_by_commands)] * 2, ("cli", "phases", "rl", "figures"), strict=False):
        assert error.endswith(f"pip install 'ipd-theory[{extra}]'")
        assert status.startswith("2 ")


def test_extras_are_made_of_extras_that_there_are():
    lines = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    own = [re.fullmatch(r"ipd-theory\[(.*)\]", line) for line in lines]
    named = {name for match in own if match for name in match[1].split(",")}
    assert named
    assert named <= EXTRAS.keys()
