// Two canvases, one on the other: a still one, drawn when what it shows has changed, and a moving one, drawn as often as
// the screen shows a picture. Sizes them to their element and draws at most once a frame; knows not what is drawn.

export type Layer = "still" | "moving";

export interface Painter {
  sized(width: number, height: number): void;
  paint(layer: Layer, context: CanvasRenderingContext2D, now: number): void;
  moves(): boolean; // whether the moving layer has to be drawn in the next frame too
}

export class Layers {
  private readonly canvases: Record<Layer, HTMLCanvasElement>;
  private readonly stale: Record<Layer, boolean> = { still: true, moving: true };
  private readonly observer: ResizeObserver;
  private ratio = 0;
  private frame = 0;
  private ended = false;

  constructor(private readonly root: HTMLElement, private readonly painter: Painter) {
    this.canvases = { still: document.createElement("canvas"), moving: document.createElement("canvas") };
    for (const canvas of [this.canvases.still, this.canvases.moving]) {
      canvas.style.cssText = "position:absolute;inset:0;width:100%;height:100%;pointer-events:none";
      canvas.setAttribute("aria-hidden", "true");
      root.append(canvas);
    }
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(root);
  }

  // Whatever happens between two frames is drawn once.
  redraw(what: "all" | "moving" = "all"): void {
    if (what === "all") this.stale.still = true;
    this.stale.moving = true;
    if (!this.frame && !this.ended) this.frame = requestAnimationFrame((now) => this.paint(now));
  }

  resize(): void {
    const [width, height] = [this.root.clientWidth, this.root.clientHeight];
    if (!width || !height || this.ended) return;
    this.ratio = window.devicePixelRatio || 1;
    for (const canvas of Object.values(this.canvases)) {
      canvas.width = Math.round(width * this.ratio);
      canvas.height = Math.round(height * this.ratio);
    }
    this.painter.sized(width, height);
    this.stale.still = this.stale.moving = true;
    this.paint(performance.now()); // at once: a canvas that was sized anew is empty
  }

  destroy(): void {
    this.ended = true;
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
  }

  private paint(now: number): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (this.ratio !== (window.devicePixelRatio || 1)) return this.resize();
    for (const layer of ["still", "moving"] as const) {
      const context = this.canvases[layer].getContext("2d", { alpha: layer === "moving" });
      if (!context || !this.stale[layer]) continue;
      this.stale[layer] = false;
      context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      this.painter.paint(layer, context, now);
    }
    if (this.painter.moves()) this.redraw("moving");
  }
}
