// A PNG goes in, and its recipe comes out.
(() => {
  "use strict";
  const { h, icon, text, attributeName, choiceName, widget } = avatargan;

  widget("restore", ({ host, props, trigger }) => {
    let original = null;
    let tooLarge = false;
    let busy = false;

    function take(file) {
      if (!file) return;
      if (original) URL.revokeObjectURL(original);
      original = URL.createObjectURL(file);
      tooLarge = file.size > props.largest;
      busy = !tooLarge;
      draw();
      if (tooLarge) return;
      const reader = new FileReader();
      reader.onload = () => {
        trigger("restore", { png: reader.result.split(",")[1] ?? "" });
      };
      reader.readAsDataURL(file);
    }

    function dropZone() {
      const input = h("input", {
        type: "file",
        accept: "image/png",
        class: "ag-file",
        onchange: () => {
          take(input.files[0]);
          input.value = "";
        },
      });
      const zone = h(
        "label",
        {
          class: "ag-drop",
          ondragover: (event) => {
            event.preventDefault();
            zone.classList.add("ag-over");
          },
          ondragleave: () => zone.classList.remove("ag-over"),
          ondrop: (event) => {
            event.preventDefault();
            zone.classList.remove("ag-over");
            take(event.dataTransfer.files[0]);
          },
        },
        input,
        icon("upload"),
        h("strong", {}, text("restore_drop")),
        h("span", {}, text("restore_choose")),
      );
      return zone;
    }

    function picture(url, caption) {
      return h("figure", {}, h("img", { src: url, alt: caption }), h("figcaption", {}, caption));
    }

    function verdict(kind, message) {
      return h("p", { class: `ag-verdict ag-${kind}`, role: kind === "good" ? "status" : "alert" }, message);
    }

    function result() {
      if (tooLarge) {
        const megabytes = Math.round(props.largest / 1048576);
        return [verdict("bad", text("restore_large", { megabytes }))];
      }
      const value = props.value;
      if (busy || !value || !original) return [];
      if (value.status === "refused") return [verdict("bad", value.message)];
      const card = value.card;
      const same = value.status === "identical" || value.status === "close";
      return [
        verdict(same ? "good" : "fair", text(`restore_${value.status}`)),
        h(
          "div",
          { class: "ag-compare" },
          picture(original, text("restore_yours")),
          card.picture ? picture(card.picture, text("restore_redrawn")) : null,
        ),
        h(
          "p",
          { class: "ag-words" },
          [
            ...Object.entries(card.attributes).map(
              ([name, choice]) => `${attributeName(name)} ${choiceName(choice)}`,
            ),
            `${text("seed")} ${card.seed}`,
          ].join(" · "),
        ),
        h(
          "button",
          { type: "button", class: "ag-button ag-strong", "data-open": true, onclick: () => trigger("open") },
          text("restore_open"),
        ),
      ];
    }

    function draw() {
      host.replaceChildren(
        h(
          "div",
          { class: "ag-restore-page", "aria-busy": String(busy) },
          h("h2", {}, text("restore_title")),
          h("p", { class: "ag-note" }, text("restore_note")),
          dropZone(),
          h("div", { class: "ag-result" }, result()),
        ),
      );
    }

    let last = props.value;
    return () => {
      if (props.value !== last) busy = false;
      last = props.value;
      draw();
    };
  });
})();
