// What the Create tab asks for: choices, sliders, the seed.
(() => {
  "use strict";
  const { h, icon, text, attributeName, choiceName, widget } = avatargan;
  let groups = 0;

  // Radio buttons, so that arrow keys and screen readers work as everywhere.
  widget("choice", ({ host, props }) => {
    const group = `ag-choice-${++groups}`;
    return () => {
      const coloured = props.choices.some((choice) => choice.colour);
      const chips = props.choices.map(({ name, colour }) =>
        h(
          "label",
          { class: `ag-chip${coloured ? " ag-swatch" : ""}`, title: choiceName(name) },
          h("input", {
            type: "radio",
            name: group,
            value: name,
            checked: name === props.value,
            onchange: () => (props.value = name),
          }),
          coloured
            ? h("span", {
                class: `ag-dot${name === "any" ? " ag-any" : colour ? "" : " ag-plain"}`,
                style: colour ? `--dot: ${colour}` : null,
                "aria-hidden": "true",
              })
            : null,
          h("span", { class: "ag-name" }, choiceName(name)),
        ),
      );
      const title = props.attribute ? attributeName(props.attribute) : text(props.title);
      host.replaceChildren(
        h(
          "div",
          {
            class: `ag-field${props.inline ? " ag-inline" : ""}`,
            role: "radiogroup",
            "aria-labelledby": `${group}-title`,
          },
          h("div", { class: "ag-title", id: `${group}-title` }, title),
          h("div", { class: `ag-chips${coloured ? " ag-swatches" : ""}` }, chips),
        ),
      );
    };
  });

  widget("slider", ({ host, props }) => {
    const id = `ag-slider-${++groups}`;
    const decimals = props.step < 1 ? 2 : 0;
    return () => {
      const output = h("output", { for: id });
      const show = (input) => {
        output.textContent = Number(input.value).toFixed(decimals);
        const share = (input.value - props.smallest) / (props.largest - props.smallest);
        input.style.setProperty("--share", `${100 * share}%`);
      };
      const input = h("input", {
        type: "range",
        id,
        min: props.smallest,
        max: props.largest,
        step: props.step,
        oninput: () => {
          show(input);
          props.value = Number(input.value);
        },
      });
      input.value = props.value;
      show(input);
      host.replaceChildren(
        h(
          "div",
          { class: "ag-field" },
          h("div", { class: "ag-title" }, h("label", { for: id }, text(props.title)), output),
          avatargan.range(input, props.low, props.high),
        ),
      );
    };
  });

  widget("text", ({ host, props }) => {
    const id = `ag-text-${++groups}`;
    return () => {
      const input = h("input", {
        type: "text",
        class: "ag-text",
        id,
        autocomplete: "off",
        autocapitalize: "off",
        spellcheck: "false",
        maxlength: props.longest,
        value: props.value,
        oninput: () => (props.value = input.value),
      });
      host.replaceChildren(
        h(
          "div",
          { class: "ag-field" },
          h("div", { class: "ag-title" }, h("label", { for: id }, text(props.title))),
          input,
        ),
      );
    };
  });

  widget("switch", ({ host, props }) => () => {
    host.replaceChildren(
      avatargan.toggle(props.title, props.value, (checked) => (props.value = checked)),
    );
  });

  // Seeds stay text: numbers would lose the last digits of those above 2^53.
  function rollSeed() {
    return String(crypto.getRandomValues(new Uint32Array(1))[0]);
  }

  widget("seed", ({ host, props }) => {
    const id = `ag-seed-${++groups}`;
    const set = (change) => (props.value = { ...props.value, ...change });
    return function render() {
      const { seed, locked, variation } = props.value;
      const input = h("input", {
        type: "text",
        id,
        inputmode: "numeric",
        autocomplete: "off",
        spellcheck: "false",
        maxlength: "40",
        placeholder: text("seed_hint"),
        value: seed,
        // Whoever types a seed wants that seed.
        oninput: () => {
          set({ seed: input.value.trim(), locked: input.value.trim() !== "", variation: [] });
          lock.replaceWith((lock = lockButton()));
          note.replaceChildren();
        },
      });
      const lockButton = () =>
        h(
          "button",
          {
            type: "button",
            class: "ag-icon-button ag-lock",
            "aria-pressed": String(props.value.locked),
            "aria-label": text("seed_lock"),
            title: text(props.value.locked ? "seed_unlock" : "seed_lock"),
            onclick: () => {
              const next = !props.value.locked;
              set({
                locked: next,
                seed: props.value.seed || (next ? rollSeed() : ""),
                variation: next ? props.value.variation : [],
              });
              render();
              host.querySelector(".ag-lock").focus();
            },
          },
          icon(props.value.locked ? "lock" : "unlock"),
        );
      let lock = lockButton();
      const dice = h(
        "button",
        {
          type: "button",
          class: "ag-icon-button ag-dice",
          "aria-label": text("seed_roll"),
          title: text("seed_roll"),
          onclick: () => {
            // Locked, or the next draw would roll another one.
            set({ seed: rollSeed(), locked: true, variation: [] });
            render();
            host.querySelector(".ag-dice").focus();
          },
        },
        icon("dice"),
      );
      const note = h("div", { class: "ag-variation-note" });
      if (locked && variation.length > 0) {
        note.append(
          h("span", {}, text("variation_note")),
          h(
            "button",
            {
              type: "button",
              class: "ag-icon-button ag-small",
              "aria-label": text("variation_drop"),
              title: text("variation_drop"),
              onclick: () => {
                set({ variation: [] });
                render();
              },
            },
            icon("close"),
          ),
        );
      }
      host.replaceChildren(
        h(
          "div",
          { class: "ag-field" },
          h("div", { class: "ag-title" }, h("label", { for: id }, text("seed"))),
          h("div", { class: `ag-seed-row${locked ? " ag-locked" : ""}` }, input, lock, dice),
          note,
        ),
      );
    };
  });

  widget("disclosure", ({ host, props }) => {
    let open = false;
    return function render() {
      document.getElementById(props.target)?.classList.toggle("ag-open", open);
      host.replaceChildren(
        h(
          "button",
          {
            type: "button",
            class: "ag-disclosure",
            "aria-expanded": String(open),
            "aria-controls": props.target,
            onclick: () => {
              open = !open;
              render();
              host.firstChild.focus();
            },
          },
          h("span", {}, text(props.title)),
          icon("chevron"),
        ),
      );
    };
  });
})();
