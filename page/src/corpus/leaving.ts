// Which files of a corpus are left out by hand: saved at every change, and each change can be undone.
import { api } from "../api";
import { complain } from "../messages";
import { store } from "../store";

export class LeavingOut {
  numbers = new Set<number>();
  private before: { numbers: number[]; out: boolean }[] = []; // what was changed, not what there was: others change it too
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
    const changed = numbers.filter((number) => this.numbers.has(number) !== out);
    this.before.push({ numbers: changed, out });
    this.set(changed, out);
    this.changed();
    void this.save();
  }

  undo(): void {
    const last = this.before.pop();
    if (!last) return;
    this.set(last.numbers, !last.out);
    this.changed();
    void this.save();
  }

  private set(numbers: number[], out: boolean): void {
    for (const number of numbers) {
      if (out) this.numbers.add(number);
      else this.numbers.delete(number);
    }
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
      if (last) this.set(last.numbers, !last.out);
      this.changed();
    }
    this.saving = false;
  }
}
