// Scores: a piece as it is engraved, and to take away in every format.
import { api, type Piece } from "../api";
import { ask } from "../asking";
import { fill, h, type Child } from "../dom";
import { clock, when } from "../figures";
import { choosers, takeDrops, type Gathered } from "../gathering";
import { listenButton } from "../listening";
import { attempt, complain } from "../messages";
import { store } from "../store";
import { named, t } from "../texts";

const address = (piece: string): string => `#/score?piece=${encodeURIComponent(piece)}`;

export function page(root: HTMLElement, query: URLSearchParams): () => void {
  const wanted = query.get("piece");
  const search = h("input", { type: "search", id: "search-scores", placeholder: t("pieces.search"), "aria-label": t("pieces.search") });
  const names = h("ul", { class: "plain" });
  const side = h("nav", { class: "side", "aria-label": t("pieces") }, search, names,
    h("div", { class: "new" }, h("p", { class: "muted" }, t("score.upload")), choosers((gathered) => void upload(gathered), ["one"], true)));
  const view = h("div", { class: "view" });
  fill(root, h("h1", {}, t("route.score")), h("div", { class: "beside" }, side, view));

  let shown: string | null = null;
  const draw = (): void => {
    const words = search.value.toLowerCase();
    const pieces = [...store.pieces.values()].sort((a, b) => b.made - a.made);
    const chosen = store.pieces.get(wanted ?? "") ?? pieces[0];
    search.hidden = pieces.length < 8;
    fill(names, pieces.filter((piece) => piece.name.toLowerCase().includes(words)).map((piece) => h("li", {},
      h("a", {
        class: "entry", id: `score-${piece.id}`, href: address(piece.id), "aria-current": piece === chosen ? "true" : undefined,
      }, h("strong", {}, piece.name), h("small", {}, about(piece))))));
    const now = chosen?.id ?? "";
    if (now === shown || !store.loaded) return;
    shown = now;
    root.classList.toggle("nothing", !chosen);
    fill(view, chosen ? score(chosen) : emptyState());
  };
  search.addEventListener("input", draw);
  const ends = [store.subscribe(["pieces"], draw), takeDrops(t("pieces.drop"), (gathered) => void upload(gathered), complain)];
  draw();
  return () => ends.forEach((end) => end());
}

function emptyState(): HTMLElement {
  return h("section", { class: "welcome" },
    h("p", { class: "lead" }, t("score.welcome")),
    choosers((gathered) => void upload(gathered), ["one"]),
    h("p", { class: "muted" }, t("score.none"), " ", h("a", { href: "#/compose" }, t("corpus.composeAtOnce"))));
}

function about(piece: Piece): string {
  return [t("score.bars", { n: piece.bars }), clock(piece.seconds), when(piece.made)].join(" · ");
}

function score(piece: Piece): Child {
  const state = h("p", { class: "muted", role: "status", "aria-live": "polite" }, t("score.engraving"));
  const sheet = h("div", { class: "sheet-of-music" });
  const picture = h("img", { alt: t("score.picture", { name: piece.name, n: piece.bars }) });
  picture.addEventListener("load", () => state.remove());
  picture.addEventListener("error", () => {
    picture.remove();
    fill(state, t("score.notEngraved"));
  });
  picture.src = api.pieceFile(piece.id, "svg");
  sheet.append(picture);
  return [
    h("div", { class: "row head" }, h("h2", {}, piece.name), h("div", { class: "row" },
      listenButton(`piece-${piece.id}`, piece.name, () => api.score(piece.id)),
      h("a", { class: "button", href: `#/report?piece=${encodeURIComponent(piece.id)}` }, t("score.judge")),
      h("button", { type: "button", class: "danger", onclick: () => void forget(piece) }, t("delete")))),
    h("p", { class: "row downloads" }, h("span", { class: "muted" }, t("score.download")),
      (store.about?.formats ?? []).map((format) =>
        h("a", { href: api.pieceFile(piece.id, format), download: true, class: "button small" }, named("format", format)))),
    state, sheet];
}

async function upload(gathered: Gathered): Promise<void> {
  for (const { path, file } of gathered.files) {
    const piece = await attempt(api.addPiece(file, path));
    if (!piece) continue;
    store.takePiece(piece);
    location.hash = address(piece.id);
  }
}

async function forget(piece: Piece): Promise<void> {
  if (!(await ask(t("score.deleteSure", { name: piece.name }), t("delete")))) return;
  if (!(await attempt(api.forgetPiece(piece.id).then(() => true)))) return;
  store.remove("piece", piece.id);
  location.hash = "#/score";
}
