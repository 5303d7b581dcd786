// The visitor's own browser answers: ONNX Runtime in a worker, on models beside the page.

import { BackendError } from "../backend.js";
import { recipeText } from "../carried.js";
import { parseRecipe } from "../recipes.js";

const DEFAULT_PSI = 0.7;
const LARGEST_PSI = 2;
const LARGEST_COUNT = 36;
// A frame takes as long as a picture, and an APNG keeps every pixel.
const LARGEST_MORPH = 256;
const MOST_KEYFRAMES = 12;
const LONGEST_MORPH = 24;

export function createBackend({ root = new URL("../", import.meta.url) } = {}) {
  const waiting = new Map();
  const listeners = new Set();
  let worker = null;
  let last = 0;

  function start() {
    worker = new Worker(new URL("drawing/worker.js", root), { type: "module" });
    worker.onmessage = ({ data }) => {
      if (data.bytes) return listeners.forEach((listen) => listen(data.bytes));
      waiting.get(data.id)?.(data);
    };
    worker.onerror = (event) => {
      event.preventDefault?.();
      const reason = event.message || "the browser stopped the drawing";
      for (const answer of waiting.values()) answer({ error: { kind: "failed", reason } });
      worker = null; // the next wish starts another
    };
  }

  /** Ask the worker; pictures and progress go to watch as they come. */
  function call(method, wanted, { onPicture, onProgress, signal } = {}) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (worker === null) start();
      const id = ++last;
      const drawn = [];
      const stop = () => {
        worker?.postMessage({ abort: id });
        finish(() => reject(signal.reason));
      };
      const finish = (answer) => {
        waiting.delete(id);
        signal?.removeEventListener("abort", stop);
        answer();
      };
      signal?.addEventListener("abort", stop);
      waiting.set(id, ({ picture, index, progress, result, error }) => {
        if (picture) {
          const png = new Blob([picture.png], { type: "image/png" });
          drawn.push({ recipe: picture.recipe, png });
          onPicture?.(drawn.at(-1), index);
        } else if (progress) {
          onProgress?.(progress);
        } else if (error) {
          finish(() => reject(new BackendError(error.kind, error.reason)));
        } else {
          finish(() => resolve(drawn.length > 0 ? drawn : result));
        }
      });
      worker.postMessage({ id, method, wanted });
    });
  }

  async function attributes() {
    const index = await (await fetch(new URL("models/models.json", root))).json();
    if (!index.directions) delete backend.sliders;
    const described = Object.entries(index.attributes).map(([name, choices]) => {
      const offered = choices.filter((choice) => choice !== index.unknown);
      const identity = name === index.identity;
      const experimental = index.excluded_from_any?.[name] ?? [];
      const usual = identity ? offered[0] : "any";
      return [name, { choices: offered, default: usual, identity, experimental }];
    });
    return {
      attributes: Object.fromEntries(described),
      sizes: index.sizes,
      default_size: index.sizes.at(-1),
      default_psi: DEFAULT_PSI,
      largest_psi: LARGEST_PSI,
      weights: index.weights_sha256,
      version: index.version,
      renderer: "ONNX Runtime",
      largest_count: LARGEST_COUNT,
      transparent: false,
      morph: {
        formats: ["png"],
        sizes: index.sizes.filter((side) => side <= LARGEST_MORPH),
        keyframes: MOST_KEYFRAMES,
        seconds: LONGEST_MORPH,
      },
      links: [],
    };
  }

  keepOffline(root);
  const backend = {
    attributes,
    async sliders() {
      const { directions } = await (await fetch(new URL("models/models.json", root))).json();
      return directions.sliders.map((one) => ({ ...one, directions: directions.sha256 }));
    },
    /** Bytes of the models as they come: {done, total}. */
    onBytes(listen) {
      listeners.add(listen);
      return () => listeners.delete(listen);
    },
    /** Pictures that were drawn beforehand, to look at while the models arrive. */
    async welcome() {
      const names = await (await fetch(new URL("welcome/welcome.json", root))).json();
      call("prepare", {}).catch(() => {}); // whoever draws first will be told
      return Promise.all(
        names.map(async (name) => {
          const bytes = new Uint8Array(
            await (await fetch(new URL(`welcome/${name}`, root))).arrayBuffer(),
          );
          const recipe = parseRecipe(recipeText(bytes));
          return { recipe, png: new Blob([bytes], { type: "image/png" }) };
        }),
      );
    },
    draw: (wanted, watch) => call("draw", wanted, watch),
    vary: (wanted, watch) => call("vary", wanted, watch),
    recolour: (wanted, watch) => call("recolour", wanted, watch),
    mix: (wanted, watch) => call("mix", wanted, watch),
    async morph(wanted, watch) {
      return new Blob([await call("morph", wanted, watch)], { type: "image/png" });
    },
  };
  return backend;
}

/** After the first visit the page needs no network, where the browser allows for that. */
function keepOffline(root) {
  if (!navigator.serviceWorker) return;
  navigator.serviceWorker.register(new URL("service-worker.js", root)).catch(() => {
    // A private window, or a host that is not secure: the page works all the same.
  });
}
