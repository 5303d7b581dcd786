// What was done, so that it can be taken back and done again.
const MOST = 100;

export class UndoStack extends EventTarget {
  constructor() {
    super();
    this.done = [];
    this.undone = [];
  }

  // step: {undo(), redo()}; it has been done already.
  push(step) {
    this.done.push(step);
    if (this.done.length > MOST) this.done.shift();
    this.undone = [];
    this.tell();
  }

  get canUndo() {
    return this.done.length > 0;
  }

  get canRedo() {
    return this.undone.length > 0;
  }

  undo() {
    const step = this.done.pop();
    if (!step) return;
    step.undo();
    this.undone.push(step);
    this.tell();
  }

  redo() {
    const step = this.undone.pop();
    if (!step) return;
    step.redo();
    this.done.push(step);
    this.tell();
  }

  tell() {
    this.dispatchEvent(new Event("change"));
  }
}
