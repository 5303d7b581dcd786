// The set of pictures that is shown, as a grid that arrow keys move through.
import { button, h, icon } from "./dom.js";
import { attributeName, choiceName, text } from "./language.js";

export const describe = (recipe) =>
  Object.entries(recipe.attributes)
    .map(([name, choice]) => `${attributeName(name)} ${choiceName(choice)}`)
    .join(", ");

export function buildGallery(context) {
  const { studio, store } = context;
  const title = h("h2", {});
  const note = h("span", { class: "gallery-note" });
  const undo = button({ label: text("undo"), symbol: "undo", quiet: true, "data-undo": true, onclick: () => studio.undo.undo() });
  const redo = button({ label: text("redo"), symbol: "redo", quiet: true, "data-redo": true, onclick: () => studio.undo.redo() });
  const guide = button({ label: text("guide"), symbol: "wand", class: "small", "data-guide": true, onclick: () => context.guide() });
  const grid = h("ul", { class: "grid", role: "list", id: "gallery-grid" });
  const node = h(
    "section",
    { class: "gallery", "aria-label": text("gallery") },
    h("div", { class: "gallery-head" }, title, note, h("div", { class: "spacer" }), guide, undo, redo),
    grid,
  );
  const cells = new Map(); // by picture

  function cell(picture) {
    const words = describe(picture.recipe);
    const image = h("img", { src: picture.url, alt: text("alt", { words }), width: picture.recipe.size, height: picture.recipe.size, decoding: "sync" });
    const choose = h(
      "button",
      {
        type: "button", class: "picture", title: words,
        onclick: () => studio.choose(picture, true),
        onkeydown: (event) => moveFocus(event, picture),
      },
      image,
    );
    const heart = button({
      label: text("favourite"), symbol: "heart", quiet: true, class: "heart",
      onclick: () => context.toggleFavourite(picture),
    });
    const actions = h(
      "div",
      { class: "cell-actions" },
      heart,
      button({ label: text("more_like_this"), symbol: "sparkles", quiet: true, onclick: () => studio.vary(picture) }),
      button({ label: text("reroll"), symbol: "dice", quiet: true, onclick: (event) => {
        event.currentTarget.disabled = true;
        studio.reroll(picture);
      } }),
    );
    const item = h("li", { class: "cell", "data-id": picture.id }, choose, actions);
    item.choose = choose;
    item.heart = heart;
    return item;
  }

  function moveFocus(event, picture) {
    const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const { pictures } = studio.set;
    const place = pictures.indexOf(picture);
    const next = Math.abs(step) === Infinity ? (step < 0 ? 0 : pictures.length - 1) : place + step;
    if (!pictures[next]) return;
    // On a phone choosing opens the sheet: there arrows only move.
    if (context.isWide()) studio.choose(pictures[next]);
    cells.get(pictures[next]).choose.focus();
    mark();
  }

  function draw() {
    const { set } = studio;
    if (!set) return;
    const focused = [...cells].find(([, item]) => item.contains(document.activeElement))?.[0];
    const place = focused ? [...grid.children].indexOf(cells.get(focused)) : -1;
    for (const [picture, item] of cells) {
      if (set.pictures.includes(picture)) continue;
      item.remove();
      cells.delete(picture);
    }
    const wanted = set.pictures.map((picture) => {
      if (!cells.has(picture)) cells.set(picture, cell(picture));
      return cells.get(picture);
    });
    const waiting = Math.max(0, set.total - wanted.length);
    const placeholders = Array.from({ length: waiting }, () => h("li", { class: "cell placeholder", "aria-hidden": "true" }));
    grid.replaceChildren(...wanted, ...placeholders);
    grid.setAttribute("aria-busy", String(set.busy));
    grid.dataset.set = set.id;
    grid.classList.toggle("single", set.total === 1);
    title.textContent = text(set.title ?? "gallery_results");
    note.textContent = set.busy ? text("progress", { done: wanted.length, total: set.total }) : String(wanted.length);
    if (place >= 0) (wanted[place] ?? wanted[0])?.choose.focus({ preventScroll: true });
    mark();
  }

  function mark() {
    const focused = document.activeElement;
    let reachable = studio.chosen;
    for (const [picture, item] of cells) if (item.choose === focused) reachable = picture;
    for (const [picture, item] of cells) {
      const chosen = picture === studio.chosen;
      item.classList.toggle("chosen", chosen);
      item.choose.setAttribute("aria-pressed", String(chosen));
      // One stop of the Tab key for all: arrows move inside.
      item.choose.tabIndex = picture === reachable ? 0 : -1;
      for (const action of item.querySelectorAll(".cell-actions button")) action.tabIndex = item.choose.tabIndex;
    }
  }

  function markFavourites() {
    for (const [picture, item] of cells) {
      const kept = store.isFavourite(picture);
      item.classList.toggle("kept", kept);
      item.heart.setAttribute("aria-pressed", String(kept));
    }
  }

  function markUndo() {
    undo.disabled = !studio.undo.canUndo;
    redo.disabled = !studio.undo.canRedo;
  }

  studio.addEventListener("set", ({ fresh }) => {
    draw();
    markFavourites();
    if (fresh && node.getBoundingClientRect().top < 0) node.scrollIntoView();
  });
  studio.addEventListener("choose", mark);
  store.addEventListener("change", markFavourites);
  studio.undo.addEventListener("change", markUndo);
  markUndo();
  draw();
  return node;
}
