import type { Html } from "bunpie";

export function Page({ title, children }: { title: string; children?: Html }) {
  return (
    <main class="page">
      <h1>{title}</h1>
      {children}
    </main>
  );
}

export const page = <Page title="Tea">{<p>It is hot.</p>}</Page>;
console.log(String(page));
