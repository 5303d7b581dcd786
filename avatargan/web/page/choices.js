// One attribute's choices: dots where their names are colours, words where not. Radio buttons, so
// that arrow keys and screen readers work as everywhere.
import { colourOf } from "./colours.js";
import { h, newId } from "./dom.js";
import { attributeName, choiceName, text } from "./language.js";

// value: a choice or "any"; unwanted: choices that are left out while it is "any".
// changed({value, unwanted}). experimental: choices that are marked so. withAny: whether "any" is one of them. extra: stands beside the title.
export function choiceField({ attribute, choices, value, unwanted = [], experimental = [], changed, withAny = true, withNot = true, label, extra = null }) {
  const group = newId("choice");
  const coloured = choices.some((choice) => colourOf(choice));
  let current = { value, unwanted: [...unwanted] };
  let excluding = false;

  const node = h("div", { class: "field choice", "data-attribute": attribute });

  function set(next) {
    current = { ...current, ...next };
    render();
  }

  function pick(choice) {
    current = { value: choice, unwanted: choice === "any" ? current.unwanted : [] };
    changed(current);
    render();
  }

  function exclude(choice) {
    const without = current.unwanted.includes(choice)
      ? current.unwanted.filter((one) => one !== choice)
      : [...current.unwanted, choice];
    if (without.length >= choices.length) return; // something has to be left
    current = { value: "any", unwanted: without };
    changed(current);
    render();
  }

  function chip(choice) {
    const colour = colourOf(choice);
    const crossed = current.unwanted.includes(choice);
    const words = crossed ? text("not_choice", { choice: choiceName(choice) }) : choiceName(choice);
    const input = excluding
      ? h("input", {
          type: "checkbox", value: choice, checked: crossed, disabled: choice === "any",
          onchange: () => exclude(choice),
        })
      : h("input", { type: "radio", name: group, value: choice, checked: choice === current.value, onchange: () => pick(choice) });
    return h(
      "label",
      { class: ["chip", coloured ? "swatch" : "", crossed ? "crossed" : ""].join(" ").trim(), title: words },
      input,
      coloured
        ? h("span", {
            class: ["dot", choice === "any" ? "any" : colour ? "" : "plain"].join(" ").trim(),
            style: colour ? { "--dot": colour } : null,
            "aria-hidden": "true",
          })
        : null,
      h(
        "span",
        { class: coloured ? "chip-name hidden" : "chip-name" },
        words,
        experimental.includes(choice) ? h("small", { class: "experimental" }, ` ${text("experimental")}`) : null,
      ),
    );
  }

  function render() {
    const focused = node.contains(document.activeElement) ? document.activeElement.value : null;
    const shown = current.value === "any" && current.unwanted.length > 0
      ? text("any_but", { choices: current.unwanted.map(choiceName).join(", ") })
      : choiceName(current.value);
    const not = withAny && withNot && choices.length > 2
      ? h(
          "button",
          {
            type: "button", class: "not", "aria-pressed": String(excluding), title: text("not_hint"),
            onclick: () => {
              excluding = !excluding;
              render();
              node.querySelector(".not").focus();
            },
          },
          text("not"),
        )
      : null;
    node.replaceChildren(
      h(
        "div",
        { class: "field-title" },
        h("span", { id: `${group}-title` }, label ?? attributeName(attribute)),
        coloured ? h("span", { class: "field-value" }, excluding ? text("not_pick") : shown) : null,
        not,
        extra,
      ),
      h(
        "div",
        { class: coloured ? "chips swatches" : "chips", role: excluding ? "group" : "radiogroup", "aria-labelledby": `${group}-title` },
        [...(withAny ? ["any"] : []), ...choices].map(chip),
      ),
    );
    if (focused !== null) node.querySelector(`input[value="${CSS.escape(focused)}"]`)?.focus();
  }

  render();
  node.set = set;
  return node;
}
