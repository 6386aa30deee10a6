// Pages in JSX: components are functions, and the list is kept in the visitor's session.
// Run it: bun examples/jsx.tsx
/** @jsxImportSource bunpie */

import { App, HttpError } from "bunpie";
import type { Children } from "bunpie/jsx-runtime";

// A session holds 32 KiB, so limit what visitors put into it.
const MAX_TODOS = 50;
const MAX_LENGTH = 80;

interface Todo {
  title: string;
  done: boolean;
}

function Page({ title, children }: { title: string; children?: Children }) {
  return (
    <html lang="en" style="color-scheme: light dark; font: 1.1rem/1.5 system-ui">
      <meta name="viewport" content="width=device-width" />
      <title>{title}</title>
      <main style="max-width: 40rem; margin: auto; padding: 0 1rem">
        <h1>{title}</h1>
        {children}
      </main>
    </html>
  );
}

function Item({ todo, index }: { todo: Todo; index: number }) {
  return (
    <li>
      <form method="post" action={`/toggle/${index}`}>
        {todo.done ? <s>{todo.title}</s> : todo.title}{" "}
        <button aria-label={`${todo.done ? "Reopen" : "Finish"} ${todo.title}`}>
          {todo.done ? "↺" : "✓"}
        </button>
      </form>
    </li>
  );
}

class Todos extends App<{ todos: Todo[] }> {
  index = {
    GET: () => {
      const { todos = [] } = this.request.session;
      return (
        <Page title="To do">
          <ul>
            {todos.map((todo, index) => (
              <Item todo={todo} index={index} />
            ))}
          </ul>
          <form method="post">
            <label>
              New <input name="title" maxlength={MAX_LENGTH} required />
            </label>{" "}
            <button>Add</button>
          </form>
        </Page>
      );
    },
    POST: async () => {
      const title = (await this.request.form()).get("title") ?? "";
      const { session } = this.request;
      const { todos = [] } = session;
      if (title.length > MAX_LENGTH) throw new HttpError(422, "That is too long.");
      if (todos.length === MAX_TODOS) throw new HttpError(409, "The list is full.");
      session.todos = [...todos, { title, done: false }];
      return this.redirect("/", 303);
    },
  };

  toggle = {
    POST: (index: string) => {
      const todo = this.request.session.todos?.[Number(index)];
      if (todo !== undefined) todo.done = !todo.done;
      return this.redirect("/", 303);
    },
  };
}

export default new Todos();
