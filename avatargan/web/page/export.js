// Many pictures in one ZIP: new characters, or those of the collection.
import { isAbort } from "./backend.js";
import { choiceField } from "./choices.js";
import { seedField } from "./controls.js";
import { button, h, later, progress, save, segments, slider, toggle } from "./dom.js";
import { problem, text } from "./language.js";
import { keyOf, seedForJson } from "./recipes.js";
import { exportRecipes } from "./package.js";

const TEMPLATE = "avatar_{seed}";
const PREFERRED_SIZE = 256;
// The seed of the example while none is locked: of as many digits as most that are rolled.
const EXAMPLE_SEED = 1234567890;

export default {
  name: "export",
  symbol: "box",
  available: () => true,
  mount(element, context) {
    const { facts, backend, store } = context;
    const many = Boolean(backend.exportZip);
    const state = {
      source: many ? "new" : "favourites",
      attributes: Object.fromEntries(Object.entries(facts.attributes).map(([name, { identity, default: usual }]) => [name, identity ? usual : "any"])),
      seed: "",
      locked: false,
      count: Math.min(24, facts.export_count ?? 24),
      size: facts.sizes.includes(PREFERRED_SIZE) ? PREFERRED_SIZE : facts.default_size,
      name: TEMPLATE,
      manifest: true,
      sheets: false,
      transparent: false,
    };
    let recipes = null; // from the collection, where some were chosen there
    let controller = null;
    let zip = null;

    const source = h("div", {});
    const settings = h("div", { class: "export-settings" });
    const example = h("p", { class: "field-hint", role: "status", id: "export-example" });
    const status = h("div", {});
    const make = button({ label: text("export_make"), symbol: "box", class: "primary", "data-export": true, onclick: run });
    const again = button({ label: text("export_download"), symbol: "download", "data-download-zip": true, onclick: () => save(zip, "avatargan-export.zip") });
    element.append(
      h(
        "div",
        { class: "split" },
        h("section", { class: "split-main" }, h("h2", {}, text("export_title")), source, settings),
        h(
          "section",
          { class: "split-side" },
          h("div", { class: "field" },
            h("div", { class: "field-title" }, h("label", { for: "export-name" }, text("export_name"))),
            h("input", {
              type: "text", id: "export-name", value: state.name, maxlength: 200, autocomplete: "off", autocapitalize: "off", spellcheck: "false",
              oninput: (event) => ((state.name = event.target.value), changed()),
            }),
            example,
          ),
          size(),
          toggle({ label: text("export_manifest"), checked: state.manifest, changed: (on) => ((state.manifest = on), changed()), "data-manifest": true }),
          toggle({ label: text("export_sheets"), checked: state.sheets, changed: (on) => ((state.sheets = on), changed()), "data-sheets": true }),
          facts.transparent ? toggle({ label: text("transparent"), checked: false, changed: (on) => ((state.transparent = on), changed()), "data-transparent-export": true }) : null,
          h("div", { class: "row" }, make, again),
          status,
        ),
      ),
    );

    function size() {
      if (facts.sizes.length < 2) return null;
      return segments({ label: text("size"), name: "export-size", choices: facts.sizes.map((side) => [side, `${side}`]), value: state.size, changed: (side) => ((state.size = side), changed()) });
    }

    function drawSource() {
      const favourites = recipes ?? store.favourites.map((entry) => entry.recipe);
      source.replaceChildren(
        segments({
          label: text("export_what"), name: "export-source", value: state.source,
          choices: [
            ...(many ? [["new", text("export_new")]] : []),
            ["favourites", `${text(recipes ? "export_chosen" : "favourites")} (${favourites.length})`],
          ],
          changed: (value) => {
            state.source = value;
            drawSettings();
            changed();
          },
        }),
      );
    }

    function drawSettings() {
      if (state.source === "favourites") {
        const entries = chosen();
        settings.replaceChildren(
          entries.length > 0
            ? h("ul", { class: "grid thumbnails", role: "list" }, entries.map((entry) => h("li", { class: "cell" }, h("img", { src: entry.thumbnail, alt: "", width: 128, height: 128, loading: "lazy" }))))
            : h("p", { class: "note" }, text("favourites_empty")),
        );
        return;
      }
      settings.replaceChildren(
        ...Object.entries(facts.attributes).map(([name, { choices, experimental }]) =>
          choiceField({
            attribute: name, choices, experimental, value: state.attributes[name], withNot: false,
            changed: ({ value }) => {
              state.attributes[name] = value;
              changed();
            },
          }),
        ),
        slider({ label: text("count"), name: "export-count", value: state.count, min: 1, max: facts.export_count, step: 1, changed: (value) => ((state.count = value), changed()) }),
        seedField({ value: state, label: text("export_seed"), changed: (next) => (Object.assign(state, next), changed()) }),
      );
    }

    function chosen() {
      if (!recipes) return store.favourites;
      const all = new Map([...store.favourites, ...store.history].map((entry) => [entry.key, entry]));
      return recipes.map((recipe) => all.get(keyOf(recipe))).filter(Boolean);
    }

    const request = (seed) => {
      const { attributes, count, size: side, name, manifest, sheets, transparent } = state;
      return { attributes, count, size: side, name, manifest, sheets, transparent, ...(seed === null ? {} : { seed: seedForJson(seed) }) };
    };

    let asking = null;
    const showExample = later(150, async () => {
      asking?.abort();
      asking = new AbortController();
      if (state.source === "favourites") return (example.textContent = text("export_own_names"));
      try {
        const { file } = await backend.exportName(request(state.locked ? state.seed : EXAMPLE_SEED), { signal: asking.signal });
        example.className = "field-hint";
        example.textContent = `${text("example")} ${file} · ${text("export_fields")} ${["seed", "index", ...Object.keys(facts.attributes)].map((field) => `{${field}}`).join(" ")}`;
      } catch (error) {
        if (isAbort(error)) return;
        example.className = "field-hint wrong";
        example.textContent = error.kind === "option" ? `${text("export_name_wrong")} ${["seed", "index", ...Object.keys(facts.attributes)].map((field) => `{${field}}`).join(" ")}` : problem(error);
        if (error.reason && document.documentElement.lang === "en") example.textContent = problem(error);
      }
    });

    function changed() {
      zip = null;
      drawButtons();
      showExample();
    }

    // One primary button at a time: what there is to do next.
    function drawButtons() {
      make.disabled = controller !== null || (state.source === "favourites" && chosen().length === 0);
      make.hidden = zip !== null;
      again.hidden = zip === null;
      again.classList.toggle("primary", zip !== null);
    }

    async function run() {
      controller = new AbortController();
      const bar = progress({ label: text("export_busy"), cancel: () => controller?.abort() });
      status.replaceChildren(bar);
      drawButtons();
      const leaving = context.busy(text("export_busy"));
      const watch = { signal: controller.signal, onProgress: (report) => bar.report(report) };
      try {
        const result =
          state.source === "favourites"
            ? await exportRecipes(backend, chosen(), state, watch)
            : await backend.exportZip(request(state.locked ? state.seed : null), watch);
        zip = result.zip;
        const megabytes = (zip.size / 1e6).toFixed(1);
        status.replaceChildren(h("p", { class: "verdict good", role: "status" }, text("export_done", { pictures: result.pictures, megabytes })));
        if (result.skipped) status.append(h("p", { class: "note" }, text("zip_skipped", { count: result.skipped })));
      } catch (error) {
        status.replaceChildren(isAbort(error) ? "" : h("p", { class: "verdict bad", role: "alert" }, problem(error)));
      } finally {
        leaving();
        controller = null;
        drawButtons();
        if (zip) again.focus();
      }
    }

    store.addEventListener("change", () => {
      if (controller !== null) return;
      drawSource();
      if (state.source === "favourites") drawSettings();
      drawButtons();
    });
    drawSource();
    drawSettings();
    drawButtons();
    showExample();
    return {
      shown(options = {}) {
        if (!options.recipes) return;
        recipes = options.recipes;
        state.source = "favourites";
        drawSource();
        drawSettings();
        changed();
      },
    };
  },
};
