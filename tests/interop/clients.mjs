// The JavaScript clients: `v2|v3 URL SUBJECT PREFIX` asks once and writes the reply; `service URL` is a service; `find URL
// NAME` writes what a service says of itself, and its replies on NAME.fail and NAME.many.
import { createRequire } from 'node:module';

const [mode, url, subject, prefix] = process.argv.slice(2);

if (mode === 'service') {
  const { connect } = await import('@nats-io/transport-node');
  const { Svcm, ServiceError } = await import('@nats-io/services');
  const connection = await connect({ servers: url });
  const service = await new Svcm(connection).add({
    name: 'jscalc', version: '1.2.3', description: 'adds', metadata: { lang: 'js' },
    statsHandler: async () => ({ cache: { hits: 7 } }),
  });
  service.addGroup('js').addEndpoint('add', {
    handler: (error, message) => {
      const numbers = message.json(), until = Date.now() + 3;
      while (Date.now() < until); // the library counts milliseconds
      if (!numbers.length) message.respondError(422, 'no numbers');
      else message.respond(JSON.stringify(numbers.reduce((a, b) => a + b)));
    },
  });
  await connection.flush();
  console.log('ready');
} else if (mode === 'find') {
  const { connect } = await import('@nats-io/transport-node');
  const { Svcm, ServiceError } = await import('@nats-io/services');
  const connection = await connect({ servers: url });
  const client = new Svcm(connection).client();
  const found = {};
  for (const verb of ['ping', 'info', 'stats']) {
    for await (const one of await client[verb](subject)) found[verb] = one;
  }
  const failed = ServiceError.toServiceError(await connection.request(`${subject}.fail`, ''));
  const many = [];
  const options = { strategy: 'sentinel', maxWait: 5000 };
  for await (const one of await connection.requestMany(`${subject}.many`, '', options)) many.push(one.string());
  console.log(JSON.stringify({ ...found, failed: { code: failed.code, message: failed.message }, many }));
  await connection.close();
} else {
  const { connect } = mode === 'v2' ? createRequire(import.meta.url)('nats') : await import('@nats-io/transport-node');
  const connection = await connect({ servers: url, ...(prefix ? { inboxPrefix: prefix } : {}) });
  for (let count = 0; count < 3; count++) {
    const reply = await connection.request(subject, String(count), { timeout: 5000 });
    console.log(new TextDecoder().decode(reply.data));
  }
  await connection.close();
}
