// A picture goes in. One that was saved here returns with all its settings; any other becomes a
// character, where the backend can do that.
import { isAbort } from "./backend.js";
import { button, h, icon, progress } from "./dom.js";
import { describe } from "./gallery.js";
import { problem, text } from "./language.js";
import { isRecipe, parseRecipe } from "./recipes.js";
import { isPng, recipeText } from "./carried.js";

// Larger than any PNG that the app gives out.
const LARGEST_BYTES = 5 * 1024 * 1024;
// Other devices round differently by this much.
const CLOSE = 2;

export default {
  name: "picture",
  symbol: "picture",
  available: () => true,
  label: ({ backend }) => text(backend.edit ? "picture_tab" : "restore_tab"),
  mount(element, context) {
    const { studio, backend } = context;
    const result = h("div", { class: "result", "aria-live": "polite" });
    let controller = null;
    let original = null;

    const input = h("input", {
      type: "file", accept: "image/*", class: "hidden", tabindex: "-1", "aria-hidden": "true",
      onchange: () => {
        take(input.files[0]);
        input.value = "";
      },
    });
    const zone = h(
      "button",
      { type: "button", class: "drop-zone", "data-drop": true, onclick: () => input.click() },
      icon("upload"),
      h("strong", {}, text("picture_drop")),
      h("span", {}, text("picture_choose")),
    );
    element.append(
      h(
        "div",
        { class: "narrow" },
        h("h2", {}, text(backend.edit ? "picture_title" : "restore_title")),
        h("ul", { class: "ways" },
          h("li", {}, text("restore_note")),
          backend.edit ? h("li", {}, text("picture_note")) : null,
        ),
        zone,
        input,
        result,
      ),
    );

    async function take(file) {
      if (!file) return;
      controller?.abort();
      controller = new AbortController();
      const { signal } = controller;
      if (original) URL.revokeObjectURL(original);
      original = URL.createObjectURL(file);
      if (file.size > LARGEST_BYTES) return verdict("bad", text("picture_large", { megabytes: LARGEST_BYTES / 1048576 }));
      const bytes = new Uint8Array(await file.arrayBuffer());
      let recipe = null;
      try {
        const found = recipeText(bytes);
        recipe = found === null ? null : parseRecipe(found);
      } catch {
        recipe = {};
      }
      try {
        if (recipe !== null && !isRecipe(recipe)) return verdict("bad", text("restore_damaged"));
        if (recipe !== null) await restore(recipe, file, signal);
        else if (backend.edit) await fit(file, signal);
        else verdict("bad", text(isPng(bytes) ? "restore_nothing" : "restore_not_png"));
      } catch (error) {
        if (!isAbort(error)) verdict("bad", problem(error));
      }
    }

    async function restore(recipe, file, signal) {
      wait(text("restore_busy"));
      let drawn;
      try {
        drawn = await studio.drawOne(recipe, { signal });
      } catch (error) {
        if (error.kind !== "weights" && error.kind !== "recipe") throw error;
        // The controls go as far as these weights know what it says.
        studio.change(studio.settingsOf(recipe));
        return verdict("fair", text("restore_other_weights"), [], { settingsOnly: true });
      }
      const difference = await largestDifference(file, drawn.png);
      const status = difference === null || difference > CLOSE ? "different" : difference > 0 ? "close" : "identical";
      studio.change(studio.settingsOf(drawn.recipe));
      const set = studio.openPictures([drawn], "restored_title", { stay: true });
      verdict(status === "different" ? "fair" : "good", text(`restore_${status}`), [
        figure(original, text("picture_yours")),
        figure(set.pictures[0].url, text("restore_redrawn")),
      ], { words: describe(drawn.recipe) });
    }

    // A picture of one's own: the nearest character that can be drawn, to be seen coming nearer.
    async function fit(file, signal) {
      const bar = wait(text("edit_busy"), () => controller.abort());
      const coming = h("img", { alt: "", class: "coming" });
      const row = h("div", { class: "two-figures" }, figure(original, text("picture_yours")), h("figure", {}, coming, h("figcaption", {}, text("edit_result"))));
      result.append(row);
      const began = performance.now();
      const shown = [];
      let found;
      try {
        found = await backend.edit(
          { picture: file, size: studio.settings.size },
          {
            signal,
            onProgress: ({ picture, ...state }) => {
              bar.report({ ...state, words: remaining(began, state) });
              if (picture) shown.push((coming.src = URL.createObjectURL(picture)));
            },
          },
        );
      } catch (error) {
        if (error.kind === "picture" && document.documentElement.lang !== "en") return verdict("bad", text("edit_wrong"));
        throw error;
      } finally {
        for (const url of shown) URL.revokeObjectURL(url);
      }
      const set = studio.openPictures(found.pictures, "picture_result_title", { stay: true });
      studio.change(studio.settingsOf(set.pictures[0].recipe));
      if (original) URL.revokeObjectURL(original);
      original = URL.createObjectURL(found.original);
      const percent = Math.round(100 * found.nearness);
      verdict(found.verdict === "exact" || found.verdict === "close" ? "good" : "fair", text(`edit_${found.verdict}`, { percent }), [
        figure(original, text("picture_yours")),
        figure(set.pictures[0].url, text("edit_result")),
      ], { words: text("edit_next") });
    }

    function remaining(began, { done, total }) {
      if (!total || done === 0) return text("edit_busy");
      const seconds = Math.ceil((((performance.now() - began) / done) * (total - done)) / 1000);
      return text("edit_left", { percent: Math.round((100 * done) / total), seconds });
    }

    function wait(label, cancel) {
      const bar = progress({ label, cancel: cancel && (() => (cancel(), result.replaceChildren())) });
      result.replaceChildren(bar);
      return bar;
    }

    function figure(url, caption) {
      return h("figure", {}, h("img", { src: url, alt: caption }), h("figcaption", {}, caption));
    }

    function verdict(kind, message, figures = [], { words = null, settingsOnly = false } = {}) {
      const good = kind !== "bad";
      result.replaceChildren(
        h("p", { class: `verdict ${kind}`, role: good ? "status" : "alert" }, message),
        figures.length > 0 ? h("div", { class: "two-figures" }, figures) : "",
        words ? h("p", { class: "note" }, words) : "",
        h(
          "div",
          { class: "row" },
          good
            ? button({
                label: text(settingsOnly ? "restore_draw" : "continue_create"), symbol: "sparkles", class: "primary", "data-open": true,
                onclick: () => {
                  context.go("create");
                  if (settingsOnly) studio.draw();
                },
              })
            : null,
          button({ label: text("another_picture"), symbol: "upload", onclick: () => input.click() }),
        ),
      );
    }

    for (const kind of ["dragover", "dragleave", "drop"]) {
      zone.addEventListener(kind, (event) => {
        event.preventDefault();
        zone.classList.toggle("over", kind === "dragover");
      });
    }
    return { take };
  },
};

// By how much of 255 two pictures differ at most; null for different sizes, or one that is none.
async function largestDifference(first, second) {
  let bitmaps;
  try {
    bitmaps = await Promise.all([first, second].map((blob) => createImageBitmap(blob)));
  } catch {
    return null;
  }
  const [a, b] = bitmaps;
  if (a.width !== b.width || a.height !== b.height) return null;
  const [p, q] = bitmaps.map((bitmap) => {
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
  });
  let largest = 0;
  for (let index = 0; index < p.length; index++) largest = Math.max(largest, Math.abs(p[index] - q[index]));
  return largest;
}
