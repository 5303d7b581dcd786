// The drawing board: lines and dabs of colour on the left, what they become on the right.
//
//   mountBoard(element, {backend, facts, translate, labelOf, onResult})
//     -> {document, refresh(), destroy()}
//
// backend.sketch({sketch, hints, labels, follow, count, size, attributes}) gives
//   {pictures: [{recipe, png, painted, follows}], seen: {name: probability}, remark};
// sketch, hints and labels are PNG Blobs, hints and labels may be null. onResult(picture) is called
// with a picture that somebody wants to keep.
import { button, h, save, slider, toggle } from "../dom.js";
import { BoardDocument, PARTS } from "./document.js";
import { buildGuide } from "./guide.js";
import { drawLayer, LABEL_COLOURS, layerAsPng, prepare } from "./layers.js";
import { Live } from "./live.js";
import { cleaned } from "./paper.js";
import { keep, restore } from "./storage.js";
import { extend } from "./strokes.js";

const SHOWN_SIZE = 1024; // pixels of the board's canvases
const SENT_SIZE = 256; // of what is sent: the networks look at 128
const LIVE_PIXELS = 256;
const PROPOSALS = 4;
const HAIR_TO_START = "#8a5cc8";
const DEFAULTS = {
  tool: "pencil", width: 0.012, mirror: false, guide: true, lines: true, colours: true,
  colour: HAIR_TO_START, part: "hair", anyColour: false, follow: 0.1, attributes: {},
}
// Colours that hair, eyes and skin have in drawings.
const SWATCHES = [
  "#2b2730", "#85543a", "#f3cf6b", "#f28a2e", "#de3b40", "#f58fb8", "#8d58d6", "#3d7be8", "#35c9c2",
  "#45b25a", "#c6cbd4", "#fbfbfd", "#fde3d0", "#e9b894", "#a9714b",
];
// The tools, each with its path on a grid of 24.
const TOOL_ICONS = {
  pencil: "M4 20l1-5L16 4l4 4L9 19zM13.5 6.5l4 4",
  eraser: "M8 20h12M4 14l8-9 7 6-8 9H8zM9 8.5l7 6",
  line: "M5 19L19 5",
  ellipse: "M12 6c5 0 8.5 2.5 8.5 6S17 18 12 18s-8.5-2.5-8.5-6S7 6 12 6z",
  colour: "M12 3c4 5 6 8 6 11a6 6 0 01-12 0c0-3 2-6 6-11z",
}

