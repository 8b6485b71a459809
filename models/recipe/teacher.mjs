// Writes down what a ready-made recogniser hears in recordings: Moonshine tiny, for English.
//
//     npm install --prefix PACKAGES --ignore-scripts onnxruntime-node@1.21.1 llama-tokenizer-js@1.2.2
//     npm pack @usefulsensors/moonshine-js@0.1.21 && tar xf usefulsensors-moonshine-js-0.1.21.tgz
//     node teacher.mjs --packages PACKAGES --model package/dist/model/tiny/quantized \
//         --folder DATA --split dev --out LABELS.tsv
//
// Reads FOLDER/SPLIT.{pcm,tsv} as prepare.py and clips.py write them; appends to LABELS.tsv a line per
// recording: id, mean natural logarithm of its tokens' probabilities, the least of them, 1 if the
// label came to its end (0: cut off, for it grew too long), label.  Started again, it goes on where it
// stopped; recordings come in an order drawn by lot, so that what is there is like the whole.
//
// The recogniser and its weights are Useful Sensors' (MIT); it is an encoder over the whole recording
// and a decoder of one token a step, which is taken at its likeliest.  Recordings of like length go
// through together, the shorter ones with silence after them.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const RATE_HZ = 16000;
const TOKENS_A_SECOND = 6.5; // more are not said in English
const START = 1; // tokens of Moonshine's
const END = 2;
const TEXT_TOKENS = 32000; // those from here on stand for no text
const LAYERS = 6;
const HEADS = 8;
const HEAD_SIZE = 36;

function readArguments() {
  const { values } = parseArgs({
    options: {
      packages: { type: "string" }, // folder that npm installed into
      model: { type: "string" }, // folder of encoder_model.onnx and decoder_model_merged.onnx
      folder: { type: "string" },
      split: { type: "string", default: "train" },
      out: { type: "string" },
      source: { type: "string" }, // of this one only
      every: { type: "string", default: "1" }, // of so many recordings one
      batch: { type: "string", default: "64" }, // recordings together
    },
  });
  for (const name of ["packages", "model", "folder", "out"]) {
    if (!values[name]) throw new Error(`--${name} is missing`);
  }
  for (const name of ["every", "batch"]) {
    values[name] = Number(values[name]);
    if (!Number.isInteger(values[name]) || values[name] < 1) throw new Error(`--${name}: a number from 1 on`);
  }
  return values;
}

// The recogniser's two networks, the tensors they take, and what its tokens say.
async function loadTeacher({ packages, model }) {
  const require = createRequire(path.join(path.resolve(packages), "package.json"));
  const runtime = require("onnxruntime-node");
  const tokenizer = (await import(pathToFileURL(require.resolve("llama-tokenizer-js")))).default;
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 };
  const load = (name) => runtime.InferenceSession.create(path.join(model, name), options);
  return {
    Tensor: runtime.Tensor,
    text: (tokens) => tokenizer.decode([START, ...tokens]).replace(/\s+/g, " ").trim(),
    encoder: await load("encoder_model.onnx"),
    decoder: await load("decoder_model_merged.onnx"),
  };
}

// What the decoder keeps of earlier steps: nothing yet.
function emptyCache(Tensor) {
  const cache = {};
  for (let layer = 0; layer < LAYERS; layer++) {
    for (const part of ["decoder.key", "decoder.value", "encoder.key", "encoder.value"]) {
      const shape = [0, HEADS, 1, HEAD_SIZE];
      cache[`past_key_values.${layer}.${part}`] = new Tensor("float32", new Float32Array(0), shape);
    }
  }
  return cache;
}

// The likeliest token of logits[first .. first + count - 1] and the logarithm of its probability.
function likeliest(logits, first, count) {
  let token = 0;
  for (let n = 1; n < count; n++) if (logits[first + n] > logits[first + token]) token = n;
  const most = logits[first + token];
  let sum = 0;
  for (let n = 0; n < count; n++) sum += Math.exp(logits[first + n] - most);
  return [token, -Math.log(sum)];
}

