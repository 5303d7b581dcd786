// Favourites in order, or seeds, to an animation that is played here and can be kept.
(() => {
  "use strict";
  const { h, icon, text, widget, storage } = avatargan;
  const FORMAT_NAMES = { ".webp": "WebP", ".gif": "GIF", ".png": "APNG", ".mp4": "MP4" };

  widget("morph", ({ host, props, trigger }) => {
    // Recipes in the order in which they will be passed; null until the visitor changes it.
    let order = null;
    let seeds = "";
    let busy = null;
    let problem = null;
    let player = null;
    let made = null;

    function chosen() {
      const known = storage.favourites().map((entry) => entry.recipe);
      if (order === null) return known.slice(0, props.most);
      return order.filter((recipe) => known.includes(recipe));
    }

    function toggle(recipe) {
      const now = chosen();
      order = now.includes(recipe) ? now.filter((other) => other !== recipe) : [...now, recipe];
      draw();
    }

    const seedCount = () => seeds.split(/[\s,]+/).filter(Boolean).length;

    function item(entry) {
      const place = chosen().indexOf(entry.recipe) + 1;
      return h(
        "li",
        { class: `ag-cell${place > 0 ? " ag-selected" : ""}`, "data-recipe": entry.recipe },
        h(
          "button",
          {
            type: "button",
            class: "ag-picture",
            "aria-pressed": String(place > 0),
            title: avatargan.describe(entry),
            onclick: () => toggle(entry.recipe),
          },
          h("img", { src: entry.thumbnail, alt: avatargan.describe(entry), width: 128, height: 128 }),
        ),
        place > 0 ? h("span", { class: "ag-place", "aria-hidden": "true" }, String(place)) : null,
      );
    }

    function start(format, play) {
      // What is asked for again in another format is what was played, whatever was changed since.
      if (play) made = { recipes: chosen(), seeds };
      busy = { done: 0, total: 0 };
      problem = null;
      draw();
      trigger("make", { ...made, format, play });
    }

    function seedField() {
      const input = h("input", {
        type: "text",
        class: "ag-text",
        "aria-label": text("morph_seeds"),
        placeholder: text("morph_seeds"),
        autocomplete: "off",
        maxlength: "500",
        value: seeds,
        oninput: () => {
          seeds = input.value;
          const button = host.querySelector("[data-make]");
          if (button) button.disabled = !ready();
        },
      });
      return input;
    }

    const ready = () => busy === null && chosen().length + seedCount() >= 2;

    function downloads() {
      return h(
        "div",
        { class: "ag-buttons" },
        props.formats.map((format) =>
          h(
            "button",
            {
              type: "button",
              class: "ag-button",
              "data-format": format,
              disabled: busy !== null,
              onclick: () => (format === ".webp" ? keep(player.blob, format) : start(format, false)),
            },
            icon("download"),
            FORMAT_NAMES[format],
          ),
        ),
      );
    }

    function keep(blob, format) {
      avatargan.save(blob, `morph${format}`);
    }

    function draw() {
      const favourites = storage.favourites();
      host.replaceChildren(
        favourites.length > 0
          ? h("ul", { class: "ag-grid ag-thumbnails" }, favourites.map(item))
          : h("p", { class: "ag-none" }, text("favourites_empty")),
        seedField(),
        h("p", { class: "ag-note" }, text("morph_note")),
        h(
          "button",
          {
            type: "button",
            class: "ag-button ag-strong",
            "data-make": true,
            disabled: !ready(),
            onclick: () => start(".webp", true),
          },
          icon("sparkles"),
          text("morph_make"),
        ),
        ...[
          busy ? avatargan.progress(busy, text("morph_busy")) : null,
          problem ? h("p", { class: "ag-verdict ag-bad", role: "alert" }, problem) : null,
          player
            ? h(
                "div",
                { class: "ag-player" },
                h("img", { src: player.url, alt: text("morph_tab") }),
                downloads(),
              )
            : null,
        ].filter(Boolean),
      );
    }

    function take(value) {
      if (value.status === "busy") {
        busy = value;
        return;
      }
      busy = null;
      if (value.status === "refused") {
        problem = value.message;
        return;
      }
      const bytes = Uint8Array.from(atob(value.file), (character) => character.charCodeAt(0));
      const blob = new Blob([bytes], { type: value.kind });
      if (!value.play) return keep(blob, value.format);
      if (player) URL.revokeObjectURL(player.url);
      player = { blob, url: URL.createObjectURL(blob) };
    }

    avatargan.on("storage", () => {
      if (host.isConnected && busy === null) draw();
    });
    let last = props.value;
    return () => {
      if (props.value !== last && props.value) take(props.value);
      last = props.value;
      draw();
    };
  });
})();
