import { existsSync } from "node:fs";

import { LEFT_OUT } from "../servers/services.ts";

const CHROMIUM = "/usr/bin/chromium";

/** Whether a real browser is there to test with. Nobody is required to have one. */
export const hasBrowser = existsSync(CHROMIUM);
if (!hasBrowser) LEFT_OUT.add(`Tests in a browser are skipped: there is no ${CHROMIUM}.`);

/** A cookie as the browser keeps it. */
export interface BrowserCookie {
  readonly name: string;
  readonly value: string;
  readonly httpOnly: boolean;
  readonly secure: boolean;
  readonly session: boolean;
  readonly sameSite?: string;
  /** Unix seconds. */
  readonly expires: number;
}

/** How a browser shows pages. */
interface Emulation {
  readonly media?: "" | "print";
  readonly scheme?: "light" | "dark";
}

/** A tab of a real Chromium. */
export class Browser implements Disposable {
  readonly #view = new Bun.WebView({
    width: 1280,
    height: 900,
    backend: {
      type: "chrome",
      path: CHROMIUM,
      argv: [
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  });

  #opened: Promise<void> | undefined;
  #runsScripts = true;

  async visit(url: string | URL): Promise<void> {
    // A tab that was never anywhere cannot be asked whether it has arrived.
    this.#opened ??= this.#view.navigate("about:blank");
    await this.#opened;
    await this.#leave(() => this.#view.navigate(String(url)));
  }

  reload(): Promise<void> {
    return this.#leave(() => this.#view.reload());
  }

  back(): Promise<void> {
    // `goBack` never settles for a page that the browser had kept as it was.
    return this.#leave(async () => void (await this.evaluate("history.back()")));
  }

  /** Types into a field, in place of what it holds. */
  async fill(selector: string, text: string): Promise<void> {
    await this.evaluate(`document.querySelector(${JSON.stringify(selector)}).select()`);
    await this.#view.type(text);
  }

  /** Clicks on what leads to another page, and waits for that. */
  follow(selector: string): Promise<void> {
    return this.#leave(() => this.click(selector));
  }

  /** What an expression gives on the page. */
  evaluate(expression: string): Promise<unknown> {
    return this.#view.evaluate(expression);
  }

  /** The text that is to be seen. */
  async text(): Promise<string> {
    return String(await this.evaluate("document.body.innerText"));
  }

  /** Where the tab is, without the origin. */
  async path(): Promise<string> {
    return String(await this.evaluate("location.pathname"));
  }

  /** The page's cookies, those that scripts cannot see included. */
  async cookies(): Promise<readonly BrowserCookie[]> {
    const { cookies } = (await this.#view.cdp("Network.getCookies")) as {
      cookies: readonly BrowserCookie[];
    };
    return cookies;
  }

  /** Makes this the first visit. All tabs share their cookies, on whatever port. */
  async forgetCookies(): Promise<void> {
    await this.#view.cdp("Network.clearBrowserCookies");
  }

  async resize(width: number, height: number): Promise<void> {
    await this.#view.resize(width, height);
  }

  /** Presses a key such as `Tab` or `Enter`, in whatever has the focus. */
  async press(key: string): Promise<void> {
    await this.#view.press(key);
  }

  /** Clicks on what changes the page and does not leave it. */
  async click(selector: string): Promise<void> {
    if (this.#runsScripts) {
      await this.#view.scrollTo(selector);
      await this.#view.click(selector);
    } else {
      // The above waits for frames by a script on the page.
      await this.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);
    }
  }

  /** Shows pages as for print, or in a colour scheme. */
  async emulate({ media = "", scheme = "light" }: Emulation): Promise<void> {
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.#view.cdp("Emulation.setEmulatedMedia", { media, features });
  }

  /** From the next page on, scripts of pages do not run. */
  async disableScripts(): Promise<void> {
    this.#runsScripts = false;
    await this.#view.cdp("Emulation.setScriptExecutionDisabled", { value: true });
  }

  /** Waits until an expression is true on the page, whichever that is by then. */
  async until(expression: string): Promise<void> {
    const deadline = performance.now() + 60_000;
    while (!(await this.#isTrue(expression))) {
      if (performance.now() > deadline)
        throw new Error(`Not so on ${await this.path()}: ${expression}`);
      await Bun.sleep(5);
    }
  }

  [Symbol.dispose](): void {
    this.#view.close();
  }

  /**
   * Waits until another document has taken the present one's place. Asks again and again: neither
   * `onNavigated` nor an event of the protocol comes at that moment and at no other. The mark on
   * the document is taken off when it is left, so that it does not come back with a page that the
   * browser had kept.
   */
  async #leave(action: () => Promise<void>): Promise<void> {
    await this.evaluate(
      "(window.isOld = true, addEventListener('pagehide', () => { window.isOld = false }))",
    );
    await action();
    await this.until("!window.isOld && document.readyState === 'complete'");
  }

  async #isTrue(expression: string): Promise<boolean> {
    try {
      return (await this.evaluate(expression)) === true;
    } catch {
      return false; // The document went away while it was being asked.
    }
  }
}

/** Another site, whose page is a form for this URL. */
export function serveForm(action: string): Bun.Server<undefined> {
  const page = `<form method="post" action="${action}"><button>Win!</button></form>`;
  const headers = { "content-type": "text/html" };
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response(page, { headers }),
  });
}
