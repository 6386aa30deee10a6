/** The part of Bun's server that an app uses. Other servers may lack the optional methods. */
export interface ServerLike {
  requestIP(request: Request): { readonly address: string } | null;
  timeout?(request: Request, seconds: number): void;
  upgrade?(request: Request, options: object): boolean;
  publish?(topic: string, data: string | Uint8Array<ArrayBuffer>): number;
}
