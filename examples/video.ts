// Videos that can be seeked: a folder of files, of which players request the part that they show (Range).
// Run it: VIDEOS=~/Videos bun examples/video.ts

import { readdirSync } from "node:fs";

import { App, files, html } from "bunpie";

const { VIDEOS = "videos" } = process.env;

class Cinema extends App {
  /** Handles ETag, 304 and 206; a path that leads out of the folder gets a 400. */
  videos = files(VIDEOS);

  index() {
    const names = readdirSync(VIDEOS).filter((name) => /\.(?:mp4|webm)$/.test(name));
    return html`<!doctype html>
      <html lang="en" style="color-scheme: light dark; font: 1.1rem/1.5 system-ui">
        <meta name="viewport" content="width=device-width" />
        <title>Cinema</title>
        <main style="max-width: 60rem; margin: auto; padding: 0 1rem">
          <h1>Cinema</h1>
          ${names.map((name) => this.#player(name))}
          ${names.length === 0 && html`<p>No videos.</p>`}
        </main>
      </html>`;
  }

  #player(name: string) {
    const path = this.link(this.videos, name);
    return html`<h2>${name}</h2>
      <video controls preload="metadata" src="${path}" style="width: 100%">
        Your browser does not show videos: <a href="${path}">download this one</a>.
      </video>`;
  }
}

export default new Cinema();
