"""What the tests look at pages with: Chromium, axe-core, poppler. Where one is missing, its tests are skipped.

``python tests/viewers.py`` tells whether all are at hand, and installs what is missing where it may: Debian's packages
as root, axe-core by npm beside the tests.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PACKAGES = ("chromium", "fonts-dejavu-core", "poppler-utils")
NO_CHROMIUM = "no Chromium on PATH: python tests/viewers.py installs it"
NO_AXE = "no axe-core: python tests/viewers.py installs it"


def succeeds(*command: str) -> bool:
    """Run a command without a question and return whether it did what it should."""
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    return subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode == 0


def install() -> list[str]:
    """Install what is missing, where that may be done, and return what is missing still."""
    if not (CHROMIUM and shutil.which("pdftotext")) and os.geteuid() == 0 and shutil.which("apt-get"):
        command = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
        add = [*command, "install", "-y", "--no-install-recommends", *PACKAGES]
        if not succeeds(*add):
            succeeds(*command, "update")
            succeeds(*add)
    if not AXE.exists() and shutil.which("npm"):
        succeeds("npm", "ci", "--prefix", str(HERE), "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    there = {
        "Chromium": any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
        "pdftotext": shutil.which("pdftotext") is not None,
        "axe-core": AXE.exists(),
    }
    return [name for name, found in there.items() if not found]


if __name__ == "__main__":
    if missing := install():
        sys.exit(
            f"no {', no '.join(missing)}: the tests that need it are skipped. Debian has {' and '.join(PACKAGES)} "
            f"(as root); npm ci --prefix {HERE} brings axe-core"
        )
