// Recipes as the page sees them, and the links that carry them.

const LONGEST_LINK = 2000;
const LARGEST_SEED = 9223372036854775807n;

// Equal for recipes that draw the same picture.
export function keyOf(recipe) {
  const { version, ...rest } = recipe;
  return JSON.stringify(sorted(rest));
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

// The recipe in text as Python writes it: seeds beyond 2^53-1 become strings, exactly.
export function parseRecipe(text) {
  return JSON.parse(text.replace(/("seed"\s*:\s*)(\d{16,})(?=\s*[,}])/g, '$1"$2"'));
}

// And back: JSON as Python reads it, every seed a number.
export const recipeJson = (value) => JSON.stringify(value).replace(/"seed":"(\d+)"/g, '"seed":$1');

export function isRecipe(value) {
  return (
    value !== null &&
    typeof value === "object" &&
    !Array.isArray(value) &&
    value.attributes !== null &&
    typeof value.attributes === "object" &&
    Object.entries(value.attributes).length <= 100 &&
    Object.values(value.attributes).every((choice) => typeof choice === "string") &&
    (value.seed === undefined || checkSeed(String(value.seed)) !== null) &&
    (value.seed !== undefined || typeof value.w === "string") &&
    typeof value.size === "number"
  );
}

// The seed as text where it is one, or null.
export function checkSeed(text) {
  if (!/^\d{1,19}$/.test(text)) return null;
  return BigInt(text) <= LARGEST_SEED ? BigInt(text).toString() : null;
}

// A seed as JSON takes it: a number where numbers are exact.
export const seedForJson = (text) => (Number.isSafeInteger(Number(text)) ? Number(text) : String(text));

// The seed and those that follow it.
export function seedsFrom(text, count) {
  return Array.from({ length: count }, (_, index) => seedForJson((BigInt(text) + BigInt(index)).toString()));
}

export const rollSeed = () => String(crypto.getRandomValues(new Uint32Array(1))[0]);
export const rollSeeds = (count) => Array.from(crypto.getRandomValues(new Uint32Array(count)));

// Whether nothing but a seed and attributes describes the character.
export function isPlain(recipe) {
  return (
    recipe.seed !== undefined &&
    !recipe.w &&
    !recipe.transparent &&
    (recipe.variation ?? []).length === 0 &&
    (recipe.steps ?? []).length === 0
  );
}

export const stepsOf = (recipe) => (recipe.variation ?? []).length + (recipe.steps ?? []).length;

export function fileStem(recipe) {
  const origin = recipe.seed ?? shortHash(keyOf(recipe));
  const parts = ["avatar", origin, ...Object.values(recipe.attributes)];
  if (!isPlain(recipe)) parts.push(`v${shortHash(keyOf(recipe))}`);
  if (recipe.transparent) parts.push("transparent");
  return parts.join("-").replace(/[^\p{L}\p{N}_-]+/gu, "_").slice(0, 150);
}

// FNV-1a: tells files of one character's variations apart.
export function shortHash(text) {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193) >>> 0;
  return hash.toString(36);
}

export function toBase64Url(text) {
  const bytes = new TextEncoder().encode(text);
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

export function fromBase64Url(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(binary, (c) => c.charCodeAt(0)));
}

// The part of the address after "#", or null where it would be too long for a link.
export function linkOf(recipe, weights) {
  if (isPlain(recipe) && recipe.weights_sha256 === weights) {
    const fields = new URLSearchParams({ seed: recipe.seed, ...recipe.attributes, psi: recipe.psi, size: recipe.size });
    return fields.toString();
  }
  const link = `r=${toBase64Url(recipeJson(recipe))}`;
  return link.length <= LONGEST_LINK ? link : null;
}

// {recipe}, or {seed, attributes, psi, size}, or null where the address says nothing of use.
export function readLink(hash) {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  try {
    if (fields.has("r")) {
      const recipe = parseRecipe(fromBase64Url(fields.get("r")));
      return isRecipe(recipe) ? { recipe } : null;
    }
  } catch {
    return null;
  }
  const seed = checkSeed(fields.get("seed") ?? "");
  if (seed === null) return null;
  const attributes = {};
  for (const [name, value] of fields) {
    if (!["seed", "psi", "size"].includes(name) && value.length <= 40) attributes[name] = value;
  }
  const number = (name) => (Number.isFinite(Number.parseFloat(fields.get(name))) ? Number.parseFloat(fields.get(name)) : null);
  return { seed, attributes, psi: number("psi"), size: number("size") };
}

// For each attribute a choice for all seeds, or one for each where some choices are not wanted:
// "any" among the rest, which follows from the seed, so that a seed stays one picture.
export function choicesFor(attributes, wanted, unwanted, seeds) {
  const result = {};
  for (const [name, { choices }] of Object.entries(attributes)) {
    const excluded = new Set(unwanted[name] ?? []);
    const choice = wanted[name] ?? "any";
    const left = choices.filter((one) => !excluded.has(one));
    if (choice !== "any" || left.length === choices.length || left.length === 0) result[name] = choice;
    else result[name] = seeds.map((seed) => left[Number.parseInt(shortHash(`${name}:${seed}`), 36) % left.length]);
  }
  return result;
}
