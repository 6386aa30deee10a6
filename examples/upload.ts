// Large uploads: files are written to disk while they arrive; an event stream shows the progress.
// Run it: bun examples/upload.ts

import { mkdirSync } from "node:fs";

import { App, eventStream, html, routes } from "bunpie";

const MAX_BYTES = 2 * 1024 ** 3;
mkdirSync("uploads", { recursive: true });

class Uploads extends App {
  /** How many bytes of each upload have been written. */
  readonly #written = new Map<string, number>();

  index() {
    const id = crypto.randomUUID();
    return html`<!doctype html>
      <html lang="en" style="color-scheme: light dark; font: 1.1rem/1.5 system-ui">
        <meta name="viewport" content="width=device-width" />
        <title>Upload</title>
        <main style="max-width: 40rem; margin: auto; padding: 0 1rem">
          <h1>Upload</h1>
          <form id="form" method="post" action="/upload/${id}" enctype="multipart/form-data">
            <p>
              <label for="file">File</label> <input id="file" type="file" name="file" required />
            </p>
            <p><button>Upload</button></p>
          </form>
          <progress id="bar" value="0" aria-label="Written" style="width: 100%"></progress>
          <p id="status" role="status"></p>
        </main>
        <script>
          form.onsubmit = async (event) => {
            event.preventDefault();
            bar.max = file.files[0].size;
            const events = new EventSource(form.action.replace("/upload/", "/progress/"));
            events.onmessage = ({ data }) => (bar.value = data);
            const response = await fetch(form.action, { method: "POST", body: new FormData(form) });
            events.close();
            if (response.ok) bar.value = bar.max;
            document.querySelector("#status").textContent = await response.text();
          };
        </script>
      </html>`;
  }

  upload = routes({
    "/:id": {
      POST: async (id) => {
        const saved: string[] = [];
        const onProgress = (bytes: number) => void this.#written.set(id, bytes);
        try {
          for await (const part of this.request.parts({ maxFiles: 1 })) {
            const size = await part.save(`uploads/${id}-${part.filename}`, { onProgress });
            saved.push(`${part.filename}: ${size} bytes`);
          }
        } finally {
          this.#written.delete(id);
        }
        return saved.join("\n");
      },
    },
  });

  progress(id: string) {
    const written = this.#written;
    return eventStream(async function* (signal) {
      while (!signal.aborted) {
        yield { data: written.get(id) ?? 0 };
        await Bun.sleep(200);
      }
    });
  }
}

export default new Uploads({ maxUploadBytes: MAX_BYTES });
