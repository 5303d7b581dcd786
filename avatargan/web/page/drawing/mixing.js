// Children of two to four characters, to the byte those of avatargan/editing/mixing.py.

import { floatsToHalves } from "./half.js";
import { inOrder, pythonJson, withSteps } from "./recipes.js";
import { sha256 } from "./sha256.js";
import { Philox, SeedSequence } from "../random.js";
import { seedForJson } from "../recipes.js";

const BETWEEN = 0;
/** How far a child steps towards a seed of its own. */
const OWN_SHARE = 0.12;

/**
 * Recipes of children; the same call gives the same ones.
 * @param {import("./engine.js").Engine} engine
 * @param {object[]} parents recipes
 * @param {{count?: number, shape?: number, colours?: number, strength?: number, start?: number}}
 *   options shape and colours: whose, from 1; 0 is something between all
 */
export async function mix(engine, parents, options) {
  const { count = 6, shape = BETWEEN, colours = BETWEEN, strength = 1, start = 0 } = options;
  const compact = [];
  for (const parent of parents) compact.push(await compacted(engine.latents, parent));
  const texts = parents.map((parent) => pythonJson(identityOf(parent)));
  const digest = await sha256(new TextEncoder().encode(texts.join("")));
  const family = BigInt(`0x${digest.slice(0, 16)}`);
  return Array.from({ length: count }, (_, i) => {
    const random = new Philox(new SeedSequence([family, BigInt(start + i)]));
    return child(engine, parents, compact, random, { shape, colours, strength });
  });
}

function identityOf(recipe) {
  const { transparent, format, ...rest } = recipe;
  const isNew = rest.w !== undefined || (rest.steps ?? []).length > 0;
  return inOrder({ ...rest, ...(isNew ? { format: 2 } : {}), size: 128, version: "" });
}

/** A recipe of the same character that can stand inside others. */
async function compacted(latents, recipe) {
  if ((recipe.steps ?? []).length === 0) return recipe;
  const w = await latents.wOf(recipe);
  const same = (rows) => rows.every((row) => row.every((value, i) => value === rows[0][i]));
  const coarse = Math.floor((w.length + 1) / 2);
  let rows;
  if (await latents.isOneRow(recipe)) rows = [w[0]];
  else if (same(w.slice(0, coarse)) && same(w.slice(coarse))) rows = [w[0], w.at(-1)];
  else return recipe;
  const { seed, variation, steps, psi, ...rest } = recipe;
  const text = btoa(String.fromCharCode(...floatsToHalves(rows.flatMap((row) => [...row]))));
  return inOrder({ ...rest, format: 2, w: text, variation: [], psi: 1 });
}

function child(engine, parents, compact, random, { shape, colours, strength }) {
  const count = parents.length;
  const blocks = engine.index.blocks;
  const first = shape ? shape - 1 : random.integer(count);
  const coarse = shares(random, count, first, shape !== BETWEEN, strength);
  const giver = colours ? colours - 1 : random.integer(count);
  const fine = shares(random, count, giver, colours !== BETWEEN, strength);
  const own = random.next64() >> 1n; // an integer from 0 to 2^63 - 1, as NumPy draws it
  const attributes = { ...compact[first].attributes };
  for (const name of engine.taxonomy.palette) {
    const source = colours ? giver : random.integer(count);
    attributes[name] = parents[source].attributes[name];
  }
  const { transparent, ...base } = compact[first];
  const { size, version } = parents[0];
  const made = { ...base, attributes, size, version };
  if (parents[0].transparent) made.transparent = true;
  const half = Math.floor((blocks + 1) / 2);
  const steps =
    blocks === 1 || (!shape && !colours)
      ? stepsTo(compact, first, coarse, null)
      : [
          ...stepsTo(compact, first, coarse, [0, half - 1]),
          ...stepsTo(compact, first, fine, [half, blocks - 1]),
        ];
  if (strength > 0) {
    steps.push({ seed: seedForJson(String(own)), strength: OWN_SHARE * strength });
  }
  return steps.length > 0 ? withSteps(made, ...steps) : inOrder(made);
}

/** How much of each parent there is; float32, summing to 1. */
function shares(random, count, main, onlyMain, strength) {
  const drawn = Array.from({ length: count }, () => random.gamma(2));
  const all = drawn.reduce((sum, value) => sum + value, 0);
  const inverse = 1 / all;
  return drawn.map((value, i) => {
    const one = i === main ? 1 : 0;
    return Math.fround(onlyMain ? one : strength * (value * inverse) + (1 - strength) * one);
  });
}

/** Steps that end at the weighted mean of the parents, starting from one of them. */
function stepsTo(parents, first, weights, layers) {
  let reached = weights[first];
  const steps = [];
  parents.forEach((towards, index) => {
    const share = weights[index];
    if (index === first || share === 0) return;
    reached += share;
    const strength = Number((share / reached).toFixed(4));
    steps.push({ towards, strength, ...(layers ? { layers } : {}) });
  });
  return steps;
}
