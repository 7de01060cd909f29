"""Every command of docs/contexts.md and docs/tls.md is run, and shows what is written there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.accounts import make_operator
from tests.certificates import Certificates
from tests.contexts.test_creds import other
from tests.leftovers import record
from tests.program import Program, Runner
from tests.servers import Server
from tests.test_readme import ROOT, pattern, steps

_DATE = re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z")


def run_all(page: str, runner: Runner, server: Server, env: dict[str, str]) -> int:
    """Run the commands of a page, its server being ours; gives how many there are."""
    text = (ROOT / "docs" / f"{page}.md").read_text().replace("nats.example.com:4222", "nats.example.com")
    text = text.replace("nats.example.com", "127.0.0.1:4222").replace(":4222", f":{server.port}")
    found = list(steps(text))
    for step in found:
        done = subprocess.run(
            ["bash", "-c", step.command], env={**runner.environ, **env}, cwd=runner.directory, capture_output=True,
            timeout=60, check=False,
        )  # fmt: skip
        record(done.stdout + done.stderr, [step.command])
        shown = _DATE.sub("DATE", (done.stdout + done.stderr).decode())
        assert done.returncode == step.status, (step, shown)
        for line in step.shown:
            # Columns are as wide as what is in them.
            expected = re.sub(r"(\\ ){2,}", r" +", pattern(_DATE.sub("DATE", line)))
            assert re.search(f"^{expected}$", shown, re.MULTILINE), (line, shown)
    return len(found)


@pytest.fixture
def shell(runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """A runner of shell commands, with `pynats` on its PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "pynats").write_text(f'#!/bin/sh\nexec {sys.executable} -m natscli "$@"\n')
    (folder / "pynats").chmod(0o755)
    runner.environ["PATH"] = f"{folder}:{runner.environ['PATH']}"
    return runner


def test_contexts_and_credentials_work_as_the_document_says(
    shell: Runner,
    spawn: Callable[..., Program],
    server_factory: Callable[..., Server],
) -> None:
    operator = make_operator("ORDERS")
    account = operator.accounts["ORDERS"]
    user = account.make_user()
    server = server_factory(operator.server_config)
    files = {
        "me.creds": user.creds,
        "half.creds": user.creds.replace(user.key.seed, other(user.key.seed)),
        "old.creds": account.make_user(lifetime=-30 * 86400).creds,
        "orders.json": f'{{"url": "{server.url}", "creds": "me.creds"}}',
    }
    for name, text in files.items():
        (shell.directory / name).write_text(text)
    spawn("reply", "orders.count", "42", "--creds", "me.creds", server=server)
    ran = run_all("contexts", shell, server, {"ORDERS_CREDS": user.creds})
    assert ran == 11


def test_tls_works_as_the_document_says(
    shell: Runner,
    spawn: Callable[..., Program],
    server_factory: Callable[..., Server],
    certificates: Certificates,
) -> None:
    block = f'tls {{ cert_file: "{certificates.name_cert}", key_file: "{certificates.name_key}" }}\n'
    server = server_factory(block)
    (shell.directory / "ca.pem").write_bytes(certificates.ca.read_bytes())
    spawn("reply", "orders.count", "42", "--tlsca", "ca.pem", "-s", f"localhost:{server.port}")
    assert run_all("tls", shell, server, {}) == 5
