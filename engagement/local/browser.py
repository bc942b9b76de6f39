"""Chromium for the tests: installed where we are root, else named. Exits with 1 only where CI demands a browser."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")
_COMMAND = "apt-get install -y --no-install-recommends chromium fonts-dejavu-core"


def find_browser() -> str | None:
    """Return the path of a Chromium."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def main() -> int:
    """Make sure that there is a browser, or say how to get one."""
    if find_browser():
        return 0
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Chromium (once)", flush=True)
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(_COMMAND.split(), check=False, env=environment, stdout=subprocess.DEVNULL)
    if find_browser():
        return 0
    print(f"The tests of the pages need Chromium: {_COMMAND}", file=sys.stderr)
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
