// A video that can be sought in: a file as the response, of which Bun sends the ranges that are asked for.
// Run it: VIDEO=holiday.mp4 bun examples/video.ts

import { App, html } from "bunpie";

class Cinema extends App {
  index() {
    return html`<!doctype html>
      <html lang="en" style="color-scheme: light dark; font: 1.1rem/1.5 system-ui">
        <meta name="viewport" content="width=device-width" />
        <title>Cinema</title>
        <main style="max-width: 60rem; margin: auto; padding: 0 1rem">
          <h1>Cinema</h1>
          <video controls preload="metadata" src="${this.link(this.video)}" style="width: 100%">
            Your browser shows no videos: <a href="${this.link(this.video)}">download it</a>.
          </video>
        </main>
      </html>`;
  }

  /** If there is no such file, this is a 404. */
  video() {
    return Bun.file(process.env["VIDEO"] ?? "video.mp4");
  }
}

export default new Cinema();
