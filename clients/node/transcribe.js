#!/usr/bin/env node
/*
 * Google's own Speech-to-Text client, unmodified, with a Steno daemon.
 *
 *     npm install
 *     node transcribe.js [OPTION]... FILE
 *
 *     --server HOST:PORT          where the daemon listens (127.0.0.1:50051)
 *     --mode stream|whole|long    StreamingRecognize, Recognize or LongRunningRecognize (stream)
 *     --interim                   also the guesses before each result, on standard error
 *     --ca FILE                   TLS, with a server that this authority (PEM) vouches for
 *     --tls                       TLS, with a server that one of the usual authorities vouches for
 *     --cert FILE, --key FILE     certificate and key (PEM) by which the server knows the client
 *     --token TEXT                sent with each call; needs TLS
 *
 * FILE is a WAV, FLAC, Ogg Opus or MP3 file: its own header says what it is.  Prints a line per
 * final result.
 */
'use strict';

// The library need not look for Google's machines around it.
process.env.METADATA_SERVER_DETECTION ??= 'none';

const fs = require('fs');
const {parseArgs} = require('util');
const speech = require('@google-cloud/speech').v1;
const {grpc} = require('google-gax');

/** @typedef {import('@google-cloud/speech').v1.SpeechClient} SpeechClient */
/** @typedef {{server: string, mode: string, interim: boolean, tls: boolean,
 *     ca?: string, cert?: string, key?: string, token?: string}} Options */

/** @param {string | undefined} path */
const contentOf = path => (path ? fs.readFileSync(path) : null);

/**
 * What the library would otherwise make of Google's credentials.
 * @param {Options} options
 */
function makeCredentials({ca, cert, key, tls, token}) {
  if (!ca && !tls) {
    if (token) throw new Error('--token: needs --ca or --tls, so that nobody else reads it');
    return grpc.credentials.createInsecure();
  }
  const channel = grpc.credentials.createSsl(contentOf(ca), contentOf(key), contentOf(cert));
  if (!token) return channel;
  const metadata = new grpc.Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  const call = grpc.credentials.createFromMetadataGenerator((_, done) => done(null, metadata));
  return grpc.credentials.combineChannelCredentials(channel, call);
}

/**
 * @param {Options} options
 * @returns {SpeechClient}
 */
function makeClient(options) {
  const [, host, port] = /^(.*):(\d+)$/.exec(options.server) ?? [];
  if (!port) throw new Error(`--server ${options.server}: should be HOST:PORT`);
  return new speech.SpeechClient({
    apiEndpoint: host,
    port: Number(port),
    sslCreds: makeCredentials(options),
  });
}

const config = {languageCode: 'en-US'};

/**
 * Sends the file piece by piece, as live audio would come.
 * @param {SpeechClient} client
 * @param {string} path
 * @param {boolean} interim
 * @returns {Promise<string[]>} the final results' texts
 */
function stream(client, path, interim) {
  return new Promise((resolve, reject) => {
    /** @type {string[]} */
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

/**
 * @param {{results?: {alternatives?: {transcript?: string | null}[] | null}[] | null}} response
 * @returns {string[]}
 */
function transcripts(response) {
  return (response.results ?? []).map(result => result.alternatives?.[0].transcript ?? '');
}

/**
 * The file in one message, and the answer in another.
 * @param {SpeechClient} client
 * @param {string} path
 */
async function whole(client, path) {
  const audio = {content: fs.readFileSync(path).toString('base64')};
  const [response] = await client.recognize({config, audio});
  return transcripts(response);
}

/**
 * Likewise, but the answer is asked for until it is there.
 * @param {SpeechClient} client
 * @param {string} path
 */
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
      tls: {type: 'boolean', default: false},
      ca: {type: 'string'},
      cert: {type: 'string'},
      key: {type: 'string'},
      token: {type: 'string'},
    },
  });
  const options = /** @type {Options} */ (values);
  const modes = new Map(Object.entries({stream, whole, long}));
  const mode = modes.get(options.mode);
  if (positionals.length !== 1 || !mode)
    throw new Error('usage: transcribe.js [--server HOST:PORT] [--mode stream|whole|long] ' +
      '[--interim] [--ca FILE|--tls] [--cert FILE --key FILE] [--token TEXT] FILE');
  const client = makeClient(options);
  try {
    const lines = await mode(client, positionals[0], options.interim);
    for (const line of lines) console.log(line.trimStart());
  } finally {
    await client.close();
  }
}

main().catch(error => {
  console.error(`transcribe.js: ${error.message}`);
  process.exitCode = 1;
});