export function mountBoard(element, { backend, facts, translate, labelOf = asWords, onResult }) {
  addStyle();
  const say = (key, values) => translate(`board_${key}`, values);
  const stored = restore();
  const state = { ...DEFAULTS, ...stored.settings };
  const board = { document: stored.document, current: null, answer: null };
  const listeners = new AbortController();
  const parts = build();
  element.replaceChildren(parts.root);
  const live = new Live({ ask, shown, failed, working: (busy) => parts.result.classList.toggle("busy", busy) });
  connectPointer();
  prepare(board.document).then(() => redraw());
  update();
  if (!board.document.isEmpty) live.changed();
  return {
    get document() {
      return board.document;
    },
    refresh: () => live.changed(),
    destroy: () => listeners.abort(),
  };

  // --- What is asked, and what comes back.

  async function ask() {
    const { document } = board;
    if (document.isEmpty) return null;
    const [sketch, hints, labels] = await Promise.all(
      ["lines", "colours", "labels"].map((layer) => layerAsPng(document, layer, SENT_SIZE)),
    );
    return backend.sketch({
      sketch: sketch ?? (await blank()),
      hints, labels,
      follow: state.follow,
      count: state.proposals ? PROPOSALS : 1,
      size: sizeNear(LIVE_PIXELS),
      attributes: wantedAttributes(),
    });
  }

  function sizeNear(pixels) {
    const sizes = facts?.sizes ?? [pixels];
    return sizes.reduce((best, size) => (Math.abs(size - pixels) < Math.abs(best - pixels) ? size : best));
  }

  function wantedAttributes() {
    return Object.fromEntries(Object.entries(state.attributes).filter(([name]) => facts?.attributes?.[name]));
  }

  function shown(answer) {
    board.answer = answer;
    for (const url of board.urls ?? []) URL.revokeObjectURL(url);
    board.urls = answer?.pictures.map(({ png }) => URL.createObjectURL(png)) ?? [];
    if (!(board.chosen < (answer?.pictures.length ?? 0))) board.chosen = 0;
    showResult();
  }

  function failed(error) {
    parts.remark.textContent = error?.reason || error?.message || say("failed");
    parts.remark.classList.add("bad");
  }

  function showResult() {
    const { answer } = board;
    const picture = answer?.pictures[board.chosen];
    parts.image.hidden = !picture;
    parts.empty.hidden = Boolean(picture);
    for (const each of [parts.keep, parts.download]) each.disabled = !picture;
    parts.proposals.replaceChildren();
    parts.seen.replaceChildren();
    parts.remark.classList.remove("bad");
    parts.remark.textContent = "";
    if (!picture) return;
    parts.image.src = board.urls[board.chosen];
    if (answer.pictures.length > 1) {
      parts.proposals.append(
        ...board.urls.map((url, index) =>
          h("button", {
            type: "button", class: "proposal", "aria-pressed": String(index === board.chosen),
            "aria-label": say("proposal", { number: index + 1 }),
            onclick: () => ((board.chosen = index), showResult()),
          }, h("img", { src: url, alt: "" })),
        ),
      );
    }
    const likely = Object.entries(answer.seen ?? {}).sort((one, other) => other[1] - one[1]).slice(0, 5);
    parts.seen.append(
      ...likely.map(([name, probability]) =>
        h("li", {}, h("span", {}, nameOfTrait(name)),
          h("meter", { min: 0, max: 1, value: probability, "aria-label": nameOfTrait(name) }),
          h("output", {}, probability.toFixed(1))),
      ),
    );
    parts.remark.textContent = [answer.remark, picture.painted ? say("painted") : ""].filter(Boolean).join(" ");
  }

  function nameOfTrait(name) {
    const key = `board_trait_${name.replace(/\W+/g, "_")}`;
    const found = translate(key);
    return found === key ? labelOf("style", name) : found;
  }

  // --- Drawing.

  function connectPointer() {
    const { surface } = parts;
    const options = { signal: listeners.signal };
    surface.addEventListener("pointerdown", (event) => {
      if (event.button > 0 || board.current) return;
      event.preventDefault();
      try {
        surface.setPointerCapture(event.pointerId);
      } catch {
        // A pointer that is gone already, or made by a program.
      }
      board.pointer = event.pointerId;
      board.current = newStroke(event);
      redraw();
    }, options);
    surface.addEventListener("pointermove", (event) => {
      if (event.pointerId !== board.pointer || !board.current) return;
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length ? events : [event]) extend(board.current.points, placeOf(each));
      requestRedraw();
    }, options);
    const finish = (event) => {
      if (event.pointerId !== board.pointer || !board.current) return;
      board.document.add(board.current);
      board.current = board.pointer = null;
      changed();
    };
    surface.addEventListener("pointerup", finish, options);
    surface.addEventListener("pointercancel", finish, options); // what was drawn is kept
    surface.addEventListener("keydown", (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
      event.preventDefault();
      event.stopPropagation();
      if (event.shiftKey) redo();
      else undo();
    }, options);
    document.addEventListener("paste", (event) => {
      if (!parts.root.isConnected || !parts.root.offsetParent) return;
      const file = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith("image/"));
      if (!file) return;
      event.preventDefault();
      load(file);
    }, options);
  }

  function newStroke(event) {
    const colours = state.tool === "colour";
    const stroke = {
      kind: "stroke",
      layer: colours || (state.tool === "eraser" && state.erase === "colours") ? "colours" : "lines",
      tool: colours ? "pencil" : state.tool,
      points: [placeOf(event)],
      width: state.width * (colours ? 3.5 : state.tool === "eraser" ? 4 : 1),
      mirror: state.mirror,
    };
    if (colours) Object.assign(stroke, { part: state.part, ...(state.anyColour && state.part ? {} : { colour: state.colour }) });
    return stroke;
  }

  function placeOf(event) {
    const box = parts.surface.getBoundingClientRect();
    // A mouse has no pressure: 0.5 is that of a pencil held lightly.
    const pressure = event.pointerType === "pen" ? event.pressure : 0.5;
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height, pressure]
      .map((value) => Math.round(value * 1e4) / 1e4);
  }

  function requestRedraw() {
    if (board.frame) return;
    board.frame = requestAnimationFrame(() => redraw());
  }

  function redraw() {
    board.frame = null;
    for (const layer of ["colours", "labels", "lines"]) {
      const canvas = parts.canvases[layer];
      canvas.hidden = layer === "lines" ? !state.lines : !state.colours;
      if (!canvas.hidden) drawLayer(canvas, board.document, layer, board.current);
    }
  }

  function changed() {
    redraw();
    update();
    parts.storage.hidden = keep(board.document, state);
    live.changed();
  }

  // --- What the buttons do.

  function set(values, ask = false) {
    Object.assign(state, values);
    keep(board.document, state);
    update();
    if (ask) live.changed();
  }

  function undo() {
    if (board.document.undo()) changed();
  }

  function redo() {
    if (board.document.redo()) changed();
  }

  async function load(blob) {
    try {
      board.document.add({ kind: "picture", source: await cleaned(blob) });
      await prepare(board.document);
      changed();
    } catch {
      parts.remark.textContent = say("unreadable");
      parts.remark.classList.add("bad");
    }
  }

  async function wanted(then) {
    const picture = board.answer?.pictures[board.chosen];
    if (!picture) return;
    // What was shown while drawing is small; what is kept is not.
    const largest = Math.max(...(facts?.sizes ?? [LIVE_PIXELS]));
    parts.keep.disabled = parts.download.disabled = true;
    try {
      const [sketch, hints, labels] = await Promise.all(
        ["lines", "colours", "labels"].map((layer) => layerAsPng(board.document, layer, SENT_SIZE)),
      );
      const answer = await backend.sketch({
        sketch: sketch ?? (await blank()),
        hints, labels, follow: state.follow, size: largest, attributes: wantedAttributes(),
        count: board.answer.pictures.length,
      });
      await then(answer.pictures[board.chosen] ?? picture);
    } catch (error) {
      failed(error);
    } finally {
      parts.keep.disabled = parts.download.disabled = !board.answer;
    }
  }

  // --- What is shown of the state.

  function update() {
    for (const [tool, control] of Object.entries(parts.tools)) control.setAttribute("aria-pressed", String(state.tool === tool));
    parts.undo.disabled = !board.document.canUndo;
    parts.redo.disabled = !board.document.canRedo;
    parts.clear.disabled = board.document.isEmpty;
    parts.mirror.setAttribute("aria-pressed", String(state.mirror));
    parts.colourTools.hidden = state.tool !== "colour";
    parts.eraserTools.hidden = state.tool !== "eraser";
    for (const [layer, control] of Object.entries(parts.erase)) control.setAttribute("aria-pressed", String((state.erase ?? "lines") === layer));
    for (const control of parts.partButtons) control.setAttribute("aria-pressed", String(control.dataset.part === state.part));
    for (const control of parts.swatches) {
      control.setAttribute("aria-pressed", String(!state.anyColour && control.dataset.colour === state.colour));
    }
    parts.anyColour.setAttribute("aria-pressed", String(state.anyColour && Boolean(state.part)));
    parts.anyColour.disabled = !state.part;
    parts.picker.value = state.colour;
    parts.guide.toggleAttribute("hidden", !state.guide);
    parts.surface.classList.toggle("mirrored", state.mirror);
    redraw();
  }

  // --- The elements.

  function build() {
    const canvases = Object.fromEntries(
      ["colours", "labels", "lines"].map((layer) => [
        layer, h("canvas", { class: `board-canvas ${layer}`, width: SHOWN_SIZE, height: SHOWN_SIZE }),
      ]),
    );
    const guide = buildGuide();
    const surface = h(
      "div",
      { class: "board-surface", tabindex: "0", role: "img", "aria-label": say("surface") },
      canvases.colours, canvases.labels, guide, canvases.lines,
    );
    const tools = Object.fromEntries(
      Object.keys(TOOL_ICONS).map((tool) => [tool, toolButton(tool, TOOL_ICONS[tool], () => set({ tool }))]),
    );
    const undoButton = button({ label: say("undo"), symbol: "undo", quiet: true, onclick: undo });
    const redoButton = button({ label: say("redo"), symbol: "redo", quiet: true, onclick: redo });
    const clear = button({
      label: say("clear"), symbol: "trash", quiet: true,
      onclick: () => (board.document.add({ kind: "clear" }), changed()),
    });
    const mirror = toolButton("mirror", "M12 3v18M9 7L4 17h5zM15 7l5 10h-5z", () => set({ mirror: !state.mirror }));
    const partButtons = ["", ...PARTS].map((part) =>
      h("button", {
        type: "button", class: "chip", "data-part": part,
        style: { "--part": part ? LABEL_COLOURS[part] : "transparent" },
        onclick: () => set({ part }),
      }, say(part ? `part_${part}` : "part_any")),
    );
    const swatches = SWATCHES.map((colour) =>
      h("button", {
        type: "button", class: "swatch", "data-colour": colour, style: { "--colour": colour },
        "aria-label": say("colour_named", { colour }), onclick: () => set({ colour, anyColour: false }),
      }),
    );
    const picker = h("input", {
      type: "color", value: state.colour, "aria-label": say("own_colour"),
      oninput: () => set({ colour: picker.value, anyColour: false }),
    });
    const anyColour = h("button", { type: "button", class: "chip", onclick: () => set({ anyColour: !state.anyColour }) }, say("any_colour"));
    const colourTools = h(
      "div", { class: "board-colours" },
      h("div", { class: "board-parts", role: "group", "aria-label": say("for_what") }, partButtons),
      h("div", { class: "board-swatches", role: "group", "aria-label": say("colour") }, swatches, picker, anyColour),
    );
    const erase = {
      lines: h("button", { type: "button", class: "chip", onclick: () => set({ erase: "lines" }) }, say("erase_lines")),
      colours: h("button", { type: "button", class: "chip", onclick: () => set({ erase: "colours" }) }, say("erase_colours")),
    };
    const eraserTools = h("div", { class: "board-parts", role: "group", "aria-label": say("eraser") }, erase.lines, erase.colours);
    const width = slider({
      label: say("thickness"), value: state.width, min: 0.004, max: 0.04, step: 0.002, name: "thickness",
      format: (value) => `${Math.round(value * 250)}`, changed: (value) => set({ width: value }),
    });
    const file = h("input", {
      type: "file", accept: "image/*", class: "hidden", tabindex: "-1", "aria-hidden": "true",
      onchange: () => (file.files[0] && load(file.files[0]), (file.value = "")),
    });
    const camera = h("input", {
      type: "file", accept: "image/*", capture: "environment", class: "hidden", tabindex: "-1", "aria-hidden": "true",
      onchange: () => (camera.files[0] && load(camera.files[0]), (camera.value = "")),
    });
    surface.addEventListener("dragover", (event) => event.preventDefault());
    surface.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files[0]) load(event.dataTransfer.files[0]);
    });
    const layers = h(
      "div", { class: "board-layers" },
      ["guide", "lines", "colours"].map((layer) =>
        toggle({ label: say(`layer_${layer}`), checked: state[layer], changed: (on) => set({ [layer]: on }) }),
      ),
    );
    const image = h("img", { class: "board-image", alt: say("result"), hidden: true });
    const empty = h("p", { class: "note" }, say("empty"));
    const result = h("div", { class: "board-result" }, image, empty);
    const follow = slider({
      label: say("follow"), value: state.follow, min: 0, max: 1, step: 0.05, name: "follow",
      low: say("follow_low"), high: say("follow_high"),
      changed: (value) => set({ follow: value }, true),
    });
    const proposals = h("div", { class: "board-proposals" });
    const several = toggle({
      label: say("several"), checked: Boolean(state.proposals), changed: (on) => set({ proposals: on }, true),
    });
    const keepButton = button({ label: say("keep"), symbol: "heart", class: "primary", disabled: true, onclick: () => wanted(onResult) });
    const download = button({
      label: say("download"), symbol: "download", disabled: true,
      onclick: () => wanted((picture) => save(picture.png, "sketch.png")),
    });
    const seen = h("ul", { class: "board-seen", "aria-label": say("seen") });
    const remark = h("p", { class: "note", role: "status" });
    const storage = h("p", { class: "note bad", role: "alert", hidden: true }, say("storage_full"));
    const root = h(
      "div", { class: "board" },
      h("section", { class: "board-left" },
        h("div", { class: "board-tools", role: "toolbar", "aria-label": say("tools") },
          Object.values(tools), mirror, h("span", { class: "spacer" }), undoButton, redoButton, clear),
        colourTools, eraserTools, surface, storage,
        h("div", { class: "board-options" }, width,
          h("div", { class: "row wrap" },
            button({ label: say("load"), symbol: "upload", class: "small", onclick: () => file.click() }), file,
            button({ label: say("camera"), symbol: "picture", class: "small", onclick: () => camera.click() }), camera),
          layers)),
      h("section", { class: "board-right" },
        result, proposals, follow, attributeFields(), several,
        h("div", { class: "row wrap" }, keepButton, download), remark,
        h("h3", {}, say("seen")), seen),
    );
    return {
      root, surface, canvases, guide, tools, undo: undoButton, redo: redoButton, clear, mirror, colourTools, eraserTools, erase,
      partButtons, swatches, picker, anyColour, image, empty, result, proposals, keep: keepButton, download, seen,
      remark, storage,
    };
  }

  function attributeFields() {
    const names = Object.entries(facts?.attributes ?? {});
    return h("div", { class: "board-attributes" },
      names.map(([name, { choices }]) => {
        const select = h("select", {
          name: `sketch-${name}`,
          onchange: () => {
            const attributes = { ...state.attributes, [name]: select.value };
            if (select.value === "any") delete attributes[name];
            set({ attributes }, true);
          },
        }, h("option", { value: "any" }, say("any")), choices.map((choice) => h("option", { value: choice }, labelOf(name, choice))));
        select.value = choices.includes(state.attributes[name]) ? state.attributes[name] : "any";
        return h("label", {}, h("span", {}, labelOf(name)), select);
      }));
  }

  function toolButton(name, path, onclick) {
    const control = h("button", {
      type: "button", class: "button icon-only", "aria-pressed": "false",
      "aria-label": say(name), title: say(name), "data-tool": name, onclick,
    });
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("class", "icon");
    const shape = document.createElementNS(space, "path");
    shape.setAttribute("d", path);
    svg.append(shape);
    control.append(svg);
    return control;
  }

  async function blank() {
    const empty = new BoardDocument([{ kind: "stroke", layer: "lines", tool: "pencil", width: 0.001, points: [[-1, -1, 0]], mirror: false }]);
    return layerAsPng(empty, "lines", SENT_SIZE);
  }
}

function asWords(attribute, choice) {
  const words = (choice ?? attribute).replace(/[-_]+/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function addStyle() {
  const href = new URL("./board.css", import.meta.url).href;
  if (document.querySelector(`link[href="${href}"]`)) return;
  document.head.append(h("link", { rel: "stylesheet", href }));
}
