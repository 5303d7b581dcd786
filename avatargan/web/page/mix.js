// Children of two or more characters: whose shape they have, whose colours, how alike they are.
import { button, h, newId, slider } from "./dom.js";
import { describe } from "./gallery.js";
import { text } from "./language.js";

export const MOST_PARENTS = 4;
const CHILDREN = 12;
const BETWEEN = 0;

// entries: of the collection, two to four.
export function openMix(context, entries) {
  const { studio, backend } = context;
  const wanted = { shape: BETWEEN, colours: BETWEEN, strength: 1 };

  // Whose: each parent by its picture, or something between them.
  function whose(field) {
    const group = newId("whose");
    const choice = (number, content, words) =>
      h(
        "label",
        { class: "parent", title: words },
        h("input", { type: "radio", name: group, value: number, checked: wanted[field] === number, "aria-label": words, onchange: () => (wanted[field] = number) }),
        content,
      );
    return h(
      "div",
      { class: "field", role: "radiogroup", "aria-labelledby": `${group}-title`, "data-whose": field },
      h("div", { class: "field-title", id: `${group}-title` }, text(`mix_${field}`)),
      h(
        "div",
        { class: "parents" },
        choice(BETWEEN, h("span", { class: "between" }, text("mix_between")), text("mix_between")),
        entries.map((entry, index) => choice(index + 1, h("img", { src: entry.thumbnail, alt: "" }), entry.title || describe(entry.recipe))),
      ),
    );
  }

  // Another set on the screen closes what is open.
  function draw() {
    const recipes = entries.map(({ recipe }) => ({ ...recipe, size: studio.settings.size }));
    studio.fill({ title: "mixed_title", total: CHILDREN }, (watch) => backend.mix({ recipes, count: CHILDREN, ...wanted }, watch));
  }

  context.dialog({
    name: "mix",
    title: text("mix_title"),
    content: h(
      "div",
      { class: "mix" },
      h("p", { class: "note" }, text("mix_note")),
      whose("shape"),
      whose("colours"),
      slider({ label: text("mix_strength"), name: "mix-strength", value: 1, min: 0.2, max: 1, step: 0.1, low: text("strength_low"), high: text("strength_high"), changed: (value) => (wanted.strength = value) }),
      h("div", { class: "row end" }, button({ label: text("mix_draw"), symbol: "sparkles", class: "primary", "data-mix-draw": true, onclick: draw })),
    ),
  });
}
