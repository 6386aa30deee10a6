import { App, html } from "bunpie";

export class Counter extends App<{ visits: number }> {
  index() {
    const { session } = this.request;
    session.visits = (session.visits ?? 0) + 1;
    return html`<!doctype html>
      <title>Counter</title>
      <p>You have visited ${session.visits} times.</p>
      <form method="post" action="/forget"><button>Forget me</button></form>`;
  }

  forget = {
    POST: () => {
      this.request.session.destroy();
      return this.redirect("/");
    },
  };
}
