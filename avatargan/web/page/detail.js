// The chosen picture: large, with what can be done to it.
//
// The picture stays in view: only the panel below it scrolls. On narrow screens all of it is a
// sheet, which is a modal dialog.
import { isAbort } from "./backend.js";
import { choiceField } from "./choices.js";
import { button, h, icon, keepFocus, segments, slider, toggle } from "./dom.js";
import { describe } from "./gallery.js";
import { attributeName, choiceName, text } from "./language.js";
import { fileStem, isPlain, stepsOf } from "./recipes.js";
import { buildShape } from "./shape.js";
import { canCopyPictures, canShareFiles, copyLink, copyPicture, sharePicture } from "./share.js";

const SWIPE_PIXELS = 60;

export function buildDetail(context) {
  const { studio, store, navigation, facts } = context;
  const image = h("img", { alt: "", decoding: "sync", draggable: "true" });
  const zoom = h("button", { type: "button", class: "figure", "aria-label": text("zoom"), title: text("zoom"), "data-zoom": true, onclick: () => context.zoom() }, image, h("span", { class: "zoom-hint" }, icon("zoom")));
  const words = h("p", { class: "detail-words" });
  const place = h("span", { class: "place" });
  const previous = button({ label: text("previous"), symbol: "back", quiet: true, onclick: () => step(-1) });
  const next = button({ label: text("next"), symbol: "forward", quiet: true, onclick: () => step(1) });
  const close = button({ label: text("close"), symbol: "close", quiet: true, class: "sheet-close", "data-close": true, onclick: () => navigation.close("sheet") });
  const heart = button({ label: text("favourite"), symbol: "heart", quiet: true, class: "heart", "data-heart": true, onclick: () => context.toggleFavourite(studio.chosen) });
  const download = button({ label: text("download"), symbol: "download", class: "primary", "data-download": true, onclick: () => context.download(studio.chosen) });
  const compare = button({ label: text("compare"), symbol: "compare", quiet: true, "data-compare": true, onclick: () => context.compare() });
  const actions = h(
    "div",
    { class: "actions" },
    download,
    heart,
    button({ label: text("copy_link"), symbol: "link", quiet: true, "data-copy-link": true, onclick: () => copyLink(context, studio.chosen) }),
    canCopyPictures() ? button({ label: text("copy_picture"), symbol: "copy", quiet: true, "data-copy-picture": true, onclick: () => copyPicture(studio.chosen) }) : null,
    canShareFiles() ? button({ label: text("share"), symbol: "share", quiet: true, "data-share": true, onclick: () => sharePicture(context, studio.chosen) }) : null,
  );
  const panels = [
    { name: "colours", build: buildColours },
    facts.sliders.length > 0 ? { name: "shape", build: buildShape } : null,
    { name: "variations", build: buildVariations },
    { name: "facts", build: buildFacts },
  ].filter(Boolean);
  const panel = h("div", { class: "panel", role: "tabpanel", id: "detail-panel", tabindex: "0" });
  const strip = h("div", { class: "panel-tabs", role: "tablist", "aria-label": text("chosen") });
  const content = h(
    "div",
    { class: "detail" },
    h("div", { class: "detail-head" }, previous, place, next, h("div", { class: "spacer" }), compare, close),
    zoom,
    words,
    actions,
    strip,
    panel,
  );
  let open = panels[0].name;
  let built = null; // {name, update}
  let busy = null;

  const buttons = panels.map(({ name }) =>
    h(
      "button",
      {
        type: "button", role: "tab", id: `panel-${name}`, "aria-controls": "detail-panel", "data-panel": name,
        onclick: () => show(name),
        onkeydown: (event) => {
          const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
          if (!move) return;
          const at = (panels.findIndex((one) => one.name === open) + move + panels.length) % panels.length;
          show(panels[at].name);
          buttons[at].focus();
        },
      },
      text(`panel_${name}`),
    ),
  );
  strip.append(...buttons);

  function show(name) {
    open = name;
    built = null;
    for (const one of buttons) {
      const selected = one.dataset.panel === name;
      one.setAttribute("aria-selected", String(selected));
      one.tabIndex = selected ? 0 : -1;
    }
    panel.setAttribute("aria-labelledby", `panel-${name}`);
    panel.replaceChildren();
    panel.scrollTop = 0;
    draw();
  }

  const tools = {
    ...context,
    // Draws another recipe in the place of the chosen picture.
    async redraw(recipe) {
      const controller = begin();
      const before = studio.chosen;
      try {
        const drawn = await studio.drawOne(recipe, { signal: controller.signal });
        if (!controller.signal.aborted && studio.chosen === before) studio.replace(before, drawn);
      } catch (error) {
        if (!isAbort(error)) context.report(error);
        if (busy === controller) draw();
      } finally {
        end(controller);
      }
    },
    // Shows a recipe small while something is moved: the newest that was asked for, and as many of
    // those before it as there is time for.
    async peek(recipe) {
      waiting = recipe;
      if (peeking) return;
      peeking = true;
      const before = studio.chosen;
      while (waiting && studio.chosen === before && busy === null) {
        const wanted = { ...waiting, size: facts.sizes[0] };
        waiting = null;
        try {
          const drawn = await studio.drawOne(wanted);
          if (studio.chosen !== before || busy !== null) break;
          if (peeked) URL.revokeObjectURL(peeked);
          peeked = URL.createObjectURL(drawn.png);
          image.src = peeked;
        } catch {
          break; // the picture itself, once the slider is let go, tells what is wrong
        }
      }
      peeking = false;
      waiting = null;
    },
  };

  let peeked = null;
  let peeking = false;
  let waiting = null;

  function begin() {
    busy?.abort();
    busy = new AbortController();
    content.classList.add("drawing");
    return busy;
  }

  function end(controller) {
    if (busy !== controller) return;
    busy = null;
    content.classList.remove("drawing");
  }

  function step(by) {
    const neighbour = studio.neighbour(by);
    if (neighbour) studio.choose(neighbour);
  }

  function draw() {
    const picture = studio.chosen;
    content.classList.toggle("empty", !picture);
    if (!picture) {
      image.removeAttribute("src");
      words.textContent = "";
      return;
    }
    const { recipe } = picture;
    if (image.src !== picture.url) image.src = picture.url;
    image.alt = text("alt", { words: describe(recipe) });
    zoom.classList.toggle("checkered", recipe.transparent === true);
    words.textContent = describe(recipe);
    const { pictures } = studio.set;
    place.textContent = pictures.length > 1 ? `${pictures.indexOf(picture) + 1} / ${studio.set.total}` : "";
    previous.hidden = next.hidden = pictures.length < 2;
    previous.disabled = !studio.neighbour(-1);
    next.disabled = !studio.neighbour(1);
    markFavourite();
    if (!built || built.name !== open) {
      const { node, update } = panels.find(({ name }) => name === open).build(tools);
      panel.replaceChildren(node);
      built = { name: open, update };
    }
    built.update(picture);
  }

  function markFavourite() {
    const kept = Boolean(studio.chosen) && store.isFavourite(studio.chosen);
    heart.setAttribute("aria-pressed", String(kept));
    heart.title = text(kept ? "favourite_remove" : "favourite_add");
  }

  // The sheet of narrow screens.
  const sheet = h("dialog", { class: "sheet", "aria-label": text("chosen"), oncancel: (event) => {
    event.preventDefault();
    navigation.close("sheet");
  } });
  sheet.addEventListener("click", (event) => {
    if (event.target === sheet) navigation.close("sheet");
  });
  const column = h("aside", { class: "detail-column", "aria-label": text("chosen") });
  document.body.append(sheet);
  keepFocus(sheet);

  function openSheet() {
    sheet.append(content);
    sheet.showModal();
    panel.scrollTop = 0;
    close.focus();
    return () => {
      sheet.close();
      settle();
      document.querySelector(`.cell[data-id="${studio.chosen?.id}"] .picture`)?.focus({ preventScroll: false });
    };
  }
  navigation.openers.sheet = () => (context.isWide() || !studio.chosen ? null : openSheet());

  function settle() {
    if (context.isWide()) column.append(content);
  }

  context.wide.addEventListener("change", () => {
    if (context.isWide() && navigation.isOpen("sheet")) navigation.close("sheet");
    settle();
  });

  let touch = null;
  content.addEventListener("pointerdown", (event) => {
    touch = event.pointerType === "touch" && zoom.contains(event.target) ? { x: event.clientX, y: event.clientY } : null;
  });
  content.addEventListener("pointerup", (event) => {
    if (!touch) return;
    const [x, y] = [event.clientX - touch.x, event.clientY - touch.y];
    touch = null;
    if (Math.abs(x) < SWIPE_PIXELS || Math.abs(x) < 2 * Math.abs(y)) return;
    const swallow = (click) => (click.stopPropagation(), click.preventDefault());
    zoom.addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => zoom.removeEventListener("click", swallow, { capture: true }), 50);
    step(x < 0 ? 1 : -1);
  });

  studio.addEventListener("choose", ({ byHand }) => {
    draw();
    if (byHand && !context.isWide() && studio.chosen && !navigation.isOpen("sheet") && !navigation.isOpen("zoom")) navigation.open("sheet", openSheet());
  });
  studio.addEventListener("set", () => studio.chosen && draw());
  store.addEventListener("change", markFavourite);
  settle();
  show(open);
  return { column, show };
}

