// Versions side by side: each as a small picture of its notes, what is new in it in colour, all at one scale; to open, and
// to hear.
import { api, type Piece, type Score } from "../api";
import { fill, h } from "../dom";
import { clock } from "../figures";
import { attempt } from "../messages";
import { coloursOf, whenColoursChange, type Colours } from "../roll/colours";
import { t } from "../texts";
import { iconButton } from "./icons";
import { boxOf, frameOf, HIGH, WIDE, type Frame } from "./miniature";

const OLD = 0.35; // opacity of what was there before

export class Versions {
  readonly element = h("ul", { class: "plain versions", hidden: true, "aria-label": t("variations") });
  private readonly scores = new Map<string, Promise<Score | undefined>>();
  private readonly endColours = whenColoursChange(() => this.paint());
  private pieces: Piece[] = [];
  private drawn = "";

  constructor(private readonly open: (id: string) => void, private readonly hear: (id: string) => void) {}

  /** Show these pieces, if there are several; one of them is open. */
  show(pieces: Piece[], open: string): void {
    this.element.hidden = pieces.length < 2;
    if (this.element.hidden) return;
    const now = [open, ...pieces.map((piece) => piece.id)].join();
    if (now === this.drawn) return;
    this.drawn = now;
    this.pieces = pieces;
    fill(this.element, pieces.map((piece, place) => this.item(piece, place, piece.id === open)));
    this.paint();
    this.element.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  end(): void {
    this.endColours();
  }

  private item(piece: Piece, place: number, open: boolean): HTMLElement {
    const name = t("shelf.version", { n: place + 1 });
    return h("li", {},
      h("button", {
        type: "button", id: `version-${piece.id}`, class: "version", "aria-current": open ? "true" : undefined, title: piece.name,
        onclick: () => this.open(piece.id),
      }, h("canvas", { "data-piece": piece.id, "aria-hidden": true }), h("span", {}, name, h("small", { class: "muted" }, ` ${clock(piece.seconds)}`))),
      iconButton(`hear-version-${piece.id}`, "play", t("listen.to", { name: `${piece.name}, ${name}` }), () => this.hear(piece.id)));
  }

  private async paint(): Promise<void> {
    const { pieces, drawn } = this;
    const scores = await Promise.all(pieces.map(({ id }) => {
      const known = this.scores.get(id) ?? attempt(api.score(id));
      this.scores.set(id, known);
      return known;
    }));
    if (drawn !== this.drawn || !this.element.isConnected) return;
    const colours = coloursOf(this.element);
    const frame = frameOf(scores.filter((score) => score !== undefined));
    pieces.forEach(({ id }, place) => {
      const canvas = this.element.querySelector<HTMLCanvasElement>(`canvas[data-piece="${id}"]`);
      const score = scores[place];
      if (canvas && score) draw(canvas, score, frame, colours);
    });
  }
}

function draw(canvas: HTMLCanvasElement, score: Score, frame: Frame, colours: Colours): void {
  const sharp = window.devicePixelRatio || 1;
  canvas.width = WIDE * sharp;
  canvas.height = HIGH * sharp;
  const context = canvas.getContext("2d");
  if (!context) return;
  context.scale(sharp, sharp);
  const fresh = new Set(score.fresh.map(([track, note]) => `${track} ${note}`));
  score.tracks.forEach((track, place) => {
    context.fillStyle = colours.tracks[place % colours.tracks.length] ?? colours.ink;
    track.notes.forEach((note, number) => {
      context.globalAlpha = fresh.size === 0 || fresh.has(`${place} ${number}`) ? 1 : OLD;
      context.fillRect(...boxOf(note, score.quarter, frame));
    });
  });
}
