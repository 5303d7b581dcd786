// The board survives a reload: its document lies in the browser's storage, and nowhere else.
import { BoardDocument } from "./document.js";

const KEY = "avatargan.board";

export function restore(storage = safeStorage()) {
  try {
    const kept = JSON.parse(storage?.getItem(KEY) ?? "null");
    return { document: BoardDocument.from(kept?.document), settings: kept?.settings ?? {} };
  } catch {
    return { document: new BoardDocument(), settings: {} };
  }
}

// Returns whether it fitted.
export function keep(document, settings, storage = safeStorage()) {
  try {
    storage?.setItem(KEY, JSON.stringify({ document, settings }));
    return Boolean(storage);
  } catch {
    // Full: what is undone can be done without, and so can what was cleared.
    try {
      const visible = new BoardDocument(document.visible());
      storage.setItem(KEY, JSON.stringify({ document: visible, settings }));
      return true;
    } catch {
      return false;
    }
  }
}

function safeStorage() {
  try {
    return globalThis.localStorage;
  } catch {
    return null; // switched off: the board lasts until the page is left
  }
}
