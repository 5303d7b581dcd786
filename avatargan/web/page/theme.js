// Before the page is painted: the theme that was chosen by hand, if any was.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem("avatargan.theme");
  } catch {
    // Storage is switched off: the system's theme it is.
  }
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
})();
