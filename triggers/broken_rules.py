"""Rules in force that cannot be read: each starts nothing, all others go on, and somebody has to know."""

from functools import lru_cache

import msgspec

from triggers.models import RuleState, RuleVersion
from triggers.rules.errors import RuleInvalid
from triggers.rules.stored import compile_stored


class BrokenRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, by id and name, and what is wrong with its version in force."""

    rule_id: int
    name: str
    problem: str


def list_in_force() -> list[RuleVersion]:
    """Return the newest version of each active rule."""
    versions = RuleVersion.objects.filter(rule__state=RuleState.ACTIVE).order_by("rule_id", "-number")
    return list(versions.distinct("rule_id").select_related("rule"))


def list_broken() -> list[BrokenRule]:
    """Return the active rules that cannot be read."""
    found = [(version, _find_problem(msgspec.json.encode(version.definition))) for version in list_in_force()]
    return [
        BrokenRule(rule_id=version.rule_id, name=version.rule.name, problem=problem)
        for version, problem in found
        if problem
    ]


@lru_cache(maxsize=4096)
def _find_problem(definition: bytes) -> str:
    try:
        compile_stored(msgspec.json.decode(definition))
    except RuleInvalid as invalid:
        return str(invalid)
    return ""
