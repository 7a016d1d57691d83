"""What lies beside the package in a checkout of the repository."""

import importlib
import sys
from pathlib import Path
from typing import Any

import ipd_theory


def module_of_checkout(name: str) -> Any:
    """Return a module of the repository that is no part of the installed package.

    Raises:
        ValueError: where there is no checkout beside the package nor in the working directory.
    """
    for folder in (Path(ipd_theory.__file__).parents[1], Path.cwd()):
        if (folder / "paper_figures" / "run.py").is_file():
            if str(folder) not in sys.path:
                sys.path.append(str(folder))
            return importlib.import_module(name)
    raise ValueError(
        "the figures are no part of the installed package: run this in a checkout of the repository, in the folder "
        "that holds paper_figures"
    )