// samples [count * width], recordings one after the other -> [{ label, logs, ended }].
async function hear(teacher, samples, count, width) {
  const { Tensor } = teacher;
  const encoded = await teacher.encoder.run({ input_values: new Tensor("float32", samples, [count, width]) });
  const heard = Array.from({ length: count }, () => ({ tokens: [], logs: [], ended: false }));
  const cache = emptyCache(Tensor);
  let tokens = new BigInt64Array(count).fill(BigInt(START));
  const steps = Math.trunc((width / RATE_HZ) * TOKENS_A_SECOND) + 2;
  for (let step = 0; step < steps && !heard.every((each) => each.ended); step++) {
    const out = await teacher.decoder.run({
      input_ids: new Tensor("int64", tokens, [count, 1]),
      encoder_hidden_states: encoded.last_hidden_state,
      use_cache_branch: new Tensor("bool", [step > 0], [1]),
      ...cache,
    });
    tokens = new BigInt64Array(count).fill(BigInt(END));
    const size = out.logits.dims[2];
    heard.forEach((each, row) => {
      if (each.ended) return;
      const [token, log] = likeliest(out.logits.data, row * size, size);
      each.logs.push(log);
      if (token === END) each.ended = true;
      else each.tokens.push(token);
      tokens[row] = BigInt(token);
    });
    for (const name of Object.keys(cache)) {
      // What belongs to the encoder is given at the first step and stays.
      if (step > 0 && name.includes(".encoder.")) continue;
      cache[name] = out[name.replace("past_key_values", "present")];
    }
  }
  return heard.map(({ tokens, logs, ended }) => ({
    label: teacher.text(tokens.filter((token) => token < TEXT_TOKENS)),
    logs,
    ended,
  }));
}

// The recordings that have no label yet, in batches of like length, in an order drawn by lot.
function plan(options) {
  const content = (name) => (fs.existsSync(name) ? fs.readFileSync(name, "utf8") : "");
  const lines = (name) => content(name).split("\n").filter(Boolean);
  const index = path.join(options.folder, options.split + ".tsv");
  if (!fs.existsSync(index)) throw new Error(`${index} is not there`);
  const done = new Set(lines(options.out).map((line) => line.split("\t")[0]));
  const rows = lines(index)
    .map((line) => line.split("\t"))
    .map(([name, first, count, source]) => ({ name, first: Number(first), count: Number(count), source }))
    .filter((row, number) => number % options.every === 0)
    .filter((row) => (!options.source || row.source === options.source) && !done.has(row.name))
    .sort((a, b) => a.count - b.count);
  const batches = [];
  for (let n = 0; n < rows.length; n += options.batch) batches.push(rows.slice(n, n + options.batch));
  for (let n = batches.length - 1, drawn = 1; n > 0; n--) {
    drawn = (drawn * 16807) % 2147483647;
    const other = drawn % (n + 1);
    [batches[n], batches[other]] = [batches[other], batches[n]];
  }
  return batches;
}

// [{ first, count }] -> samples padded to the longest with zeros, and its length.
function readSamples(pcm, batch) {
  const width = Math.max(...batch.map((row) => row.count));
  const samples = new Float32Array(batch.length * width);
  batch.forEach((row, number) => {
    const bytes = Buffer.alloc(2 * row.count);
    if (fs.readSync(pcm, bytes, 0, bytes.length, 2 * row.first) !== bytes.length) {
      throw new Error(`${row.name} is not whole in the samples`);
    }
    for (let n = 0; n < row.count; n++) samples[number * width + n] = bytes.readInt16LE(2 * n) / 32768;
  });
  return [samples, width];
}

async function main() {
  const options = readArguments();
  const batches = plan(options);
  const pcm = fs.openSync(path.join(options.folder, options.split + ".pcm"), "r");
  const teacher = await loadTeacher(options);
  const out = fs.openSync(options.out, "a");
  let count = 0;
  let seconds = 0;
  for (const batch of batches) {
    const [samples, width] = readSamples(pcm, batch);
    const heard = await hear(teacher, samples, batch.length, width);
    const lines = heard.map(({ label, logs, ended }, number) => {
      const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
      const figures = [mean.toFixed(4), Math.min(...logs).toFixed(3), Number(ended)];
      return [batch[number].name, ...figures, label].join("\t") + "\n";
    });
    fs.writeSync(out, lines.join(""));
    count += batch.length;
    seconds += batch.reduce((sum, row) => sum + row.count, 0) / RATE_HZ;
  }
  console.log(`${count} recordings, ${(seconds / 3600).toFixed(2)} h`);
}

main().catch((error) => {
  console.error(`teacher.mjs: ${error.message}`);
  process.exitCode = 1;
});
