// The live page and the chat. What arrives is HTML that the server has escaped.

/** Shows the events of a stream: figures replace the previous ones, lines go on top. */
function follow(region) {
  const source = new EventSource(`${region.dataset.stream}?after=${region.dataset.last}`);
  for (const target of region.querySelectorAll("[data-event]")) {
    source.addEventListener(target.dataset.event, ({ data }) => {
      const most = Number(target.dataset.most);
      if (!most) return void (target.innerHTML = data);
      target.insertAdjacentHTML("afterbegin", data);
      // A repeated event stays one line, and moves to the top.
      const { first } = target.firstElementChild.dataset;
      target.querySelector(`:nth-child(n + 2 of [data-first="${first}"])`)?.remove();
      while (target.children.length > most) target.lastElementChild.remove();
    });
  }
  addEventListener("pagehide", () => source.close());
}

/** Shows lines as they arrive; reconnects a second after the connection is lost. */
function chat(list) {
  const state = document.querySelector("[data-chat-state]");
  const form = document.querySelector("[data-chat-form]");
  const scroll = () => (list.parentElement.scrollTop = list.parentElement.scrollHeight);
  let socket;

  const connect = () => {
    const last = list.lastElementChild?.dataset.id ?? 0;
    const url = new URL(`${list.dataset.chat}?after=${last}`, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    socket = new WebSocket(url);
    socket.addEventListener("message", ({ data }) => {
      list.insertAdjacentHTML("beforeend", data);
      scroll();
      state.textContent = "";
    });
    socket.addEventListener("close", ({ code }) => {
      if (code === 4401) state.textContent = "You were signed out.";
      else setTimeout(connect, 1000);
    });
  };

  form?.addEventListener("submit", (event) => {
    // Without a connection, submit the form as without scripts.
    if (socket.readyState !== WebSocket.OPEN) return;
    event.preventDefault();
    socket.send(JSON.stringify({ text: form.elements.text.value }));
    form.reset();
  });

  scroll();
  connect();
}

for (const region of document.querySelectorAll("[data-stream]")) follow(region);
for (const list of document.querySelectorAll("[data-chat]")) chat(list);
