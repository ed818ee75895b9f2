// The notes that a job writes, shown in the roll as they are told, until its pieces are there.
import { store } from "../store";
import { basisOf } from "./basis";
import type { Making } from "./making";
import type { Work } from "./work";

export class Writing {
  private job = "";
  private readonly endNotes: () => void;

  constructor(private readonly work: Work, private readonly making: Making) {
    this.endNotes = store.hearNotes(({ job, note }) => {
      if (job !== this.job && !this.begin(job)) return;
      this.work.roll.addHeard(note, true);
    });
  }

  /** Where a job has ended without a piece, the roll shows again what it had. */
  show(): void {
    if (!this.job) return;
    if (!this.work.writing) this.job = "";
    else if (["failed", "stopped", undefined].includes(store.jobs.get(this.job)?.state)) {
      this.job = "";
      void this.work.unwatch();
    }
  }

  end(): void {
    this.endNotes();
  }

  private begin(id: string): boolean {
    const job = store.jobs.get(id);
    if (this.work.writing || this.work.edited || job?.state !== "running" || !this.making.isOurs(id)) return false;
    this.job = id;
    this.work.watch(id, basisOf(job, this.work.score), job.kind !== "compose" || Boolean(job.asked.prompt));
    return true;
  }
}
