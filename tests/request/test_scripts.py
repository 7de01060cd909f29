"""The options for scripts in a shell script, each with its exit status."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.program import Runner
from tests.request.responders import Request, Responders, silent
from tests.servers import Server, free_port

SCRIPT = """
request() { "$PYTHON" -m natscli request "$@" 2>>log; }
is() { [ "$1" = "$2" ] || { echo "line $3: $1 instead of $2"; exit 1; }; }

request $ECHO one -o out;                                        is "$? $(cat out)" "0 one" $LINENO
request $ECHO '{{Count}}' --count 2 -o 'out-{n}' --quiet;        is "$? $(cat out-1 out-2)" "0 12" $LINENO
is "$(request $ECHO two --raw --retries 2)" two $LINENO
request nobody x --retries 2;                                    is $? 3 $LINENO
request nobody x --wait-for-responders 200ms;                    is $? 3 $LINENO
request $SILENT x --timeout 100ms --retries 1 --retry-on timeout; is $? 4 $LINENO
request $SECOND x --timeout 300ms --retries 1 --retry-on timeout >/dev/null; is $? 0 $LINENO
request $ECHO x --wait-for-responders 5s >/dev/null;             is $? 0 $LINENO
request $ECHO x -s $NOWHERE --wait-for-responders 200ms;         is $? 5 $LINENO
request $ECHO x -s $NOWHERE --retries 1;                         is $? 5 $LINENO
request 'nobody.{{Count}}' x --count 5 --fail-fast;              is $? 3 $LINENO
request $ECHO x --count 5 --fail-fast >/dev/null;                is $? 0 $LINENO
is "$(request $TWICE x --first 1 --raw)" x $LINENO
is "$(request $TWICE x --first 3 --timeout 200ms --raw | wc -l | tr -d ' ')" 2 $LINENO
is "$(request $ECHO '{{Count}}' --count 3 --raw | tr '\\n' ' ')" "1 2 3 " $LINENO
is "$(request $ECHO '{{Count}}' --count 2 --warmup 1 --raw | tr '\\n' ' ')" "2 3 " $LINENO
request $ECHO x --duration 200ms --summary-json sum.json >/dev/null; is "$? $(grep -c '"rate"' sum.json)" "0 1" $LINENO
request $ECHO x --rate 100 --count 5 --hdr log.hlog >/dev/null;  is "$? $(grep -c HIST log.hlog)" "0 1" $LINENO
request $ECHO x --rate 100 --ramp 50ms --count 3 >/dev/null;     is $? 0 $LINENO
request $ECHO x --rate 100 --count 4 --processes 2;              is $? 0 $LINENO
request nobody x --count 4 --processes 2;                        is $? 3 $LINENO
request $ECHO x -o gone/out;                                     is $? 2 $LINENO
request $ECHO x --rate 5;                                        is $? 2 $LINENO
printf '1\\n2\\n' | request $ECHO --send-on newline --retries 1 --raw >lines
is "$? $(tr '\\n' ' ' <lines)" "0 1 2 " $LINENO
echo all as expected
"""


def test_each_option_in_a_shell_script(
    pynats: Runner, nats_server: Server, responders: Responders, tmp_path: Path
) -> None:
    seen: list[Request] = []

    def second_time(request: Request) -> list[bytes]:
        seen.append(request)
        return [request.payload] if len(seen) > 1 else []

    environ = {
        **pynats.environ, "NATS_URL": nats_server.url, "PYTHON": sys.executable,
        "ECHO": responders(), "SILENT": responders(silent), "SECOND": responders(second_time),
        "TWICE": responders(lambda request: [request.payload] * 2), "NOWHERE": f"127.0.0.1:{free_port()}",
    }  # fmt: skip
    shell = shutil.which("bash") or "sh"
    done = subprocess.run(
        [shell, "-c", SCRIPT], env=environ, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    log = (tmp_path / "log").read_text()
    assert (done.stdout, done.returncode) == ("all as expected\n", 0), done.stderr + log[-2000:]
    assert "Traceback" not in log
