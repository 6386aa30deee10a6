/** Whether a value is what `import page from "./page.html"` returns: a page that Bun's server bundles, and nobody else. */
export function isHtmlImport(value: unknown): value is Bun.HTMLBundle {
  if (Object.prototype.toString.call(value) === "[object HTMLBundle]") return true;
  // In a program that `bun build` has made, it is a plain object.
  const { index, files } = (value ?? {}) as Partial<Bun.HTMLBundle>;
  return typeof index === "string" && Array.isArray(files);
}

/** What answers where such a page is asked for and Bun's server has not answered it. */
export function refuseUnbundled(): never {
  throw new Error(
    "This page is an HTML import, which only Bun's server can bundle. Serve the app by listen() or as the default export; or pass `routes: app.routes` on to your own Bun.serve.",
  );
}
