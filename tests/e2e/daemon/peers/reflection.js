/*
 * npm's two reflection clients, and a call with nothing but what they tell.
 *
 *     node reflection.js list HOST:PORT             by version and client: the services, as JSON
 *     node reflection.js methods HOST:PORT          by version: all services' methods, as JSON
 *     node reflection.js call HOST:PORT FILE        Recognize with the messages that reflection
 *                                                   describes: the transcripts, a line each
 */
'use strict';

const fs = require('fs');
const grpc = require('@grpc/grpc-js');
const {GrpcReflection} = require('grpc-js-reflection-client');
const {Client: OtherReflection} = require('grpc-reflection-js');

const versions = ['v1', 'v1alpha'];
const speech = 'google.cloud.speech.v1.Speech';
const insecure = () => grpc.credentials.createInsecure();
const reflectionOf = (server, version) => new GrpcReflection(server, insecure(), {}, version);

async function list(server) {
  const found = {other: (await new OtherReflection(server, insecure()).listServices()).sort()};
  for (const version of versions)
    found[version] = (await reflectionOf(server, version).listServices('*')).sort();
  console.log(JSON.stringify(found));
}

async function methods(server) {
  const found = {};
  for (const version of versions) {
    const reflection = reflectionOf(server, version);
    found[version] = {};
    for (const service of await reflection.listServices('*')) {
      const of = await reflection.listMethods(service);
      found[version][service] = of.map(method => method.name).sort();
    }
  }
  const root = await new OtherReflection(server, insecure()).fileContainingSymbol(speech);
  found.other = Object.keys(root.lookupService(speech).methods).sort();
  console.log(JSON.stringify(found));
}

async function call(server, path) {
  const descriptor = await reflectionOf(server, 'v1').getDescriptorBySymbol(speech);
  const {Speech} = descriptor.getPackageObject({keepCase: true}).google.cloud.speech.v1;
  const client = new Speech(server, insecure());
  const request = {config: {language_code: 'en'}, audio: {content: fs.readFileSync(path)}};
  const response = await new Promise((resolve, reject) =>
    client.Recognize(request, (error, answer) => (error ? reject(error) : resolve(answer))));
  for (const result of response.results) console.log(result.alternatives[0].transcript.trimStart());
  client.close();
}

const [command, ...rest] = process.argv.slice(2);
// The reflection clients leave their connections open.
({list, methods, call})[command](...rest).then(() => process.exit(0), error => {
  console.error(error);
  process.exit(1);
});
