// Which files of a corpus are left out by hand: saved at every change, and each change can be undone.
import { api } from "../api";
import { complain } from "../messages";
import { store } from "../store";

export class LeavingOut {
  numbers = new Set<number>();
  private before: Set<number>[] = [];
  private saving = false;
  private again = false;

  constructor(private readonly corpus: string, private readonly changed: () => void) {}

  get canUndo(): boolean {
    return this.before.length > 0;
  }

  /** What the server has, unless something newer is on its way there. */
  take(numbers: Iterable<number>): void {
    if (!this.saving) this.numbers = new Set(numbers);
  }

  put(numbers: number[], out: boolean): void {
    this.before.push(new Set(this.numbers));
    for (const number of numbers) {
      if (out) this.numbers.add(number);
      else this.numbers.delete(number);
    }
    this.changed();
    void this.save();
  }

  undo(): void {
    const before = this.before.pop();
    if (!before) return;
    this.numbers = before;
    this.changed();
    void this.save();
  }

  private async save(): Promise<void> {
    if (this.saving) {
      this.again = true; // one call at a time, so that the last change is what stays
      return;
    }
    this.saving = true;
    try {
      do {
        this.again = false;
        store.takeCorpus(await api.leaveOut(this.corpus, [...this.numbers].sort((a, b) => a - b)));
      } while (this.again);
    } catch (error) {
      complain(error);
      const last = this.before.pop();
      if (last) this.numbers = last;
      this.changed();
    }
    this.saving = false;
  }
}
