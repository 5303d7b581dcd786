// Recipes from seeds and attributes, and of variations and recolourings; as avatargan/recipe.py and
// the pipeline make them, so that the same wish gives the same recipe here and there.

import { exact } from "../recipe_json.js";
import { LARGEST_SEED, SeedSequence } from "../random.js";

/** A variation of a variation goes this deep at most. */
export const LONGEST_VARIATION = 32;

/**
 * One recipe per seed.
 * @param {import("./taxonomy.js").Taxonomy} taxonomy
 * @param {object} index the content of models.json
 * @param {Array<number | bigint>} seeds
 * @param {{attributes?: object, psi?: number, size?: number}} wanted
 */
export function recipesFor(taxonomy, index, seeds, { attributes = {}, psi = 0.7, size } = {}) {
  return seeds.map((seed) => ({
    seed,
    attributes: taxonomy.resolve(attributes, seed),
    psi,
    variation: [],
    size: size ?? index.sizes.at(-1),
    weights_sha256: index.weights_sha256,
    version: index.version,
  }));
}

/** Recipes of characters that look like this one; `start` continues a series. */
export function vary(recipe, strength, count, start = 0) {
  const steps = recipe.variation ?? [];
  if (steps.length >= LONGEST_VARIATION) {
    throw new RangeError(`a variation of a variation goes ${LONGEST_VARIATION} steps deep at most`);
  }
  const path = [recipe.seed, ...steps.map((step) => step.seed)].map(BigInt);
  return Array.from({ length: count }, (_, i) => {
    const sequence = new SeedSequence([...path, BigInt(start + i)]);
    const seed = exact(sequence.generate64(1)[0] & LARGEST_SEED);
    return { ...recipe, variation: [...steps, { seed, strength }] };
  });
}

/** The same character with every choice of a palette attribute. */
export function recolourings(taxonomy, recipe, attribute) {
  if (!taxonomy.palette.includes(attribute)) {
    throw new RangeError(`changing ${attribute} would change the character`);
  }
  return taxonomy.offered(attribute).map((choice) => ({
    ...recipe,
    attributes: { ...recipe.attributes, [attribute]: choice },
  }));
}
