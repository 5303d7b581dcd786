// What was drawn, as a list of actions: everything can be taken back, and nothing is lost by
// clearing. Places are in [0, 1] of the board, so that the document does not know how large it is
// shown. Knows no page; runs in Node as well.
//
// Actions:
//   {kind: "stroke", layer, tool, points: [[x, y, pressure], ...], width, colour, part, mirror}
//     layer: "lines" or "colours"; tool: pencil, eraser, line, ellipse
//     colour: "#rrggbb" on the colours layer; part: hair, skin, eyes, ground, or "" for none
//   {kind: "picture", source}: a sketch that was loaded, as a data URL, cleaned already
//   {kind: "clear"}: all that was before is gone, until it is undone

export const VERSION = 1;
export const LAYERS = ["lines", "colours"];
export const TOOLS = ["pencil", "eraser", "line", "ellipse"];
export const PARTS = ["hair", "skin", "eyes", "ground"];
// Further actions are kept, but the oldest can no longer be taken back.
export const MOST_ACTIONS = 4000;
const MOST_POINTS = 4000;

export class BoardDocument {
  constructor(actions = [], undone = []) {
    this.actions = actions;
    this.undone = undone;
  }

  add(action) {
    this.actions.push(action);
    this.undone = [];
    if (this.actions.length > MOST_ACTIONS) this.actions.splice(0, this.actions.length - MOST_ACTIONS);
  }

  undo() {
    const action = this.actions.pop();
    if (action) this.undone.push(action);
    return Boolean(action);
  }

  redo() {
    const action = this.undone.pop();
    if (action) this.actions.push(action);
    return Boolean(action);
  }

  get canUndo() {
    return this.actions.length > 0;
  }

  get canRedo() {
    return this.undone.length > 0;
  }

  // What is there to be seen: the actions since the last clearing.
  visible() {
    const cleared = this.actions.findLastIndex(({ kind }) => kind === "clear");
    return this.actions.slice(cleared + 1);
  }

  get isEmpty() {
    return !this.visible().some(({ kind, tool }) => kind === "picture" || tool !== "eraser");
  }

  toJSON() {
    return { version: VERSION, actions: this.actions, undone: this.undone };
  }

  // What cannot be read gives an empty board, never an error.
  static from(json) {
    if (json?.version !== VERSION || !Array.isArray(json.actions)) return new BoardDocument();
    const undone = Array.isArray(json.undone) ? json.undone : [];
    return new BoardDocument(json.actions.filter(isAction), undone.filter(isAction));
  }
}

export function isAction(action) {
  if (action?.kind === "clear") return true;
  if (action?.kind === "picture") return /^data:image\/(png|webp|jpeg);base64,/.test(action.source);
  if (action?.kind !== "stroke" || !LAYERS.includes(action.layer) || !TOOLS.includes(action.tool)) return false;
  const { points, width, colour, part } = action;
  return (
    Array.isArray(points) && points.length > 0 && points.length <= MOST_POINTS &&
    points.every((point) => Array.isArray(point) && point.length === 3 && point.every(Number.isFinite)) &&
    Number.isFinite(width) && width > 0 && width <= 1 &&
    (colour === undefined || /^#[0-9a-f]{6}$/.test(colour)) &&
    (part === undefined || part === "" || PARTS.includes(part))
  );
}
