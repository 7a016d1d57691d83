"""Mutants of what a start keeps, loads and looks at."""

from tests.mutants import Mutant

CACHE, CHECKS = "ipd_theory/compilation_cache.py", "ipd_theory/_checks.py"

MUTANTS = (
    Mutant(
        "what is kept is cut to all that may be kept, not to half",
        CACHE,
        "if total <= max_bytes // 2:",
        "if total <= max_bytes:",
        "test_compilation_cache.py",
        "longest",
    ),
    Mutant(
        "what was read last goes first",
        CACHE,
        "in sorted(found):",
        "in sorted(found, reverse=True):",
        "test_compilation_cache.py",
        "longest",
    ),
    Mutant(
        "files that are not ours are removed too",
        CACHE,
        "if _ENTRY.fullmatch(path.name):",
        "if path.name:",
        "test_compilation_cache.py",
        "longest",
    ),
    Mutant(
        "what was cut off stays",
        CACHE,
        'elif trouble["what"] == "reading":',
        'elif trouble["what"] == "writing":',
        "test_compilation_cache.py",
        "next_process",
    ),
    Mutant(
        "programs that take less than a second to compile are not kept",
        CACHE,
        '"jax_persistent_cache_min_compile_time_secs": 0.0',
        '"jax_persistent_cache_min_compile_time_secs": 1.0',
        "test_compilation_cache.py",
        "next_process",
    ),
    Mutant(
        "a numpy array is not looked at where it lies",
        CHECKS,
        "if not fits.all():",
        "if not fits.any():",
        "test_checks.py",
    ),
)
