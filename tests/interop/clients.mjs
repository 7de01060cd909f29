// The JavaScript clients: `v2|v3 URL SUBJECT PREFIX` asks once and writes the reply; `service URL` is a service.
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
      const numbers = message.json();
      if (!numbers.length) message.respondError(422, 'no numbers');
      else message.respond(JSON.stringify(numbers.reduce((a, b) => a + b)));
    },
  });
  await connection.flush();
  console.log('ready');
} else {
  const { connect } = mode === 'v2' ? createRequire(import.meta.url)('nats') : await import('@nats-io/transport-node');
  const connection = await connect({ servers: url, ...(prefix ? { inboxPrefix: prefix } : {}) });
  for (let count = 0; count < 3; count++) {
    const reply = await connection.request(subject, String(count), { timeout: 5000 });
    console.log(new TextDecoder().decode(reply.data));
  }
  await connection.close();
}
