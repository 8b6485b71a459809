// node kubernetes.js OBJECTS: whether the Kubernetes objects in a JSON file (a list) are what its API
// takes.  Prints a line for each thing that is wrong with them.
//
// By the models that are generated from Kubernetes' own OpenAPI description: their validators know
// what is required, the types and the formats of values; their TypeScript declarations know the
// fields there are, and TypeScript complains of others in a literal.
import fs from "node:fs";
import path from "node:path";
import ts from "typescript";

const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const objects = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));

// "apps/v1" as it is; "v1" likewise.
const moduleOf = (object) => `kubernetes-models/${object.apiVersion}`;

let literals = "";
for (const [index, object] of objects.entries()) {
  const models = await import(moduleOf(object));
  const model = models[object.kind];
  const name = `${object.kind} ${object.metadata?.name}`;
  if (model === undefined) {
    console.log(`${name}: there is no such kind in ${object.apiVersion}`);
    continue;
  }
  try {
    new model(object).validate();
  } catch (error) {
    for (const each of error.errors ?? [error])
      console.log(`${name}: ${each.instancePath ?? ""} ${each.message}`);
  }
  literals += `import type { I${object.kind} as K${index} } from "${moduleOf(object)}";\n`;
  literals += `export const o${index}: K${index} = ${JSON.stringify(object, null, 1)};\n`;
}

const file = path.join(here, "literals.ts");
fs.writeFileSync(file, literals);
const program = ts.createProgram([file], {
  noEmit: true, strict: true, skipLibCheck: true, types: [],
  target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
});
for (const found of ts.getPreEmitDiagnostics(program)) {
  const place = found.file?.getLineAndCharacterOfPosition(found.start);
  const line = place ? found.file.text.split("\n")[place.line].trim() : "";
  console.log(`${line} ${ts.flattenDiagnosticMessageText(found.messageText, " ")}`);
}
