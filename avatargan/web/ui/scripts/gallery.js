// The grid of pictures of the Create tab.
(() => {
  "use strict";
  const { h, icon, text, widget, storage } = avatargan;
  const MOST_STEPS_BACK = 8;

  function heart(card) {
    const kept = storage.isFavourite(card);
    return h(
      "button",
      {
        type: "button",
        class: "ag-heart",
        "aria-pressed": String(kept),
        "aria-label": text("favourite_add"),
        title: text(kept ? "favourite_remove" : "favourite_add"),
        onclick: () => storage.toggleFavourite(card),
      },
      icon("heart"),
    );
  }

  function cell(card) {
    const selected = avatargan.chosen()?.recipe === card.recipe;
    return h(
      "li",
      { class: `ag-cell${selected ? " ag-selected" : ""}`, "data-recipe": card.recipe },
      h(
        "button",
        {
          type: "button",
          class: "ag-picture",
          "aria-pressed": String(selected),
          onclick: () => {
            avatargan.choose(card, true);
            storage.remember([card]);
          },
        },
        h("img", {
          src: card.picture,
          alt: text("alt", { words: avatargan.describe(card) }),
          width: card.size,
          height: card.size,
        }),
      ),
      heart(card),
    );
  }

  widget("gallery", ({ host, props }) => {
    const earlier = [];
    let shown = null;

    function titleOf(value) {
      if (value.title) return text(value.title);
      return text(value.remember ? "gallery_results" : "gallery_start");
    }

    function draw() {
      const value = shown || { cards: [], total: 12, title: "", remember: false };
      const waiting = Math.max(0, Math.min(value.total - value.cards.length, 36));
      const back = h(
        "button",
        {
          type: "button",
          class: "ag-back",
          onclick: () => {
            shown = earlier.pop();
            avatargan.choose(shown.cards[0], false);
            draw();
          },
        },
        icon("back"),
        text("back"),
      );
      host.replaceChildren(
        h(
          "div",
          { class: "ag-gallery-head" },
          h("h2", {}, titleOf(value)),
          earlier.length > 0 ? back : null,
        ),
        h(
          "ul",
          {
            class: "ag-grid",
            "aria-label": text("gallery"),
            "aria-busy": String(waiting > 0),
            "data-count": value.total,
            "data-started": value.started,
          },
          value.cards.map(cell),
          Array.from({ length: waiting }, () => h("li", { class: "ag-cell ag-waiting" })),
        ),
      );
    }

    function update() {
      const value = props.value;
      if (!value || !Array.isArray(value.cards)) return draw();
      if (shown && value.started < shown.started) return takeLate(value);
      const another = !shown || shown.started !== value.started;
      if (another && shown && shown.cards.length > 0 && value.cards.length > 0) {
        earlier.push(shown);
        if (earlier.length > MOST_STEPS_BACK) earlier.shift();
      }
      const known = another ? 0 : shown.cards.length;
      shown = value;
      if (value.remember && value.cards.length > known) storage.remember(value.cards.slice(known));
      if (another && value.cards.length > 0) avatargan.choose(value.cards[0], false);
      draw();
      if (another) bringIntoView();
    }

    // The visitor asked for something else while an earlier draw was still going on: its pictures
    // join their set behind the present one.
    function takeLate(value) {
      const index = earlier.findIndex((set) => set.started === value.started);
      if (index >= 0) earlier[index] = value;
      else earlier.push(value);
      draw();
    }

    function bringIntoView() {
      const top = host.getBoundingClientRect().top;
      if (top < 0 || top > window.innerHeight * 0.8) {
        host.scrollIntoView({ block: "start", behavior: "smooth" });
      }
    }

    // Marks are moved in place: pictures that are drawn anew would flicker.
    function mark() {
      const recipe = avatargan.chosen()?.recipe;
      for (const item of host.querySelectorAll("[data-recipe]")) {
        const selected = item.dataset.recipe === recipe;
        item.classList.toggle("ag-selected", selected);
        item.querySelector(".ag-picture").setAttribute("aria-pressed", String(selected));
      }
    }

    function markHearts() {
      const kept = new Set(storage.favourites().map((entry) => entry.recipe));
      for (const item of host.querySelectorAll("[data-recipe]")) {
        const button = item.querySelector(".ag-heart");
        button.setAttribute("aria-pressed", String(kept.has(item.dataset.recipe)));
      }
    }

    avatargan.on("choose", mark);
    avatargan.on("storage", markHearts);
    let last;
    return () => {
      // The same value again means another language.
      if (props.value === last) return draw();
      last = props.value;
      update();
    };
  });
})();
