// The characters of the collection as a game takes them: PNGs, a manifest, sheets with an atlas.
// Made in the browser, picture by picture, whoever draws.
import { fileStem, recipeJson } from "./recipes.js";
import { distinct, makeZip } from "./zip.js";

const COLUMNS = 8;
const SHEET_SIDE = 4096; // many phones' graphics stop there
const PADDING = 2;

// Returns {zip, pictures, skipped}. entries: of the collection.
export async function exportRecipes(backend, entries, { size, transparent, manifest, sheets }, watch) {
  const encoder = new TextEncoder();
  const names = distinct(entries.map(({ title, recipe }) => (title ? title.replace(/[^\p{L}\p{N}_-]+/gu, "_") : fileStem(recipe))));
  const files = [];
  const drawn = [];
  let skipped = 0;
  for (const [index, { recipe }] of entries.entries()) {
    const wanted = { ...recipe, size, ...(transparent ? { transparent: true, format: 2 } : {}) };
    try {
      const [picture] = await backend.draw({ recipes: [wanted] }, { signal: watch.signal });
      const name = `${names[index]}.png`;
      files.push({ name, bytes: new Uint8Array(await picture.png.arrayBuffer()) });
      drawn.push({ name, ...picture, entry: entries[index] });
    } catch (error) {
      if (error.kind !== "weights" && error.kind !== "recipe") throw error;
      skipped += 1;
    }
    watch.onProgress?.({ done: index + 1, total: entries.length });
  }
  if (manifest) {
    const lines = drawn.map(({ name, recipe, entry }) => recipeJson({ file: name, title: entry.title, tags: entry.tags, recipe }));
    files.push({ name: "manifest.jsonl", bytes: encoder.encode(`${lines.join("\n")}\n`) });
    files.push({ name: "manifest.csv", bytes: encoder.encode(table(drawn)) });
  }
  if (sheets) files.push(...(await sheetsOf(drawn, size)));
  return { zip: makeZip(files), pictures: drawn.length, skipped };
}

function table(drawn) {
  const attributes = [...new Set(drawn.flatMap(({ recipe }) => Object.keys(recipe.attributes)))];
  const cell = (value) => {
    const words = String(value ?? "");
    const plain = /^[=+\-@\t\r]/.test(words) ? `'${words}` : words; // no formula in a spreadsheet
    return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  };
  const rows = drawn.map(({ name, recipe, entry }) => [
    name, recipe.seed, ...attributes.map((one) => recipe.attributes[one]), recipe.psi, recipe.weights_sha256, entry.title, (entry.tags ?? []).join(" "),
  ]);
  return [["file", "seed", ...attributes, "psi", "weights_sha256", "title", "tags"], ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

// Places of pictures on sheets, all of one size: [[{x, y}, ...], ...].
export function layOut(count, size) {
  const step = size + PADDING;
  const side = Math.max(1, Math.min(COLUMNS, Math.floor((SHEET_SIDE - PADDING) / step)));
  const sheets = [];
  for (let start = 0; start < count; start += side * side) {
    const here = Math.min(side * side, count - start);
    sheets.push(Array.from({ length: here }, (_, index) => ({ x: PADDING + (index % side) * step, y: PADDING + Math.floor(index / side) * step })));
  }
  return sheets;
}

async function sheetsOf(drawn, size) {
  const files = [];
  let next = 0;
  for (const [number, places] of layOut(drawn.length, size).entries()) {
    const width = Math.max(...places.map(({ x }) => x)) + size + PADDING;
    const height = Math.max(...places.map(({ y }) => y)) + size + PADDING;
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d");
    const frames = {};
    for (const { x, y } of places) {
      const { name, png } = drawn[next++];
      context.drawImage(await createImageBitmap(png), x, y);
      frames[name] = {
        frame: { x, y, w: size, h: size },
        rotated: false,
        trimmed: false,
        spriteSourceSize: { x: 0, y: 0, w: size, h: size },
        sourceSize: { w: size, h: size },
      };
    }
    const image = `sheet-${number}.png`;
    const meta = { app: "avatargan", version: "1.0", image, format: "RGBA8888", size: { w: width, h: height }, scale: "1" };
    const blob = await canvas.convertToBlob({ type: "image/png" });
    files.push({ name: `sheets/${image}`, bytes: new Uint8Array(await blob.arrayBuffer()) });
    files.push({ name: `sheets/sheet-${number}.json`, bytes: new TextEncoder().encode(JSON.stringify({ frames, meta }, null, 2)) });
  }
  return files;
}
