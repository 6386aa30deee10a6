/** Sets `NODE_ENV` until it is disposed of. */
export function withNodeEnv(value: string): Disposable {
  const { NODE_ENV } = process.env;
  process.env["NODE_ENV"] = value;
  return { [Symbol.dispose]: () => void Object.assign(process.env, { NODE_ENV }) };
}
