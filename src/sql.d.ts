/** A migration, as text: what `with { type: "text" }` imports. */
declare module "*.sql" {
  const text: string;
  export default text;
}
