// Draws recipes with ONNX Runtime: the steps of avatargan/pipeline.py, on the exported models.
//
// It knows nothing of workers, caches or pages: models come from a function, so that it runs in a
// browser's worker and under Node.js alike.

import { encodePng } from "./png.js";
import { Taxonomy } from "./taxonomy.js";
import { slerp, truncate } from "./latents.js";
import { seedToZ } from "../random.js";

export class Engine {
  /**
   * @param {object} ort ONNX Runtime
   * @param {object} index the content of models.json
   * @param {(name: string) => Promise<Uint8Array>} fetchModel the bytes of a model by its name
   * @param {object} options of sessions
   */
  constructor(ort, index, fetchModel, options = {}) {
    this.ort = ort;
    this.index = index;
    this.taxonomy = new Taxonomy(index);
    this.fetchModel = fetchModel;
    this.options = options;
    this.sessions = new Map();
  }

  /** Return w of a recipe before truncation, and the row of its style. */
  async w(recipe) {
    let z = seedToZ(recipe.seed, this.index.z_dim);
    for (const step of recipe.variation ?? []) {
      z = slerp(z, seedToZ(step.seed, this.index.z_dim), step.strength);
    }
    return this.mapping(z, recipe.attributes);
  }

  /** z `[z_dim]` to w `[w_dim]`. */
  async mapping(z, attributes) {
    const inputs = { z: this.#floats(z, [1, z.length]) };
    const identity = this.index.identity;
    if (identity !== null) {
      const row = this.taxonomy.index(identity, attributes[identity]);
      inputs[identity] = new this.ort.Tensor("int64", BigInt64Array.of(BigInt(row)), [1]);
    }
    return this.#run("mapping", inputs);
  }

  /** The embeddings of the palette side by side, `[palette_dim]`. */
  palette(attributes) {
    return Float32Array.from(
      this.taxonomy.palette.flatMap(
        (name) => this.index.embeddings[name][this.taxonomy.index(name, attributes[name])],
      ),
    );
  }

  /** w as it is drawn. */
  truncated(w, attributes, psi) {
    const identity = this.index.identity;
    const row = identity === null ? 0 : this.taxonomy.index(identity, attributes[identity]);
    return truncate(w, this.index.w_mean[row], psi);
  }

  /** The pixels of a recipe, RGB, row by row. */
  async draw(recipe) {
    const w = this.truncated(await this.w(recipe), recipe.attributes, recipe.psi);
    return this.render(w, this.palette(recipe.attributes), recipe.size);
  }

  /** The pixels of truncated w and palette embeddings, mixed ones too. */
  async render(w, palette, size) {
    if (!this.index.sizes.includes(size)) throw new RangeError(`there is no size ${size}`);
    const image = await this.#run("synthesis", {
      w: this.#floats(w, [1, w.length]),
      palette: this.#floats(palette, [1, palette.length]),
    });
    const planes = image.map((value) => (Math.min(Math.max(value, -1), 1) + 1) * 0.5);
    const side = this.index.resolution;
    if (size === side) return toPixels(planes, side, size);
    const upscaled = await this.#run("upscaler", {
      image: this.#floats(planes, [1, 3, side, side]),
    });
    return toPixels(upscaled, Math.sqrt(upscaled.length / 3), size);
  }

  /** A PNG file with its recipe. */
  async png(recipe) {
    return encodePng(await this.draw(recipe), recipe.size, recipe);
  }

  async #run(name, inputs) {
    if (!this.sessions.has(name)) {
      const loading = this.fetchModel(name).then((bytes) =>
        this.ort.InferenceSession.create(bytes, this.options),
      );
      // A model that did not arrive may arrive the next time.
      loading.catch(() => this.sessions.delete(name));
      this.sessions.set(name, loading);
    }
    const session = await this.sessions.get(name);
    const outputs = await session.run(inputs);
    return outputs[this.index.models[name].output].data;
  }

  #floats(values, shape) {
    return new this.ort.Tensor("float32", values, shape);
  }
}

/** Planes `[3, side, side]` in about [0, 1] to bytes; where size is smaller, areas are averaged. */
function toPixels(planes, side, size) {
  const factor = side / size;
  const pixels = new Uint8Array(size * size * 3);
  for (let channel = 0; channel < 3; channel++) {
    const plane = channel * side * side;
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        let sum = 0;
        for (let row = 0; row < factor; row++) {
          for (let column = 0; column < factor; column++) {
            const value = planes[plane + (y * factor + row) * side + x * factor + column];
            sum += Math.min(Math.max(value, 0), 1);
          }
        }
        pixels[(y * size + x) * 3 + channel] = (sum / (factor * factor)) * 255 + 0.5;
      }
    }
  }
  return pixels;
}
