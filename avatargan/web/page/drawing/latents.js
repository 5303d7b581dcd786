// Interpolation and truncation, as in avatargan/latents.py.

/** start + t * (end - start). */
export function lerp(start, end, t) {
  return Float32Array.from(start, (value, i) => value + t * (end[i] - value));
}

/** Along the great circle (White, arXiv 1609.04468); lengths go linearly. */
export function slerp(start, end, t) {
  const lengthA = Math.hypot(...start);
  const lengthB = Math.hypot(...end);
  let cosine = 0;
  for (let i = 0; i < start.length; i++) cosine += (start[i] / lengthA) * (end[i] / lengthB);
  const angle = Math.acos(Math.min(Math.max(cosine, -1), 1));
  const parallel = angle < 1e-6;
  const weightA = parallel ? 1 - t : Math.sin((1 - t) * angle) / Math.sin(angle);
  const weightB = parallel ? t : Math.sin(t * angle) / Math.sin(angle);
  const length = lengthA + t * (lengthB - lengthA);
  return Float32Array.from(
    start,
    (value, i) => (weightA * (value / lengthA) + weightB * (end[i] / lengthB)) * length,
  );
}

/** Pull w towards a mean: psi = 1 changes nothing, 0 gives the mean. */
export function truncate(w, mean, psi) {
  return Float32Array.from(w, (value, i) => mean[i] + psi * Math.fround(value - mean[i]));
}
