"""schemathesis against /api/openapi.json of a real gateway: `python -m tests.security.schemathesis_run --seconds 600`.

schemathesis brings forty packages that nothing else here needs, so it has an environment of its own (.schemathesis/,
not in git), made when it is not there. What must hold: no answer 5xx but the described 503s, none later than ten
seconds, answers as described, nothing accepted without a key.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.e2e.harness import ADMIN_KEY, Gateway, configuration

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".schemathesis"
VERSION = "4.32.5"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "ignored_auth",
)
NEVER_ENDS = "/api/requests/stream"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    program = HOME / "bin" / "schemathesis"
    if not program.exists():
        venv.create(HOME, with_pip=True)
        subprocess.run([HOME / "bin" / "pip", "install", "--quiet", f"schemathesis=={VERSION}"], check=True)
    with TemporaryDirectory() as folder:
        gateway = Gateway(Path(folder) / "data", configuration()).start()
        try:
            for number in range(20):
                gateway.row_of(gateway.chat("demo/echo", f"Call {number}", metadata={"team": "search"}))
            return subprocess.run(
                [
                    *(program, "run", f"{gateway.url}/api/openapi.json", "-H", f"Authorization: Bearer {ADMIN_KEY}"),
                    *("--checks", ",".join(CHECKS), "--exclude-path", NEVER_ENDS, "--seed", str(asked.seed)),
                    *("--max-examples", str(asked.examples), "--max-time", str(asked.seconds)),
                    *(
                        "--max-response-time",
                        "10",
                        "--request-timeout",
                        "30",
                        "--warnings",
                        "off",
                        "--continue-on-failure",
                        "--no-color",
                    ),
                    *("--phases", "examples,coverage,fuzzing", "--workers", "1"),
                ],
                cwd=folder,
                check=False,
            ).returncode
        finally:
            gateway.stop()


if __name__ == "__main__":
    sys.exit(main())
