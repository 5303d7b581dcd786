// The engine in a thread of its own, so that the page never stalls.
//
// Messages in: {id, method, wanted}, or {abort: id}. Messages out: {id, picture, index},
// {id, progress: {done, total}}, and at last {id, result} or {id, error: {kind, reason}}.
// While files arrive: {bytes: {done, total}}.

import { Engine } from "./engine.js";
import { Files } from "./files.js";
import { mix } from "./mixing.js";
import { frames } from "./morph.js";
import { encodeAnimation } from "./png.js";
import { recipesFor, recolourings, vary } from "./recipes.js";

const root = new URL("../", import.meta.url);
const files = new Files(root, (bytes) => postMessage({ bytes }));
const aborted = new Set();
let engine = null;

async function start() {
  const index = await files.json("models/models.json");
  const ort = await import(new URL("runtime/ort.wasm.min.mjs", root).href);
  ort.env.wasm.wasmPaths = new URL("runtime/", root).href;
  // Threads share memory, which browsers give to isolated pages only.
  ort.env.wasm.numThreads = globalThis.crossOriginIsolated
    ? Math.min(4, Math.max(1, (navigator.hardwareConcurrency ?? 2) - 1))
    : 1;
  return new Engine(ort, index, (file) => files.verified(`models/${file}`, index), {
    executionProviders: ["wasm"],
  });
}

const methods = {
  prepare: () => engine.prepare(),

  async draw({ recipes, ...wanted }, tell, stopped) {
    const all = recipes ?? recipesFor(engine.taxonomy, engine.index, wanted.seeds, wanted);
    return drawAll(all, tell, stopped);
  },

  async vary({ recipe, strength, count, start: first }, tell, stopped) {
    return drawAll(await vary(recipe, strength, count, first), tell, stopped);
  },

  async recolour({ recipe, attribute }, tell, stopped) {
    return drawAll(recolourings(engine.taxonomy, recipe, attribute), tell, stopped);
  },

  async mix({ recipes, ...wanted }, tell, stopped) {
    return drawAll(await mix(engine, recipes, wanted), tell, stopped);
  },

  async morph({ keyframes, seconds, size, fps = 12, loop = true }, tell, stopped) {
    const recipes = keyframes.map((one) =>
      typeof one === "object" ? one : recipesFor(engine.taxonomy, engine.index, [one], {})[0],
    );
    const count = Math.max(2, Math.round(seconds * fps));
    async function* watched() {
      let done = 0;
      for await (const pixels of frames(engine, recipes, { count, size, loop })) {
        await breathe();
        if (stopped()) throw new DOMException("nobody waits for it", "AbortError");
        tell({ progress: { done: ++done, total: count } });
        yield pixels;
      }
    }
    return encodeAnimation(watched(), { side: size, count, fps, loop });
  },
};

async function drawAll(recipes, tell, stopped) {
  for (const [index, recipe] of recipes.entries()) {
    await breathe(); // an abort that waits is read here
    if (stopped()) throw new DOMException("nobody waits for it", "AbortError");
    tell({ picture: { recipe, png: await engine.png(recipe) }, index });
    tell({ progress: { done: index + 1, total: recipes.length } });
  }
  return [];
}

const breathe = () => new Promise((resolve) => setTimeout(resolve));

// One after the other: two at once would only slow each other down.
let queue = Promise.resolve();

onmessage = ({ data: { id, method, wanted, abort } }) => {
  if (abort !== undefined) {
    aborted.add(abort);
    return;
  }
  queue = queue.then(async () => {
    const tell = (message) => postMessage({ id, ...message });
    try {
      if (aborted.has(id)) throw new DOMException("nobody waits for it", "AbortError");
      engine ??= await start();
      tell({ result: await methods[method](wanted, tell, () => aborted.has(id)) });
    } catch (error) {
      tell({ error: { name: error.name, kind: kindOf(error), reason: error.message } });
    }
    aborted.delete(id);
  });
};

function kindOf(error) {
  if (error.kind) return error.kind;
  return error instanceof RangeError ? "recipe" : "failed";
}
