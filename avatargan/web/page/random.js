// NumPy's random numbers, bit for bit: the same seed is the same character here and in Python.
//
// Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), NumPy's
// SeedSequence (O'Neill's seed_seq_fe), its ziggurat for N(0, 1) and its bounded integers
// (Lemire, arXiv 1805.10941).

import { HEIGHTS, INVERSE_TAIL, TAIL, THRESHOLDS, WIDTHS } from "./ziggurat.js";

/** The largest seed there is, 2^63 - 1. */
export const LARGEST_SEED = (1n << 63n) - 1n;

const MASK_64 = (1n << 64n) - 1n;
const MASK_52 = (1n << 52n) - 1n;

const POOL_SIZE = 4;
const INIT_A = 0x43b0d7e5;
const MULTIPLIER_A = 0x931e8875;
const INIT_B = 0x8b51f9dd;
const MULTIPLIER_B = 0x58f38ded;
const MIX_LEFT = 0xca01f9dd;
const MIX_RIGHT = 0x4973f715;

/** Split a non-negative integer into 32-bit words, the lowest first; 0 is one word. */
function wordsOf(integer) {
  let rest = BigInt(integer);
  if (rest < 0n) throw new RangeError(`a seed must not be negative, got ${integer}`);
  const words = [];
  do {
    words.push(Number(rest & 0xffffffffn));
    rest >>= 32n;
  } while (rest > 0n);
  return words;
}

/** numpy.random.SeedSequence: spreads few bits of entropy over as many as are wanted. */
export class SeedSequence {
  /** @param {bigint | number | Array<bigint | number>} entropy non-negative integers */
  constructor(entropy) {
    const words = Array.isArray(entropy) ? entropy.flatMap(wordsOf) : wordsOf(entropy);
    let constant = INIT_A;
    const hash = (word) => {
      let value = word ^ constant;
      constant = Math.imul(constant, MULTIPLIER_A);
      value = Math.imul(value, constant);
      return (value ^ (value >>> 16)) >>> 0;
    };
    const mix = (x, y) => {
      const value = (Math.imul(MIX_LEFT, x) - Math.imul(MIX_RIGHT, y)) | 0;
      return (value ^ (value >>> 16)) >>> 0;
    };
    this.pool = Array.from({ length: POOL_SIZE }, (_, i) => hash(words[i] ?? 0));
    for (let source = 0; source < POOL_SIZE; source++) {
      for (let target = 0; target < POOL_SIZE; target++) {
        if (source !== target) {
          this.pool[target] = mix(this.pool[target], hash(this.pool[source]));
        }
      }
    }
    for (const word of words.slice(POOL_SIZE)) {
      for (let target = 0; target < POOL_SIZE; target++) {
        this.pool[target] = mix(this.pool[target], hash(word));
      }
    }
  }

  /** Return 64-bit integers, as `generate_state(count, np.uint64)`. */
  generate64(count) {
    let constant = INIT_B;
    const next = (word) => {
      let value = word ^ constant;
      constant = Math.imul(constant, MULTIPLIER_B);
      value = Math.imul(value, constant);
      return (value ^ (value >>> 16)) >>> 0;
    };
    return Array.from({ length: count }, (_, i) => {
      const low = next(this.pool[(2 * i) % POOL_SIZE]);
      const high = next(this.pool[(2 * i + 1) % POOL_SIZE]);
      return (BigInt(high) << 32n) | BigInt(low);
    });
  }
}

const MULTIPLIER_0 = 0xd2e7470ee14c6c93n;
const MULTIPLIER_1 = 0xca5a826395121157n;
const WEYL_0 = 0x9e3779b97f4a7c15n;
const WEYL_1 = 0xbb67ae8584caa73bn;
const ROUNDS = 10;

