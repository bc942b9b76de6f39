"""`make bench`: print the table of `docs/performance.md`. `make bench ARGS="ingest scans"` runs a part."""

import importlib
import sys
import time

from benchmarks.stage import Figure, open_stage, show_table

PARTS = (
    "ingest",
    "single",
    "dialects",
    "schemas",
    "evaluation",
    "sustained",
    "audit",
    "history",
    "scans",
    "live",
    "pages",
)


def main(wanted: list[str]) -> int:
    """Run the parts that were asked for, all of them by default."""
    unknown = set(wanted) - set(PARTS)
    if unknown:
        print(f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.", file=sys.stderr)
        return 1
    figures: list[Figure] = []
    with open_stage():
        for part in PARTS:
            if wanted and part not in wanted:
                continue
            start = time.monotonic()
            print(f"{part} …", file=sys.stderr, end=" ", flush=True)
            figures += importlib.import_module(f"benchmarks.{part}").measure()
            print(f"{time.monotonic() - start:.0f} s", file=sys.stderr)
    print(show_table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
