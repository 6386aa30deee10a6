/**
 * What the doc comments of a source say: of what is exported under its name, of its members under
 * both, `Type.member`. A constructor's are its class's.
 */
export function docComments(source: string): Map<string, string> {
  const docs = new Map<string, string>();
  const commented = source.matchAll(
    /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(?:export (?:abstract )?(?:const|function|class|interface|type) (\w+)|(?:(?:protected|readonly|abstract|async) )*(\w+))/g,
  );
  let type = "";
  for (const [, comment = "", exported, member = ""] of commented) {
    type = exported ?? type;
    const name = exported ?? (member === "constructor" ? type : `${type}.${member}`);
    docs.set(name, `${docs.get(name) ?? ""} ${readText(comment)}`.trim());
  }
  return docs;
}

/** The sentences of a text. */
export function splitSentences(text: string): string[] {
  return text.split(/(?<=[.!?]) (?=[A-Z`])/);
}

function readText(comment: string): string {
  return comment
    .replaceAll(/^\s*\*? ?/gm, " ")
    .replaceAll(/\{@link (\w+)\}/g, "$1")
    .replaceAll(/\s+/g, " ")
    .trim();
}
