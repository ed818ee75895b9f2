// Files that are dropped or chosen: folders are looked through to the bottom, and give what is made of them its name.
import { fill, h } from "./dom";
import { t } from "./texts";

export interface Gathered {
  name: string; // of the folder, or of the one file; "" for several
  files: { path: string; file: File }[];
}

const HIDDEN = /(^|\/)(\.|__MACOSX(\/|$))/; // what systems leave behind, which nobody means

/** What the browser's dialog for files or for a folder gave. */
export function chosen(list: FileList): Gathered {
  const files = [...list].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  const folder = files[0]?.path.includes("/") ? files[0].path.split("/")[0] : undefined;
  return gathered(folder ? [folder] : files.map((one) => one.path), files);
}

/** What was dropped. The entries must be taken before anything is waited for. */
export async function dropped(transfer: DataTransfer): Promise<Gathered> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return chosen(transfer.files);
  const files: Gathered["files"] = [];
  for (const entry of entries) await walk(entry, files);
  return gathered(entries.map((entry) => entry.name), files);
}

function gathered(tops: string[], files: Gathered["files"]): Gathered {
  const wanted = files.filter(({ path }) => !HIDDEN.test(path)).sort((a, b) => (a.path < b.path ? -1 : 1));
  const only = tops.length === 1 ? (tops[0] ?? "") : "";
  return { name: only.replace(/\.[A-Za-z]{2,8}$/, ""), files: wanted };
}

async function walk(entry: FileSystemEntry, into: Gathered["files"]): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((give, fail) => (entry as FileSystemFileEntry).file(give, fail));
    into.push({ path: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) { // a folder is read a hundred entries at a time
    const some = await new Promise<FileSystemEntry[]>((give, fail) => reader.readEntries(give, fail));
    if (some.length === 0) return;
    for (const inside of some) await walk(inside, into);
  }
}

/** Take what is dropped anywhere on the page, and show that it will be taken; gives back what ends it. */
export function takeDrops(words: string, take: (gathered: Gathered) => void, fail: (error: unknown) => void): () => void {
  const veil = h("div", { class: "veil", "aria-hidden": true }, h("p", {}, words));
  const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
  const over = (event: DragEvent): void => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    if (!veil.isConnected) document.body.append(veil);
  };
  const leave = (event: DragEvent): void => {
    if (event.relatedTarget === null) veil.remove();
  };
  const drop = (event: DragEvent): void => {
    if (!hasFiles(event) || !event.dataTransfer) return;
    event.preventDefault();
    veil.remove();
    dropped(event.dataTransfer).then(take, fail);
  };
  document.addEventListener("dragover", over);
  document.addEventListener("dragleave", leave);
  document.addEventListener("drop", drop);
  return () => {
    veil.remove();
    document.removeEventListener("dragover", over);
    document.removeEventListener("dragleave", leave);
    document.removeEventListener("drop", drop);
  };
}

/** Buttons that open the browser's dialogs: for files, and where it is wanted for a folder. */
export function choosers(take: (gathered: Gathered) => void, kinds: ("folder" | "files" | "one" | "more")[], small = false): HTMLElement {
  const row = h("div", { class: "row" });
  fill(row, kinds.map((kind) => {
    const input = h("input", { type: "file", hidden: true, multiple: kind !== "one", webkitdirectory: kind === "folder" });
    input.addEventListener("change", () => {
      if (input.files?.length) take(chosen(input.files));
      input.value = "";
    });
    const label = { folder: t("choose.folder"), files: t("choose.files"), one: t("choose.one"), more: t("choose.more") }[kind];
    return [input, h("button", { type: "button", class: small ? "small" : "", onclick: () => input.click() }, label)];
  }));
  return row;
}
