/** `import text from "./style.css" with { type: "text" }` gives the file as a string. */
declare module "*.css" {
  const text: string;
  export default text;
}
