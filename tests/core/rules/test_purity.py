"""Rules and policy work where there is no Django, no settings and no environment."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from datetime import datetime, timedelta, UTC
from pkgutil import iter_modules
from importlib import import_module
import triggers.policy, triggers.rules
for package in (triggers.rules, triggers.policy):
    for module in iter_modules(package.__path__, package.__name__ + "."):
        import_module(module.name)
from triggers.rules.compile import compile_rule
from triggers.rules.recipes import RECIPES
now = datetime(2025, 3, 10, tzinfo=UTC)
assert [compile_rule(recipe.definition).test({}, {}, now, {}) for recipe in RECIPES] == [True, True, None]
print(sorted({name.split(".")[0] for name in sys.modules} & {"django", "celery", "psycopg", "rest_framework"}))
"""


def test_the_core_works_without_django() -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=root, env={}, capture_output=True, text=True, timeout=60)
    assert (done.stderr, done.stdout.strip()) == ("", "[]")
