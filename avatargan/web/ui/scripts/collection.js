// Favourites and history: everything here comes from this browser's storage.
(() => {
  "use strict";
  const { h, icon, text, widget, storage } = avatargan;

  widget("collection", ({ host, trigger, server }) => {
    let progress = null;
    let sure = false;

    function item(list, entry) {
      const words = avatargan.describe(entry);
      return h(
        "li",
        { class: "ag-cell", "data-recipe": entry.recipe },
        h(
          "button",
          {
            type: "button",
            class: "ag-picture",
            title: `${text("open")} – ${words}`,
            onclick: () => trigger("reopen", { recipe: entry.recipe }),
          },
          h("img", {
            src: entry.thumbnail,
            alt: text("alt", { words }),
            loading: "lazy",
            width: 128,
            height: 128,
          }),
        ),
        h(
          "button",
          {
            type: "button",
            class: "ag-remove",
            "aria-label": text("remove"),
            title: text("remove"),
            onclick: () => storage.remove(list, entry),
          },
          icon("close"),
        ),
      );
    }

    async function downloadAll() {
      const favourites = storage.favourites();
      const names = avatargan.zip.distinct(favourites.map((entry) => entry.name));
      const files = [];
      let problem = null;
      progress = { done: 0, total: favourites.length };
      draw();
      for (const [index, entry] of favourites.entries()) {
        const { bytes, error } = await avatargan.fetchPng(server.png, entry.recipe);
        if (bytes) files.push({ name: `${names[index]}.png`, bytes });
        else problem = error;
        progress.done = index + 1;
        showProgress();
      }
      progress = null;
      draw();
      if (files.length > 0) avatargan.save(avatargan.zip.make(files), "avatargan-favourites.zip");
      if (problem) {
        const count = favourites.length - files.length;
        avatargan.toast(files.length > 0 ? text("zip_skipped", { count }) : problem);
      }
    }

    function showProgress() {
      const label = host.querySelector("[data-zip] span");
      if (label) label.textContent = text("zip_busy", progress);
    }

    function zipButton() {
      return h(
        "button",
        {
          type: "button",
          class: "ag-button ag-strong",
          "data-zip": true,
          disabled: progress !== null,
          onclick: downloadAll,
        },
        icon("download"),
        h("span", {}, progress ? text("zip_busy", progress) : text("zip")),
      );
    }

    // Asks once more in place: a dialog would be too much for thumbnails.
    function clearButton() {
      return h(
        "button",
        {
          type: "button",
          class: "ag-button",
          "data-clear": true,
          onclick: () => {
            if (sure) storage.clearHistory();
            sure = !sure;
            draw();
          },
        },
        icon("trash"),
        text(sure ? "history_clear_sure" : "history_clear"),
      );
    }

    function shelf(list, entries, button) {
      return h(
        "section",
        { class: "ag-shelf", "data-shelf": list },
        h(
          "div",
          { class: "ag-gallery-head" },
          h("h2", {}, text(list), h("small", {}, entries.length > 0 ? ` ${entries.length}` : "")),
          entries.length > 0 ? button : null,
        ),
        entries.length > 0
          ? h("ul", { class: "ag-grid ag-thumbnails" }, entries.map((entry) => item(list, entry)))
          : h("p", { class: "ag-none" }, text(`${list}_empty`)),
      );
    }

    function draw() {
      host.replaceChildren(
        shelf("favourites", storage.favourites(), zipButton()),
        shelf("history", storage.history(), clearButton()),
        h("p", { class: "ag-note" }, text("collection_note")),
      );
    }

    avatargan.on("storage", () => {
      if (host.isConnected && progress === null) draw();
    });
    return draw;
  });
})();
