// Enhancements: every form and link works without scripts too.

/** Replaces the parts of this page that differ on another, such as the cart's count. */
function takeParts(page, selector = "[data-part]") {
  for (const part of document.querySelectorAll(selector)) {
    const next = page.querySelector(`[data-part="${part.dataset.part}"]`);
    if (next === null || next.innerHTML === part.innerHTML) continue;
    part.replaceChildren(...next.childNodes);
  }
}

async function readPage(response) {
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

/** Sends a form and stays where it is: neither the scroll position nor the focus is lost. */
async function sendInPlace(form) {
  const button = form.querySelector("button");
  const label = button.innerHTML;
  form.ariaBusy = "true";
  if (form.dataset.busy) button.textContent = form.dataset.busy;
  try {
    const response = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { accept: "text/html" },
    });
    if (!response.ok) throw new Error(String(response.status));
    // The redirect led to another page, such as the login page.
    if (new URL(response.url).pathname !== location.pathname) return location.assign(response.url);
    const section = form.closest("section");
    takeParts(await readPage(response));
    // The form may be gone, and with it the button that had the focus.
    if (!form.isConnected) section?.querySelector("button, a")?.focus();
    showToast();
  } catch {
    form.submit();
  } finally {
    form.ariaBusy = null;
    button.innerHTML = label;
  }
}

/** Shows the notice to visitors who have scrolled down; hides it after five seconds. */
function showToast() {
  const status = document.querySelector(".status");
  status.classList.add("toast");
  clearTimeout(showToast.timer);
  showToast.timer = setTimeout(() => {
    status.classList.remove("toast");
    status.replaceChildren();
  }, 5000);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-in-place]")) return;
  event.preventDefault();
  if (form.ariaBusy !== "true") void sendInPlace(form);
});

/** Updates the list of the user's sessions, on pages that have one. */
async function followSessions() {
  const selector = "[data-follows-sessions]";
  if (document.querySelector(selector) === null) return;
  takeParts(await readPage(await fetch(location.pathname)), selector);
}

/** Watches for the session's end while the page is visible: browsers limit connections per host. */
function watchSession(handle) {
  let source;
  const update = () => {
    source?.close();
    if (document.hidden) return;
    source = new EventSource(`/account/watch/${handle}`);
    source.addEventListener("ended", () => {
      source.close();
      location.replace(`/account/ended/${handle}`);
    });
    source.addEventListener("sessions", followSessions);
  };
  document.addEventListener("visibilitychange", update);
  // Navigation ends the watch: the logout form has its own response.
  addEventListener("beforeunload", () => source?.close());
  update();
}

const { handle } = document.body.dataset;
if (handle !== undefined) watchSession(handle);
