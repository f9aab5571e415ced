"""Say where a value of the paper comes from: python scripts/why.py v12 [--study demo] [--configfile studies/….yaml]."""

import argparse
import sys
from pathlib import Path

from fergap.errors import UserError
from fergap.paper.binding import commit
from fergap.paper.why import detailed_summary, rules_of, why


def main() -> int:
    """Print the chain of one value; 1 where it cannot be told."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("value", help="an id such as v12, from the paper's tooltips or its last appendix")
    ask.add_argument("--study", default="demo", help="the study's name")
    ask.add_argument("--configfile", help="the study's file, unless it is the embedded one")
    asked = ask.parse_args()
    given = ["--configfile", asked.configfile] if asked.configfile else []
    try:
        made = rules_of(detailed_summary(Path(__file__).resolve().parent.parent, given))
        print(*why(asked.value, Path("results", asked.study), made, commit()), sep="\n")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
