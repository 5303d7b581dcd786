// The sliders of a directions file, as avatargan/editing/directions.py reads and walks them.

import { halvesToFloats } from "./half.js";

/** A slider is walked in so many equal parts. */
const PARTS = 8;

export class Directions {
  /**
   * @param {Uint8Array} bytes of the safetensors file
   * @param {string} sha256 of the file
   */
  constructor(bytes, sha256) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const headerLength = Number(view.getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerLength)));
    const tensor = (name) => {
      const { dtype, shape, data_offsets: at } = header[name];
      if (dtype !== "F16") throw new TypeError(`${name} is ${dtype}, expected F16`);
      const start = 8 + headerLength;
      return { shape, values: halvesToFloats(bytes.slice(start + at[0], start + at[1])) };
    };
    this.sha256 = sha256;
    this.sliders = JSON.parse(header.__metadata__.sliders);
    this.centre = tensor("centre").values;
    this.direction = tensor("directions");
    this.bendIn = tensor("bend_in");
    this.bendOut = tensor("bend_out");
  }

  /** Return the entry of a slider, whose names have spaces where commands take hyphens. */
  find(name) {
    const slider = this.sliders.find((one) => one.name === name);
    if (slider === undefined) throw new RangeError(`there is no slider '${name}'`);
    return slider;
  }

  /** Whether a slider moves the w of every block alike. */
  movesAlike(name) {
    const slider = this.sliders.indexOf(this.find(name));
    const alike = ({ shape, values }, from) => {
      const [blocks, width] = shape.slice(-2);
      for (let i = width; i < blocks * width; i++) {
        if (values[from + i] !== values[from + (i % width)]) return false;
      }
      return true;
    };
    const [, bends, blocks, width] = this.bendOut.shape;
    if (!alike(this.direction, slider * blocks * width)) return false;
    return Array.from({ length: bends }, (_, bend) => (slider * bends + bend) * blocks * width)
      .every((from) => alike(this.bendOut, from));
  }

  /**
   * Walk along a slider.
   * @param {Float32Array[]} w one vector for each block of the synthesis
   * @param {string} name
   * @param {number} amount
   * @returns {Float32Array[]}
   */
  apply(w, name, amount) {
    const slider = this.sliders.indexOf(this.find(name));
    const [, blocks, width] = this.direction.shape;
    const bends = this.bendIn.shape[1];
    const moved = w.map((row) => Float64Array.from(row));
    const mean = new Float64Array(width);
    for (let part = 0; part < PARTS; part++) {
      for (let i = 0; i < width; i++) {
        mean[i] = moved.reduce((sum, row) => sum + row[i], 0) / blocks - this.centre[i];
      }
      const strengths = Array.from({ length: bends }, (_, bend) => {
        const from = (slider * bends + bend) * width;
        let sum = 0;
        for (let i = 0; i < width; i++) sum += this.bendIn.values[from + i] * mean[i];
        return sum;
      });
      for (let block = 0; block < blocks; block++) {
        for (let i = 0; i < width; i++) {
          let step = this.direction.values[(slider * blocks + block) * width + i];
          for (let bend = 0; bend < bends; bend++) {
            const at = ((slider * bends + bend) * blocks + block) * width + i;
            step += strengths[bend] * this.bendOut.values[at];
          }
          moved[block][i] += (amount / PARTS) * step;
        }
      }
    }
    return moved.map((row) => Float32Array.from(row));
  }
}