// The same character in other colours: each swatch draws at once.
function buildColours({ studio, facts, redraw }) {
  const palette = Object.entries(facts.attributes).filter(([, { identity }]) => !identity);
  const fields = palette.map(([name, { choices }]) => {
    const all = h(
      "button",
      {
        type: "button", class: "not", "data-recolour": name,
        onclick: () => {
          const { recipe } = studio.chosen;
          studio.fill({ title: "recoloured_title", total: choices.length }, (watch) => studio.backend.recolour({ recipe, attribute: name }, watch));
        },
      },
      text("all_colours"),
    );
    const field = choiceField({
      attribute: name, choices, value: null, withAny: false, extra: all,
      changed: ({ value }) => {
        const { recipe } = studio.chosen;
        redraw({ ...recipe, attributes: { ...recipe.attributes, [name]: value } });
      },
    });
    return { name, field };
  });
  return {
    node: h("div", { class: "recolour" }, fields.map(({ field }) => field)),
    update: ({ recipe }) => {
      for (const { name, field } of fields) field.set({ value: recipe.attributes[name] });
    },
  };
}

function buildVariations({ studio }) {
  let strength = 0.3;
  let start = 0;
  const node = h(
    "div",
    {},
    h("p", { class: "note" }, text("variations_note")),
    slider({
      label: text("strength"), name: "strength", value: strength, min: 0.05, max: 0.8, step: 0.05,
      low: text("strength_low"), high: text("strength_high"), changed: (value) => (strength = value),
    }),
    h(
      "div",
      { class: "row" },
      button({ label: text("variations_draw"), symbol: "sparkles", class: "strong", "data-vary": true, onclick: () => studio.vary(studio.chosen, strength, start) }),
    ),
  );
  return { node, update: () => {} };
}

