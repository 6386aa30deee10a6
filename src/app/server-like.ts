/** Bun's server, as far as an app asks it something. Others that serve an app may have less. */
export interface ServerLike {
  requestIP(request: Request): { readonly address: string } | null;
  timeout?(request: Request, seconds: number): void;
  upgrade?(request: Request, options: object): boolean;
  publish?(topic: string, data: string | Uint8Array<ArrayBuffer>): number;
}
