// Back and Forward: tabs, sets and layers (sheets and dialogs) are entries of the browser's history.
//
// Back closes what is open, or returns to the former tab or set; the address follows the chosen
// picture without entries of its own.

export class Navigation {
  // show({tab, set}): called when another entry is reached.
  constructor(window, show) {
    this.window = window;
    this.show = show;
    this.layers = []; // {name, close}
    this.openers = {}; // by name, for those that Forward can open again
    this.place = { tab: null, set: null };
    this.hash = null; // what the address ends with, once somebody has said so
    window.addEventListener("popstate", (event) => this.arrive(event.state));
  }

  begin(place) {
    this.place = place;
    this.window.history.replaceState(this.state(), "");
  }

  state() {
    return { ...this.place, layers: this.layers.map((layer) => layer.name) };
  }

  // Goes somewhere; what is open closes. The same place is no new entry.
  go(place) {
    const next = { ...this.place, ...place };
    this.closeAll();
    if (next.tab === this.place.tab && next.set === this.place.set) return;
    this.place = next;
    this.window.history.pushState(this.state(), "");
  }

  amend(place) {
    this.place = { ...this.place, ...place };
    this.window.history.replaceState(this.state(), "");
  }

  address(hash) {
    this.hash = hash;
    const { pathname, search } = this.window.location;
    const next = `${pathname}${search}${hash ? `#${hash}` : ""}`;
    this.window.history.replaceState(this.state(), "", next);
  }

  open(name, close) {
    this.layers.push({ name, close });
    this.window.history.pushState(this.state(), "");
  }

  // Closes the layer and those above it, as Back does.
  close(name) {
    const place = this.layers.findIndex((layer) => layer.name === name);
    if (place >= 0) this.window.history.go(place - this.layers.length);
  }

  isOpen(name) {
    return this.layers.some((layer) => layer.name === name);
  }

  closeAll() {
    for (const layer of this.layers.splice(0).reverse()) layer.close();
  }

  arrive(state) {
    if (state === null) return; // the visitor has changed the address by hand
    const wanted = state.layers ?? [];
    const common = this.layers.findIndex((layer, index) => layer.name !== wanted[index]);
    const kept = common < 0 ? Math.min(this.layers.length, wanted.length) : common;
    for (const layer of this.layers.splice(kept).reverse()) layer.close();
    const moved = state.tab !== this.place.tab || state.set !== this.place.set;
    this.place = { tab: state.tab, set: state.set };
    if (moved) this.show(this.place);
    for (const name of wanted.slice(kept)) {
      const close = this.openers[name]?.();
      if (close) this.layers.push({ name, close });
    }
    if (this.hash !== null) this.address(this.hash);
  }
}
