"""`python -m tests.bad_input [ROOM …]`: prints every bad call without one clear error; exit status 1 if any."""

import collections
import os
import sys
import tempfile

import jax

jax.config.update("jax_enable_x64", True)

from tests.bad_input import walk  # noqa: E402


def main() -> int:
    """Print findings and their count."""
    os.chdir(tempfile.mkdtemp())
    count: collections.Counter[str] = collections.Counter()
    for call, judged in walk.findings(tuple(sys.argv[1:]) or ("",)):
        count[judged.split(":")[0]] += 1
        if judged not in ("clear", "meant"):
            print(f"{call.key:70}  {judged}", flush=True)
    print(dict(count))
    return int(any(kind not in ("clear", "meant") for kind in count))


if __name__ == "__main__":
    sys.exit(main())
