// From a recipe to the w that the synthesis draws: the same walk as avatargan/recipe_latents.py.
//
// Here w is always one vector for each block of the synthesis.

import { halvesToFloats } from "./half.js";
import { lerp, slerp, truncate } from "./latents.js";
import { seedToZ } from "../random.js";

export class RecipeLatents {
  /**
   * @param {object} index the content of models.json
   * @param {(z: Float32Array, attributes: object) => Promise<Float32Array>} mapping
   * @param {() => Promise<import("./directions.js").Directions>} directions
   */
  constructor(index, mapping, directions) {
    this.index = index;
    this.mapping = mapping;
    this.directions = directions;
  }

  /** Return w as it is drawn, with all steps taken: `blocks` vectors `[w_dim]`. */
  async wOf(recipe) {
    const start = await this.#startOf(recipe);
    let w = start.map((row) => this.#truncated(row, recipe));
    for (const step of recipe.steps ?? []) {
      if (step.slider !== undefined) w = await this.#alongSlider(w, step);
      else if (step.towards !== undefined) w = await this.#towardsCharacter(w, step);
      else w = await this.#towardsSeed(w, recipe, step);
    }
    return w;
  }

  /** Whether every step moves all blocks alike, so that one vector is all there is to w. */
  async isOneRow(recipe) {
    const numbers = (text) => halvesToFloats(bytesOf(text)).length;
    const one = (text) => numbers(text) === this.index.w_dim;
    if (recipe.w && !one(recipe.w)) return false;
    for (const step of recipe.steps ?? []) {
      if (step.slider !== undefined && !(await this.directions()).movesAlike(step.slider)) return false;
      if (step.towards === undefined) continue;
      const aim = step.towards;
      if (step.layers) return false;
      if (!(typeof aim === "string" ? one(aim) : await this.isOneRow(aim))) return false;
    }
    return true;
  }

  async #startOf(recipe) {
    if (recipe.w !== undefined && recipe.w !== null) return this.#readW(recipe.w);
    const width = this.index.z_dim;
    let z = seedToZ(recipe.seed, width);
    for (const step of recipe.variation ?? []) {
      z = slerp(z, seedToZ(step.seed, width), step.strength);
    }
    return this.#everywhere(await this.mapping(z, recipe.attributes));
  }

  /** One vector for all blocks, or one for the coarser and one for the finer half. */
  #readW(text) {
    const numbers = halvesToFloats(bytesOf(text));
    const { w_dim: width, blocks } = this.index;
    if (numbers.length === width) return this.#everywhere(numbers);
    if (numbers.length !== 2 * width) {
      throw new RangeError(`the w of this recipe has ${numbers.length} numbers, not ${width}`);
    }
    const coarse = Math.floor((blocks + 1) / 2);
    return Array.from({ length: blocks }, (_, block) =>
      block < coarse ? numbers.slice(0, width) : numbers.slice(width),
    );
  }

  async #towardsSeed(w, recipe, { seed, strength }) {
    const mapped = await this.mapping(seedToZ(seed, this.index.z_dim), recipe.attributes);
    const aim = this.#truncated(mapped, recipe);
    const centre = this.#centre(recipe);
    const isCentre = (row) => row.every((value, i) => value === centre[i]);
    if (w.some(isCentre) || isCentre(aim)) return w.map((row) => lerp(row, aim, strength));
    const from = (row) => row.map((value, i) => value - centre[i]);
    return w.map((row) =>
      slerp(from(row), from(aim), strength).map((value, i) => value + centre[i]),
    );
  }

  async #alongSlider(w, { slider, amount, directions: sha256 }) {
    const directions = await this.directions();
    if (directions.sha256 !== sha256) {
      throw new RangeError(`the slider '${slider}' of this recipe is one of other directions`);
    }
    return directions.apply(w, slider, amount);
  }

  async #towardsCharacter(w, { towards, strength, layers }) {
    const aim = typeof towards === "string" ? this.#readW(towards) : await this.wOf(towards);
    const [first, last] = layers ?? [0, w.length - 1];
    if (last >= w.length) throw new RangeError(`there is no layer ${last}`);
    return w.map((row, block) =>
      block >= first && block <= last ? lerp(row, aim[block], strength) : row,
    );
  }

  #everywhere(row) {
    return Array.from({ length: this.index.blocks }, () => row);
  }

  #centre({ attributes }) {
    const { identity, w_mean: means } = this.index;
    const row = identity === null ? 0 : this.index.attributes[identity].indexOf(attributes[identity]);
    if (row < 0) throw new RangeError(`${identity} has no choice '${attributes[identity]}'`);
    return Float32Array.from(means[row]);
  }

  #truncated(row, recipe) {
    return truncate(row, this.#centre(recipe), recipe.psi);
  }
}

const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
