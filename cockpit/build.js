// Builds the page into a folder: node build.js [FOLDER]; the folder is dist/ by default. The result depends on the
// sources and package-lock.json alone.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { build } from "esbuild";

import { catalog } from "./po/catalog.js";

const HERE = import.meta.dirname;
const made = process.argv[2] ?? join(HERE, "dist");

// PatternFly's fonts are those that Cockpit itself serves (src/page.css), and its wallpapers are for another theme.
const withoutAssets = {
    name: "without-assets",
    setup({ onLoad }) {
        onLoad({ filter: /react-core\/dist\/styles\/base\.css$/ }, ({ path }) => {
            const text = readFileSync(path, "utf8");
            const contents = text.replace(/@font-face\s*\{[^}]*\}/g, "").replace(/url\("\.\/assets\/[^)]*\)/g, "none");
            return { contents, loader: "css" };
        });
    },
};

// The shell's library, which index.html loads.
const cockpitLibrary = {
    name: "cockpit-library",
    setup({ onResolve, onLoad }) {
        onResolve({ filter: /^cockpit$/ }, ({ path }) => ({ path, namespace: "cockpit" }));
        onLoad({ filter: /.*/, namespace: "cockpit" }, () => ({ contents: "export default window.cockpit;" }));
    },
};

rmSync(made, { recursive: true, force: true });
mkdirSync(made, { recursive: true });
await build({
    entryPoints: [join(HERE, "src/nethook.jsx")],
    outdir: made,
    bundle: true,
    minify: true,
    jsx: "automatic",
    target: ["chrome91", "firefox89", "safari15"],
    define: { "process.env.NODE_ENV": '"production"' },
    external: ["../../static/fonts/*"],
    legalComments: "external",
    plugins: [withoutAssets, cockpitLibrary],
    logLevel: "warning",
});
for (const name of ["index.html", "manifest.json"])
    copyFileSync(join(HERE, "src", name), join(made, name));
for (const name of readdirSync(join(HERE, "po")).filter((each) => each.endsWith(".po"))) {
    const language = name.slice(0, -".po".length);
    const text = `cockpit.locale(${catalog(readFileSync(join(HERE, "po", name), "utf8"))});\n`;
    writeFileSync(join(made, `po.${language}.js`), text);
    writeFileSync(join(made, `po.manifest.${language}.js`), text);  // for the menu; older Cockpits look into the first
}
