// States that can be gone back to, and forward again. A state is never changed, so keeping it costs only what is new.

export class History<State> {
  private past: State[] = [];
  private future: State[] = [];

  constructor(public present: State, private readonly most = 500) {}

  get canUndo(): boolean {
    return this.past.length > 0;
  }

  get canRedo(): boolean {
    return this.future.length > 0;
  }

  push(state: State): void {
    this.past.push(this.present);
    if (this.past.length > this.most) this.past.shift();
    this.present = state;
    this.future = [];
  }

  undo(): boolean {
    const state = this.past.pop();
    if (state === undefined) return false;
    this.future.push(this.present);
    this.present = state;
    return true;
  }

  redo(): boolean {
    const state = this.future.pop();
    if (state === undefined) return false;
    this.past.push(this.present);
    this.present = state;
    return true;
  }

  clear(state: State): void {
    this.past = [];
    this.future = [];
    this.present = state;
  }
}
