// Asks for a picture after each stroke: one request at a time, always for the newest state, and an
// answer that is older than what is shown is dropped.

// A stroke is drawn on at once by many; so much quiet passes for its end.
const QUIET_MS = 90;

export class Live {
  // ask(signal) -> answer, or null if there is nothing to ask; shown(answer); failed(error);
  // working(boolean).
  constructor({ ask, shown, failed, working, quiet = QUIET_MS }) {
    Object.assign(this, { ask, shown, failed, working, quiet });
    this.wanted = 0;
    this.running = false;
  }

  // Something changed.
  changed() {
    this.wanted++;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.run(), this.quiet);
  }

  async run() {
    if (this.running) return; // whoever runs goes on with the newest state
    this.running = true;
    this.working(true);
    try {
      let done = -1;
      while (done !== this.wanted) {
        done = this.wanted;
        try {
          const answer = await this.ask();
          if (done === this.wanted || answer) this.shown(answer);
        } catch (error) {
          if (done === this.wanted) this.failed(error);
        }
      }
    } finally {
      this.running = false;
      this.working(false);
    }
  }
}
