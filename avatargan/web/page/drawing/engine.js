// Draws recipes with ONNX Runtime: the steps of avatargan/pipeline.py, on the exported models.
//
// It knows nothing of workers, caches or pages: files come from a function, so that it runs in a
// browser's worker and under Node.js alike.

import { Directions } from "./directions.js";
import { encodePng } from "./png.js";
import { RecipeLatents } from "./recipe_latents.js";
import { Taxonomy } from "./taxonomy.js";

export class Engine {
  /**
   * @param {object} ort ONNX Runtime
   * @param {object} index the content of models.json
   * @param {(name: string) => Promise<Uint8Array>} fetchFile the bytes of a file that the index
   *   names
   * @param {object} options of sessions
   */
  constructor(ort, index, fetchFile, options = {}) {
    this.ort = ort;
    this.index = index;
    this.taxonomy = new Taxonomy(index);
    this.fetchFile = fetchFile;
    this.options = options;
    this.pending = new Map();
    this.latents = new RecipeLatents(
      index,
      (z, attributes) => this.mapping(z, attributes),
      () => this.directions(),
    );
  }

  /** z `[z_dim]` to w `[w_dim]`, not truncated. */
  async mapping(z, attributes) {
    const inputs = { z: this.#floats(z, [1, z.length]) };
    const identity = this.index.identity;
    if (identity !== null) {
      const row = this.taxonomy.index(identity, attributes[identity]);
      inputs[identity] = new this.ort.Tensor("int64", BigInt64Array.of(BigInt(row)), [1]);
    }
    return this.#run("mapping", inputs);
  }

  /** The sliders of these weights. */
  directions() {
    const file = this.index.directions;
    if (!file) throw new RangeError("there are no sliders for these weights");
    return this.#once("directions", async () => {
      return new Directions(await this.fetchFile(file.file), file.sha256);
    });
  }

  /** The embeddings of the palette side by side, `[palette_dim]`. */
  palette(attributes) {
    return Float32Array.from(
      this.taxonomy.palette.flatMap(
        (name) => this.index.embeddings[name][this.taxonomy.index(name, attributes[name])],
      ),
    );
  }

  /** The pixels of a recipe, row by row: RGB, or RGBA where it is transparent. */
  async draw(recipe) {
    const w = await this.latents.wOf(recipe);
    return this.render(w, this.palette(recipe.attributes), recipe.size);
  }

  /**
   * The pixels of any w and palette embeddings, mixed ones too.
   * @param {Float32Array[]} w truncated, one vector for each block of the synthesis
   * @param {Float32Array} palette
   * @param {number} size
   */
  async render(w, palette, size) {
    if (!this.index.sizes.includes(size)) throw new RangeError(`there is no size ${size}`);
    const width = this.index.w_dim;
    const rows = new Float32Array(w.length * width);
    w.forEach((row, block) => rows.set(row, block * width));
    const image = await this.#run("synthesis", {
      w: this.#floats(rows, [1, w.length, width]),
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

  /** Do something the first time only; what failed may work the next time. */
  #once(name, work) {
    if (!this.pending.has(name)) {
      const promise = work();
      promise.catch(() => this.pending.delete(name));
      this.pending.set(name, promise);
    }
    return this.pending.get(name);
  }

  /** Load what every picture needs. */
  async prepare() {
    for (const name of ["mapping", "synthesis"]) await this.#session(name);
  }

  #session(name) {
    return this.#once(name, async () => {
      const model = await this.fetchFile(this.index.models[name].file);
      return this.ort.InferenceSession.create(model, this.options);
    });
  }

  async #run(name, inputs) {
    const session = await this.#session(name);
    return (await session.run(inputs))[this.index.models[name].output].data;
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
