#!/usr/bin/env node
/*
 * Google's own Speech-to-Text client, unmodified, with a Steno daemon.
 *
 *     npm install
 *     node transcribe.js [--server HOST:PORT] [--mode stream|whole|long] [--interim] FILE
 *
 * FILE is a WAV, FLAC, Ogg Opus or MP3 file: its own header says what it is.  Prints a line per
 * final result; with --interim also the guesses before it, on standard error.
 */
'use strict';

// The library need not look for Google's machines around it.
process.env.METADATA_SERVER_DETECTION ??= 'none';

const fs = require('fs');
const {parseArgs} = require('util');
const speech = require('@google-cloud/speech').v1;
const {grpc} = require('google-gax');

function makeClient(server) {
  const [, host, port] = /^(.*):(\d+)$/.exec(server) ?? [];
  if (!port) throw new Error(`--server ${server}: should be HOST:PORT`);
  return new speech.SpeechClient({
    apiEndpoint: host,
    port: Number(port),
    // Without TLS there are no credentials either.
    sslCreds: grpc.credentials.createInsecure(),
  });
}

const config = {languageCode: 'en-US'};

function stream(client, path, interim) {
  return new Promise((resolve, reject) => {
    const lines = [];
    const call = client.streamingRecognize({config, interimResults: interim});
    call.on('error', reject);
    call.on('data', response => {
      for (const result of response.results) {
        const text = result.alternatives[0].transcript;
        if (result.isFinal) lines.push(text);
        else process.stderr.write(`${text}\n`);
      }
    });
    call.on('end', () => resolve(lines));
    fs.createReadStream(path, {highWaterMark: 8000}).on('error', reject).pipe(call);
  });
}

const transcripts = response => response.results.map(result => result.alternatives[0].transcript);

async function whole(client, path) {
  const audio = {content: fs.readFileSync(path).toString('base64')};
  const [response] = await client.recognize({config, audio});
  return transcripts(response);
}

async function long(client, path) {
  const audio = {content: fs.readFileSync(path).toString('base64')};
  const [operation] = await client.longRunningRecognize({config, audio});
  const [response] = await operation.promise();
  return transcripts(response);
}

async function main() {
  const {values, positionals} = parseArgs({
    allowPositionals: true,
    options: {
      server: {type: 'string', default: '127.0.0.1:50051'},
      mode: {type: 'string', default: 'stream'},
      interim: {type: 'boolean', default: false},
    },
  });
  const modes = {stream, whole, long};
  if (positionals.length !== 1 || !Object.hasOwn(modes, values.mode))
    throw new Error('usage: transcribe.js [--server HOST:PORT] [--mode stream|whole|long] FILE');
  const client = makeClient(values.server);
  try {
    const lines = await modes[values.mode](client, positionals[0], values.interim);
    for (const line of lines) console.log(line.trimStart());
  } finally {
    await client.close();
  }
}

main().catch(error => {
  console.error(`transcribe.js: ${error.message}`);
  process.exitCode = 1;
});
