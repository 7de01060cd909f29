// What people use instead, in JavaScript: `reply|request FOLDER HOST PORT SUBJECT BODY [COUNT TASKS]`. FOLDER has the
// client, which benchmarks/alternatives.py installs. No output.
import { createRequire } from 'node:module';

const [mode, folder, host, port, subject, body, count, tasks] = process.argv.slice(2);
const { connect } = createRequire(`${folder}/package.json`)('@nats-io/transport-node');
const connection = await connect({ servers: `${host}:${port}` });
const payload = new TextEncoder().encode(body);

if (mode === 'reply') {
  connection.subscribe(subject, { queue: 'NATS-RPLY-22', callback: (error, message) => message.respond(payload) });
} else {
  let left = Number(count);
  const work = async () => {
    while (left-- > 0) await connection.request(subject, payload, { timeout: 5000 });
  };
  await Promise.all(Array.from({ length: Number(tasks) }, work));
  await connection.close();
}
