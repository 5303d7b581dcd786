// What Draw draws: choices, sliders, the seed.
import { button, h, icon, segments, slider } from "./dom.js";
import { choiceField } from "./choices.js";
import { checkSeed, rollSeed } from "./recipes.js";
import { text } from "./language.js";

export function buildControls({ studio }) {
  const { facts } = studio;
  const change = (changes) => studio.change(changes, true);
  const form = h("form", { class: "controls", "aria-label": text("controls"), onsubmit: (event) => {
    event.preventDefault();
    studio.draw();
  } });

  const fields = Object.entries(facts.attributes).map(([name, { choices, experimental }]) =>
    choiceField({
      attribute: name,
      choices,
      experimental,
      value: studio.settings.attributes[name],
      unwanted: studio.settings.unwanted[name],
      changed: ({ value, unwanted }) =>
        change({
          attributes: { ...studio.settings.attributes, [name]: value },
          unwanted: { ...studio.settings.unwanted, [name]: unwanted },
        }),
    }),
  );
  const count = slider({
    label: text("count"), name: "count", value: studio.settings.count, min: 1, max: facts.largest_count, step: 1,
    changed: (value) => change({ count: value }),
  });
  // Above this pictures fall apart more often than they surprise; the API goes further.
  const psi = slider({
    label: text("psi"), name: "psi", value: studio.settings.psi, min: 0, max: Math.min(1.2, facts.largest_psi), step: 0.05,
    low: text("psi_low"), high: text("psi_high"), changed: (value) => change({ psi: value }),
  });
  const seed = seedField({ value: studio.settings, changed: change });
  const size = h("div", { class: "size-host" });
  const drawSize = () =>
    size.replaceChildren(
      facts.sizes.length > 1
        ? segments({
            label: text("size"), name: "size", choices: facts.sizes.map((side) => [side, `${side}`]),
            value: studio.settings.size, changed: (side) => change({ size: side }),
          })
        : "",
    );
  drawSize();

  form.append(
    h("div", { class: "controls-main" }, fields),
    h("div", { class: "controls-more" }, count, psi, size, seed),
    // Enter in any field draws; the button that is seen is elsewhere.
    h("button", { type: "submit", class: "hidden", tabindex: "-1", "aria-hidden": "true" }, text("draw")),
  );

  studio.addEventListener("settings", () => {
    const { settings } = studio;
    fields.forEach((field) => {
      const { attribute } = field.dataset;
      field.set({ value: settings.attributes[attribute], unwanted: settings.unwanted[attribute] });
    });
    count.set(settings.count);
    psi.set(settings.psi);
    seed.set(settings);
    drawSize();
  });
  return form;
}

// The one button, which says what it is doing; and the way out of it.
export function drawButton({ studio }) {
  const label = h("span", {}, text("draw"));
  const draw = h(
    "button",
    { type: "button", class: "button primary draw", "data-draw": true, onclick: () => studio.draw() },
    icon("sparkles"),
    label,
  );
  const cancel = button({ label: text("cancel"), symbol: "close", quiet: true, class: "cancel", onclick: () => studio.stop() });
  const node = h("div", { class: "draw-row" }, draw, cancel);
  const show = () => {
    const busy = studio.drawing !== null;
    node.classList.toggle("busy", busy);
    cancel.hidden = !busy;
    const { set } = studio;
    label.textContent = busy && set ? text("drawing", { done: set.pictures.length, total: set.total }) : text("draw");
  };
  studio.addEventListener("busy", show);
  studio.addEventListener("set", show);
  show();
  return node;
}

export function seedField({ value, changed, label = text("seed") }) {
  let state = { seed: value.seed, locked: value.locked };
  const input = h("input", {
    type: "text", inputmode: "numeric", autocomplete: "off", spellcheck: "false", maxlength: 40, name: "seed",
    "aria-label": label, placeholder: text("seed_hint"), value: state.seed,
    // Whoever types a seed wants that seed.
    oninput: () => {
      const typed = input.value.trim();
      const wrong = typed !== "" && checkSeed(typed) === null;
      input.setAttribute("aria-invalid", String(wrong));
      hint.textContent = wrong ? text("seed_wrong") : "";
      if (!wrong) put({ seed: typed === "" ? "" : checkSeed(typed), locked: typed !== "" }, false);
    },
  });
  const lock = button({
    label: text("seed_lock"), symbol: "unlock", quiet: true, class: "lock",
    onclick: () => put({ seed: state.seed || (state.locked ? "" : rollSeed()), locked: !state.locked }),
  });
  const dice = button({
    label: text("seed_roll"), symbol: "dice", quiet: true, class: "dice",
    onclick: () => put({ seed: rollSeed(), locked: true }), // locked, or the next draw would roll another
  });
  const hint = h("p", { class: "field-hint", role: "status" });
  const node = h(
    "div",
    { class: "field seed" },
    h("div", { class: "field-title" }, label),
    h("div", { class: "seed-row" }, input, lock, dice),
    hint,
  );

  function put(next, write = true) {
    state = next;
    changed(next);
    show(write);
  }

  function show(write = true) {
    if (write) {
      input.value = state.seed;
      input.setAttribute("aria-invalid", "false");
      hint.textContent = "";
    }
    node.classList.toggle("locked", state.locked);
    lock.setAttribute("aria-pressed", String(state.locked));
    lock.title = text(state.locked ? "seed_unlock" : "seed_lock");
    lock.replaceChildren(icon(state.locked ? "lock" : "unlock"));
  }

  show();
  node.set = ({ seed, locked }) => {
    state = { seed, locked };
    show();
  };
  return node;
}
