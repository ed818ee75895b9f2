// The studio's page: its shell, and which of its pages is shown, by the address after the "#".
import { h, write } from "./dom";
import { header, paint, ROUTES, type Route } from "./header";
import { transport } from "./listening";
import { complain, forgive, messages } from "./messages";
import { store } from "./store";
import { language, t, whenLanguageChanges } from "./texts";

type Page = (root: HTMLElement, query: URLSearchParams) => () => void;

const pages: Record<Route, () => Promise<{ page: Page }>> = {
  corpus: () => import("./pages/corpus"),
  train: () => import("./pages/train"),
  compose: () => import("./pages/compose"),
  report: () => import("./pages/report"),
  score: () => import("./pages/score"),
};

const banner = h("div", { class: "banner", role: "status", "aria-live": "polite", hidden: true });
const root = h("main", { id: "content", tabindex: -1 });

let shown: Route | null = null;
let turn = 0; // of the routes asked for: a slow one must not come after a later
let endPage = (): void => {};
let top: ReturnType<typeof header> | null = null;

function asked(): { route: Route; query: URLSearchParams } {
  const [, path = "", query = ""] = /^#\/?([^?]*)\??(.*)$/.exec(location.hash) ?? [];
  const route = ROUTES.find((name) => name === path) ?? "corpus";
  return { route, query: new URLSearchParams(query) };
}

async function go(): Promise<void> {
  const { route, query } = asked();
  const mine = ++turn;
  const focused = document.activeElement?.id;
  top?.go(route);
  document.title = `${t(`route.${route}`)} · Partimento`;
  try {
    const { page } = await pages[route]();
    if (mine !== turn) return;
    endPage();
    endPage = () => {};
    const another = shown !== route;
    const view = h("div", { class: `page page-${route}` });
    root.replaceChildren(view);
    endPage = page(view, query);
    if (another && shown !== null) {
      forgive();
      window.scrollTo(0, 0);
      root.focus({ preventScroll: true });
    } else if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    shown = route;
  } catch (error) {
    complain(error);
  }
}

function shell(): void {
  const focused = document.activeElement?.id;
  top?.end();
  document.documentElement.lang = language() === "zh" ? "zh-Hans" : "en";
  top = header(asked().route);
  document.body.replaceChildren(
    h("a", { class: "skip", href: "#content", onclick: skip }, t("skip")),
    top.element, banner, root, messages, transport());
  if (focused) document.getElementById(focused)?.focus();
  showConnection();
}

function skip(event: Event): void {
  event.preventDefault(); // the address says which page is shown
  root.focus();
}

function showConnection(): void {
  banner.hidden = store.connected;
  write(banner, store.connected ? "" : t("error.away"));
}

paint();
shell();
store.subscribe(["connection"], showConnection);
whenLanguageChanges(() => {
  shell();
  void go();
});
window.addEventListener("hashchange", () => void go());
store.start();
store.restWhileUnseen();
void go();
