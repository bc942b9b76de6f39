// Makes dist/ from src/. The result is committed, with what it was made of: node is needed only here.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const { version } = JSON.parse(readFileSync("package.json", "utf8"));
const common = {
  bundle: true,
  minify: true,
  target: "es2020",
  legalComments: "none",
  define: { VERSION: JSON.stringify(version) },
  banner: { js: `/*! engagement-tracker ${version} | MIT */` },
};
await build({ ...common, entryPoints: ["src/browser.ts"], format: "iife", outfile: "dist/tracker.js" });
await build({ ...common, entryPoints: ["src/tracker.ts"], format: "esm", outfile: "dist/tracker.mjs" });
writeFileSync("dist/tracker.js.gz", gzipSync(readFileSync("dist/tracker.js"), { level: 9 }));

const made = ["tracker.js", "tracker.js.gz", "tracker.mjs"].map((name) => `dist/${name}`);
const source = readdirSync("src").sort().map((name) => `src/${name}`);
const hash = (name) => createHash("sha256").update(readFileSync(name)).digest("hex");
const lines = [...source, "package.json", "build.mjs", ...made].map((name) => `${hash(name)}  ${name}\n`);
writeFileSync("dist.sha256", lines.join(""));
