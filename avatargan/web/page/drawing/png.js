// Pixels to PNG files with a recipe inside, and to animated ones.

import { KEYWORD, SIGNATURE } from "../carried.js";
import { recipeJson } from "../recipes.js";
import { crc32 } from "./crc32.js";

/**
 * A PNG of 8-bit pixels.
 * @param {Uint8Array} pixels RGB or RGBA, row by row
 * @param {number} side width and height in pixels
 * @param {object} recipe
 * @returns {Promise<Uint8Array>}
 */
export async function encodePng(pixels, side, recipe) {
  const text = new TextEncoder().encode(`${KEYWORD}\0${asciiJson(recipe)}`);
  return join([
    SIGNATURE,
    chunk("IHDR", imageHeader(side, pixels.length / (side * side))),
    chunk("tEXt", text),
    chunk("IDAT", await deflate(filtered(pixels, side))),
    chunk("IEND", new Uint8Array()),
  ]);
}

/**
 * An animated PNG (APNG) of frames of 8-bit RGB pixels, one after the other.
 * @param {AsyncIterable<Uint8Array>} frames
 * @param {{side: number, count: number, fps: number, loop: boolean}} options
 * @returns {Promise<Uint8Array>}
 */
export async function encodeAnimation(frames, { side, count, fps, loop }) {
  const parts = [SIGNATURE, chunk("IHDR", imageHeader(side, 3))];
  parts.push(chunk("acTL", words(count, loop ? 0 : 1)));
  let sequence = 0;
  for await (const pixels of frames) {
    const control = new Uint8Array(26);
    control.set(words(sequence++, side, side, 0, 0));
    new DataView(control.buffer).setUint16(20, 1000 / fps);
    new DataView(control.buffer).setUint16(22, 1000);
    parts.push(chunk("fcTL", control));
    const content = await deflate(filtered(pixels, side));
    if (sequence === 1) parts.push(chunk("IDAT", content));
    else parts.push(chunk("fdAT", join([words(sequence++), content])));
  }
  return join([...parts, chunk("IEND", new Uint8Array())]);
}

function words(...numbers) {
  const view = new DataView(new ArrayBuffer(4 * numbers.length));
  numbers.forEach((number, i) => view.setUint32(4 * i, number));
  return new Uint8Array(view.buffer);
}

function imageHeader(side, channels) {
  return join([words(side, side), Uint8Array.of(8, channels === 4 ? 6 : 2, 0, 0, 0)]);
}

/** Each row less the one above: what drawn pictures shrink well with. */
function filtered(pixels, side) {
  const width = pixels.length / side;
  const rows = new Uint8Array(side * (width + 1));
  for (let y = 0; y < side; y++) {
    const from = y * width;
    const to = y * (width + 1);
    rows[to] = y === 0 ? 0 : 2;
    for (let x = 0; x < width; x++) {
      rows[to + 1 + x] = y === 0 ? pixels[x] : pixels[from + x] - pixels[from + x - width];
    }
  }
  return rows;
}

/** JSON in ASCII alone: text chunks are Latin-1. */
function asciiJson(value) {
  return recipeJson(value).replace(
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

function join(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
