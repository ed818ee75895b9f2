// Builds the studio's page into the Python package: one script, one style sheet, the synthesiser's worklet, the page.
import { build } from "esbuild";
import { copyFile, mkdir, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import path from "node:path";

const here = path.dirname(fileURLToPath(import.meta.url));
const into = process.argv[2] ?? path.join(here, "..", "src", "partimento", "studio", "page");

await rm(into, { recursive: true, force: true });
await mkdir(into, { recursive: true });
await build({
  entryPoints: { studio: path.join(here, "src", "main.ts"), style: path.join(here, "src", "style.css") },
  outdir: into,
  bundle: true,
  minify: true,
  format: "esm",
  charset: "utf8",
  splitting: true, // what only a page needs comes with it
  target: "es2022",
  loader: { ".svg": "dataurl" },
  logLevel: "warning",
});
await copyFile(
  path.join(here, "node_modules", "spessasynth_lib", "dist", "spessasynth_processor.min.js"),
  path.join(into, "synthesiser.js"),
);
for (const name of ["index.html", "icon.svg"]) await copyFile(path.join(here, "src", name), path.join(into, name));
