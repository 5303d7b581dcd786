// For those who do not know what they want: pick one of nine, its colours, its details, keep.
import { isAbort } from "./backend.js";
import { button, h } from "./dom.js";
import { describe } from "./gallery.js";
import { attributeName, problem, text } from "./language.js";
import { keyOf } from "./recipes.js";
import { asPicture } from "./studio.js";

const NINE = 9;
const DETAIL_STRENGTHS = [0.15, 0.15, 0.25, 0.25, 0.35, 0.35, 0.45, 0.45];

export function openGuide(context) {
  const { studio, backend, facts } = context;
  const palette = Object.entries(facts.attributes).filter(([, { identity }]) => !identity).map(([name]) => name);
  const steps = ["face", ...palette, "details", "keep"];
  const trail = []; // {step, picture} of the steps before
  let step = 0;
  let picture = null;
  let controller = null;

  const dots = h("ol", { class: "guide-steps" });
  const heading = h("h3", {});
  const note = h("p", { class: "note" });
  const grid = h("div", { class: "guide-grid" });
  const foot = h("div", { class: "row spread" });
  const content = h("div", { class: "guide" }, dots, heading, note, grid, foot);

  function ask() {
    const name = steps[step];
    if (name === "face") {
      const wanted = { ...studio.rolled(NINE), attributes: Object.fromEntries(Object.entries(facts.attributes).map(([one, { identity, default: usual }]) => [one, identity ? usual : "any"])) };
      return (watch) => backend.draw({ ...wanted, psi: facts.default_psi, size: studio.settings.size }, watch);
    }
    const { recipe } = picture;
    if (palette.includes(name)) return (watch) => backend.recolour({ recipe, attribute: name }, watch);
    return async (watch) => {
      watch.onPicture(picture);
      let start = Math.floor(Math.random() * 1000);
      for (const strength of [...new Set(DETAIL_STRENGTHS)]) {
        const count = DETAIL_STRENGTHS.filter((one) => one === strength).length;
        await backend.vary({ recipe, strength, count, start }, watch);
        start += count;
      }
    };
  }

  async function show() {
    controller?.abort();
    controller = new AbortController();
    const { signal } = controller;
    const name = steps[step];
    dots.replaceChildren(...steps.map((one, index) => h("li", { class: index < step ? "done" : index === step ? "now" : "", "aria-current": index === step ? "step" : null }, h("span", { class: "hidden" }, stepName(one)))));
    heading.textContent = text(palette.includes(name) ? "guide_colour" : `guide_${name}`, { attribute: palette.includes(name) ? attributeName(name) : "" });
    note.textContent = text(palette.includes(name) ? "guide_colour_note" : `guide_${name}_note`);
    drawFoot();
    if (name === "keep") return keep();
    grid.className = "guide-grid";
    grid.replaceChildren();
    const total = name === "face" ? NINE : palette.includes(name) ? facts.attributes[name].choices.length : NINE;
    const places = Array.from({ length: total }, () => h("div", { class: "cell placeholder" }));
    grid.replaceChildren(...places);
    let shown = 0;
    try {
      await ask()({
        signal,
        onPicture: (drawn) => {
          const own = drawn.url ? drawn : asPicture(drawn);
          const words = describe(own.recipe);
          const same = picture && keyOf(own.recipe) === picture.key;
          const cell = h(
            "button",
            { type: "button", class: same ? "picture cell chosen" : "picture cell", title: words, "data-guide-pick": true, onclick: () => choose(own) },
            h("img", { src: own.url, alt: text("alt", { words }) }),
          );
          const waiting = places[shown++];
          if (waiting) waiting.replaceWith(cell);
          else grid.append(cell);
        },
      });
    } catch (error) {
      if (isAbort(error)) return;
      grid.replaceChildren(h("p", { class: "verdict bad", role: "alert" }, problem(error)));
    }
  }

  const stepName = (one) => text(palette.includes(one) ? "guide_colour" : `guide_${one}`, { attribute: palette.includes(one) ? attributeName(one) : "" });

  function choose(own) {
    trail.push({ step, picture });
    picture = own;
    step += 1;
    show();
  }

  function back() {
    const former = trail.pop();
    if (!former) return;
    ({ step, picture } = former);
    show();
  }

  function drawFoot() {
    const name = steps[step];
    foot.replaceChildren(
      step > 0 ? button({ label: text("back"), symbol: "back", onclick: back }) : h("span", {}),
      name === "keep"
        ? button({ label: text("continue_create"), symbol: "sparkles", onclick: finish })
        : name === "face" || name === "details"
          ? button({ label: text("guide_others"), symbol: "dice", onclick: show, "data-guide-others": true })
          : button({ label: text("guide_leave"), onclick: () => choose(picture) }),
    );
  }

  function keep() {
    grid.className = "guide-keep";
    grid.replaceChildren(
      h("img", { src: picture.url, alt: text("alt", { words: describe(picture.recipe) }) }),
      h(
        "div",
        { class: "row wrap" },
        button({ label: text("download"), symbol: "download", class: "primary", onclick: () => context.download(picture) }),
        button({ label: text("favourite_add"), symbol: "heart", "data-guide-heart": true, onclick: () => context.addFavourite(picture) }),
      ),
    );
  }

  function finish() {
    studio.openPictures([picture], "guide_result_title");
    studio.change(studio.settingsOf(picture.recipe));
  }

  context.dialog({ name: "guide", title: text("guide_title"), content, className: "wide", closed: () => controller?.abort() });
  show();
}
