// Recipes from seeds and attributes, and of variations and recolourings; as avatargan/recipe.py and
// the pipeline make them, so that the same wish gives the same recipe here and there.

import { LARGEST_SEED, SeedSequence } from "../random.js";
import { seedForJson } from "../recipes.js";
import { sha256 } from "./sha256.js";

/** A variation of a variation goes this deep at most. */
const LONGEST_VARIATION = 32;
/** Steps of a character, those of the characters that it leans towards included. */
const MOST_STEPS = 64;
/** The fields of a recipe in the order in which Python writes them. */
const FIELDS = [
  ...["format", "seed", "w", "attributes", "psi", "variation", "steps"],
  ...["size", "transparent", "weights_sha256", "version"],
];
/** What decides who a character is. */
const IDENTITY = ["seed", "w", "psi", "variation", "steps"];
const FRACTIONS = new Set(["psi", "strength", "amount"]);

/**
 * One recipe per seed.
 * @param {import("./taxonomy.js").Taxonomy} taxonomy
 * @param {object} index the content of models.json
 * @param {Array<number | string>} seeds
 * @param {{attributes?: object, psi?: number, size?: number}} wanted attributes by name: one
 *   choice for all, or one per seed
 */
export function recipesFor(taxonomy, index, seeds, { attributes = {}, psi = 0.7, size } = {}) {
  return seeds.map((seed, row) => {
    const own = Object.entries(attributes).map(([name, choice]) => [
      name,
      Array.isArray(choice) ? choice[row] : choice,
    ]);
    return {
      seed: seedForJson(String(seed)),
      attributes: taxonomy.resolve(Object.fromEntries(own), seed),
      psi,
      variation: [],
      size: size ?? index.sizes.at(-1),
      weights_sha256: index.weights_sha256,
      version: index.version,
    };
  });
}

/** Recipes of characters that look like this one; `start` continues a series. */
export async function vary(recipe, strength, count, start = 0) {
  const variation = recipe.variation ?? [];
  const steps = recipe.steps ?? [];
  const inW = recipe.seed === undefined || steps.length > 0;
  if (inW ? steps.length >= MOST_STEPS : variation.length >= LONGEST_VARIATION) {
    throw new RangeError("this character has as many steps as a recipe can hold");
  }
  const path = [await numberOf(recipe), ...variation.map((step) => BigInt(step.seed))];
  if (inW) {
    const identity = Object.fromEntries(IDENTITY.map((name) => [name, recipe[name] ?? null]));
    identity.variation ??= [];
    path.push(await firstBytes(pythonJson(identity), 8));
  }
  return Array.from({ length: count }, (_, i) => {
    const sequence = new SeedSequence([...path, BigInt(start + i)]);
    const step = { seed: seedForJson(String(sequence.generate64(1)[0] & LARGEST_SEED)), strength };
    return inW ? withSteps(recipe, step) : { ...recipe, variation: [...variation, step] };
  });
}

/** The character with steps after those it has. */
export function withSteps(recipe, ...steps) {
  return inOrder({ ...recipe, format: 2, steps: [...(recipe.steps ?? []), ...steps] });
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

/** The seed, or for a character without one a number that follows from its w. */
async function numberOf(recipe) {
  return recipe.seed === undefined ? firstBytes(recipe.w, 4) : BigInt(recipe.seed);
}

async function firstBytes(text, count) {
  return BigInt(`0x${(await sha256(new TextEncoder().encode(text))).slice(0, 2 * count)}`);
}

/** The fields in the order in which Python writes them. */
export function inOrder(recipe) {
  return Object.fromEntries(
    FIELDS.filter((name) => recipe[name] !== undefined).map((name) => [name, recipe[name]]),
  );
}

/** JSON to the letter as Python writes it: what is hashed must be the same text. */
export function pythonJson(value, name = "") {
  if (value === null) return "null";
  if (FRACTIONS.has(name)) return pythonFloat(Number(value));
  if (typeof value === "string" && name !== "seed") {
    return JSON.stringify(value).replace(
      /[\u007f-\uffff]/g,
      (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  }
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `[${value.map((one) => pythonJson(one)).join(", ")}]`;
  const fields = value.weights_sha256 === undefined ? value : inOrder(value);
  const pairs = Object.entries(fields).map(
    ([key, one]) => `${pythonJson(key)}: ${pythonJson(one, key)}`,
  );
  return `{${pairs.join(", ")}}`;
}

function pythonFloat(number) {
  if (number !== 0 && Math.abs(number) < 1e-4) {
    return number.toExponential().replace(/e-(\d)$/, "e-0$1");
  }
  return Number.isInteger(number) ? `${number}.0` : String(number);
}
