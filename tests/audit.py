"""Known vulnerabilities of what is installed in .venv, tools included; pip-audit asks a server for `make audit`.

Exit code 0 where none is known, 1 where there is one, 2 where the server did not say. OSV_URL names another server.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> int:
    # pip came with Python, not with requirements.txt; "+cpu" is a build of a version, and servers know the version
    listed = subprocess.run([sys.executable, "-m", "pip", "list", "--format=freeze", "--exclude=pip"],
                            capture_output=True, text=True, check=True).stdout.split()  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        installed = Path(folder) / "installed.txt"
        installed.write_text("".join(f"{package.split('+')[0]}\n" for package in listed), encoding="utf-8")
        server = ["--osv-url", os.environ["OSV_URL"]] if os.environ.get("OSV_URL") else []
        asked = subprocess.run(
            [sys.executable, "-m", "pip_audit", "--requirement", str(installed), "--no-deps", "--disable-pip",
             "--strict", "--progress-spinner=off", "--desc=off", "--vulnerability-service=osv", *server],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    verdict = (asked.stderr.splitlines() or ["no answer"])[-1]
    if asked.returncode and not asked.stdout:  # without a table of vulnerabilities the audit itself failed
        print(f"error: {len(listed)} packages were not audited, their vulnerabilities are unknown: run this where the "
              f"server can be reached, or name another in OSV_URL ({verdict})", file=sys.stderr)  # fmt: skip
        return 2
    print(f"{len(listed)} packages: {verdict}", asked.stdout, sep="\n", end="")
    return asked.returncode


if __name__ == "__main__":
    sys.exit(main())
