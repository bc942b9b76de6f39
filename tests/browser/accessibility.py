"""What axe-core, the accessibility checker that lies beside this file, finds on a page."""

from pathlib import Path

from playwright.sync_api import Page

_AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
_SERIOUS = ("serious", "critical")


def find_barriers(page: Page) -> list[str]:
    """Return the serious and critical findings, each with where it is."""
    page.evaluate(_AXE)
    report = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{finding['id']}: {finding['help']}: {[node['target'] for node in finding['nodes']]}"
        for finding in report["violations"]
        if finding["impact"] in _SERIOUS
    ]
