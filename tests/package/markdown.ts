/** A fenced block of code. */
export interface CodeBlock {
  readonly language: string;
  /** What stands behind the language, such as `no-run`. */
  readonly marks: readonly string[];
  readonly code: string;
  /** The line of the file that it begins on. */
  readonly line: number;
}

/** The fenced blocks of code in a Markdown text. */
export function codeBlocks(markdown: string): CodeBlock[] {
  return [...markdown.matchAll(/^```(\w+) *([^\n]*)\n([\s\S]*?)^```$/gm)].map(
    ({ 1: language = "", 2: marks = "", 3: code = "", index }) => ({
      language,
      marks: marks.split(" ").filter((mark) => mark !== ""),
      code,
      line: markdown.slice(0, index).split("\n").length + 1,
    }),
  );
}
