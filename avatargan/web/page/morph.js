// Characters in order become a looping animation.
import { isAbort } from "./backend.js";
import { button, h, progress, save, segments, slider } from "./dom.js";
import { describe } from "./gallery.js";
import { problem, text } from "./language.js";
import { checkSeed, keyOf, seedForJson } from "./recipes.js";

const NAMES = { webp: "WebP", gif: "GIF", png: "APNG", mp4: "MP4" };

export default {
  name: "morph",
  symbol: "film",
  available: ({ backend, facts }) => Boolean(backend.morph && facts.morph),
  mount(element, context) {
    const { store, facts, backend } = context;
    const { formats, sizes } = facts.morph;
    const most = facts.morph.keyframes ?? 24;
    const longest = facts.morph.seconds ?? 30;
    let order = store.favourites.slice(0, 6).map((entry) => entry.key); // keys, as they play
    let extra = []; // recipes from elsewhere: {recipe, key, thumbnail}
    let seeds = "";
    let perStep = 1.5;
    let size = sizes.at(-1);
    let controller = null;
    let made = null; // {url, blob, recipe of the request}

    const grid = h("ul", { class: "grid thumbnails", role: "list" });
    const reason = h("p", { class: "field-hint", role: "status" });
    const status = h("div", {});
    const player = h("div", { class: "player" });
    const make = button({ label: text("morph_make"), symbol: "film", class: "primary", "data-make": true, onclick: () => run(formats[0], true) });
    const seedInput = h("input", {
      type: "text", id: "morph-seeds", autocomplete: "off", spellcheck: "false", placeholder: "3, 14, 15", maxlength: 500,
      oninput: () => ((seeds = seedInput.value), draw()),
    });
    const speed = slider({
      label: text("seconds_per_step"), name: "seconds", value: perStep, min: 0.5, max: 4, step: 0.5,
      format: (value) => text("seconds_value", { seconds: value.toFixed(1), all: whole(value).toFixed(1) }),
      changed: (value) => ((perStep = value), draw(false)),
    });
    element.append(
      h(
        "div",
        { class: "split" },
        h(
          "section",
          { class: "split-main" },
          h("h2", {}, text("morph_title")),
          h("p", { class: "note" }, text("morph_note", { most })),
          grid,
          h("div", { class: "field" }, h("div", { class: "field-title" }, h("label", { for: "morph-seeds" }, text("morph_seeds"))), seedInput),
        ),
        h(
          "section",
          { class: "split-side" },
          speed,
          sizes.length > 1
            ? segments({ label: text("size"), name: "morph-size", choices: sizes.map((side) => [side, `${side}`]), value: size, changed: (side) => (size = side) })
            : null,
          h("div", { class: "row" }, make),
          reason,
          status,
          player,
        ),
      ),
    );

    function candidates() {
      const known = new Set();
      return [...extra, ...store.favourites].filter(({ key }) => !known.has(key) && known.add(key));
    }

    function numbers() {
      return seeds.split(/[\s,、，]+/).filter(Boolean);
    }

    function keyframes() {
      return [
        ...order.map((key) => candidates().find((entry) => entry.key === key)?.recipe).filter(Boolean),
        ...numbers().map((one) => seedForJson(checkSeed(one) ?? "0")),
      ];
    }

    function whole(value) {
      return Math.min(longest, Math.max(0.5, value * Math.max(2, keyframes().length)));
    }

    // Why nothing can be made, or null.
    function obstacle() {
      const wrong = numbers().find((one) => checkSeed(one) === null);
      if (wrong !== undefined) return text("seed_wrong");
      const count = keyframes().length;
      if (count < 2) return text("morph_few");
      if (count > most) return text("morph_many", { most, count });
      return null;
    }

    function cell(entry) {
      const place = order.indexOf(entry.key);
      const words = entry.title || describe(entry.recipe);
      return h(
        "li",
        { class: place < 0 ? "cell off" : "cell chosen" },
        h(
          "button",
          {
            type: "button", class: "picture", "aria-pressed": String(place >= 0), title: words, "data-key": entry.key,
            onclick: () => {
              order = place < 0 ? [...order, entry.key] : order.filter((key) => key !== entry.key);
              draw();
              grid.querySelector(`[data-key="${CSS.escape(entry.key)}"]`)?.focus();
            },
          },
          h("img", { src: entry.thumbnail, alt: text("alt", { words }), width: 128, height: 128, loading: "lazy" }),
          place >= 0 ? h("span", { class: "number" }, String(place + 1)) : null,
        ),
      );
    }

    function draw(cells = true) {
      const list = candidates();
      order = order.filter((key) => list.some((entry) => entry.key === key));
      if (cells) {
        grid.replaceChildren(...list.map(cell));
        if (list.length === 0) grid.replaceChildren(h("li", { class: "nothing" }, text("morph_empty")));
      }
      const why = obstacle();
      make.disabled = why !== null || controller !== null;
      make.classList.toggle("primary", made === null);
      reason.textContent = controller ? "" : (why ?? text("morph_ready", { count: keyframes().length, all: whole(perStep).toFixed(1) }));
      if (speed.input) speed.set(perStep);
    }

    async function run(format, play) {
      controller = new AbortController();
      const bar = progress({ label: text("morph_busy"), cancel: () => controller?.abort() });
      status.replaceChildren(bar);
      draw(false);
      const wanted = { keyframes: keyframes(), seconds: whole(perStep), size, format };
      const leaving = context.busy(text("morph_busy"));
      try {
        const blob = await backend.morph(wanted, {
          signal: controller.signal,
          onProgress: (state) => bar.report(state.done < state.total ? state : { words: text("morph_writing") }),
        });
        status.replaceChildren();
        if (!play) return save(blob, `morph.${format}`);
        if (made) URL.revokeObjectURL(made.url);
        made = { blob, url: URL.createObjectURL(blob), format };
        show();
      } catch (error) {
        status.replaceChildren(isAbort(error) ? "" : h("p", { class: "verdict bad", role: "alert" }, problem(error)));
      } finally {
        leaving();
        controller = null;
        draw(false);
      }
    }

    function show() {
      player.replaceChildren(
        h("img", { src: made.url, alt: text("morph_tab") }),
        h(
          "div",
          { class: "row wrap" },
          formats.map((format, index) =>
            button({
              label: NAMES[format] ?? format, symbol: "download", class: index === 0 ? "primary" : "", "data-format": format,
              onclick: () => (format === made.format ? save(made.blob, `morph.${format}`) : run(format, false)),
            }),
          ),
        ),
      );
    }

    store.addEventListener("change", () => controller === null && draw());
    draw();
    return {
      async shown({ recipes } = {}) {
        if (recipes) {
          const known = new Map([...store.favourites, ...store.history].map((entry) => [entry.key, entry]));
          extra = recipes.map((recipe) => known.get(keyOf(recipe))).filter(Boolean);
          order = extra.slice(0, most).map((entry) => entry.key);
          made = null;
          player.replaceChildren();
        }
        draw();
      },
    };
  },
};

