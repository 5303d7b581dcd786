// PNG files with a recipe inside, and recipes out of them.

import { crc32 } from "./crc32.js";
import { parseRecipes, stringifyRecipes } from "../recipe_json.js";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** The keyword of the text chunk that holds the recipe; as in avatargan/recipe.py. */
export const KEYWORD = "avatargan";
/** No recipe is longer. */
const LONGEST_RECIPE = 1 << 20;

/**
 * A PNG of 8-bit pixels.
 * @param {Uint8Array} pixels RGB or RGBA, row by row
 * @param {number} side width and height in pixels
 * @param {object} recipe
 * @returns {Promise<Uint8Array>}
 */
export async function encodePng(pixels, side, recipe) {
  const channels = pixels.length / (side * side);
  const rows = new Uint8Array(side * (side * channels + 1));
  for (let y = 0; y < side; y++) {
    filterUp(rows, pixels, y, side * channels);
  }
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, side);
  header.setUint32(4, side);
  header.setUint8(8, 8);
  header.setUint8(9, channels === 4 ? 6 : 2);
  const text = new TextEncoder().encode(`${KEYWORD}\0${asciiJson(recipe)}`);
  return join([
    SIGNATURE,
    chunk("IHDR", new Uint8Array(header.buffer)),
    chunk("tEXt", text),
    chunk("IDAT", await deflate(rows)),
    chunk("IEND", new Uint8Array()),
  ]);
}

/**
 * The recipe inside a PNG file, or null where there is none.
 * @param {Uint8Array} bytes
 */
export async function recipeOf(bytes) {
  if (!SIGNATURE.every((byte, i) => bytes[i] === byte)) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = SIGNATURE.length;
  while (at + 12 <= bytes.length) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const content = bytes.subarray(at + 8, at + 8 + length);
    const text = await textOf(kind, content);
    if (text !== null) {
      try {
        return parseRecipes(text);
      } catch {
        return null;
      }
    }
    at += 12 + length;
  }
  return null;
}

/** Each row less the one above: what drawn pictures shrink well with. */
function filterUp(rows, pixels, y, width) {
  const from = y * width;
  const to = y * (width + 1);
  rows[to] = y === 0 ? 0 : 2;
  for (let x = 0; x < width; x++) {
    rows[to + 1 + x] = y === 0 ? pixels[x] : pixels[from + x] - pixels[from + x - width];
  }
}

async function textOf(kind, content) {
  if (!["tEXt", "zTXt", "iTXt"].includes(kind)) return null;
  const end = content.indexOf(0);
  if (new TextDecoder("latin1").decode(content.subarray(0, end)) !== KEYWORD) return null;
  if (kind === "tEXt") return new TextDecoder("latin1").decode(content.subarray(end + 1));
  if (kind === "zTXt") return new TextDecoder("latin1").decode(await inflate(content.subarray(end + 2)));
  const compressed = content[end + 1] === 1;
  const language = content.indexOf(0, end + 3);
  const value = content.subarray(content.indexOf(0, language + 1) + 1);
  return new TextDecoder().decode(compressed ? await inflate(value) : value);
}

/** JSON in ASCII alone: text chunks are Latin-1. */
function asciiJson(value) {
  return stringifyRecipes(value).replace(
    /[\u007f-\uffff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function chunk(kind, content) {
  const whole = new Uint8Array(content.length + 12);
  const view = new DataView(whole.buffer);
  view.setUint32(0, content.length);
  for (let i = 0; i < 4; i++) whole[4 + i] = kind.charCodeAt(i);
  whole.set(content, 8);
  view.setUint32(content.length + 8, crc32(whole.subarray(4, content.length + 8)));
  return whole;
}

async function deflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Unpack, but never more than a recipe can be. */
async function inflate(bytes) {
  const parts = [];
  let length = 0;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  for (const reader = stream.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return join(parts);
    length += value.length;
    if (length > LONGEST_RECIPE) throw new RangeError("the text in this PNG is too long");
    parts.push(value);
  }
}

function join(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
