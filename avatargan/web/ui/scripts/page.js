// The frame of the page: header, footer, theme, the Enter key.
(() => {
  "use strict";
  const { h, icon, text, widget } = avatargan;
  const THEME_KEY = "avatargan.theme";

  function storedTheme() {
    try {
      return localStorage.getItem(THEME_KEY);
    } catch {
      return null; // storage is switched off: the system's theme it is
    }
  }

  function setTheme(theme) {
    document.body.classList.toggle("dark", theme === "dark");
    try {
      localStorage.setItem(THEME_KEY, theme);
    } catch {
      // The choice lasts until the page is left.
    }
  }

  widget("header", ({ host }) => {
    const stored = storedTheme();
    if (stored === "dark" || stored === "light") setTheme(stored);
    return function render() {
      const dark = document.body.classList.contains("dark");
      const label = text(dark ? "theme_light" : "theme_dark");
      host.replaceChildren(
        h(
          "header",
          { class: "ag-header" },
          h("span", { class: "ag-mark", "aria-hidden": "true" }),
          h("h1", {}, "avatargan"),
          h("p", {}, text("tagline")),
          h(
            "button",
            {
              type: "button",
              class: "ag-icon-button ag-theme",
              "aria-label": label,
              title: label,
              onclick: () => {
                setTheme(dark ? "light" : "dark");
                render();
                host.querySelector(".ag-theme").focus();
              },
            },
            icon(dark ? "sun" : "moon"),
          ),
        ),
      );
    };
  });

  widget("footer", ({ host, props }) => () => {
    const { version, weights, renderer } = props.facts;
    host.replaceChildren(
      h(
        "div",
        { class: "ag-footer" },
        h("span", {}, `avatargan ${version}`),
        h("span", {}, `${text("footer_weights")} ${weights}`),
        h("span", {}, renderer),
        h("a", { href: "docs", target: "_blank", rel: "noopener" }, text("rest_api")),
      ),
    );
  });

  // Enter draws, from any control that has no use of its own for it.
  document.addEventListener("keydown", (event) => {
    const field = event.target;
    if (event.key !== "Enter" || event.isComposing || !(field instanceof HTMLInputElement)) return;
    if (!field.closest("#controls")) return;
    event.preventDefault();
    document.querySelector("#draw")?.click();
  });

  avatargan.start();
})();
