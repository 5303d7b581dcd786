// A faint face to start from: it is shown under the board and is no part of the sketch.
const SPACE = "http://www.w3.org/2000/svg";

// Where the generator has heads, eyes and mouths, on a grid of 100.
const PATHS = [
  "M24 40C23 60 34 74 50 81C66 74 77 60 76 40", // face
  "M10 78C2 40 10 4 50 3C90 4 98 40 90 78", // hair
  "M27 45Q34 37 42 44M29 46Q34 56 41 46", // eyes
  "M58 44Q66 37 73 45M59 46Q66 56 71 46",
  "M27 35Q34 31 42 34M58 34Q66 31 73 35", // brows
  "M50 57L49.5 59", // nose
  "M44 66Q50 69 56 66", // mouth
  "M41 77V86Q26 89 12 100M59 77V86Q74 89 88 100", // neck and shoulders
  "M24 42Q30 22 50 18Q70 22 76 42", // fringe
];

export function buildGuide() {
  const svg = document.createElementNS(SPACE, "svg");
  svg.setAttribute("viewBox", "0 0 100 100");
  svg.setAttribute("class", "board-guide");
  svg.setAttribute("aria-hidden", "true");
  for (const d of PATHS) {
    const path = document.createElementNS(SPACE, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}
