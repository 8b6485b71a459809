/*
 * npm's grpc-health-check as a client.
 *
 *     node health.js check HOST:PORT SERVICE...    a line for each: its status, or the call's code
 *     node health.js list HOST:PORT                a line for each: name and status
 *     node health.js watch HOST:PORT SERVICE       a line for each status as it comes, then the code
 */
'use strict';

const grpc = require('@grpc/grpc-js');
const {service} = require('grpc-health-check');

const Health = grpc.makeClientConstructor(service, 'Health');
const codeName = code => grpc.status[code];

function ask(client, method, request) {
  return new Promise(resolve => {
    client[method](request, {deadline: Date.now() + 60000}, (error, response) =>
      resolve(error ? {code: codeName(error.code)} : response));
  });
}

const commands = {
  async check(client, services) {
    for (const name of services) {
      const response = await ask(client, 'check', {service: name});
      console.log(response.status ?? response.code);
    }
  },

  async list(client) {
    const {statuses} = await ask(client, 'list', {});
    for (const name of Object.keys(statuses).sort()) console.log(`${name} ${statuses[name].status}`);
  },

  watch(client, [name]) {
    return new Promise(resolve => {
      const call = client.watch({service: name});
      call.on('data', response => console.log(response.status));
      call.on('error', error => {
        console.log(codeName(error.code));
        resolve();
      });
    });
  },
};

async function main([command, server, ...services]) {
  const client = new Health(server, grpc.credentials.createInsecure());
  await commands[command](client, services);
  client.close();
}

main(process.argv.slice(2));