/** numpy.random.Generator(numpy.random.Philox(seed)). */
export class Philox {
  /** @param {bigint | number | SeedSequence} seed a non-negative integer, or a sequence */
  constructor(seed) {
    const sequence = seed instanceof SeedSequence ? seed : new SeedSequence(seed);
    this.key = sequence.generate64(2);
    this.counter = 0n; // the three higher words stay 0: nobody draws 2^64 blocks
    this.buffer = [];
    this.half = null;
  }

  next64() {
    if (this.buffer.length === 0) {
      this.counter += 1n;
      let [c0, c1, c2, c3] = [this.counter, 0n, 0n, 0n];
      let [k0, k1] = this.key;
      for (let round = 0; round < ROUNDS; round++) {
        const product0 = MULTIPLIER_0 * c0;
        const product1 = MULTIPLIER_1 * c2;
        c0 = (product1 >> 64n) ^ c1 ^ k0;
        c1 = product1 & MASK_64;
        c2 = (product0 >> 64n) ^ c3 ^ k1;
        c3 = product0 & MASK_64;
        k0 = (k0 + WEYL_0) & MASK_64;
        k1 = (k1 + WEYL_1) & MASK_64;
      }
      this.buffer = [c3, c2, c1, c0]; // popped from the end
    }
    return this.buffer.pop();
  }

  next32() {
    if (this.half !== null) {
      const half = this.half;
      this.half = null;
      return half;
    }
    const both = this.next64();
    this.half = Number(both >> 32n);
    return Number(both & 0xffffffffn);
  }

  /** A number from [0, 1) with 53 bits. */
  nextDouble() {
    return Number(this.next64() >> 11n) / 2 ** 53;
  }

  /** An integer from 0 to below `end`, which is at most 2^32 - 1; as `integers(end)`. */
  integer(end) {
    if (end === 1) return 0;
    const range = BigInt(end);
    const threshold = (2n ** 32n - range) % range;
    for (;;) {
      const product = BigInt(this.next32()) * range;
      if ((product & 0xffffffffn) >= threshold) return Number(product >> 32n);
    }
  }

  /** A number from N(0, 1), as `standard_normal()`. */
  normal() {
    for (;;) {
      const bits = this.next64();
      const layer = Number(bits & 0xffn);
      const negative = (bits >> 8n) & 1n;
      const magnitude = Number((bits >> 9n) & MASK_52);
      const x = magnitude * WIDTHS[layer] * (negative ? -1 : 1);
      if (magnitude < THRESHOLDS[layer]) return x;
      if (layer === 0) return this.#tail(magnitude);
      const height = (HEIGHTS[layer - 1] - HEIGHTS[layer]) * this.nextDouble() + HEIGHTS[layer];
      if (height < Math.exp(-0.5 * x * x)) return x;
    }
  }

  /** A number from the gamma distribution of a shape above 1 (Marsaglia and Tsang, 2000). */
  gamma(shape) {
    const b = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * b);
    for (;;) {
      const x = this.normal();
      const root = 1 + c * x;
      if (root <= 0) continue;
      const v = root * root * root;
      const u = this.nextDouble();
      if (u < 1 - 0.0331 * (x * x) * (x * x)) return b * v;
      if (Math.log(u) < 0.5 * x * x + b * (1 - v + Math.log(v))) return b * v;
    }
  }

  /** Numbers from N(0, 1), as `standard_normal(count)` turned into float32. */
  normals(count) {
    return Float32Array.from({ length: count }, () => this.normal());
  }

  #tail(magnitude) {
    for (;;) {
      const x = -INVERSE_TAIL * Math.log1p(-this.nextDouble());
      const y = -Math.log1p(-this.nextDouble());
      if (y + y > x * x) return Math.floor(magnitude / 256) % 2 ? -(TAIL + x) : TAIL + x;
    }
  }
}

/** z of a seed, as `avatargan.latents.seeds_to_z`. */
export function seedToZ(seed, zDim) {
  return new Philox(BigInt(seed)).normals(zDim);
}
