// The layers of a document, drawn: for the eye, and for whoever makes a picture of them.
import { draw } from "./strokes.js";

export const INK = "#1b1720";
// The colours that stand for parts in a picture of labels; the reader of sketches knows them.
export const LABEL_COLOURS = { hair: "#e6194b", skin: "#f58230", eyes: "#0082c8", ground: "#3cb44b" };
const pictures = new Map();

// Loaded sketches have to be decoded before they can be drawn. Resolves once all of them are.
export async function prepare(document) {
  await Promise.all(
    document.actions.filter(({ kind }) => kind === "picture").map(async ({ source }) => {
      if (pictures.has(source)) return;
      const image = new Image();
      image.src = source;
      try {
        await image.decode();
        pictures.set(source, image);
      } catch {
        // A damaged picture is not shown; the rest of the board is.
      }
    }),
  );
}

// Draws one layer ("lines", "colours" or "labels") of a document, and the stroke in hand.
export function drawLayer(canvas, document, layer, current = null) {
  const context = canvas.getContext("2d");
  const size = canvas.width;
  context.clearRect(0, 0, size, size);
  const actions = current ? [...document.visible(), current] : document.visible();
  for (const action of actions) {
    if (action.kind === "picture" && layer === "lines") {
      const image = pictures.get(action.source);
      if (image) context.drawImage(image, 0, 0, size, size);
    }
    if (action.kind === "stroke") drawStroke(context, action, layer, size);
  }
}

function drawStroke(context, stroke, layer, size) {
  if ((stroke.layer === "lines") !== (layer === "lines")) return;
  context.save();
  if (stroke.tool === "eraser") {
    context.globalCompositeOperation = "destination-out";
    draw(context, stroke, size, "#000");
  } else if (layer === "labels") {
    // A colour for nothing in particular is no part's any more.
    if (!stroke.part) context.globalCompositeOperation = "destination-out";
    draw(context, stroke, size, LABEL_COLOURS[stroke.part] ?? "#000");
  } else if (layer === "colours" && !stroke.colour) {
    context.globalCompositeOperation = "destination-out"; // a part of any colour
    draw(context, stroke, size, "#000");
  } else {
    draw(context, stroke, size, layer === "lines" ? INK : stroke.colour);
  }
  context.restore();
}

// A layer as a PNG, or null where nothing is on it.
export async function layerAsPng(document, layer, size) {
  const wanted = layer === "lines" ? "lines" : "colours";
  const used = document.visible().some(
    (action) => (action.kind === "picture" && layer === "lines") || (action.layer === wanted && action.tool !== "eraser" &&
      (layer !== "labels" || action.part) && (layer !== "colours" || action.colour)),
  );
  if (!used) return null;
  await prepare(document);
  const canvas = Object.assign(globalThis.document.createElement("canvas"), { width: size, height: size });
  drawLayer(canvas, document, layer);
  if (layer === "lines") {
    const context = canvas.getContext("2d");
    context.globalCompositeOperation = "destination-over";
    context.fillStyle = "#fff";
    context.fillRect(0, 0, size, size);
  }
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
