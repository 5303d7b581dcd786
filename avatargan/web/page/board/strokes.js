// Strokes to paths: smoothing, straight lines, ellipses, mirror images. Pure functions.

// A hand that trembles by a pixel or two is not meant to.
const SMOOTHING = 0.45;
// Points closer than this (in boards) tell nothing new.
const CLOSEST = 0.0025;

// Adds a point to a stroke while it is drawn: what trembles is evened out, what is too close left
// out. Returns whether it was added.
export function extend(points, [x, y, pressure]) {
  const last = points.at(-1);
  if (!last) {
    points.push([x, y, pressure]);
    return true;
  }
  const next = [
    x + (last[0] - x) * SMOOTHING,
    y + (last[1] - y) * SMOOTHING,
    pressure + (last[2] - pressure) * 0.6,
  ].map(rounded);
  if (Math.hypot(next[0] - last[0], next[1] - last[1]) < CLOSEST) return false;
  points.push(next);
  return true;
}

const rounded = (value) => Math.round(value * 1e4) / 1e4;

// The points that are drawn for a stroke: those of its tool, and those of its mirror image.
export function outlines(stroke) {
  const own = shape(stroke);
  return stroke.mirror ? [own, own.map(([x, y, pressure]) => [1 - x, y, pressure])] : [own];
}

function shape({ tool, points }) {
  if (tool === "line" && points.length > 1) return [points[0], points.at(-1)];
  if (tool === "ellipse" && points.length > 1) return ellipse(points[0], points.at(-1));
  return points;
}

export function ellipse([left, top, pressure], [right, bottom]) {
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  const [across, down] = [Math.abs(right - left) / 2, Math.abs(bottom - top) / 2];
  return Array.from({ length: 49 }, (_, index) => {
    const angle = (index / 48) * 2 * Math.PI;
    return [x + across * Math.cos(angle), y + down * Math.sin(angle), pressure];
  });
}

// Draws a stroke into a canvas context of `size` pixels a side.
export function draw(context, stroke, size, style) {
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = context.fillStyle = style;
  for (const points of outlines(stroke)) {
    if (points.length === 1) {
      const [x, y, pressure] = points[0];
      context.beginPath();
      context.arc(x * size, y * size, (widthAt(stroke, pressure) * size) / 2, 0, 2 * Math.PI);
      context.fill();
      continue;
    }
    if (stroke.tool !== "pencil") {
      path(context, points, size);
      context.lineWidth = widthAt(stroke, 0.5) * size;
      context.stroke();
      continue;
    }
    // Each piece is as thick as the pencil was pressed; through the middles, so that it is smooth.
    for (let index = 1; index < points.length; index++) {
      const [before, here] = [points[Math.max(index - 2, 0)], points[index]];
      const last = points[index - 1];
      const start = index === 1 ? last : middle(before, last);
      const end = index === points.length - 1 ? here : middle(last, here);
      context.beginPath();
      context.moveTo(start[0] * size, start[1] * size);
      context.quadraticCurveTo(last[0] * size, last[1] * size, end[0] * size, end[1] * size);
      context.lineWidth = widthAt(stroke, (last[2] + here[2]) / 2) * size;
      context.stroke();
    }
  }
}

const middle = (first, second) => [(first[0] + second[0]) / 2, (first[1] + second[1]) / 2];
const widthAt = ({ width }, pressure) => width * (0.4 + 1.2 * pressure);

function path(context, points, size) {
  context.beginPath();
  points.forEach(([x, y], index) =>
    index ? context.lineTo(x * size, y * size) : context.moveTo(x * size, y * size),
  );
}
