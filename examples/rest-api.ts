// A REST API: routes() by pattern and verb, bodies checked by a schema, errors as RFC 9457 problems.
// Run it: bun examples/rest-api.ts   and then: curl -i localhost:3000/todos -d '{"title":"Buy tea"}'

import { App, HttpError, routes, status } from "bunpie";
import { z } from "zod";

const Todo = z.object({
  title: z.string().trim().min(1).max(80),
  done: z.boolean().default(false),
});
const Change = z.object({ title: Todo.shape.title, done: z.boolean() }).partial();
const Page = z.object({
  page: z.coerce.number().int().min(1).default(1),
  size: z.coerce.number().int().min(1).max(100).default(20),
});

type StoredTodo = z.infer<typeof Todo> & { id: number };

class Api extends App {
  readonly #todos = new Map<string, StoredTodo>();
  #lastId = 0;

  todos = routes({
    "/": {
      GET: async () => {
        const { page, size } = await this.request.query(Page);
        return [...this.#todos.values()].slice((page - 1) * size, page * size);
      },
      // A handler that links to its own field needs a return type.
      POST: async (): Promise<Response> => {
        const todo = { id: ++this.#lastId, ...(await this.request.json(Todo)) };
        this.#todos.set(String(todo.id), todo);
        return status(201, todo, { location: this.link(this.todos, "/:id", todo.id) });
      },
    },
    "/:id": {
      GET: (id) => this.#find(id),
      PATCH: async (id) => Object.assign(this.#find(id), await this.request.json(Change)),
      DELETE: (id) => {
        this.#todos.delete(String(this.#find(id).id));
      },
    },
  });

  #find(id: string): StoredTodo {
    const todo = this.#todos.get(id);
    if (todo === undefined) throw new HttpError(404, "There is no such to-do.");
    return todo;
  }
}

export default new Api();
