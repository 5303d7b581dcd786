// Morphs: frames between characters, straight in w and in the palette's embeddings, each step
// eased; what `avatargan morph --space w` draws.

/** Start and end of each step are slow (Hermite's 3u^2 - 2u^3). */
const smooth = (u) => u * u * (3 - 2 * u);

/**
 * Where each frame is: the keyframes before and after it, and how far between them.
 * @param {number} count of frames
 * @param {number} keyframes
 * @param {boolean} loop whether the last leads back to the first
 */
export function schedule(count, keyframes, loop) {
  const segments = loop ? keyframes : keyframes - 1;
  return Array.from({ length: count }, (_, frame) => {
    let position = (frame / (loop ? count : Math.max(count - 1, 1))) * segments;
    const nearest = Math.round(position);
    if (Math.abs(position - nearest) < 1e-9) position = nearest;
    const start = Math.min(Math.floor(position), segments - 1);
    return { start, end: (start + 1) % keyframes, part: smooth(position - start) };
  });
}

/**
 * Draw the frames of a morph.
 * @param {import("./engine.js").Engine} engine
 * @param {object[]} keyframes recipes
 * @param {{count: number, size: number, loop: boolean}} options
 * @yields {Uint8Array} pixels
 */
export async function* frames(engine, keyframes, { count, size, loop }) {
  const ends = [];
  for (const recipe of keyframes) {
    ends.push({ w: await engine.latents.wOf(recipe), palette: engine.palette(recipe.attributes) });
  }
  const between = (a, b, part) => a.map((value, i) => (1 - part) * value + part * b[i]);
  for (const { start, end, part } of schedule(count, keyframes.length, loop)) {
    const [a, b] = [ends[start], ends[end]];
    const w = a.w.map((row, block) => between(row, b.w[block], part));
    yield engine.render(w, between(a.palette, b.palette, part), size);
  }
}
