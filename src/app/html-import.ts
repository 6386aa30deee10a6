/**
 * Whether a value is what `import page from "./page.html"` returns: a page that only Bun's server
 * can bundle.
 */
export function isHtmlImport(value: unknown): value is Bun.HTMLBundle {
  if (Object.prototype.toString.call(value) === "[object HTMLBundle]") return true;
  // In a program built by `bun build`, it is a plain object.
  const { index, files } = (value ?? {}) as Partial<Bun.HTMLBundle>;
  return typeof index === "string" && Array.isArray(files);
}

/**
 * The handler of an HTML import, called only if Bun's server has not answered the request itself.
 *
 * @throws Error always, with the remedy.
 */
export function refuseUnbundled(): never {
  throw new Error(
    "This page is an HTML import, which only Bun's server can bundle. Serve the app with listen() or as the default export, or pass `routes: app.routes` to your own Bun.serve.",
  );
}