function buildFacts({ studio, facts, redraw, download }) {
  const list = h("dl", { class: "facts" });
  const size = h("div", {});
  const transparent = facts.transparent
    ? toggle({
        label: text("transparent"), checked: false, "data-transparent": true,
        changed: (on) => {
          redraw({ ...studio.chosen.recipe, transparent: on, format: 2 });
        },
      })
    : null;
  const use = button({
    label: text("use_settings"), symbol: "sliders", "data-use": true,
    onclick: () => studio.change(studio.settingsOf(studio.chosen.recipe)),
  });
  const node = h("div", {}, list, size, transparent, h("div", { class: "row" }, use));
  return {
    node,
    update: ({ recipe }) => {
      const rows = Object.entries(recipe.attributes).map(([name, choice]) => [attributeName(name), choiceName(choice)]);
      rows.push([text("seed"), recipe.seed === undefined || recipe.w ? text("no_seed") : String(recipe.seed)]);
      if (!isPlain(recipe) && stepsOf(recipe) > 0) rows.push([text("steps"), String(stepsOf(recipe))]);
      rows.push([text("psi"), String(recipe.psi)]);
      rows.push([text("file"), `${fileStem(recipe)}.png`]);
      list.replaceChildren(...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
      size.replaceChildren(
        facts.sizes.length > 1
          ? segments({
              label: text("size"), name: "picture-size", choices: facts.sizes.map((side) => [side, `${side}`]), value: recipe.size,
              changed: (side) => redraw({ ...studio.chosen.recipe, size: side }),
            })
          : "",
      );
      if (transparent) transparent.input.checked = recipe.transparent === true;
    },
  };
}
