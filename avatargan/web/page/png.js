// The recipe inside a PNG, as the PNG specification describes its chunks.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const KEYWORD = "avatargan";

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
