// The chosen picture: its recipe in words, and what can be done with it.
(() => {
  "use strict";
  const { h, icon, text, attributeName, choiceName, widget, storage } = avatargan;
  const DEFAULT_STRENGTH = 0.3;

  widget("detail", ({ host, props, trigger, server }) => {
    let card = null;
    let strip = null;
    let strength = DEFAULT_STRENGTH;
    let opener = null;
    // Whether the background is to be cut away, and the file where it has been.
    let transparent = false;
    let cutOut = null;
    const panel = () => document.getElementById("chosen");

    function facts() {
      const rows = Object.entries(card.attributes).map(([name, choice]) => [
        attributeName(name),
        choiceName(choice),
      ]);
      rows.push(
        [text("seed"), card.seed],
        [text("psi"), String(Number(card.psi.toFixed(3)))],
        [text("size"), `${card.size} px`],
      );
      if (card.steps > 0) rows.push([text("variation_steps"), String(card.steps)]);
      return h(
        "dl",
        { class: "ag-facts" },
        rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
      );
    }

    function heart() {
      const kept = storage.isFavourite(card);
      return h(
        "button",
        {
          type: "button",
          class: "ag-heart ag-large",
          "aria-pressed": String(kept),
          "aria-label": text("favourite_add"),
          title: text(kept ? "favourite_remove" : "favourite_add"),
          onclick: () => storage.toggleFavourite(card),
        },
        icon("heart"),
      );
    }

    async function download(event) {
      const button = event.currentTarget;
      const { name, recipe } = card;
      const suffix = transparent ? "-transparent" : "";
      button.disabled = true;
      const blob = transparent ? await loadCutOut() : await load(server.png, recipe);
      button.disabled = false;
      if (blob) avatargan.save(blob, `${name}${suffix}.png`);
    }

    async function load(ask, recipe) {
      const { bytes, error } = await avatargan.fetchPng(ask, recipe);
      if (!error) return new Blob([bytes], { type: "image/png" });
      avatargan.toast(error);
      return null;
    }

    // Of the chosen picture, asked for once.
    function loadCutOut() {
      const { recipe } = card;
      if (cutOut?.recipe === recipe) return cutOut.blob;
      if (cutOut?.url) URL.revokeObjectURL(cutOut.url);
      const asked = { recipe, url: null };
      cutOut = asked;
      asked.blob = load(server.transparent_png, recipe).then((blob) => {
        if (cutOut !== asked) return blob;
        if (blob) asked.url = URL.createObjectURL(blob);
        else cutOut = null; // so that the next try asks again
        if (blob) showPicture();
        return blob;
      });
      return asked.blob;
    }

    function showPicture() {
      const url = transparent && cutOut?.recipe === card.recipe ? cutOut.url : null;
      const image = host.querySelector("figure img");
      image.src = url || card.picture;
      image.classList.toggle("ag-checkered", Boolean(url));
    }

    function transparency() {
      if (!props.transparency) return null;
      return avatargan.toggle("transparent", transparent, (checked) => {
        transparent = checked;
        if (transparent) loadCutOut();
        showPicture();
      });
    }

    function recolouring() {
      const attributes = Object.keys(props.palette);
      if (attributes.length === 0) return null;
      const fits = strip && (strip.of === card.recipe || strip.cards.some(isCard));
      const buttons = attributes.map((attribute) =>
        h(
          "button",
          {
            type: "button",
            class: "ag-button",
            "data-recolour": attribute,
            "aria-pressed": String(Boolean(fits && strip.attribute === attribute)),
            onclick: () => recolour(attribute),
          },
          attributeName(attribute),
        ),
      );
      return h(
        "section",
        { class: "ag-section" },
        h("h3", {}, text("recolour"), h("small", {}, text("recolour_note"))),
        h("div", { class: "ag-buttons" }, buttons),
        fits ? h("ul", { class: "ag-strip" }, stripItems()) : null,
      );
    }

    const isCard = (other) => other.recipe === card.recipe;

    function recolour(attribute) {
      const { of, attribute: known } = props.value || {};
      if (of === card.recipe && known === attribute) {
        strip = props.value; // the same answer again would be no news to Gradio
      } else {
        strip = { of: card.recipe, attribute, cards: [] };
        trigger("recolour", { recipe: card.recipe, attribute });
      }
      draw();
    }

    function stripItems() {
      if (strip.cards.length > 0) return strip.cards.map(stripItem);
      const count = props.palette[strip.attribute];
      return Array.from({ length: count }, () => h("li", { class: "ag-waiting" }));
    }

    function stripItem(item) {
      const name = choiceName(item.attributes[strip.attribute]);
      return h(
        "li",
        {},
        h(
          "button",
          {
            type: "button",
            class: "ag-strip-item",
            "aria-pressed": String(isCard(item)),
            title: name,
            onclick: () => {
              avatargan.choose(item, true);
              storage.remember([item]);
            },
          },
          h("img", { src: item.picture, alt: name }),
        ),
      );
    }

    function variations() {
      const input = h("input", {
        type: "range",
        min: "0.05",
        max: "0.8",
        step: "0.05",
        "aria-label": text("strength"),
        oninput: () => {
          strength = Number(input.value);
          show();
        },
      });
      const show = () => input.style.setProperty("--share", `${((strength - 0.05) / 0.75) * 100}%`);
      input.value = strength;
      show();
      return h(
        "section",
        { class: "ag-section" },
        h("h3", {}, text("variations")),
        h(
          "div",
          { class: "ag-variations" },
          avatargan.range(input, "strength_low", "strength_high"),
          h(
            "button",
            {
              type: "button",
              class: "ag-button",
              "data-vary": true,
              "aria-label": text("variations_draw"),
              onclick: () => {
                trigger("vary", { recipe: card.recipe, strength });
                close();
              },
            },
            icon("sparkles"),
            text("draw"),
          ),
        ),
      );
    }

    function draw() {
      if (!card) {
        return host.replaceChildren(h("div", { class: "ag-detail ag-empty" }));
      }
      host.replaceChildren(
        h(
          "section",
          { class: "ag-detail", "aria-label": text("chosen"), "data-recipe": card.recipe },
          h(
            "button",
            { type: "button", class: "ag-icon-button ag-close", "aria-label": text("close"), onclick: close },
            icon("close"),
          ),
          h(
            "figure",
            {},
            h("img", {
              src: card.picture,
              alt: text("alt", { words: avatargan.describe(card) }),
              width: card.size,
              height: card.size,
            }),
            heart(),
          ),
          facts(),
          transparency(),
          h(
            "div",
            { class: "ag-buttons" },
            h(
              "button",
              { type: "button", class: "ag-button ag-strong", "data-download": true, onclick: download },
              icon("download"),
              text("download"),
            ),
            h(
              "button",
              {
                type: "button",
                class: "ag-button",
                "data-reopen": true,
                onclick: () => {
                  trigger("reopen", { recipe: card.recipe });
                  close();
                },
              },
              icon("sliders"),
              text("reopen"),
            ),
          ),
          recolouring(),
          variations(),
        ),
      );
      if (transparent) loadCutOut();
      showPicture();
    }

    // On narrow screens the panel is a sheet above the page.
    function open() {
      if (getComputedStyle(panel()).position !== "fixed") return;
      opener ||= document.activeElement;
      panel().classList.add("ag-open");
      document.body.classList.add("ag-sheet-open");
      host.querySelector(".ag-close").focus();
    }

    function close() {
      if (!panel().classList.contains("ag-open")) return;
      panel().classList.remove("ag-open");
      document.body.classList.remove("ag-sheet-open");
      if (opener?.isConnected) opener.focus();
      opener = null;
    }

    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
    });
    avatargan.on("choose", (choice) => {
      card = choice.card;
      draw();
      if (choice.byHand) open();
    });
    avatargan.on("storage", () => {
      const button = host.querySelector(".ag-heart");
      if (card && button) button.replaceWith(heart());
    });
    return () => {
      strip = props.value?.cards ? props.value : strip;
      draw();
    };
  });
})();
