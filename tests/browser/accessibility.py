"""What axe-core, the accessibility checker that lies beside this file, finds on a page."""

from pathlib import Path

from playwright.sync_api import Page

_AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
_OF_COLORS = ["color-contrast", "link-in-text-block"]
_SERIOUS = ("serious", "critical")


def find_barriers(page: Page, *, colors_only: bool = False) -> list[str]:
    """Return the serious and critical findings, each with where it is.

    `colors_only`: look for what a page's second color scheme may have of its own, and no more.
    """
    page.evaluate(_AXE)
    report = page.evaluate(
        "rules => axe.run(document, {resultTypes: ['violations'], ...(rules && {runOnly: rules})})",
        _OF_COLORS if colors_only else None,
    )
    return [
        f"{finding['id']}: {finding['help']}: {[node['target'] for node in finding['nodes']]}"
        for finding in report["violations"]
        if finding["impact"] in _SERIOUS
    ]
