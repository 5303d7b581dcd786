// Favourites and history in the browser's own storage: recipes and small thumbnails.
avatargan.storage = (() => {
  "use strict";

  const KEYS = { favourites: "avatargan.favourites", history: "avatargan.history" };
  const MOST = 200;
  const THUMBNAIL_SIDE = 128;
  const LONGEST_RECIPE = 20000;
  const LONGEST_THUMBNAIL = 40000;
  // What is shown when the browser refuses to store anything.
  const memory = { favourites: [], history: [] };
  let usable = true;

  // Other pages, extensions and older versions may have left anything here.
  function isEntry(entry) {
    return (
      entry !== null &&
      typeof entry === "object" &&
      typeof entry.recipe === "string" &&
      entry.recipe.length <= LONGEST_RECIPE &&
      typeof entry.thumbnail === "string" &&
      entry.thumbnail.length <= LONGEST_THUMBNAIL &&
      /^data:image\/(jpeg|webp|png);base64,[A-Za-z0-9+/=]+$/.test(entry.thumbnail) &&
      typeof entry.name === "string" &&
      /^[\p{L}\p{N}_-]{1,160}$/u.test(entry.name) &&
      typeof entry.seed === "string" &&
      /^\d{1,19}$/.test(entry.seed) &&
      isAttributes(entry.attributes)
    );
  }

  function isAttributes(attributes) {
    if (attributes === null || typeof attributes !== "object" || Array.isArray(attributes)) {
      return false;
    }
    const values = Object.values(attributes);
    return values.length <= 100 && values.every((value) => typeof value === "string");
  }

  function read(list) {
    if (!usable) return memory[list];
    try {
      const entries = JSON.parse(localStorage.getItem(KEYS[list]) || "[]");
      return Array.isArray(entries) ? entries.filter(isEntry).slice(0, MOST) : [];
    } catch {
      return [];
    }
  }

  function write(list, entries) {
    memory[list] = entries;
    if (!usable) return avatargan.emit("storage");
    try {
      localStorage.setItem(KEYS[list], JSON.stringify(entries));
    } catch {
      makeRoom(list, entries);
    }
    avatargan.emit("storage");
  }

  // History gives way to favourites: half of it goes at a time until there is room.
  function makeRoom(list, entries) {
    let history = list === "history" ? entries : read("history");
    while (history.length > 0) {
      history = history.slice(0, Math.floor(history.length / 2));
      try {
        localStorage.setItem(KEYS.history, JSON.stringify(history));
        if (list !== "history") localStorage.setItem(KEYS[list], JSON.stringify(entries));
        return avatargan.toast(avatargan.text("storage_full"));
      } catch {
        continue;
      }
    }
    memory.favourites = list === "favourites" ? entries : read("favourites");
    memory.history = [];
    usable = false;
    avatargan.toast(avatargan.text("storage_off"));
  }

  async function entryOf(card) {
    return {
      recipe: card.recipe,
      thumbnail: card.thumbnail || (await thumbnailOf(card.picture)),
      name: card.name,
      seed: card.seed,
      attributes: card.attributes,
    };
  }

  async function thumbnailOf(url) {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = THUMBNAIL_SIDE;
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, THUMBNAIL_SIDE, THUMBNAIL_SIDE);
    return canvas.toDataURL("image/jpeg", 0.75);
  }

  async function remember(cards) {
    const fresh = await Promise.all(cards.map(entryOf));
    const known = new Set(fresh.map((entry) => entry.recipe));
    const older = read("history").filter((entry) => !known.has(entry.recipe));
    write("history", [...fresh, ...older].slice(0, MOST));
  }

  function isFavourite(card) {
    return read("favourites").some((entry) => entry.recipe === card.recipe);
  }

  async function toggleFavourite(card) {
    if (isFavourite(card)) return remove("favourites", card);
    const entry = await entryOf(card);
    const favourites = read("favourites").filter((other) => other.recipe !== card.recipe);
    if (favourites.length >= MOST) {
      return avatargan.toast(avatargan.text("favourites_full", { count: MOST }));
    }
    write("favourites", [entry, ...favourites]);
  }

  function remove(list, card) {
    write(list, read(list).filter((entry) => entry.recipe !== card.recipe));
  }

  // Another tab of this browser has changed something.
  window.addEventListener("storage", (event) => {
    if (Object.values(KEYS).includes(event.key) || event.key === null) avatargan.emit("storage");
  });

  return {
    favourites: () => read("favourites"),
    history: () => read("history"),
    clearHistory: () => write("history", []),
    remember,
    isFavourite,
    toggleFavourite,
    remove,
  };
})();
