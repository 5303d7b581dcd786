// Windows over the page: focus stays inside, Back and Escape close them.
import { button, h, keepFocus, newId } from "./dom.js";
import { text } from "./language.js";

// Returns a function that opens a window with a title and some content.
export function buildDialogs(navigation) {
  return function open({ name, title, content, opened, closed, className = "" }) {
    const id = newId("dialog");
    const opener = document.activeElement;
    const dialog = h(
      "dialog",
      {
        class: `window ${className}`.trim(), "aria-labelledby": id,
        oncancel: (event) => (event.preventDefault(), navigation.close(name)),
        onclick: (event) => event.target === dialog && navigation.close(name),
      },
      h(
        "div",
        { class: "window-body" },
        h("div", { class: "window-head" }, h("h2", { id }, title), button({ label: text("close"), symbol: "close", quiet: true, onclick: () => navigation.close(name) })),
        content,
      ),
    );
    document.body.append(dialog);
    keepFocus(dialog);
    dialog.showModal();
    navigation.open(name, () => {
      const toast = dialog.querySelector("#toast");
      if (toast) document.body.append(toast);
      dialog.close();
      dialog.remove();
      opener?.focus?.();
      closed?.();
    });
    opened?.();
    return dialog;
  };
}

const KEYS = [
  ["← → ↑ ↓", "key_arrows"],
  ["Enter", "key_enter"],
  ["F", "key_favourite"],
  ["D", "key_download"],
  ["V", "key_vary"],
  ["L", "key_link"],
  ["Z", "key_undo"],
  ["Shift + Z", "key_redo"],
  ["Alt + ← →", "key_move"],
  ["Esc", "key_escape"],
  ["?", "key_help"],
];

export function helpContent() {
  return h(
    "div",
    { class: "help" },
    h("p", {}, text("help_intro")),
    h("table", {}, h("tbody", {}, KEYS.map(([key, words]) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, key)), h("td", {}, text(words)))))),
  );
}
