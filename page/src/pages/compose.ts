// Composing: the pieces that there are, the one that is worked on in the roll, and what the machine can do with it.
import { api, type Piece } from "../api";
import { ask } from "../asking";
import { Controls } from "../compose/controls";
import { Deck } from "../compose/deck";
import { Heading } from "../compose/heading";
import { Making } from "../compose/making";
import { Mixing } from "../compose/mixing";
import { Panel } from "../compose/panel";
import { Pianist } from "../compose/pianist";
import { Shelf } from "../compose/shelf";
import { showKeys, takeKeys } from "../compose/shortcuts";
import { Toolbar } from "../compose/toolbar";
import { Tracks } from "../compose/tracks";
import { Variations } from "../compose/variations";
import { Work, type News } from "../compose/work";
import { Writing } from "../compose/writing";
import { fill, h } from "../dom";
import { takeDrops, type Gathered } from "../gathering";
import { attempt, complain } from "../messages";
import { store } from "../store";
import { t } from "../texts";

export function page(root: HTMLElement, query: URLSearchParams): () => void {
  const place = h("div", { class: "roll-here" });
  const invitation = h("p", { class: "invitation", hidden: true }, t("compose.invitation"));
  const middle = h("section", { class: "middle", "aria-label": t("compose.piece") });
  const view = h("div", { class: "studio" });
  fill(root, h("h1", { class: "unseen" }, t("route.compose")), view);
  fill(view, middle);
  fill(middle, h("div", { class: "roll-frame" }, place, invitation)); // the roll is as large as its place

  const deck: Deck = new Deck(() => work);
  const work: Work = new Work(place, {
    onSeek: (tick) => deck.seek(tick),
    onHear: ({ track, pitch, velocity, seconds }) => void deck.sound(track, pitch, velocity, seconds),
  });
  const mixing = new Mixing(() => [work.roll, ...(deck.listener ? [deck.listener] : [])]);
  const pianist = new Pianist(work, deck, () => controls.show());

  const open = async (id: string): Promise<boolean> => {
    const there = await work.open(id);
    if (there) history.replaceState(null, "", `#/compose?piece=${encodeURIComponent(id)}`);
    return there;
  };
  const begin = (): void => {
    work.begin();
    history.replaceState(null, "", "#/compose");
    panel.turn("compose");
  };
  const hear = async (id: string): Promise<void> => {
    if (work.piece?.id === id) return deck.toggle();
    if (await open(id)) await deck.play(0);
  };
  const forget = async (piece: Piece): Promise<void> => {
    if (!(await ask(t("score.deleteSure", { name: piece.name }), t("delete")))) return;
    if (!(await attempt(api.forgetPiece(piece.id).then(() => true)))) return;
    work.forgetDraft(piece.id);
    store.remove("piece", piece.id);
    if (work.piece?.id !== piece.id) return;
    const [next] = [...store.pieces.values()].sort((one, other) => other.made - one.made);
    if (!next || !(await open(next.id))) begin();
  };
  const take = async (gathered: Gathered): Promise<void> => {
    for (const { path, file } of gathered.files) {
      const piece = await attempt(api.addPiece(file, path));
      if (!piece) continue;
      store.takePiece(piece);
      await open(piece.id);
    }
  };

  const toolbar = new Toolbar(work, root, showKeys);
  const heading = new Heading(work, () => work.piece && void forget(work.piece));
  const variations = new Variations(work, open, (id) => void hear(id));
  const controls: Controls = new Controls(work, deck, pianist);
  const tracks = new Tracks(work, mixing);
  const making = new Making(work, open);
  const writing = new Writing(work, making);
  const shelf = new Shelf(work, {
    open: (id) => void open(id),
    hear: (id) => void hear(id),
    forget: (piece) => void forget(piece),
    take: (gathered) => void take(gathered),
    begin,
  });
  const panel: Panel = new Panel(work, making, query.get("model"));
  middle.prepend(heading.element, toolbar.element, variations.element);
  fill(view, shelf.element, tracks.element, middle, panel.element, controls.element);

  const news = (what: News): void => {
    const other = what === "opened" || what === "written";
    if (what === "opened" && work.kin && work.piece?.job === work.writer && !deck.playing) { // seen to its end while it was written
      if (work.piece.from) work.roll.showFresh();
      else work.roll.showBeginning();
    }
    if (other && !work.kin) {
      mixing.reset(work.tracks);
      panel.forgetTracks();
      deck.stop();
    } else if (other || what === "edited") mixing.follow(work.tracks);
    if (other || what === "edited") deck.follow(other);
    if (what === "saved" && work.piece) history.replaceState(null, "", `#/compose?piece=${encodeURIComponent(work.piece.id)}`);
    if (what === "region") deck.loop();
    if (what !== "named") for (const part of [toolbar, variations, tracks, shelf, panel]) part.show();
    heading.show();
    controls.show();
    controls.showPlace();
    invitation.hidden = work.piece !== null || work.writing || work.tracks.some((track) => track.notes.length > 0);
  };
  work.hear(news);
  deck.hear((what) => (what === "state" ? controls.show() : controls.showPlace()));
  deck.whenReady(() => mixing.reset(work.tracks));

  const start = async (): Promise<void> => {
    const wanted = query.get("piece") ?? (making.ready ? "" : Work.last);
    if (making.ready && !query.get("piece")) return making.show();
    const [newest] = [...store.pieces.values()].sort((one, other) => other.made - one.made);
    const id = wanted && store.pieces.has(wanted) ? wanted : newest?.id;
    if (!id || !(await open(id))) begin();
  };
  let started = false;
  const heard = (): void => {
    if (!started && store.loaded) {
      started = true;
      void start();
    }
    writing.show();
    if (work.writing) deck.follow(false); // what has come so far can be heard
    for (const part of [shelf, variations, heading, panel, tracks]) part.show();
  };
  const redo = (): void => work.roll.redo();
  const ends = [
    store.subscribe(["pieces", "jobs", "models"], heard),
    takeDrops(t("compose.drop"), (gathered) => void take(gathered), complain),
    takeKeys({
      " ": () => deck.toggle(),
      "[": () => variations.go(-1),
      "]": () => variations.go(1),
      "l": () => deck.loop(!deck.loops),
      "f": () => controls.toggleFollow(),
      "p": () => toolbar.use(work.roll.tool === "pencil" ? "select" : "pencil"),
      "?": showKeys,
      "Control+s": () => void heading.save(),
      "Control+z": () => work.roll.undo(),
      "Control+y": redo,
    }),
    () => writing.end(),
    () => variations.end(),
    () => pianist.end(),
    () => deck.end(),
    () => work.end(),
  ];
  heard();
  return () => ends.forEach((end) => end());
}
