// Sliders along found directions: what a character looks like, in place.
import { button, h, slider } from "./dom.js";
import { sliderName, text } from "./language.js";

const STEPS = 50; // on each side of the middle

// The amounts of the sliders that a recipe has.
export function amountsOf(recipe) {
  const amounts = {};
  for (const step of recipe.steps ?? []) if (step.slider) amounts[step.slider] = step.amount;
  return amounts;
}

// The recipe with one slider elsewhere; at 0 it has no step of its own.
export function withSlider(recipe, { name, directions }, amount) {
  const steps = (recipe.steps ?? []).filter((step) => step.slider !== name);
  const place = (recipe.steps ?? []).findIndex((step) => step.slider === name);
  if (amount !== 0) steps.splice(place < 0 ? steps.length : place, 0, { slider: name, amount, directions });
  const { steps: _, ...rest } = recipe;
  return steps.length > 0 ? { ...rest, format: 2, steps } : rest;
}

export function buildShape({ studio, facts, redraw, peek }) {
  const fields = new Map();
  const reset = button({
    label: text("shape_reset"), symbol: "undo", class: "small",
    onclick: () => {
      const { recipe } = studio.chosen;
      const steps = (recipe.steps ?? []).filter((step) => !step.slider);
      const { steps: _, ...rest } = recipe;
      redraw(steps.length > 0 ? { ...rest, steps } : rest);
    },
  });

  for (const one of facts.sliders) {
    const largest = Math.max(Math.abs(one.min), Math.abs(one.max));
    // Ranges need not be the same on both sides: steps are counted from the middle.
    const snapped = (value) => Math.min(one.max, Math.max(one.min, Number(((Math.round((value / largest) * STEPS) / STEPS) * largest).toFixed(3))));
    const field = slider({
      label: sliderName(one), name: one.name, value: 0, min: one.min, max: one.max, step: "any",
      format: (value) => {
        const share = snapped(value) / largest;
        return share === 0 ? "0" : `${share > 0 ? "+" : "−"}${Math.abs(Math.round(100 * share))} %`;
      },
      changed: (value, finished) => {
        const recipe = withSlider(studio.chosen.recipe, one, snapped(value));
        if (finished) redraw(recipe);
        else peek(recipe);
      },
    });
    fields.set(one.name, field);
  }

  function update({ recipe }) {
    const amounts = amountsOf(recipe);
    for (const [name, field] of fields) if (document.activeElement !== field.input || !field.matches(":active")) field.set(amounts[name] ?? 0);
    reset.disabled = Object.keys(amounts).length === 0;
  }

  const node = h("div", { class: "shape" }, h("p", { class: "note" }, text("shape_note")), ...fields.values(), h("div", { class: "row" }, reset));
  return { node, update };
}
