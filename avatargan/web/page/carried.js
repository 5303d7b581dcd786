// The recipe that a picture carries: in a text chunk of a PNG, in a comment of a JPEG thumbnail.
import { recipeJson } from "./recipes.js";

export const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
// Of the text chunk that holds the recipe.
export const KEYWORD = "avatargan";

export function isPng(bytes) {
  return SIGNATURE.every((byte, index) => bytes[index] === byte);
}

// Yields {type, data} of each chunk; stops where the file is cut off.
function* chunksOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = SIGNATURE.length;
  while (offset + 12 <= bytes.length) {
    const length = view.getUint32(offset);
    if (offset + 12 + length > bytes.length) return;
    const type = String.fromCharCode(...bytes.subarray(offset + 4, offset + 8));
    yield { type, data: bytes.subarray(offset + 8, offset + 8 + length) };
    offset += 12 + length;
  }
}

// The recipe's text, or null.
export function recipeText(bytes) {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return jpegComment(bytes);
  if (!isPng(bytes)) return null;
  for (const { type, data } of chunksOf(bytes)) {
    if (type !== "tEXt" && type !== "iTXt") continue;
    const zero = data.indexOf(0);
    if (zero < 0 || latin(data.subarray(0, zero)) !== KEYWORD) continue;
    if (type === "tEXt") return latin(data.subarray(zero + 1));
    if (data[zero + 1] !== 0) return null; // compressed: nobody of us writes that
    const language = data.indexOf(0, zero + 3);
    const translated = data.indexOf(0, language + 1);
    return new TextDecoder().decode(data.subarray(translated + 1));
  }
  return null;
}

function latin(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

// A JPEG with the recipe as a comment (ITU T.81, B.2.4.5), so that a thumbnail which somebody saves
// still leads to its character.
export function withComment(jpeg, recipe) {
  const text = new TextEncoder().encode(`${KEYWORD}\0${recipeJson(recipe)}`);
  if (text.length > 65533) return jpeg;
  const length = text.length + 2;
  const marked = new Uint8Array(jpeg.length + length + 2);
  marked.set(jpeg.subarray(0, 2));
  marked.set([0xff, 0xfe, length >> 8, length & 0xff], 2);
  marked.set(text, 6);
  marked.set(jpeg.subarray(2), 6 + text.length);
  return marked;
}

function jpegComment(bytes) {
  let offset = 2;
  while (offset + 4 <= bytes.length && bytes[offset] === 0xff && bytes[offset + 1] !== 0xda) {
    const length = (bytes[offset + 2] << 8) | bytes[offset + 3];
    if (bytes[offset + 1] === 0xfe) {
      const text = new TextDecoder().decode(bytes.subarray(offset + 4, offset + 2 + length));
      if (text.startsWith(`${KEYWORD}\0`)) return text.slice(KEYWORD.length + 1);
    }
    offset += 2 + length;
  }
  return null;
}
