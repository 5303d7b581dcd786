// Elements, icons and small controls. Texts are never parsed as HTML.
import { text } from "./language.js";

// h("button", {class: "x", onclick: f}, child, ...)
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, own] of Object.entries(value)) node.style.setProperty(key, own);
    else if (["value", "checked", "indeterminate"].includes(name)) node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Paths of a 24 x 24 grid, drawn with a line.
const ICONS = {
  heart: "M12 20s-7-4.4-9-9c-1.3-3.3.7-6.5 4-6.5 2 0 3.7 1.1 5 3 1.3-1.9 3-3 5-3 3.3 0 5.3 3.2 4 6.5-2 4.6-9 9-9 9z",
  download: "M12 4v11m0 0l-4.5-4.5M12 15l4.5-4.5M5 20h14",
  upload: "M12 16V5m0 0L7.5 9.5M12 5l4.5 4.5M5 20h14",
  close: "M6 6l12 12M18 6L6 18",
  back: "M15 5l-7 7 7 7",
  forward: "M9 5l7 7-7 7",
  sliders: "M4 7h10m4 0h2M4 17h2m4 0h10M14 7a2 2 0 104 0 2 2 0 10-4 0zM6 17a2 2 0 104 0 2 2 0 10-4 0z",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 017 0v3",
  unlock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 016.5-1.8",
  dice: "M5 5h14v14H5zM9 9h.010M15 9h.010M12 12h.010M9 15h.010M15 15h.010",
  sparkles: "M12 4l1.8 5.2L19 11l-5.2 1.8L12 18l-1.8-5.2L5 11l5.2-1.8zM19 16v4M17 18h4",
  sun: "M12 8a4 4 0 100 8 4 4 0 000-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M5 19l1.4-1.4M17.6 6.4L19 5",
  moon: "M20 14.5A8 8 0 119.5 4a6.5 6.5 0 0010.5 10.5z",
  trash: "M5 7h14M10 7V5h4v2M7 7l1 13h8l1-13",
  link: "M10 14a4 4 0 005.7 0l3-3A4 4 0 0013 5.3l-1 1M14 10a4 4 0 00-5.7 0l-3 3A4 4 0 0011 18.7l1-1",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  share: "M12 14V3m0 0L8 7m4-4l4 4M5 12v8h14v-8",
  undo: "M4 9h10a5 5 0 010 10h-4M4 9l4-4M4 9l4 4",
  redo: "M20 9H10a5 5 0 000 10h4M20 9l-4-4M20 9l-4 4",
  zoom: "M10.5 4a6.5 6.5 0 100 13 6.5 6.5 0 000-13zM15.5 15.5L20 20M10.5 8v5M8 10.5h5",
  compare: "M4 5h7v14H4zM13 5h7v14h-7z",
  more: "M5 12h.010M12 12h.010M19 12h.010",
  help: "M9.5 9a2.5 2.5 0 114 2c-1 .8-1.5 1.3-1.5 2.5M12 17h.010M12 3a9 9 0 100 18 9 9 0 000-18z",
  check: "M5 12.5l4.5 4.5L19 7.5",
  tag: "M4 4h8l8 8-8 8-8-8zM8 8h.010",
  star: "M12 4l2.5 5.2 5.7.8-4.1 4 1 5.7L12 17l-5.1 2.7 1-5.7-4.1-4 5.7-.8z",
  brush: "M20 4c-5 2-9 6-11 10l1 1c4-2 8-6 10-11zM8 15c-2 0-3 1.5-3 3 0 1-1 2-2 2 4 1.5 7 0 7-3z",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9h.010",
  film: "M4 5h16v14H4zM8 5v14M16 5v14M4 9.5h4M4 14.5h4M16 9.5h4M16 14.5h4",
  box: "M4 8l8-4 8 4v8l-8 4-8-4zM4 8l8 4 8-4M12 12v8",
  wand: "M5 19L15 9M14 4v3M19 5l-2 2M20 10h-3M10 5l1.5 1.5",
  grip: "M9 6h.010M15 6h.010M9 12h.010M15 12h.010M9 18h.010M15 18h.010",
};

export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", ICONS[name] ?? "");
  svg.append(path);
  return svg;
}

// A button with an icon, words, or both. Without words its label is told to screen readers.
export function button({ label, symbol, onclick, quiet = false, ...others }) {
  const classes = ["button", others.class, quiet ? "icon-only" : null].filter(Boolean).join(" ");
  return h(
    "button",
    {
      type: "button",
      ...others,
      class: classes,
      onclick,
      ...(quiet ? { "aria-label": label, title: others.title ?? label } : {}),
    },
    symbol ? icon(symbol) : null,
    quiet ? null : h("span", {}, label),
  );
}

let identifiers = 0;
export const newId = (prefix) => `${prefix}-${++identifiers}`;

