/**
 * `javascript:` URLs in every spelling that some version of a browser accepts, as React detects
 * them.
 */
const SCRIPT_URL =
  // oxlint-disable-next-line no-control-regex
  /^[\0-\x20]*j[\r\n\t]*a[\r\n\t]*v[\r\n\t]*a[\r\n\t]*s[\r\n\t]*c[\r\n\t]*r[\r\n\t]*i[\r\n\t]*p[\r\n\t]*t[\r\n\t]*:/i;

/** How such a URL begins, as HTML. Most URLs need no closer look. */
// oxlint-disable-next-line no-control-regex
const SUSPECT = /^[\0-\x20]*[j&]/i;

/** What browsers ignore at the beginning of a URL, and within it. */
// oxlint-disable-next-line no-control-regex
const IGNORED = /^[\0-\x20]+|[\r\n\t]/g;

/** The references to characters that a `javascript:` URL can consist of. */
const REFERENCE = /&(?:#x([\da-f]+);?|#(\d+);?|colon;|Tab;|NewLine;)/gi;

const NAMED: Readonly<Record<string, string>> = { c: ":", t: "\t", n: "\n" };

/** Whether a URL in an attribute, as HTML, runs as a script. */
export function isScriptUrl(markup: string): boolean {
  return SUSPECT.test(markup) && SCRIPT_URL.test(decodeReferences(markup));
}

/** Whether a URL that begins so, as HTML, may turn out to be one that runs as a script. */
export function mayBecomeScriptUrl(markup: string): boolean {
  const beginning = decodeReferences(markup).replaceAll(IGNORED, "").toLowerCase();
  return "javascript:".startsWith(beginning);
}

function decodeReferences(markup: string): string {
  return markup.replaceAll(REFERENCE, (reference, hex?: string, decimal?: string) => {
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    if (Number.isNaN(code)) return NAMED[reference.charAt(1).toLowerCase()] ?? reference;
    return code < 0x80 ? String.fromCharCode(code) : reference;
  });
}
