"""The lines that `docs/clients.md` gives away, with the reader's own address and keys put in."""

import re
import subprocess
import sys

from engagement.local.state import PROJECT
from tests.clients.conftest import Team

_BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def read_lines(heading: str, language: str, team: Team, url: str) -> list[str]:
    """Return the blocks of a language below a heading of the page."""
    page = (PROJECT / "docs" / "clients.md").read_text()
    section = re.split(r"\n##+ ", page.partition(f"# {heading}\n")[2])[0]
    found = [lines for name, lines in _BLOCK.findall(section) if name == language]
    assert found, f"the section {heading!r} has no lines of {language}"
    own = {
        "https://events.shop.example": url,
        "events.shop.example": url.partition("://")[2],
        "wk_…": team.write_key,
        "sk_…": team.secret_key,
    }
    return [_put_in(lines, own) for lines in found]


def _put_in(lines: str, own: dict[str, str]) -> str:
    for shown, meant in own.items():
        lines = lines.replace(shown, meant)
    return lines


def run_shell(lines: str) -> str:
    """Run lines as in a terminal; return what they printed."""
    return subprocess.run(["bash", "-ec", lines], check=True, capture_output=True, text=True, timeout=120).stdout


def run_python(lines: str) -> str:
    """Run lines as a program of their own; return what it printed."""
    command = [sys.executable, "-c", lines]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
