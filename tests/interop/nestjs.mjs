// A NestJS application, whichever version is beside it: `serve URL`, or `ask URL PATTERN DATA` as a client of one.
import 'reflect-metadata';

async function load(name) {
  const module = await import(name);
  return module.default && Object.keys(module).length < 3 ? module.default : module;
}

const common = await load('@nestjs/common');
const { NestFactory } = await load('@nestjs/core');
const { ClientProxyFactory, EventPattern, MessagePattern, RpcException, Transport } = await load('@nestjs/microservices');
const { from, of, concatMap, delay, toArray, firstValueFrom } = await load('rxjs');

class Calculator {
  sum(data) { return (data ?? []).reduce((a, b) => a + b, 0); }
  byObject(data) { return { total: this.sum(data) }; }
  several(data) { return from(data).pipe(concatMap(value => of(value * 10).pipe(delay(30)))); }
  nothing() { return undefined; }
  text(data) { return `hello ${data}`; }
  fail() { throw new RpcException('no such thing'); }
  crash() { throw new Error('hidden'); }
  event() {}
}

const handlers = { sum: 'sum', byObject: { op: 'sum', cmd: 'by-object' }, several: 'several', nothing: 'nothing',
  text: 'text', fail: 'fail', crash: 'crash' };
for (const [name, pattern] of Object.entries(handlers)) decorate(MessagePattern(pattern), name);
decorate(EventPattern('happened'), 'event');
common.Controller()(Calculator);

function decorate(decorator, name) {
  decorator(Calculator.prototype, name, Object.getOwnPropertyDescriptor(Calculator.prototype, name));
}

class Application {}
common.Module({ controllers: [Calculator] })(Application);

const [mode, url, pattern, data] = process.argv.slice(2);
const options = { transport: Transport.NATS, options: { servers: [url] } };
if (mode === 'serve') {
  const application = await NestFactory.createMicroservice(Application, { ...options, logger: false });
  await application.listen();
  console.log('ready');
} else {
  const client = ClientProxyFactory.create(options);
  await client.connect();
  const asked = pattern.startsWith('{') ? JSON.parse(pattern) : pattern;
  const outcome = await firstValueFrom(client.send(asked, JSON.parse(data)).pipe(toArray()))
    .then(values => ({ values }), error => ({ error }));
  console.log(JSON.stringify(outcome));
  process.exit(0);
}