// A slider with its name, its value, and words at its ends.
// changed(value, finished): while it is moved, and once it has been let go.
export function slider({ label, value, min, max, step, low, high, name, changed, format, ...others }) {
  const id = newId("slider");
  const output = h("output", { for: id });
  const digits = step < 1 ? 2 : 0;
  const show = () => {
    const number = Number(input.value);
    output.textContent = format ? format(number) : number.toFixed(digits);
    // The track is coloured from its beginning, or from 0 where that is in the middle.
    const share = (at) => (100 * (at - min)) / (max - min || 1);
    const ends = [min < 0 && max > 0 ? share(0) : 0, share(number)].sort((a, b) => a - b);
    input.style.setProperty("--from", `${ends[0]}%`);
    input.style.setProperty("--to", `${ends[1]}%`);
  };
  const input = h("input", {
    type: "range", id, min, max, step, name,
    oninput: () => (show(), changed?.(Number(input.value), false)),
    onchange: () => changed?.(Number(input.value), true),
  });
  input.value = value;
  show();
  const end = (words) => (words ? h("span", { class: "end", "aria-hidden": "true" }, words) : null);
  const node = h(
    "div",
    { class: "field slider", ...others },
    h("div", { class: "field-title" }, h("label", { for: id }, label), output),
    h("div", { class: "range" }, end(low), input, end(high)),
  );
  node.set = (next) => {
    input.value = next;
    show();
  };
  node.input = input;
  return node;
}

// A few choices side by side, one of them on.
export function segments({ label, choices, value, name, changed, ...others }) {
  const group = newId("segments");
  return h(
    "div",
    { class: "field", role: "radiogroup", "aria-labelledby": `${group}-title`, "data-name": name, ...others },
    h("div", { class: "field-title", id: `${group}-title` }, label),
    h(
      "div",
      { class: "segments" },
      choices.map(([choice, words]) =>
        h(
          "label",
          {},
          h("input", {
            type: "radio", name: group, value: choice, checked: String(choice) === String(value),
            onchange: () => changed(choice),
          }),
          h("span", {}, words),
        ),
      ),
    ),
  );
}

export function toggle({ label, checked, changed, ...others }) {
  const input = h("input", { type: "checkbox", role: "switch", checked, onchange: () => changed(input.checked) });
  const node = h("label", { class: "switch", ...others }, input, h("span", { class: "knob", "aria-hidden": "true" }), h("span", {}, label));
  node.input = input;
  return node;
}

// How far long work is, with a way out.
export function progress({ label, cancel }) {
  const bar = h("progress", { "aria-label": label });
  const words = h("span", { class: "progress-words", role: "status" }, label);
  const node = h(
    "div",
    { class: "progress" },
    h("div", { class: "progress-row" }, words, cancel ? button({ label: text("cancel"), onclick: cancel, class: "small" }) : null),
    bar,
  );
  node.report = ({ done, total, words: own }) => {
    if (total) {
      bar.max = total;
      bar.value = done;
    } else bar.removeAttribute("value");
    words.textContent = own ?? (total ? text("progress", { done, total }) : label);
  };
  return node;
}

const FOCUSABLE = "a[href], button:not(:disabled), input:not(:disabled), select, textarea, [tabindex='0']";

// Keeps the Tab key inside a dialog; the browser alone would let it out to its own bars.
export function keepFocus(dialog) {
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Tab") return;
    const stops = [...dialog.querySelectorAll(FOCUSABLE)].filter((node) => {
      if (node.tabIndex < 0 || node.getClientRects().length === 0) return false;
      if (node.type !== "radio" || node.checked) return true;
      return !dialog.querySelector(`input[name="${node.name}"]:checked`); // one stop for a group
    });
    const edge = event.shiftKey ? stops[0] : stops.at(-1);
    if (document.activeElement !== edge && dialog.contains(document.activeElement)) return;
    event.preventDefault();
    (event.shiftKey ? stops.at(-1) : stops[0])?.focus();
  });
}

let toastTimer;

// A message at the foot of the screen, with at most one thing to do about it.
export function toast(message, action) {
  const box = document.querySelector("#toast");
  const host = document.querySelector("dialog[open]:last-of-type") ?? document.body;
  if (box.parentElement !== host) host.append(box); // what is behind a dialog cannot be reached
  box.replaceChildren(
    h("span", {}, message),
    action ? h("button", { type: "button", class: "button small", onclick: () => (hideToast(), action.run()) }, action.label) : "",
  );
  box.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(hideToast, action ? 8000 : 4000);
}

export function hideToast() {
  const box = document.querySelector("#toast");
  box.classList.remove("shown");
  box.replaceChildren();
  if (box.parentElement !== document.body) document.body.append(box);
}

export function save(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// Runs a function once things have been quiet for a while.
export function later(milliseconds, run) {
  let timer;
  const wait = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...values), milliseconds);
  };
  wait.cancel = () => clearTimeout(timer);
  return wait;
}
