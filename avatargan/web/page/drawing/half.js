// Numbers in half precision (IEEE 754 binary16), which recipes and weights are stored in.

/** The numbers of little-endian fp16 bytes. */
export function halvesToFloats(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.byteLength / 2 }, (_, i) =>
    halfToFloat(view.getUint16(2 * i, true)),
  );
}

function halfToFloat(half) {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Little-endian fp16 bytes of numbers, each rounded to the nearest, halfway to the even one. */
export function floatsToHalves(numbers) {
  const view = new DataView(new ArrayBuffer(2 * numbers.length));
  numbers.forEach((number, i) => view.setUint16(2 * i, floatToHalf(number), true));
  return new Uint8Array(view.buffer);
}

function floatToHalf(number) {
  const sign = number < 0 || Object.is(number, -0) ? 0x8000 : 0;
  const size = Math.abs(number);
  if (size === 0) return sign;
  const exponent = Math.max(Math.floor(Math.log2(size)), -14);
  // In units of the last bit; a carry into the next exponent comes out right by itself.
  const units = roundHalfEven(size / 2 ** (exponent - 10));
  const half = units < 1024 ? units : (exponent + 15) * 1024 + (units - 1024);
  if (half >= 0x7c00) throw new RangeError("a number is too large for half precision");
  return sign | half;
}

function roundHalfEven(number) {
  const low = Math.floor(number);
  const rest = number - low;
  if (rest !== 0.5) return Math.round(number);
  return low % 2 === 0 ? low : low + 1;
}
